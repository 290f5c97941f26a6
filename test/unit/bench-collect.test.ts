import { describe, expect, it } from 'vitest';
import { collect, type Passes } from '../../lib/bench/collect.ts';
import type { Outcome, RateOutcome, Task, TimesOutcome } from '../../lib/bench/task.ts';
import { straysAmong } from '../../lib/bench/work.ts';
import { CpuSet } from '../../lib/machine/cpu-set.ts';

const quiet = { voluntarySwitches: 1, involuntarySwitches: 2, all: 10, stolen: 0.5, others: 2 };

function collected(task: Task, outcomes: readonly Outcome[], more: Partial<Passes> = {}) {
  return collect({
    scenario: { id: 'some.thing', sentence: 'Some thing.' },
    task,
    where: 'CPU 1',
    usable: CpuSet.parse('0-3'),
    outcomes,
    meanwhile: outcomes.map(() => quiet),
    ...more,
  });
}

const floats = (...values: number[]): Float64Array => Float64Array.from(values);
const calls: Task = { kind: 'calls', call: 'set', first: '1', second: '1', seats: [1, 1] };
const gaps: Task = { kind: 'gaps', cpu: 1 };
const work: Task = { kind: 'work', load: 'memory', workers: 2, seats: ['0', '1'] };

const timed = (samples: Float64Array, ratios = floats(1), floors = floats(100), strays = 0): TimesOutcome => ({
  kind: 'times',
  samples,
  strays,
  floors,
  ratios,
});

describe('times', () => {
  it('of all passes together, their medians, and medians of the rounds’ ratios', () => {
    const result = collected(calls, [
      timed(floats(1, 2, 3), floats(1.1, 1.2, 9), floats(90, 100, 110)),
      timed(floats(4, 5, 6, 100), floats(1.4), floats(200), 3),
    ]);
    expect(result).toMatchObject({
      kind: 'times',
      id: 'some.thing',
      n: 7,
      min: 1,
      max: 100,
      passes: [2, 5.5],
      median: { value: 3.75, low: 2, high: 5.5 },
      floor: { value: 150, low: 100, high: 200 },
      floorRatioInterval: [1.2, 1.4],
      strays: 3,
    });
    expect(result).toHaveProperty('floorRatio', (1.2 + 1.4) / 2);
  });

  it('without a floor have no ratio to one', () => {
    const result = collected({ kind: 'arrival', caller: 0, from: 1, to: 2 }, [timed(floats(1), floats(), floats())]);
    expect(Object.keys(result)).not.toContain('floorRatio');
    expect(result).toMatchObject({ noise: { floorSpread: null } });
  });

  it('a pass of which nothing is left is none; without one the scenario has failed', () => {
    expect(collected(calls, [timed(floats(), floats(), floats(), 9), timed(floats(5))])).toMatchObject({ n: 1, passes: [5], strays: 9 });
    expect(collected(calls, [timed(floats(), floats(), floats(), 1234)])).toEqual({
      kind: 'fail',
      id: 'some.thing',
      sentence: 'Some thing.',
      reason: 'no sample is left: the thread was elsewhere in all 1,234',
    });
  });
});

describe('gaps', () => {
  const looked = (samples: Float64Array, over = 1000, strays = 0): TimesOutcome => ({
    ...timed(samples, floats(), floats(), strays),
    gaps: { over, elapsed: 1e9 },
  });

  it('take a part of the time, and are so many a second', () => {
    const result = collected(gaps, [looked(floats(2000, 8000)), looked(floats())]);
    expect(result).toMatchObject({
      n: 2,
      passes: [5000],
      interruptions: { over: 1000, passes: [1e4 / 1e9, 0], perSecond: { value: 1, low: 0, high: 2 }, lost: { value: 5e-6 } },
    });
  });

  it('that never were are a result', () => {
    expect(collected(gaps, [looked(floats())])).toMatchObject({ kind: 'times', n: 0, interruptions: { lost: { value: 0, high: 0 } } });
  });

  it('count from the longest that counts in any pass on', () => {
    expect(collected(gaps, [looked(floats(20_000), 10_000), looked(floats(2000, 30_000), 1000)])).toMatchObject({
      interruptions: { over: 10_000, passes: [2e4 / 1e9, 3e4 / 1e9] },
    });
  });

  it('of a pass in which the thread was elsewhere say nothing of the time; without another it has failed', () => {
    expect(collected(gaps, [looked(floats(5000), 1000, 1), looked(floats(4000))])).toMatchObject({
      strays: 1,
      interruptions: { passes: [null, 4e3 / 1e9], lost: { value: 4e-6 } },
    });
    expect(collected(gaps, [looked(floats(5000), 1000, 2)])).toMatchObject({ kind: 'fail' });
  });
});

describe('rates', () => {
  const worked = (rate: number, strays: number, ...workers: RateOutcome['workers']): RateOutcome => ({
    kind: 'rate',
    rate,
    workers,
    strays,
  });
  const at = (allowed: string, seen: string, migrations: number | null = 0) => ({ allowed, seen, migrations });

  it('leave out the passes in which a worker was elsewhere, and count them', () => {
    expect(collected(work, [worked(10, 0), worked(99, 1), worked(20, 0), worked(30, 0)])).toMatchObject({
      kind: 'rate',
      unit: 'loads/s',
      n: 3,
      passes: [10, null, 20, 30],
      rate: { value: 20, low: 10, high: 30 },
      strays: 1,
    });
    expect(collected(work, [worked(99, 2)])).toMatchObject({ kind: 'fail', reason: 'no pass is left: workers were elsewhere in all 1' });
  });

  it('tell a seat’s worker over all passes, whichever it was', () => {
    const result = collected(work, [worked(1, 0, at('0', '0', 1), at('1', '1', 2)), worked(1, 0, at('1', '1', 4), at('0', '0', 8))]);
    expect(result).toMatchObject({ workers: [at('0', '0', 9), at('1', '1', 6)] });
    const free = collected(work, [worked(1, 0, at('0-1', '0', null)), worked(1, 0, at('0-1', '1', 3))]);
    expect(free).toMatchObject({ workers: [at('0-1', '0-1', null)] });
  });
});

describe('pairs', () => {
  it('have their passes, and what was left out', () => {
    const pair = (samples: Float64Array, strays = 0) => ({ one: 0, other: 2, samples, strays });
    const result = collected({ kind: 'trips', cpus: [0, 2] }, [
      { kind: 'pairs', pairs: [pair(floats(50, 60, 70))] },
      { kind: 'pairs', pairs: [pair(floats(), 10)] },
      { kind: 'pairs', pairs: [pair(floats(80), 1)] },
    ]);
    expect(result).toMatchObject({
      kind: 'pairs',
      cpus: [0, 2],
      omitted: '1,3',
      strays: 11,
      pairs: [{ one: 0, other: 2, n: 4, passes: [60, 80], strays: 11 }],
    });
    expect(collected({ kind: 'trips', cpus: [0, 2] }, [{ kind: 'pairs', pairs: [pair(floats(), 3)] }])).toMatchObject({ kind: 'fail' });
  });
});

describe('noise', () => {
  const noise = (...meanwhile: Passes['meanwhile']) => {
    const result = collected(
      calls,
      meanwhile.map(() => timed(floats(1), floats(1), floats(90, 100, 110))),
      { meanwhile },
    );
    return result.kind === 'times' ? result.noise : undefined;
  };

  it('is that of all passes, in parts of the time that there was', () => {
    expect(noise(quiet, { ...quiet, all: 30, stolen: 3.5, others: 6 })).toEqual({
      voluntarySwitches: 2,
      involuntarySwitches: 4,
      steal: 0.1,
      others: 0.2,
      floorSpread: 0.2,
    });
  });

  it('is not below zero where a tick was counted late, and null where the system does not tell', () => {
    expect(noise({ ...quiet, others: -0.01 })?.others).toBe(0);
    expect(noise({ ...quiet, all: null, stolen: null, others: null })).toMatchObject({ steal: null, others: null });
  });
});

describe('a worker that is elsewhere', () => {
  const at = (allowed: string, seen = allowed) => ({ allowed, seen, migrations: 0 });

  it.each([
    ['each on its seat', [at('0'), at('1')], ['0', '1'], 0],
    ['in any order', [at('1'), at('0')], ['0', '1'], 0],
    ['somewhere on its seat', [at('0-1', '1'), at('2-3', '2')], ['0-1', '2-3'], 0],
    ['not seen at all', [at('0', ''), at('1')], ['0', '1'], 0],
    ['all on one seat', [at('0'), at('0'), at('0')], ['0'], 0],
    ['anywhere, without seats', [at('0-1', '0'), at('7')], [], 0],
    ['off its seat', [at('0', '0-1'), at('1')], ['0', '1'], 1],
    ['on another set than a seat', [at('0'), at('0-1', '1')], ['0', '1'], 1],
    ['moved on its way', [at('0 then 0-1', '0'), at('1')], ['0', '1'], 1],
    ['two where each should have a seat', [at('0'), at('0')], ['0', '1'], 1],
    ['without a record', [at('', '0'), at('1')], ['0', '1'], 1],
  ])('%s', (_, workers, seats, strays) => {
    expect(straysAmong(workers, seats)).toBe(strays);
  });
});
