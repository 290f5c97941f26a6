import { describe, expect, it } from 'vitest';
import { Cpuset, noCpuset } from './cpuset.ts';
import { cpus, inOwnProcess } from './own-process.ts';

const [a = 0, b = a] = cpus;
const two = cpus.length >= 2;

/** `at(cpu)` is a structure for one CPU, `S(...)` sets and says the status by name. */
const imports = `
import { CpuSet, pin, topology, affinity } from 'groupaffinity';
import * as storport from 'groupaffinity/storport';
const { STOR_GROUP_AFFINITY, StorPortSetSystemGroupAffinityThread: Set, StorPortRevertToUserGroupAffinityThread: Revert, storStatusName } = storport;
const [a, b] = [${a}, ${b}];
const ext = {};
const at = (...cpus) => { const [{ group, mask }] = CpuSet.of(cpus).toGroups(); return new STOR_GROUP_AFFINITY({ Mask: mask, Group: group }); };
const name = (status) => storStatusName(status).replace('STOR_STATUS_', '');
const fields = ({ Mask, Group, Reserved }) => [Mask, Group, ...Reserved].map(Number);
const junk = () => { const p = at(b); p.Mask = 77n; p.Group = 9; p.Reserved[1] = 5; return p; };
`;

describe('StorPortSetSystemGroupAffinityThread and StorPortRevertToUserGroupAffinityThread', () => {
  it('the thirteen codes have their numbers and names', async () => {
    const codes = await inOwnProcess<Record<string, number>>(`${imports}
      export default Object.fromEntries(Object.entries(storport).filter(([name]) => name.startsWith('STOR_STATUS_')));`);
    const names = [
      'SUCCESS',
      'UNSUCCESSFUL',
      'NOT_IMPLEMENTED',
      'INSUFFICIENT_RESOURCES',
      'BUFFER_TOO_SMALL',
      'ACCESS_DENIED',
      'INVALID_PARAMETER',
    ];
    names.push('INVALID_DEVICE_REQUEST', 'INVALID_IRQL', 'INVALID_DEVICE_STATE', 'INVALID_BUFFER_SIZE', 'UNSUPPORTED_VERSION', 'BUSY');
    expect(codes).toEqual(Object.fromEntries(names.map((name, at) => [`STOR_STATUS_${name}`, at === 0 ? 0 : 0xc1000000 + at])));
  });

  it('a status has its name as a signed number too, as C prints it', async () => {
    const named = await inOwnProcess<string[]>(`${imports}
      export default [0xc1000006, 0xc1000006 | 0, 0, 0xc1000099 | 0].map((status) => storStatusName(status));`);
    const invalid = 'STOR_STATUS_INVALID_PARAMETER';
    expect(named).toEqual([invalid, invalid, 'STOR_STATUS_SUCCESS', '0xc1000099']);
  });

  it('a set confines the thread to one group, tells what was in force, and the revert restores it bit for bit', async () => {
    const seen = await inOwnProcess<{
      set: string;
      pinned: string;
      last: number;
      previous: number[];
      revert: string;
      same: boolean;
      keys: string[];
    }>(`${imports}
      const before = exactly();
      const was = affinity();
      const previous = junk();
      const set = name(Set(ext, null, at(b), previous));
      const [pinned, last] = [byProc(), lastCpu()];
      const keys = Object.keys(previous);
      const revert = name(Revert(ext, null, previous));
      export default { set, pinned, last, previous: fields(previous), revert, same: exactly() === before, keys };`);
    expect(seen).toMatchObject({
      set: 'SUCCESS',
      revert: 'SUCCESS',
      pinned: `${b}`,
      last: b,
      same: true,
      keys: ['Mask', 'Group', 'Reserved'],
    });
    expect(seen.previous.slice(1)).toEqual([0, 0, 0, 0]);
    expect(seen.previous[0]).toBe(cpus.reduce((mask, cpu) => mask + 2 ** cpu, 0));
  });

  it('every wrong value is INVALID_PARAMETER, zeroes PreviousAffinity, and leaves the thread as it was', async () => {
    const seen = await inOwnProcess<{ results: [string, number[]][]; same: boolean }>(`${imports}
      const before = exactly();
      const { maximumMask } = topology().groups[0];
      const wrong = [];
      const add = (change) => { const affinity = at(b); change(affinity); wrong.push([ext, null, affinity]); };
      add((s) => { s.Mask = 0n; });
      add((s) => { s.Mask = maximumMask + 1n; });
      add((s) => { s.Mask |= maximumMask + 1n; });
      add((s) => { s.Mask = 1n << 64n; });
      add((s) => { s.Mask = -1n; });
      for (const group of [1, 77, 0xffff, 0x10000, -1, 0.5, NaN, 2 ** 53 + 1, Infinity]) add((s) => { s.Group = group; });
      for (const at of [0, 1, 2]) add((s) => { s.Reserved[at] = 1; });
      add((s) => { s.Reserved = [0, 0]; });
      add((s) => { s.Reserved = null; });
      wrong.push([ext, null, null], [null, null, at(b)], [ext, {}, at(b)], [ext, ext, at(b)]);
      const results = wrong.flatMap((args) => {
        const previous = junk();
        const with_ = [name(Set(...args, previous)), fields(previous)];
        return [with_, [name(Set(...args, null)), []]];
      });
      export default { results, same: exactly() === before };`);
    expect(seen.same).toBe(true);
    expect(seen.results.length).toBeGreaterThan(40);
    for (const [status, previous] of seen.results) {
      expect(status).toBe('INVALID_PARAMETER');
      if (previous.length > 0) expect(previous).toEqual([0, 0, 0, 0, 0]);
    }
  });

  it('what a C compiler would refuse is a TypeError, and leaves the thread and the structures as they were', async () => {
    const seen = await inOwnProcess<{ errors: ({ name: string } | null)[]; same: boolean; previous: number[] }>(`${imports}
      const before = exactly();
      const previous = junk();
      const no = [undefined, 0, 1, '1', true, 1n, Symbol('x')];
      const bad = [...no, {}, { Mask: 1n, Group: 0, Reserved: [0, 0, 0] }, [], Object.create(STOR_GROUP_AFFINITY.prototype)];
      const [m, g] = [at(b), at(b)];
      m.Mask = 3; g.Group = '0';
      export default {
        errors: [
          failure(() => Set()), failure(() => Revert()),
          ...no.flatMap((x) => [failure(() => Set(x, null, at(b), previous)), failure(() => Set(ext, x, at(b), previous)), failure(() => Revert(x, null, at(b))), failure(() => Revert(ext, x, at(b)))]),
          ...[...bad, m, g].flatMap((x) => [failure(() => Set(ext, null, x, previous)), failure(() => Revert(ext, null, x))]),
          ...bad.map((x) => failure(() => Set(ext, null, at(b), x))),
        ],
        same: exactly() === before,
        previous: fields(previous),
      };`);
    expect(seen.same).toBe(true);
    expect(seen.previous).toEqual([77, 9, 0, 5, 0]);
    for (const error of seen.errors) expect(error?.name).toBe('TypeError');
  });

  it.runIf(two)('nested sets give back the outer one; later sets with NULL need only the first value', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const all = byProc();
      const [p, q] = [at(a), at(a)];
      const seen = [];
      const look = (status) => seen.push(name(status) + ' ' + (byProc() === all ? 'all' : byProc()));
      look(Set(ext, null, at(a), p));
      look(Set(ext, null, at(b), q));
      look(Revert(ext, null, q));
      look(Revert(ext, null, p));
      look(Revert(ext, null, p));
      look(Set(ext, null, at(a), p));
      look(Set(ext, null, at(b), null));
      look(Set(ext, null, at(a), null));
      look(Revert(ext, null, p));
      export default seen;`);
    expect(seen).toEqual([
      `SUCCESS ${a}`,
      `SUCCESS ${b}`,
      `SUCCESS ${a}`,
      'SUCCESS all',
      'SUCCESS all',
      `SUCCESS ${a}`,
      `SUCCESS ${b}`,
      `SUCCESS ${a}`,
      'SUCCESS all',
    ]);
  });

  it.runIf(two)('a zeroed structure goes back to the user affinity, also after a refused set; without a set nothing happens', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const all = byProc();
      const seen = [];
      const look = (status) => seen.push(name(status) + ' ' + (byProc() === all ? 'all' : byProc()));
      const zero = new STOR_GROUP_AFFINITY();
      look(Revert(ext, null, zero));
      look(Revert(ext, null, at(b)));
      const p = at(a), q = at(a);
      look(Set(ext, null, at(b), p));
      look(Set(ext, null, new STOR_GROUP_AFFINITY({ Group: 9, Mask: 1n }), q));
      look(Revert(ext, null, q));
      look(Set(ext, null, at(b), null));
      zero.Group = 7;
      look(Revert(ext, null, zero));
      export default seen;`);
    expect(seen).toEqual([
      'SUCCESS all',
      'SUCCESS all',
      `SUCCESS ${b}`,
      `INVALID_PARAMETER ${b}`,
      'SUCCESS all',
      `SUCCESS ${b}`,
      'SUCCESS all',
    ]);
  });

  it.runIf(two)('a revert with a wrong value is refused and has no effect', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const seen = [];
      const wrong = [[0x10000, 1n], [9, 1n], [0, 1n << 63n], [0, 1n << 64n], [-1, 1n]].map(([Group, Mask]) => new STOR_GROUP_AFFINITY({ Group, Mask }));
      const reserved = new STOR_GROUP_AFFINITY(); reserved.Reserved[2] = 1;
      for (const value of [...wrong, reserved]) seen.push(name(Revert(ext, null, value)));
      Set(ext, null, at(b), null);
      for (const value of [...wrong, reserved]) seen.push(name(Revert(ext, null, value)) + ' ' + byProc());
      seen.push(name(Revert(ext, null, null)), name(Revert(null, null, at(a))), name(Revert(ext, {}, at(a))), byProc());
      export default seen;`);
    expect(seen).toEqual([
      ...Array.from({ length: 6 }, () => 'INVALID_PARAMETER'),
      ...Array.from({ length: 6 }, () => `INVALID_PARAMETER ${b}`),
      ...Array.from({ length: 3 }, () => 'INVALID_PARAMETER'),
      `${b}`,
    ]);
  });

  it.runIf(two)('Affinity and PreviousAffinity may be the same structure; a copy made field by field reverts as well', async () => {
    const seen = await inOwnProcess<{ statuses: string[]; seen: string[]; same: boolean[] }>(`${imports}
      const before = exactly();
      const statuses = [], seen = [], same = [];
      const one = at(b);
      statuses.push(name(Set(ext, null, one, one)));
      seen.push(byProc());
      statuses.push(name(Revert(ext, null, one)));
      same.push(exactly() === before);
      const p = at(a);
      Set(ext, null, at(b), p);
      statuses.push(name(Revert(ext, null, new STOR_GROUP_AFFINITY({ Mask: p.Mask, Group: p.Group }))));
      same.push(exactly() === before);
      const bad = new STOR_GROUP_AFFINITY({ Mask: 1n, Group: 9 });
      statuses.push(name(Set(ext, null, bad, bad)), String(fields(bad)));
      export default { statuses, seen, same };`);
    expect(seen).toEqual({
      statuses: ['SUCCESS', 'SUCCESS', 'SUCCESS', 'INVALID_PARAMETER', '0,0,0,0,0'],
      seen: [`${b}`],
      same: [true, true],
    });
  });

  it("a structure that can't be written is a TypeError before the thread moves", async () => {
    const seen = await inOwnProcess<{ errors: ({ name: string } | null)[]; same: boolean; status: string }>(`${imports}
      const before = exactly();
      const errors = [failure(() => Set(ext, null, at(b), Object.freeze(at(a))))];
      export default { errors, same: exactly() === before, status: name(Revert(ext, null, new STOR_GROUP_AFFINITY())) };`);
    expect(seen).toMatchObject({ errors: [{ name: 'TypeError' }], same: true, status: 'SUCCESS' });
  });

  it.runIf(two)('a stack that overflows within a call leaves nothing behind that is not so', async () => {
    const seen = await inOwnProcess<{ overflowed: number; wrong: string[] }>(`${imports}
      Set(ext, null, at(a), junk());
      const wrong = [];
      let overflowed = 0;
      const foreign = new STOR_GROUP_AFFINITY({ Mask: 1n << 63n });
      for (const wanted of [foreign, at(b), at(a)])
        for (let frame = 0; frame < 80; frame += 1) {
          let left = frame;
          const dive = () => {
            try { dive(); } catch {}
            left -= 1;
            if (left !== 0) return;
            try { Set(ext, null, wanted, junk()); } catch (error) { overflowed += error instanceof RangeError ? 1 : 0; }
          };
          dive();
          const inForce = Number(byProc());
          const previous = junk();
          Set(ext, null, at(a), previous);
          if (previous.Mask !== at(inForce).Mask) wrong.push(\`frame \${frame}: \${previous.Mask} is told, CPU \${inForce} was in force\`);
        }
      export default { overflowed, wrong };`);
    expect(seen.wrong).toEqual([]);
    expect(seen.overflowed).toBeGreaterThan(0);
  });

  it.runIf(two)('a program that is stopped within a call is brought back by a revert', async () => {
    const seen = await inOwnProcess<{ stopped: number; wrong: number[] }>(`${imports}
      import { Script } from 'node:vm';
      const before = exactly();
      Object.assign(globalThis, { there: at(b), previous: junk(), leave: () => Revert(ext, null, previous), go: () => Set(ext, null, there, previous) });
      const endless = new Script('for (;;) { go(); leave(); }');
      const wrong = [];
      let stopped = 0;
      for (let turn = 0; turn < 100; turn += 1) {
        try { endless.runInThisContext({ timeout: 1 }); } catch { stopped += 1; }
        Revert(ext, null, new STOR_GROUP_AFFINITY());
        if (exactly() !== before) wrong.push(turn);
      }
      export default { stopped, wrong };`);
    expect(seen).toEqual({ stopped: 100, wrong: [] });
  });

  it.runIf(two)('a structure that throws at DISPATCH_LEVEL leaves a set that a revert takes back', async () => {
    const seen = await inOwnProcess<{ threw: string | undefined; on: string[]; same: boolean }>(`${imports}
      import { KeLowerIrql, KeRaiseIrql } from 'groupaffinity/wdm';
      const before = exactly();
      const old = { value: 0 };
      const angry = Object.defineProperty(junk(), 'Mask', { get: () => 0n, set: (mask) => { if (mask !== 0n) throw new Error('no mask'); } });
      KeRaiseIrql(2, old);
      const threw = failure(() => Set(ext, null, at(b), angry))?.message;
      KeLowerIrql(old.value);
      const on = [byProc()];
      const here = pin([a]);
      on.push(byProc());
      Revert(ext, null, new STOR_GROUP_AFFINITY());
      on.push(byProc());
      here.restore();
      export default { threw, on, same: exactly() === before };`);
    expect(seen).toEqual({ threw: 'no mask', on: [`${b}`, `${b}`, `${a}`], same: true });
  });

  it.runIf(two)('so is one whose structure throws after the thread has moved', async () => {
    const seen = await inOwnProcess<{ threw: string | undefined; status: string; same: boolean }>(`${imports}
      const before = exactly();
      Set(ext, null, at(a), null);
      Revert(ext, null, new STOR_GROUP_AFFINITY());
      const angry = Object.defineProperty(junk(), 'Mask', { get: () => 0n, set: (mask) => { if (mask === 0n) throw new Error('no zero'); } });
      const threw = failure(() => Set(ext, null, at(b), angry))?.message;
      const reverted = name(Revert(ext, null, new STOR_GROUP_AFFINITY()));
      export default { threw, status: reverted, same: exactly() === before };`);
    expect(seen).toEqual({ threw: 'no zero', status: 'SUCCESS', same: true });
  });

  it.runIf(two).each([
    ['set', 'Set(ext, null, at(b), null)'],
    ['revert', 'Revert(ext, null, at(b))'],
  ])('a %s that comes while a set stores PreviousAffinity is done before it', async (_, call) => {
    const seen = await inOwnProcess<{ status: string; on: string; told: boolean; next: boolean }>(`${imports}
      Set(ext, null, at(a), null);
      let mask = 0n;
      let times = 0;
      const nosy = Object.defineProperty(junk(), 'Mask', {
        get: () => mask,
        set: (value) => {
          mask = value;
          times += 1;
          if (times === 1) ${call};
        },
      });
      const set = name(Set(ext, null, at(a), nosy));
      const on = byProc();
      const previous = junk();
      Set(ext, null, at(b), previous);
      export default { status: set, on, told: nosy.Mask === at(b).Mask, next: previous.Mask === at(a).Mask };`);
    expect(seen).toEqual({ status: 'SUCCESS', on: `${a}`, told: true, next: true });
  });

  it.runIf(two)('nested sets tell each other, and what somebody else or a pin has set in between', async () => {
    const seen = await inOwnProcess<Record<string, string>>(`${imports}
      import { execFileSync } from 'node:child_process';
      const before = exactly();
      const [user, previous] = [junk(), junk()];
      const told = () => [a, b].filter((cpu) => String(fields(at(cpu))) === String(fields(previous))).join();
      const set = (...cpus) => name(Set(ext, null, at(...cpus), previous)) + ' ' + told() + ' ' + byProc();
      const seen = { outer: name(Set(ext, null, at(b), user)) };
      seen.same = set(b);
      seen.again = set(b);
      seen.other = set(a);
      execFileSync('taskset', ['-p', '-c', String(b), String(process.pid)]);
      seen.somebody = set(a);
      seen.after = set(a);
      const here = pin([b]);
      seen.pinned = set(a);
      seen.reverted = name(Revert(ext, null, user)) + ' ' + byProc();
      seen.below = set(b) + ' ' + name(Revert(ext, null, previous)) + ' ' + byProc();
      here.restore();
      seen.end = exactly() === before ? 'before' : exactly();
      export default seen;`);
    expect(seen).toEqual({
      outer: 'SUCCESS',
      same: `SUCCESS ${b} ${b}`,
      again: `SUCCESS ${b} ${b}`,
      other: `SUCCESS ${b} ${a}`,
      somebody: `SUCCESS ${b} ${a}`,
      after: `SUCCESS ${a} ${a}`,
      pinned: `SUCCESS ${a} ${a}`,
      reverted: `SUCCESS ${b}`,
      below: `SUCCESS ${b} ${b} SUCCESS ${b}`,
      end: 'before',
    });
  });

  it.runIf(two)('a copy of the first value reverts to the user affinity from below nested sets as well', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const before = exactly();
      const p = at(a);
      Set(ext, null, at(a), p);
      const copy = new STOR_GROUP_AFFINITY({ Mask: p.Mask, Group: p.Group });
      Set(ext, null, at(b), null);
      const seen = [name(Revert(ext, null, copy)), exactly() === before ? 'before' : exactly()];
      pin([a]);
      export default [...seen, byProc()];`);
    expect(seen).toEqual(['SUCCESS', 'before', `${a}`]);
  });

  it.runIf(two)('a pin under a system affinity waits below it and is in force after the revert', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const before = exactly();
      const p = at(a);
      Set(ext, null, at(b), p);
      const here = pin([a]);
      const seen = [byProc()];
      Revert(ext, null, p);
      seen.push(byProc());
      here.restore();
      seen.push(exactly() === before ? 'before' : exactly());
      export default seen;`);
    expect(seen).toEqual([`${b}`, `${a}`, 'before']);
  });

  it.skipIf(noCpuset !== undefined)(
    `a CPU that the cpuset withholds is UNSUCCESSFUL, nothing moves${noCpuset === undefined ? '' : `: ${noCpuset}`}`,
    async () => {
      using cpuset = new Cpuset(`${a}`);
      const seen = await inOwnProcess<{ results: (string | number[])[]; same: boolean }>(
        `${imports}
      const before = exactly();
      const p = junk(), q = junk();
      export default { results: [name(Set(ext, null, at(b), p)), fields(p), name(Set(ext, null, at(a, b), q)), fields(q)], same: exactly() === before };`,
        { under: cpuset.under },
      );
      expect(seen).toEqual({ results: ['UNSUCCESSFUL', [0, 0, 0, 0, 0], 'UNSUCCESSFUL', [0, 0, 0, 0, 0]], same: true });
    },
  );

  it.skipIf(noCpuset !== undefined)(
    `a set that waits for the IRQL to fall is told as what it is, though its CPU is withheld by then${noCpuset === undefined ? '' : `: ${noCpuset}`}`,
    async () => {
      using cpuset = new Cpuset(`${a},${b}`);
      const seen = await inOwnProcess<{ told: boolean[]; statuses: string[]; on: string }>(
        `${imports}
      import { writeFileSync } from 'node:fs';
      import { KeLowerIrql, KeRaiseIrql } from 'groupaffinity/wdm';
      const [first, second] = [junk(), junk()];
      const statuses = [name(Set(ext, null, at(a), null))];
      const old = { value: 0 };
      KeRaiseIrql(2, old);
      statuses.push(name(Set(ext, null, at(b), first)));
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, String(a));
      statuses.push(name(Set(ext, null, at(a), second)));
      KeLowerIrql(old.value);
      const told = [[first, a], [second, b]].map(([previous, cpu]) => previous.Mask === at(cpu).Mask && previous.Group === at(cpu).Group);
      export default { told, statuses, on: byProc() };`,
        { under: cpuset.under },
      );
      expect(seen).toEqual({ told: [true, true], statuses: ['SUCCESS', 'SUCCESS', 'SUCCESS'], on: `${a}` });
    },
  );

  it.skipIf(noCpuset !== undefined)(
    `a user affinity that is withheld at the revert is what the next one brings back${noCpuset === undefined ? '' : `: ${noCpuset}`}`,
    async () => {
      using cpuset = new Cpuset(`${a},${b}`);
      const seen = await inOwnProcess<string[]>(
        `${imports}
      import { writeFileSync } from 'node:fs';
      const seen = [];
      const turn = (cpus) => {
        const previous = junk();
        const status = name(Set(ext, null, at(a), previous));
        writeFileSync(${JSON.stringify(cpuset.cpusFile)}, cpus);
        seen.push([status, name(Revert(ext, null, previous)), byProc()].join());
      };
      pin([b]);
      turn(String(a));
      turn(String(a));
      turn(a + ',' + b);
      export default seen;`,
        { under: cpuset.under },
      );
      expect(seen).toEqual([`SUCCESS,SUCCESS,${a}`, `SUCCESS,SUCCESS,${a}`, `SUCCESS,SUCCESS,${b}`]);
    },
  );
});
