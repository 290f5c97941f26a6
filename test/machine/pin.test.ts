import { describe, expect, it } from 'vitest';
import { Cpuset, noCpuset } from './cpuset.ts';
import { cpus, hiding, inOwnProcess, noMounts, unless } from './own-process.ts';

const [a = 0, b = a] = cpus;
const two = cpus.length >= 2;
const imports = `import { affinity, allowedCpus, CpuSet, currentCpu, pin, support, topology, withAffinity } from 'groupaffinity';\nconst [a, b] = [${a}, ${b}];\n`;

describe('pin', () => {
  it('confines the thread to a CPU and has it there, and restores bit for bit', async () => {
    const seen = await inOwnProcess<{
      before: string;
      pinned: string;
      cpu: number;
      last: number;
      own: string;
      after: string;
      again: string;
    }>(`${imports}
      const before = exactly();
      const here = pin(String(b));
      const cpu = currentCpu().cpu;
      const [pinned, last, own] = [byProc(), lastCpu(), String(affinity())];
      here.restore();
      const after = exactly();
      here.restore();
      export default { before, pinned, cpu, last, own, after, again: exactly() };`);
    expect(seen).toMatchObject({ pinned: `${b}`, cpu: b, last: b, own: `${b}` });
    expect(seen.after).toBe(seen.before);
    expect(seen.again).toBe(seen.before);
  });

  it.runIf(two)('nests; scopes may end in any order, and each goes back to what was before it', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const seen = [byProc()];
      const outer = pin([a, b]);
      const middle = pin([a]);
      const inner = pin([b]);
      seen.push(byProc());
      middle.restore();
      seen.push(byProc());
      inner.restore();
      seen.push(byProc());
      const last = pin([a]);
      outer.restore();
      seen.push(byProc());
      last.restore();
      seen.push(byProc());
      export default seen;`);
    const all = seen[0];
    expect(seen).toEqual([all, `${b}`, `${b}`, `${a}-${b}`, `${a}`, all]);
  });

  it('withAffinity restores after a return, a throw, and a promise either way', async () => {
    const seen = await inOwnProcess<{ before: string; inside: string[]; after: string[]; value: number }>(`${imports}
      const before = exactly();
      const inside = [], after = [];
      const look = () => { inside.push(byProc()); return 7; };
      const value = withAffinity([b], look);
      after.push(exactly());
      try { withAffinity([b], () => { look(); throw new Error('x'); }); } catch {}
      after.push(exactly());
      await withAffinity([b], async () => { await null; await new Promise((go) => setTimeout(go, 5)); return look(); });
      after.push(exactly());
      await withAffinity([b], async () => { await null; look(); throw new Error('x'); }).catch(() => {});
      after.push(exactly());
      try { withAffinity([b], () => { look(); return { get then() { throw new Error('x'); } }; }); } catch {}
      after.push(exactly());
      const odd = Object.defineProperty(Promise.resolve(), 'constructor', { get: () => { throw new Error('x'); } });
      await withAffinity([b], () => { look(); return odd; }).catch(() => {});
      after.push(exactly());
      export default { before, inside, after, value };`);
    expect(seen.inside).toEqual(Array.from({ length: 6 }, () => `${b}`));
    expect(seen.after).toEqual(Array.from({ length: 6 }, () => seen.before));
    expect(seen.value).toBe(7);
  });

  it('is disposable', async () => {
    const seen = await inOwnProcess<{ inside: string; same: boolean }>(`${imports}
      const before = exactly();
      const here = pin([b]);
      const inside = byProc();
      here[Symbol.dispose]();
      export default { inside, same: exactly() === before };`);
    expect(seen).toEqual({ inside: `${b}`, same: true });
  });

  it('a pin cannot be carried to another thread, nor its restore be borrowed', async () => {
    const seen = await inOwnProcess<Record<string, { name: string }>>(`${imports}
      import { MessageChannel, Worker } from 'node:worker_threads';
      const here = pin([b]);
      export default {
        clone: failure(() => structuredClone(here)),
        post: failure(() => new MessageChannel().port1.postMessage(here)),
        worker: failure(() => new Worker('0', { eval: true, workerData: here })),
        borrow: failure(() => here.restore.call({})),
        still: { name: byProc() },
      };`);
    expect(seen['clone']?.name).toBe('DataCloneError');
    expect(seen['post']?.name).toBe('DataCloneError');
    expect(seen['worker']?.name).toBe('DataCloneError');
    expect(seen['borrow']?.name).toBe('TypeError');
    expect(seen['still']?.name).toBe(`${b}`);
  });

  it.runIf(two)('keeps to a set of CPUs, moves within it, and reports place by group and node', async () => {
    const seen = await inOwnProcess<{
      list: string;
      places: { cpu: number; group: number; number: number; node: number }[];
      bits: (number | undefined)[];
    }>(`${imports}
      const here = pin([a, b]);
      const list = byProc();
      const places = [pin([a]), pin([b])].map(() => currentCpu());
      const bits = places.map(({ group, number }) => topology().groups[group].cpus[number]);
      export default { list, places, bits };`);
    expect(seen.list).toBe(b === a + 1 ? `${a}-${b}` : `${a},${b}`);
    expect(seen.bits).toEqual(seen.places.map(({ cpu }) => cpu));
  });

  it('allowedCpus does not shrink when the thread is pinned', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const before = String(allowedCpus());
      const here = pin([b]);
      export default [before, String(allowedCpus()), String(topology().cpus.allowed)];`);
    expect(seen[0]).toBe(seen[1]);
    expect(seen[2]).toBe(seen[0]);
  });

  it.runIf(two)('a process that starts confined stays so: allowedCpus says it, and restore goes back to it', async () => {
    const seen = await inOwnProcess<{ allowed: string; start: string; back: string }>(
      `${imports}
      const start = byProc();
      const allowed = String(allowedCpus());
      pin([a]).restore();
      export default { allowed, start, back: byProc() };`,
      { under: ['taskset', '-c', `${a}`] },
    );
    expect(seen).toMatchObject({ allowed: `${a}`, start: `${a}`, back: `${a}` });
  });
});

describe('bad input leaves the thread exactly as it was', () => {
  const values = `[undefined, null, NaN, -1, 2 ** 53 + 1, 0.5, 3, 3n, true, '1x', '', [], [NaN], [-1], ['1'], [65535], [2 ** 53 + 1], '65535', '99999999999', 'group:77', '77:0x1',
    '0:0xffffffffffffffffffff', { group: 0, mask: 0n }, { group: 77, mask: 1n }, { group: 0, mask: 1n << 63n }, { group: 0, mask: 3 }, CpuSet.empty, CpuSet.fromMask(1n << 9999n),
    Symbol('x'), () => 0, {}, new Date(), new Proxy({}, {}), Object.create(null)]`;

  it.each(['pin', 'withAffinity'])('%s', async (name) => {
    const seen = await inOwnProcess<{ errors: ({ name: string } | null)[]; same: boolean }>(`${imports}
      const before = exactly();
      const errors = ${values}.map((value) => failure(() => ${name}(value, () => { throw new Error('ran'); })));
      errors.push(failure(() => ${name}()));
      export default { errors, same: exactly() === before };`);
    expect(seen.same).toBe(true);
    for (const error of seen.errors) expect(['TypeError', 'RangeError', 'AffinityError']).toContain(error?.name);
  });

  it('withAffinity without a function', async () => {
    const seen = await inOwnProcess<{ errors: ({ name: string } | null)[]; same: boolean }>(`${imports}
      const before = exactly();
      const errors = [undefined, null, 1, 'x', {}].map((value) => failure(() => withAffinity([b], value)));
      export default { errors, same: exactly() === before };`);
    expect(seen.same).toBe(true);
    for (const error of seen.errors) expect(error?.name).toBe('TypeError');
  });

  it('functions without parameters take no notice of arguments', async () => {
    const seen = await inOwnProcess<{ same: boolean; cpus: string }>(`${imports}
      const before = exactly();
      for (const value of ${values}) { affinity(value); allowedCpus(value); support(value); topology(value); currentCpu(value, value); }
      export default { same: exactly() === before, cpus: String(affinity('x', 'y')) };`);
    expect(seen.same).toBe(true);
  });
});

describe(`cpusets${noCpuset === undefined ? '' : `: ${noCpuset}`}`, () => {
  it.skipIf(noCpuset !== undefined)('a CPU that is withheld from the process is refused by name, wholly, and nothing moves', async () => {
    using cpuset = new Cpuset(`${a}`);
    const seen = await inOwnProcess<{ errors: object[]; same: boolean; allowed: string; seats: string[] }>(
      `${imports}
      import { spread } from 'groupaffinity/workers';
      const before = exactly();
      const errors = [failure(() => pin([b])), failure(() => pin([a, b]))];
      export default { errors, same: exactly() === before, allowed: String(allowedCpus()), seats: spread({ by: 'cpu' }).seats.map(({ cpus }) => String(cpus)) };`,
      { under: cpuset.under },
    );
    const refusal = expect.objectContaining({
      code: 'ERR_AFFINITY_NOT_ALLOWED',
      message: `CPU ${b} is withheld from this process, which may use ${a}`,
      status: 0xc1000001,
    }) as object;
    expect(seen).toEqual({ same: true, allowed: `${a}`, seats: [`${a}`], errors: [refusal, refusal] });
  });

  it.skipIf(noCpuset !== undefined)('a process follows its cpuset when that grows', async () => {
    using cpuset = new Cpuset(`${a}`);
    const seen = await inOwnProcess<string[]>(
      `${imports}
      import { writeFileSync } from 'node:fs';
      const seen = [String(allowedCpus())];
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, a + ',' + b);
      seen.push(String(allowedCpus()));
      pin([b]);
      seen.push(byProc());
      export default seen;`,
      { under: cpuset.under },
    );
    expect(seen).toEqual([`${a}`, b === a + 1 ? `${a}-${b}` : `${a},${b}`, `${b}`]);
  });

  it.skipIf(noCpuset !== undefined)('a thread that was pinned and restored follows its cpuset like one that never was', async () => {
    using cpuset = new Cpuset(`${a}`);
    const seen = await inOwnProcess<string[]>(
      `${imports}
      import { writeFileSync } from 'node:fs';
      import { StorPortSetSystemGroupAffinityThread as Set, StorPortRevertToUserGroupAffinityThread as Revert, STOR_GROUP_AFFINITY } from 'groupaffinity/storport';
      pin([a]).restore();
      const [{ group, mask }] = CpuSet.of([a]).toGroups();
      const previous = new STOR_GROUP_AFFINITY();
      Set({}, null, new STOR_GROUP_AFFINITY({ Group: group, Mask: mask }), previous);
      Revert({}, null, previous);
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, a + ',' + b);
      export default [byProc()];`,
      { under: cpuset.under },
    );
    expect(seen).toEqual([b === a + 1 ? `${a}-${b}` : `${a},${b}`]);
  });

  it.skipIf(noCpuset !== undefined)('a pin whose old set another cpuset has taken away goes back to what the process has now', async () => {
    using cpuset = new Cpuset(`${a}`);
    const seen = await inOwnProcess<string[]>(
      `${imports}
      import { writeFileSync } from 'node:fs';
      const outer = pin([a]);
      const inner = pin([a]);
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, String(b));
      const seen = [byProc()];
      inner.restore();
      outer.restore();
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, a + ',' + b);
      seen.push(byProc());
      export default seen;`,
      { under: cpuset.under },
    );
    expect(seen).toEqual([`${b}`, b === a + 1 ? `${a}-${b}` : `${a},${b}`]);
  });
});

describe('what a thread promises while it is pinned', () => {
  it('withAffinity waits for anything that has a then, lazy ones and those of other realms', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      import vm from 'node:vm';
      const seen = [];
      const lazy = { then(resolve) { seen.push(byProc()); resolve(1); } };
      await withAffinity([b], () => lazy);
      const foreign = vm.runInNewContext('(async (look) => { await null; look(); })');
      await withAffinity([b], () => foreign(() => seen.push(byProc())));
      seen.push(byProc());
      export default seen;`);
    expect(seen.slice(0, 2)).toEqual([`${b}`, `${b}`]);
    expect(seen[2]).not.toBe(two ? `${b}` : '');
  });

  it.skipIf(noMounts !== undefined)(unless('without /sys nothing shrinks to the pin', noMounts), async () => {
    const seen = await inOwnProcess<string[] | null>(
      `${imports}
      const before = String(allowedCpus());
      const here = pin([b]);
      export default [before, String(allowedCpus()), String(topology().cpus.online), byProc()];`,
      { under: hiding('/sys') },
    );
    expect(seen?.[1]).toBe(seen?.[0]);
    expect(seen?.[2]).toBe(seen?.[0]);
    expect(seen?.[3]).toBe(`${b}`);
  });
});
