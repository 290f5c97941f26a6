import { rmSync } from 'node:fs';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CpuSet } from '../../lib/machine/cpu-set.ts';
import { readTopology, type Topology } from '../../lib/machine/topology.ts';
import { planOn, type SpreadOptions } from '../../lib/workers/plan.ts';
import { compose, type Description } from '../fixtures/compose.ts';

function machine(description: Description): Topology {
  const { root } = compose(description);
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return readTopology(root);
}

const seats = (of: Topology, options: SpreadOptions): string[] => planOn(options, of).seats.map(({ cpus }) => String(cpus));
const l3 = { level: 3, type: 'unified', size: 2 ** 25, cores: 2 } as const;
const twoSockets: Description = { packages: 2, nodes: 2, cores: 4, threads: 2, numbering: 'siblings-apart', caches: [l3] };

describe('a plan spreads', () => {
  it('cores over sockets first, then over caches; a seat is a core with its siblings', () => {
    expect(seats(machine(twoSockets), { by: 'core' })).toEqual(['0,8', '4,12', '2,10', '6,14', '1,9', '5,13', '3,11', '7,15']);
  });

  it('CPUs so that no core gets a second one while another has none', () => {
    const of = machine(twoSockets);
    const first = planOn({ by: 'cpu', count: 8 }, of).seats.flatMap(({ cpus }) => cpus.toArray());
    expect(new Set(first.map((cpu) => cpu % 8)).size).toBe(8);
    expect(seats(of, { by: 'cpu' })).toHaveLength(16);
  });

  it('over caches, nodes, packages and groups, one seat each, shared evenly where more are wanted', () => {
    const of = machine(twoSockets);
    expect(seats(of, { by: 'l3' })).toEqual(['0-1,8-9', '4-5,12-13', '2-3,10-11', '6-7,14-15']);
    expect(seats(of, { by: 'numa' })).toEqual(['0-3,8-11', '4-7,12-15']);
    expect(seats(of, { by: 'package', count: 4 })).toEqual(['0-3,8-11', '4-7,12-15', '0-3,8-11', '4-7,12-15']);
    expect(seats(of, { by: 'group' })).toEqual(['0-15']);
    expect(planOn({ by: 'numa' }, of).seats.map(({ seat, group, node }) => [seat, group, node])).toEqual([
      [0, 0, 0],
      [1, 0, 1],
    ]);
  });

  it('over groups where there are several, sockets in turn', () => {
    const of = machine({ packages: 2, nodes: 2, cores: 36, threads: 2 });
    expect(planOn({ by: 'group' }, of).seats.map(({ cpus, group }) => [cpus.size, group])).toEqual([
      [64, 0],
      [64, 2],
      [16, 1],
    ]);
  });

  it('over what is online and allowed, and nothing else', () => {
    const of = machine({ ...twoSockets, offline: '8', cpuset: { from: 'v2', cpus: '0,8-10' } });
    const used = planOn({ by: 'core' }, of).seats.map(({ cpus }) => String(cpus));
    expect(used.join().split(',').sort()).toEqual(['0', '10', '9']);
    expect(() => planOn({ by: 'cpu', count: 4 }, of)).toThrow(RangeError);
  });

  it('siblings last of all, wherever the cores are: a socket with fewer cores does not double up before the other is full', () => {
    const of = machine({ ...twoSockets, offline: '1-3,9-11' });
    expect(seats(of, { by: 'cpu' })).toEqual(['0', '4', '6', '5', '7', '8', '12', '14', '13', '15']);
  });

  it('more seats than units over the units that have a CPU for one more', () => {
    const of = machine({ ...twoSockets, offline: '9-15' });
    expect(seats(of, { by: 'core', count: 9 }).slice(7)).toEqual(['7', '0,8']);
    expect(() => planOn({ by: 'core', count: 10 }, of)).toThrow(RangeError);
    const small = machine({ packages: 2, nodes: 2, cores: 4, offline: '1-3' });
    expect(seats(small, { by: 'numa', count: 5 })).toEqual(['0', '4-7', '4-7', '4-7', '4-7']);
  });

  it('no more seats than the units have CPUs, where some CPUs are in none', () => {
    const of = machine({ packages: 2, cores: 4, nodeless: '4-7' });
    expect(planOn({ by: 'numa', count: 4 }, of).seats).toHaveLength(4);
    expect(() => planOn({ by: 'numa', count: 5 }, of)).toThrow('from 1 to 4');
  });

  it('not at all over what the machine does not have', () => {
    expect(() => planOn({ by: 'l3' }, machine({ cores: 2 }))).toThrow(expect.objectContaining({ code: 'ERR_AFFINITY_EMPTY' }));
  });
});

describe('a packed plan', () => {
  const four: Description = { packages: 2, nodes: 4, cores: 8, threads: 2, numbering: 'siblings-apart', caches: [l3] };

  it('fills a cache, then the next of the node, then the next node', () => {
    expect(seats(machine(four), { by: 'core', pack: true, count: 6 })).toEqual(['0,16', '1,17', '2,18', '3,19', '4,20', '5,21']);
    expect(seats(machine(four), { by: 'cpu', pack: true }).map(Number)).toEqual(Array.from({ length: 32 }, (_, at) => at));
  });

  it('begins where there is most room, and goes on to the nearest node', () => {
    const of = machine({
      ...four,
      offline: '0,2,4,6-7,16,18,20,22-23',
      distances: [
        [10, 12, 32, 22],
        [12, 10, 22, 32],
        [32, 22, 10, 12],
        [22, 32, 12, 10],
      ],
    });
    expect(planOn({ by: 'core', pack: true }, of).seats.map(({ node }) => node)).toEqual([2, 2, 2, 2, 3, 3, 3, 3, 1, 0, 0]);
  });

  it('over units larger than a cache keeps to a package', () => {
    expect(planOn({ by: 'l3', pack: true }, machine(four)).seats.map(({ cpus }) => String(cpus))).toEqual([
      '0-1,16-17',
      '2-3,18-19',
      '4-5,20-21',
      '6-7,22-23',
      '8-9,24-25',
      '10-11,26-27',
      '12-13,28-29',
      '14-15,30-31',
    ]);
  });
});

describe('on a hybrid of two fast cores with two threads and four slow ones with one', () => {
  const hybrid: Description = {
    cores: 6,
    threads: 2,
    offline: '5,7,9,11',
    kinds: { by: 'capacity', cores: [2, 4], values: [1024, 446] },
  };

  it.each<[string, SpreadOptions, string[]]>([
    ['performance: fast cores first', { by: 'core', prefer: 'performance' }, ['0-1', '2-3', '4', '6', '8', '10']],
    ['efficiency: slow cores first', { by: 'core', prefer: 'efficiency', count: 5 }, ['4', '6', '8', '10', '0-1']],
    ['a slow core before a sibling', { by: 'cpu', prefer: 'performance' }, ['0', '2', '4', '6', '8', '10', '1', '3']],
    ['the sibling of a fast core last', { by: 'cpu', prefer: 'efficiency' }, ['4', '6', '8', '10', '0', '2', '1', '3']],
    ['the fast kind only', { by: 'core', within: 'kind:1' }, ['0-1', '2-3']],
    ['everything but the fast kind', { by: 'cpu', exclude: 'kind:1' }, ['4', '6', '8', '10']],
    ['one kind of two, and one CPU', { by: 'cpu', exclude: ['kind:1', [6]] }, ['4', '8', '10']],
  ])('%s', (_, options, expected) => {
    expect(seats(machine(hybrid), options)).toEqual(expected);
  });

  it('a unit of several kinds counts as the best it has', () => {
    const of = machine({ ...hybrid, caches: [l3], kinds: { by: 'capacity', cores: [4, 2], values: [446, 1024] }, offline: '' });
    expect(seats(of, { by: 'l3', prefer: 'performance' })).toEqual(['8-11', '0-3', '4-7']);
    const mixed = machine({ ...hybrid, caches: [l3], kinds: { by: 'capacity', cores: [3, 3], values: [446, 1024] }, offline: '' });
    expect(seats(mixed, { by: 'l3', prefer: 'performance' })).toEqual(['4-7', '8-11', '0-3']);
    expect(seats(mixed, { by: 'l3', prefer: 'efficiency' })).toEqual(['0-3', '4-7', '8-11']);
  });

  it('a kind that the machine does not have is refused', () => {
    expect(() => planOn({ by: 'core', within: 'kind:2' }, machine(hybrid))).toThrow(
      expect.objectContaining({ code: 'ERR_AFFINITY_UNKNOWN_KIND', message: 'kind 2 does not exist; this machine has 0-1' }),
    );
  });
});

describe('isolated CPUs', () => {
  const isolating: Description = { cores: 8, isolated: '4-7' };
  const started = (list: string): Topology => {
    const of = machine(isolating);
    return { ...of, cpus: { ...of.cpus, allowed: CpuSet.parse(list) } };
  };
  const everything = CpuSet.parse('0-7');
  const listed = (options: SpreadOptions, of: Topology): string =>
    planOn(options, of, everything)
      .seats.map(({ cpus }) => cpus.first)
      .join();

  it('are used where the process was started on them, and left alone otherwise', () => {
    expect(listed({ by: 'core' }, started('0-7'))).toBe('0,1,2,3,4,5,6,7');
    expect(listed({ by: 'core' }, started('0-3'))).toBe('0,1,2,3');
  });

  it('are to be had by naming nothing else', () => {
    for (const within of ['isolated', '4-7', [4, 5, 6, 7]]) expect(listed({ by: 'core', within }, started('0-3'))).toBe('4,5,6,7');
    expect(listed({ by: 'core', within: '2-5' }, started('0-3'))).toBe('2,3');
    expect(() => planOn({ by: 'core', within: 'isolated' }, started('0-3'), CpuSet.parse('0-3'))).toThrow(
      expect.objectContaining({ code: 'ERR_AFFINITY_EMPTY', message: 'no core has a CPU that this process may use there' }),
    );
  });

  it('can be excluded, and none being isolated is no error then', () => {
    expect(listed({ by: 'core', exclude: 'isolated' }, started('0-7'))).toBe('0,1,2,3');
    expect(listed({ by: 'core', exclude: ['isolated', '0', 'core:1'] }, started('0-7'))).toBe('2,3');
    expect(listed({ by: 'core', exclude: [] }, started('0-7'))).toBe('0,1,2,3,4,5,6,7');
    expect(seats(machine({ cores: 2 }), { by: 'core', exclude: 'isolated' })).toEqual(['0', '1']);
    expect(() => planOn({ by: 'core', within: 'isolated' }, machine({ cores: 2 }))).toThrow("'isolated' names no CPU");
    expect(() => planOn({ by: 'core', exclude: '0-7' }, started('0-7'))).toThrow(expect.objectContaining({ code: 'ERR_AFFINITY_EMPTY' }));
  });
});

describe('a plan draws itself', () => {
  it('the machine, with the number of its seat under each CPU', () => {
    const plan = planOn({ by: 'core', exclude: [0, 8] }, machine({ ...twoSockets, offline: '15', isolated: '1' }));
    expect(String(plan).split('\n')).toEqual([
      '7 seats by core',
      'linux · 15 CPUs online of 16 · 1 processor group · 2 packages · 8 cores · 2 NUMA nodes',
      '',
      `╭─ group 0 · 16 processors · mask 0xffff · active 0x7fff ${'─'.repeat(42)}╮`,
      ...['node 0 · package 0 · l3:0 32 MiB', '  [ 0  8] [ 1~  9]', '    ·  ·    0   0', 'node 0 · package 0 · l3:1 32 MiB'].map(
        (line) => `│ ${line.padEnd(96)} │`,
      ),
      ...['  [ 2 10] [ 3 11]', '    2  2    4  4', 'node 1 · package 1 · l3:2 32 MiB', '  [ 4 12] [ 5 13]', '    1  1    5  5'].map(
        (line) => `│ ${line.padEnd(96)} │`,
      ),
      ...['node 1 · package 1 · l3:3 32 MiB', '  [ 6 14] [ 7]  15x', '    3  3    6    ·'].map((line) => `│ ${line.padEnd(96)} │`),
      `╰${'─'.repeat(98)}╯`,
      "[ ] a core, its CPUs in the order of the mask's bits · under a CPU its seat · x offline · ~ isolated",
      'allowed 0-14 · offline 15 · isolated 1',
      'NUMA distances',
      '  node   0  1',
      '     0  10 20',
      '     1  20 10',
    ]);
    expect(inspect(plan)).toBe(String(plan));
  });

  it('shared CPUs by the first of their seats, and seats wider than CPU numbers', () => {
    const plan = String(planOn({ by: 'group', count: 12 }, machine({ cores: 12 })));
    expect(plan).toContain('12 seats by group');
    expect(plan).toContain('[ 0] [ 1]');
    expect(plan).toContain('  0+   0+');
    expect(plan).toContain('under a CPU its seat, + the first of several');
    expect(String(planOn({ by: 'cpu' }, machine({ cores: 3 })))).toContain('│   [0] [1] [2]');
  });
});

describe('wrong options', () => {
  it.each([
    [{ by: 'core', pack: 1 }, 'pack is true or false, not 1'],
    [{ by: 'core', prefer: 'fast' }, "prefer is 'performance' or 'efficiency', not 'fast'"],
    [{ by: 'core', prefer: null }, "prefer is 'performance' or 'efficiency', not null"],
    [{ by: 'core', exclude: 3 }, '3 is ambiguous'],
    [{ by: 'core', exclude: [0, 'isolated'] }, "a CPU is a number, not 'isolated'"],
    [{ by: 'core', exclude: [null] }, 'not null'],
    [{ by: 'core', within: ['isolated'] }, "a CPU is a number, not 'isolated'"],
    [{ by: 'thread' }, "by is one of 'cpu', 'core', 'l3', 'numa', 'group', 'package', not 'thread'"],
    [{ by: 'core', count: '2' }, "count is a number of seats or 'quota', not '2'"],
    [{ by: 'core', excludes: '0' }, "spread has no option 'excludes'; its options are by, count, within, exclude, prefer, pack"],
    [null, "spread takes { by: 'core' }, not null"],
  ])('%o', (options, message) => {
    expect(() => planOn(options as never, machine({ cores: 2 }))).toThrow(
      expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(message) as string }),
    );
  });
});

describe('on any machine', () => {
  const machines = fc
    .record({
      packages: fc.integer({ min: 1, max: 3 }),
      nodesEach: fc.integer({ min: 1, max: 2 }),
      cores: fc.integer({ min: 1, max: 3 }).map((half) => half * 2),
      threads: fc.integer({ min: 1, max: 4 }),
      numbering: fc.constantFrom('siblings-adjacent', 'siblings-apart', 'round-robin'),
      l3: fc.integer({ min: 0, max: 3 }),
      fast: fc.integer({ min: 0, max: 4 }),
      offline: fc.bigInt({ min: 0n, max: 2n ** 72n - 1n }),
      isolated: fc.bigInt({ min: 0n, max: 2n ** 72n - 1n }),
      allowed: fc.bigInt({ min: 1n, max: 2n ** 72n - 1n }),
    })
    .map(({ packages, nodesEach, cores, threads, numbering, l3: sharing, fast, ...sets }): Description => {
      const all = CpuSet.of(Array.from({ length: packages * cores * threads }, (_, cpu) => cpu));
      const inside = (mask: bigint): CpuSet => CpuSet.fromMask(mask).intersect(all);
      // Some CPU is running and allowed.
      const first = inside(sets.allowed).first ?? 0;
      return {
        packages,
        nodes: packages * nodesEach,
        cores,
        threads,
        numbering,
        caches: sharing === 0 ? [] : [{ ...l3, cores: sharing }],
        offline: String(inside(sets.offline).minus(CpuSet.of([first]))),
        isolated: String(inside(sets.isolated)),
        cpuset: { from: 'v2', cpus: String(inside(sets.allowed).union(CpuSet.of([first]))) },
        ...(fast === 0 ? {} : { kinds: { by: 'capacity', cores: [fast, packages * cores - fast], values: [1024, 512] } }),
      };
    });
  const wishes = fc.record(
    {
      by: fc.constantFrom('cpu', 'core', 'l3', 'numa', 'group', 'package'),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      pack: fc.boolean(),
      prefer: fc.constantFrom('performance', 'efficiency'),
      exclude: fc.constantFrom('isolated', '0', ['isolated', [0]]),
    },
    { requiredKeys: ['by'] },
  );

  it('seats have no CPU in common while there are units, keep off siblings while there are cores, and use what is allowed only', () => {
    let planned = 0;
    fc.assert(
      fc.property(machines, wishes, (description, { part, ...options }) => {
        const { root } = compose(description);
        const of = readTopology(root);
        rmSync(root, { recursive: true });
        const excluded = [options.exclude ?? []].flat(2);
        let usable = of.cpus.allowed.intersect(of.cpus.online);
        if (excluded.includes('isolated')) usable = usable.minus(of.cpus.isolated);
        if (excluded.some((item) => item === '0' || item === 0)) usable = usable.minus(CpuSet.of([0]));
        let all: CpuSet[];
        try {
          all = planOn(options, of).seats.map(({ cpus }) => cpus);
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_AFFINITY_EMPTY' });
          expect(usable.size === 0 || (options.by === 'l3' && of.caches.length === 0)).toBe(true);
          return;
        }
        planned += 1;
        const together = all.reduce((sum, cpus) => sum.union(cpus), CpuSet.empty);
        expect(together.size).toBe(all.reduce((sum, { size }) => sum + size, 0));
        expect(String(together)).toBe(String(usable));
        if (options.by === 'cpu') {
          const cores = of.cores.map(({ cpus }) => cpus.intersect(usable)).filter(({ size }) => size > 0);
          const firsts = all.slice(0, cores.length).map((cpus) => cores.findIndex((core) => core.has(cpus.first as number)));
          expect(new Set(firsts).size).toBe(cores.length);
        }
        const fastest = of.kinds.at(-1)?.cpus ?? CpuSet.empty;
        if (options.prefer === 'performance' && options.by === 'core') {
          const fast = all.map((cpus) => cpus.isSubsetOf(fastest));
          expect(fast.lastIndexOf(true) + 1).toBe(fast.filter(Boolean).length);
        }
        if (part === undefined) return;
        const count = Math.max(1, Math.ceil(part * usable.size));
        const some = planOn({ ...options, count }, of).seats;
        expect(some.map(({ seat }) => seat)).toEqual(Array.from({ length: count }, (_, at) => at));
        expect(some.slice(0, all.length).map(({ cpus }) => String(cpus))).toEqual(all.slice(0, count).map(String));
        for (const unit of all) expect(some.filter(({ cpus }) => cpus.equals(unit)).length).toBeLessThanOrEqual(unit.size);
        for (const { cpus, node, group } of some) {
          expect(of.numaNodes.filter((one) => cpus.isSubsetOf(one.cpus)).map(({ id }) => id)).toEqual(node === null ? [] : [node]);
          expect(of.groups.filter((one) => cpus.isSubsetOf(one.online)).map((one) => one.group)).toEqual(group === null ? [] : [group]);
        }
      }),
      { numRuns: 150 },
    );
    expect(planned).toBeGreaterThan(75);
  });

  it('a plan for 8,192 CPUs is a matter of a second', () => {
    const of = machine({ packages: 16, cores: 256, threads: 2, numbering: 'siblings-apart', caches: [{ ...l3, cores: 8 }] });
    const begun = performance.now();
    expect(planOn({ by: 'cpu', pack: true }, of).seats).toHaveLength(8192);
    expect(planOn({ by: 'core' }, of).seats).toHaveLength(4096);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });
});
