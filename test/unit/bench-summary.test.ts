import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BenchDocument, ScenarioResult } from '../../lib/bench/result.ts';
import { estimate } from '../../lib/bench/statistics.ts';
import { contrast, summarize } from '../../lib/bench/summary.ts';
import { around, benchDocument, gapsResult, machine, rateResult, silence, skipped, timesResult } from '../fixtures/bench-results.ts';

const summary = (scenarios: readonly ScenarioResult[], more: Partial<BenchDocument> = {}): string =>
  summarize(benchDocument(scenarios, more)).join('\n');

const throughput = (load: string, spread: readonly (number | null)[], free: readonly (number | null)[], packed?: readonly number[]) => [
  rateResult(`throughput.${load}.spread`, spread),
  ...(packed === undefined ? [] : [rateResult(`throughput.${load}.packed`, packed)]),
  rateResult(`throughput.${load}.free`, free),
];

const first = (text: string): string => text.split('\n')[0] ?? '';
/** Words that claim a difference. */
const claims = /\bYes\b|it costs|depends on the work|the work that they did|All on one core|less than a free|more than a free/;

describe('the answer', () => {
  it('yes, with the figure and its interval, where pinned workers did more', () => {
    const text = summary([...throughput('memory', around(120, 0.05), around(100, 0.05))]);
    expect(first(text)).toBe('Does pinning pay here? Yes.');
    expect(text).toMatch(/Work bound by memory: 2 workers on a core each did 1\.20 times \(1\.20 to 1\.20\) the work that they did where/);
  });

  it('no, where they did less', () => {
    const text = summary([...throughput('memory', around(80, 0.05), around(100, 0.05))]);
    expect(first(text)).toBe('Does pinning pay here? No, it costs.');
    expect(text).toContain('did only 0.80 times');
  });

  it('for some work, or depending on it, where loads differ', () => {
    const same = throughput('compute', around(100, 0.05), around(100, 0.05));
    const worse = throughput('compute', around(50, 0.05), around(100, 0.05));
    const better = throughput('memory', around(120, 0.05), around(100, 0.05));
    expect(first(summary([...better, ...same]))).toBe('Does pinning pay here? Yes, for some work.');
    expect(first(summary([...better, ...worse]))).toBe('Does pinning pay here? That depends on the work.');
  });

  it('claims nothing where the intervals touch', () => {
    const text = summary([
      ...throughput('memory', around(110, 0.5), around(100, 0.5), around(90, 0.5)),
      gapsResult('jitter.pinned', around(0.011, 0.9)),
      gapsResult('jitter.free', around(0.012, 0.9)),
    ]);
    expect(first(text)).toBe('Does pinning pay here? No difference can be seen in how much work gets done.');
    expect(text).toContain('no difference to see between 2 workers on a core each and where the scheduler put them: 1.10 times');
    expect(text).toContain('no difference to see to a free one');
    expect(text).not.toMatch(claims);
  });

  it('claims nothing from a few passes, however far apart they are', () => {
    const text = summary([...throughput('memory', around(500, 0.01, 5), around(100, 0.01, 5), around(10, 0.01, 5))], { complete: false });
    expect(first(text)).toBe('Does pinning pay here? There were too few passes to tell.');
    expect(text).toContain('5 passes are too few');
    expect(text).toContain('The run was interrupted');
    expect(text).not.toMatch(claims);
  });

  it('claims nothing where passes were thrown away until too few pairs are left', () => {
    const spread = [null, null, null, null, ...around(500, 0.01, 11)];
    const free = [...around(100, 0.01, 9), null, null, null, null, null, null];
    expect(summary([...throughput('memory', spread, free)])).not.toMatch(claims);
  });

  it('says that it does not know where no work was measured', () => {
    expect(first(summary([timesResult('set.stays', around(1000, 0.1))]))).toBe(
      'Does pinning pay here? How much work gets done was not measured.',
    );
    expect(summary([skipped('set.stays', 'needs a hat')])).toBe('Nothing was measured.');
    expect(summary([])).toBe('Nothing was measured.');
  });
});

describe('contrast', () => {
  const of = (passes: readonly number[]) => ({ passes, all: estimate(passes) });

  it('sees through a machine that changes its speed, and still claims only what the separate intervals bear', () => {
    const speed = around(1, 1);
    const [one, other] = [speed.map((value) => value * 1.05), speed];
    const { ratio, verdict } = contrast(of(one), of(other));
    expect(ratio.low).toBeGreaterThan(1.04);
    expect(verdict).toBe('alike');
  });

  it('never claims where the intervals touch, or the interval of the ratios holds 1', () => {
    const passes = fc.array(fc.double({ noNaN: true, min: 1, max: 100 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(passes, passes, (one, other) => {
        const { ratio, verdict } = contrast(of(one), of(other));
        const [a, b] = [estimate(one), estimate(other)];
        const touch = a.low <= b.high && b.low <= a.high;
        if (touch || (ratio.low <= 1 && ratio.high >= 1) || Math.min(one.length, other.length) < 6)
          expect(['alike', 'too few passes']).toContain(verdict);
        else expect(verdict).toBe(a.low > b.high ? 'more' : 'less');
      }),
    );
  });

  it('two runs of the same thing differ in fewer than one of a hundred', () => {
    let state = 1;
    const uniform = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    let claimed = 0;
    for (let run = 0; run < 2000; run += 1) {
      const passes = (): number[] => Array.from({ length: 15 }, () => -Math.log(1 - uniform()));
      if (contrast(of(passes()), of(passes())).verdict !== 'alike') claimed += 1;
    }
    expect(claimed).toBeLessThan(20);
  });
});

describe('what it costs', () => {
  it('is said with intervals, and against the bare calls only where that differs', () => {
    const more = (low: number, high: number) => ({ floorRatio: (low + high) / 2, floorRatioInterval: [low, high] as const });
    const text = summary([
      timesResult('set.stays', around(1500, 0.1), more(1.05, 1.07)),
      timesResult('set.moves.same-l3', around(25_000, 0.2), more(0.97, 1.03)),
      timesResult('pin.scope', around(3000, 0.1), more(0.95, 1.05)),
      timesResult('remote.arrival', around(40_000, 0.1)),
    ]);
    expect(text).toContain('a Set that changes nothing costs 1.50 µs (1.46 to 1.54 µs), 1.06 times (1.05 to 1.07) the bare calls');
    expect(text).toContain('a pin and its end 3.00 µs (2.91 to 3.09 µs), no more than the bare calls to see');
    expect(text).toContain('What a move costs: below the same level 3 cache 25.0 µs (23.6 to 26.4 µs).');
    expect(text).toContain('is there after 40.0 µs');
  });
});

describe('noise', () => {
  const noisy = (noise: Partial<typeof silence>) => timesResult('set.stays', around(1000, 0.1), { noise: { ...silence, ...noise } });

  it('is stated in figures, and called what it is', () => {
    const text = summary([noisy({ steal: 0.031, others: 0.42, floorSpread: 0.5 })]);
    expect(text).toContain("other programs took 42 % of the CPUs' time (at most 42 % in a scenario)");
    expect(text).toContain('a hypervisor stole 3.1 %');
    expect(text).toContain('the bare calls themselves spread by 50 %');
    expect(text).toContain('This machine was not quiet');
  });

  it('a quiet machine is not called noisy', () => {
    expect(summary([noisy({ steal: 0, others: 0.01, floorSpread: 0.05 })])).not.toContain('not quiet');
  });

  it('what the system does not tell is left out', () => {
    const text = summary([noisy({ steal: null, others: null })]);
    expect(text).not.toContain('Noise');
  });

  it('a virtual machine is called one', () => {
    const virtual = { ...machine, hypervisor: true };
    expect(summary([noisy({})], { machine: virtual })).toContain('This is a virtual machine');
    expect(summary([noisy({})])).not.toContain('virtual');
  });
});

it('tells what was thrown away', () => {
  const text = summary([
    timesResult('pin.scope', around(1000, 0.1), { strays: 1 }),
    timesResult('set.stays', around(1000, 0.1), { strays: 1234 }),
    rateResult('throughput.memory.free', [null, ...around(1, 0.1)]),
  ]);
  expect(text).toContain(
    'Thrown away, as a thread was elsewhere: 1 sample of pin.scope, 1,234 samples of set.stays, 1 pass of throughput.memory.free.',
  );
});
