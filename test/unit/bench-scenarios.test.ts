import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { groundOf, mostCpus, mostWorkers, plan, scenarios, type Planned } from '../../lib/bench/scenarios.ts';
import type { CallsTask, Task } from '../../lib/bench/task.ts';
import { readTopology } from '../../lib/machine/topology.ts';
import { compose, fromList, type CacheShape, type Description, type MachineTruth } from '../fixtures/compose.ts';

const l3 = (cores: number): CacheShape[] => [{ level: 3, type: 'unified', size: 2 ** 25, cores }];

/** What each scenario does on a machine, and the machine as it was described. */
function planned(description: Description, quick = false): { plans: Map<string, Planned | string>; truth: MachineTruth } {
  const { root, truth } = compose(description);
  onTestFinished(() => rmSync(root, { recursive: true }));
  const ground = groundOf(readTopology(root), quick);
  return { plans: new Map(scenarios.map((scenario) => [scenario.id, plan(scenario, ground)])), truth };
}

function task<K extends Task['kind']>(plans: Map<string, Planned | string>, id: string, kind: K): Extract<Task, { kind: K }> {
  const found = plans.get(id);
  if (found === undefined || typeof found === 'string' || found.task.kind !== kind) throw new Error(`${id}: ${JSON.stringify(found)}`);
  return found.task as Extract<Task, { kind: K }>;
}

/** How two CPUs lie to each other, by the description alone. */
function lie(truth: MachineTruth, one: number, other: number) {
  const both = (sets: readonly { cpus: string }[]): boolean =>
    sets.some(({ cpus }) => fromList(cpus).includes(one) && fromList(cpus).includes(other));
  return {
    core: both(truth.cores),
    l3: both(truth.caches.filter(({ level }) => level === 3)),
    pack: both(truth.packages),
    node: both(truth.numaNodes),
    group: both(truth.groups.map(({ cpus, online }) => ({ cpus: online || cpus }))),
  };
}

const moves = ['same-core', 'same-l3', 'other-l3', 'other-package', 'other-node', 'other-group'] as const;

/** Where each move goes that the machine has; the ids of the others. */
function movesOn(description: Description) {
  const { plans, truth } = planned(description);
  const found = moves.map((move) => ({ move, plan: plans.get(`set.moves.${move}`) }));
  return {
    plans,
    truth,
    lie: Object.fromEntries(
      found.flatMap(({ move, plan: one }) => {
        if (one === undefined || typeof one === 'string') return [];
        const { seats, first, second } = one.task as CallsTask;
        expect([first, second]).toEqual(seats.map(String));
        return [[move, lie(truth, ...seats)]];
      }),
    ) as Partial<Record<(typeof moves)[number], ReturnType<typeof lie>>>,
    missing: found.flatMap(({ move, plan: one }) => (typeof one === 'string' ? [move] : [])),
  };
}

const near = { core: false, l3: true, pack: true, node: true, group: true };

describe('the moves that a machine has', () => {
  it('a desktop of eight cores with two threads each and two caches has three', () => {
    const { lie: found, missing } = movesOn({ cores: 8, threads: 2, caches: l3(4) });
    expect(found).toEqual({
      'same-core': { ...near, core: true },
      'same-l3': near,
      'other-l3': { ...near, l3: false },
    });
    expect(missing).toEqual(['other-package', 'other-node', 'other-group']);
  });

  it('siblings that are half of the CPUs apart are known as such', () => {
    const { lie: found } = movesOn({ cores: 8, threads: 2, numbering: 'siblings-apart', caches: l3(0) });
    expect(found['same-core']).toEqual({ ...near, core: true });
    expect(found['same-l3']).toEqual(near);
  });

  it('a server of two packages, four nodes and three groups has all of them, each as near as may be in other ways', () => {
    // 2 packages of 48 cores of 2 threads: 192 CPUs, three groups of 64; nodes of 48 CPUs.
    const { lie: found, missing } = movesOn({ packages: 2, nodes: 4, cores: 48, threads: 2, caches: l3(12) });
    expect(missing).toEqual([]);
    expect(found['same-core']).toMatchObject({ core: true });
    expect(found['same-l3']).toEqual(near);
    expect(found['other-l3']).toMatchObject({ core: false, l3: false, pack: true, node: true, group: true });
    expect(found['other-package']).toMatchObject({ pack: false, node: false });
    expect(found['other-node']).toMatchObject({ pack: true, node: false });
    expect(found['other-group']).toMatchObject({ group: false });
  });

  it('a node that lies in two groups shows what the group alone costs', () => {
    const { lie: found } = movesOn({ cores: 44, threads: 2, caches: l3(0) });
    expect(found['other-group']).toEqual({ core: false, l3: true, pack: true, node: true, group: false });
  });

  it('moves to another core stay with cores of its kind', () => {
    const { plans } = planned({ cores: 8, caches: l3(0), kinds: { by: 'capacity', cores: [4, 4], values: [512, 1024] } });
    const [one, other] = task(plans, 'set.moves.same-l3', 'calls').seats;
    expect(Math.floor(one / 4)).toBe(Math.floor(other / 4));
  });

  it('in a cpuset only what the process may use is there', () => {
    const {
      lie: found,
      missing,
      plans,
    } = movesOn({
      packages: 2,
      cores: 8,
      threads: 2,
      caches: l3(4),
      cpuset: { from: 'v2', cpus: '0,2,4' },
    });
    expect(Object.keys(found)).toEqual(['same-l3']);
    expect(missing).toEqual(['same-core', 'other-l3', 'other-package', 'other-node', 'other-group']);
    for (const move of ['same-core', 'other-package'])
      expect(plans.get(`set.moves.${move}`)).toMatch(/^needs a .* that this process may use$/);
    expect(task(plans, 'throughput.memory.spread', 'work').seats).toEqual(['0', '2', '4']);
    expect(task(plans, 'round-trips', 'trips').cpus).toEqual([0, 2, 4]);
  });

  it('an offline CPU is no place to go', () => {
    const { missing, plans } = movesOn({ packages: 2, cores: 2, threads: 2, offline: '1,3,4-7', caches: l3(0) });
    expect(missing).toEqual(['same-core', 'other-l3', 'other-package', 'other-node', 'other-group']);
    expect(task(plans, 'set.moves.same-l3', 'calls').seats).toEqual([0, 2]);
  });

  it('a machine that tells no cache says so, and the rest is done', () => {
    const { missing, plans } = movesOn({ packages: 2, cores: 2 });
    expect(missing).toEqual(['same-core', 'same-l3', 'other-l3', 'other-group']);
    expect(plans.get('set.moves.same-l3')).toBe('this machine tells no level 3 cache');
    expect(plans.get('remote.arrival')).toMatchObject({ task: { kind: 'arrival' } });
  });

  it('one CPU: what needs two says so, and what is left is done there', () => {
    const { plans } = planned({ gaps: '0-4' });
    const done = [...plans].filter(([, found]) => typeof found !== 'string').map(([id]) => id);
    expect(done).toEqual(['set.stays', 'set.revert', 'pin.scope', 'jitter.pinned']);
    expect(task(plans, 'set.stays', 'calls')).toMatchObject({ first: '5', second: '5', seats: [5, 5] });
    for (const [, found] of plans) if (typeof found === 'string') expect(found).toMatch(/^(needs|this machine) \w+ \w+/);
  });

  it('one core of two threads: there are two CPUs to move between, and no second core for a worker', () => {
    const { plans } = planned({ threads: 2 });
    expect(task(plans, 'set.moves.same-core', 'calls').seats).toEqual([0, 1]);
    expect(task(plans, 'set.other-mask', 'calls')).toMatchObject({ first: '1', second: '0-1', seats: [1, 1] });
    expect(plans.get('throughput.memory.spread')).toBe('needs two cores that this process may use');
  });
});

describe('what does not move', () => {
  it('the mask that holds another CPU as well stays in one group', () => {
    // Group 1 has CPU 64 alone.
    const { plans } = planned({ cores: 65 });
    const { second } = task(plans, 'set.other-mask', 'calls');
    expect(fromList(second).every((cpu) => cpu < 64)).toBe(true);
    expect(fromList(second)).toHaveLength(2);
  });
});

describe('a thread that is sent', () => {
  it('is sent by one on a third CPU where there is one', () => {
    const { plans } = planned({ cores: 4, caches: l3(0) });
    const { caller, from, to } = task(plans, 'remote.arrival', 'arrival');
    expect(new Set([caller, from, to]).size).toBe(3);
  });

  it('with two CPUs goes to the one that its sender leaves', () => {
    const { plans } = planned({ cores: 2 });
    const { caller, from, to } = task(plans, 'remote.arrival', 'arrival');
    expect([caller, from === to]).toEqual([to, false]);
  });
});

describe('workers', () => {
  it('get a core each, all threads of it, far apart; packed they share the first; free they have no seats', () => {
    const { plans, truth } = planned({ packages: 2, cores: 4, threads: 2 });
    const [spread, packed, free] = ['spread', 'packed', 'free'].map((way) => task(plans, `throughput.memory.${way}`, 'work'));
    expect(spread?.seats.toSorted()).toEqual(truth.cores.map(({ cpus }) => cpus).sort());
    expect([spread?.workers, packed?.workers, free?.workers]).toEqual([8, 8, 8]);
    expect(packed?.seats).toEqual(spread?.seats.slice(0, 1));
    expect(free?.seats).toEqual([]);
    const package0 = fromList(truth.packages[0]?.cpus ?? '');
    const first = spread?.seats.slice(0, 2).map((seat) => package0.includes(fromList(seat)[0] ?? -1));
    expect(new Set(first).size).toBe(2);
  });

  it('are not more than their start is worth', () => {
    const { plans } = planned({ packages: 2, cores: 64, threads: 2, caches: l3(8) });
    expect(task(plans, 'throughput.compute.spread', 'work').workers).toBe(mostWorkers);
  });
});

describe('round trips', () => {
  it('take all CPUs of a small machine', () => {
    const { plans } = planned({ cores: 4, threads: 2 });
    expect(plans.get('round-trips')).toMatchObject({ task: { cpus: [0, 1, 2, 3, 4, 5, 6, 7] }, where: 'CPUs 0-7' });
  });

  it.each([true, false])('take as many of a large one as time allows, and pairs of every relation among them (quick: %s)', (quick) => {
    const { plans, truth } = planned({ packages: 2, nodes: 4, cores: 64, threads: 2, caches: l3(8) }, quick);
    const { cpus } = task(plans, 'round-trips', 'trips');
    expect(cpus).toHaveLength(mostCpus[quick ? 0 : 1]);
    expect(plans.get('round-trips')).toMatchObject({ where: expect.stringContaining(`${cpus.length} of 256`) });
    const pairs = cpus.flatMap((one, at) => cpus.slice(at + 1).map((other) => lie(truth, one, other)));
    const some = (wanted: Partial<ReturnType<typeof lie>>): boolean =>
      pairs.some((pair) => Object.entries(wanted).every(([way, is]) => pair[way as keyof typeof pair] === is));
    expect(some({ core: true })).toBe(true);
    expect(some({ l3: false, node: true })).toBe(true);
    expect(some({ node: false, pack: true })).toBe(true);
    expect(some({ pack: false })).toBe(true);
    if (!quick) expect(some({ core: false, l3: true })).toBe(true);
  });

  it('of one core with more threads than may be taken there are still two cores', () => {
    const { plans } = planned({ cores: 3, threads: 32 }, true);
    const { cpus } = task(plans, 'round-trips', 'trips');
    expect(new Set(cpus.map((cpu) => Math.floor(cpu / 32))).size).toBe(2);
  });
});

describe('the list', () => {
  it('every scenario has an id of its own, a sentence, and more time in a full run', () => {
    expect(new Set(scenarios.map(({ id }) => id)).size).toBe(scenarios.length);
    for (const { id, sentence, milliseconds } of scenarios) {
      expect(id).toMatch(/^[a-z-]+(\.[a-z0-9-]+)*$/);
      expect(sentence).toMatch(/^[A-Z].{15,}\.$/);
      expect(milliseconds[0]).toBeLessThan(milliseconds[1]);
    }
  });

  it('a machine of thousands of CPUs is planned for at once', () => {
    const { plans } = planned({ packages: 16, cores: 64, threads: 2, caches: l3(8) });
    expect([...plans].filter(([, found]) => typeof found === 'string').map(([id]) => id)).toEqual([]);
  });
});
