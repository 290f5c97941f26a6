import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/bench/compare.ts';
import type { BenchDocument, Difference, ScenarioResult } from '../../lib/bench/result.ts';
import { around, benchDocument, gapsResult, machine, pairsResult, rateResult, skipped, timesResult } from '../fixtures/bench-results.ts';

function only(before: ScenarioResult, after: ScenarioResult): Difference {
  const { differences } = compare(benchDocument([before]), benchDocument([after]));
  expect(differences).toHaveLength(1);
  return differences[0] as Difference;
}

const timed = (value: number, spread = 0.1, count = 15) => timesResult('set.stays', around(value, spread, count));
const worked = (value: number, spread = 0.1, count = 15) => rateResult('throughput.memory.free', around(value, spread, count));

describe('a verdict', () => {
  it.each([
    ['times that fell', timed(1000), timed(500), 'faster', 2],
    ['times that rose', timed(500), timed(1000), 'slower', 0.5],
    ['rates that rose', worked(1000), worked(2000), 'faster', 2],
    ['rates that fell', worked(2000), worked(1000), 'slower', 0.5],
    [
      'time lost to gaps that fell',
      gapsResult('jitter.pinned', around(0.02, 0.1)),
      gapsResult('jitter.pinned', around(0.01, 0.1)),
      'faster',
      2,
    ],
    ['round trips that rose', pairsResult({ '0-1': around(50, 0.1) }), pairsResult({ '0-1': around(100, 0.1) }), 'slower', 0.5],
  ])('%s', (_, before, after, verdict, speed) => {
    const found = only(before, after);
    expect(found.verdict).toBe(verdict);
    expect(found.speed?.value).toBeCloseTo(speed, 6);
    expect(found.speed?.low).toBeLessThan(speed);
    expect(found.speed?.high).toBeGreaterThan(speed);
  });

  it('is none where the intervals touch, however far apart the medians are', () => {
    const found = only(timed(1000, 1), timed(1300, 1));
    expect(found.verdict).toBe('no difference to see');
    expect(found.speed?.value).toBeCloseTo(1 / 1.3, 6);
    expect(found.speed?.low).toBeLessThan(1);
    expect(found.speed?.high).toBeGreaterThan(1);
  });

  it('agrees with the interval of the speed: it leaves out 1 exactly where there is a claim', () => {
    for (let step = 0; step <= 40; step += 1) {
      const { verdict, speed } = only(timed(1000), timed(900 + step * 5));
      expect(verdict).toBe((speed?.low ?? 1) > 1 ? 'faster' : (speed?.high ?? 1) < 1 ? 'slower' : 'no difference to see');
    }
  });

  it('a run against itself shows no difference in anything', () => {
    const all = benchDocument([
      timed(1000),
      worked(5),
      gapsResult('jitter.free', around(0.1, 0.5)),
      pairsResult({ '0-1': around(50, 0.2) }),
    ]);
    for (const { verdict, speed } of compare(all, all).differences) {
      expect(verdict).toBe('no difference to see');
      expect(speed?.value).toBe(1);
    }
  });

  it('time that was never lost is no less than nothing', () => {
    const none = Array.from({ length: 15 }, () => 0);
    expect(only(gapsResult('jitter.pinned', none), gapsResult('jitter.pinned', none))).toMatchObject({ verdict: 'no difference to see' });
    const found = only(gapsResult('jitter.pinned', around(0.1, 0.1)), gapsResult('jitter.pinned', none));
    expect(found.verdict).toBe('faster');
    expect(found.speed).toBeUndefined();
  });

  it('of round trips rests on the pairs that both have', () => {
    const found = only(
      pairsResult({ '0-1': around(50, 0.1), '0-2': around(500, 0.1), '1-2': around(500, 0.1) }),
      pairsResult({ '0-1': around(50, 0.1), '0-3': around(10, 0.1) }),
    );
    expect(found).toMatchObject({ verdict: 'no difference to see', before: { value: 50 }, after: { value: 50 } });
  });

  it('comes with what the bare calls did meanwhile', () => {
    const floors = (value: number, ratio: number): Partial<Parameters<typeof timesResult>[2]> & object => ({
      floor: { value, low: value * 0.95, high: value * 1.05 },
      floorRatio: ratio,
      floorRatioInterval: [ratio * 0.99, ratio * 1.01],
    });
    const before = timesResult('set.stays', around(1060, 0.1), floors(1000, 1.06));
    const slowMachine = only(before, timesResult('set.stays', around(2120, 0.1), floors(2000, 1.06)));
    expect(slowMachine.verdict).toBe('slower');
    expect(slowMachine.floorSpeed?.high).toBeLessThan(1);
    expect(slowMachine.ratioSpeed?.value).toBe(1);
    const slowLibrary = only(before, timesResult('set.stays', around(2120, 0.1), floors(1000, 2.12)));
    expect(slowLibrary.floorSpeed?.value).toBe(1);
    expect(slowLibrary.ratioSpeed?.high).toBeLessThan(1);
  });
});

describe("what can't be compared, and why", () => {
  it.each([
    ['too few passes before', timed(1000, 0.1, 5), timed(1), '5 passes before are too few: an interval needs 6'],
    ['too few passes now', timed(1000), timed(1, 0.1, 3), '3 passes now are too few: an interval needs 6'],
    [
      'passes that were thrown away do not count',
      rateResult('throughput.memory.free', [null, ...around(1, 0.1, 5)]),
      worked(2),
      '5 passes before are too few: an interval needs 6',
    ],
    ['a skip before', skipped('set.stays', 'needs a hat'), timed(1), 'not measured before: needs a hat'],
    ['a skip now', timed(1), skipped('set.stays', 'needs a hat'), 'not measured now: needs a hat'],
    ['other CPUs', timed(1), { ...timed(1), where: 'CPU 7' }, 'measured elsewhere before: CPU 0; now: CPU 7'],
    ['another unit', worked(1), { ...worked(1), unit: 'steps/s' }, 'another thing was measured under this name before'],
    ['another sentence', timed(1), { ...timed(1), sentence: 'Something else.' }, 'another thing was measured under this name before'],
    ['another kind', timed(1), { ...worked(1), id: 'set.stays' }, 'another thing was measured under this name before'],
    ['other gaps', gapsResult('j', around(1, 1)), gapsResult('j', around(1, 1), 10_000), 'other gaps counted before'],
    ['no pair in common', pairsResult({ '0-1': around(1, 1) }), pairsResult({ '2-3': around(1, 1) }), 'no pair in common'],
  ])('%s', (_, before, after, reason) => {
    expect(only(before, after)).toEqual({ id: after.id, verdict: "can't be compared", reason });
  });

  it('a scenario that was not run before', () => {
    const { differences } = compare(benchDocument([]), benchDocument([timed(1)]));
    expect(differences).toEqual([{ id: 'set.stays', verdict: "can't be compared", reason: 'not measured before' }]);
  });

  it.each([
    ['cpuModel', 'Intel Xeon', 'processor: AMD EPYC before, Intel Xeon now'],
    ['allowed', '0-1', 'allowed CPUs: 0-3 before, 0-1 now'],
    ['groups', 2, 'processor groups: 1 before, 2 now'],
    ['hypervisor', true, 'under a hypervisor: false before, true now'],
    ['arch', 'arm64', 'architecture: x64 before, arm64 now'],
  ])('another machine by its %s: nothing is claimed of any scenario', (key, value, line) => {
    const after: BenchDocument = benchDocument([timed(1), worked(9)], { machine: { ...machine, [key]: value } });
    const { machines, differences } = compare(benchDocument([timed(1000), worked(1)]), after);
    expect(machines).toEqual([line]);
    for (const difference of differences) expect(difference).toMatchObject({ verdict: "can't be compared", reason: 'another machine' });
  });
});

it('other versions, and a quick run against a full one, are said and compared', () => {
  const after = benchDocument([timed(500)], { machine: { ...machine, node: '24.0.0', release: '7.0' }, quick: true });
  const { machines, changes, differences, before } = compare(benchDocument([timed(1000)]), after);
  expect(machines).toEqual([]);
  expect(changes).toEqual(['system version: 6.18.0 before, 7.0 now', 'Node: 20.20.2 before, 24.0.0 now', 'run: full before, quick now']);
  expect(differences[0]?.verdict).toBe('faster');
  expect(before).toBe('2026-01-02T03:04:05.678Z');
});
