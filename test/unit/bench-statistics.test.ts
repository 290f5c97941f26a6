import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distribution, estimate, isBelow, isConfident, median, quantile, spreadOf, trim } from '../../lib/bench/statistics.ts';

/** The same numbers in every run: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const sorted = (...values: number[]): Float64Array => Float64Array.from(values).sort();

describe('quantile', () => {
  it('is a sample: the smallest that the part does not exceed', () => {
    const ten = sorted(10, 20, 30, 40, 50, 60, 70, 80, 90, 100);
    expect([0, 0.05, 0.1, 0.11, 0.5, 0.9, 0.91, 1].map((part) => quantile(ten, part))).toEqual([10, 10, 10, 20, 50, 90, 100, 100]);
    expect(quantile(sorted(7), 0.999)).toBe(7);
  });

  it('is not led astray by fractions that have no end in binary', () => {
    const hundred = Float64Array.from({ length: 100 }, (_, at) => at + 1);
    for (let percent = 1; percent <= 100; percent += 1) expect(quantile(hundred, percent / 100)).toBe(percent);
  });

  it('leaves that part of any values at or below it, and less than that below', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: 0, max: 1e12 }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 1000 }),
        (values, thousandths) => {
          const part = thousandths / 1000;
          const found = quantile(sorted(...values), part);
          expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual(part * values.length - 1e-9);
          expect(values.filter((value) => value < found).length).toBeLessThan(part * values.length + 1e-9);
        },
      ),
    );
  });

  it('finds the quantiles of distributions that are known', () => {
    const uniform = random(1);
    const exponential = Float64Array.from({ length: 200_000 }, () => -1000 * Math.log(1 - uniform())).sort();
    for (const part of [0.1, 0.5, 0.9, 0.99, 0.999]) {
      const truth = -1000 * Math.log(1 - part);
      expect(Math.abs(quantile(exponential, part) / truth - 1)).toBeLessThan(0.02);
    }
  });
});

describe('median', () => {
  it('is the middle value, or lies between the two middle ones, whatever their order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median(Float64Array.of(9))).toBe(9);
    expect(median([])).toBeNaN();
  });

  it('leaves the values as they were', () => {
    const values = [3, 1, 2];
    median(values);
    estimate(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('distribution', () => {
  it('tells the quantiles of samples in any order', () => {
    const samples = Float64Array.from({ length: 1000 }, (_, at) => ((at * 617) % 1000) + 1);
    expect(distribution(samples)).toMatchObject({ n: 1000, min: 1, p50: 500, p90: 900, p99: 990, p999: 999, max: 1000 });
  });

  it('has a curve from the least to the greatest that never falls and goes as far towards 1 as there are samples', () => {
    for (const n of [1, 2, 99, 100, 5000, 100_000]) {
      const uniform = random(n);
      const { curve, min, max } = distribution(Float64Array.from({ length: n }, uniform));
      expect(curve[0]).toEqual([0, min]);
      expect(curve.at(-1)).toEqual([1, max]);
      expect(
        curve.every(([part, value], at) => at === 0 || ((curve[at - 1]?.[0] ?? 1) < part && (curve[at - 1]?.[1] ?? Infinity) <= value)),
      ).toBe(true);
      const last = curve.at(-2)?.[0] ?? 0;
      expect(1 - last).toBeGreaterThan(0.9 / Math.max(n, 100) / 10);
      if (n >= 100) expect(1 - last).toBeLessThanOrEqual(10 / n + 1e-9);
    }
  });

  it('is all zeros where there is no sample', () => {
    expect(distribution(new Float64Array(0))).toEqual({ n: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0, curve: [] });
  });
});

describe('trim', () => {
  it('is what tables of the binomial distribution say', () => {
    // Ranks of the 95 % interval of a median, as printed in tables of the sign test: 9: 2 to 8, 15: 4 to 12, 20: 6 to 15 ...
    const tables = { 6: 0, 7: 0, 8: 0, 9: 1, 10: 1, 11: 1, 12: 2, 14: 2, 15: 3, 17: 4, 20: 5, 25: 7, 30: 9 };
    for (const [n, out] of Object.entries(tables)) expect([n, trim(Number(n))]).toEqual([n, out]);
  });

  it('leaves out none where even all of the values promise too little', () => {
    expect([0, 1, 2, 3, 4, 5].map(trim)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe('estimate', () => {
  it('lies within its interval, which lies within the values', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: 0, max: 1e12 }), { minLength: 1, maxLength: 60 }), (values) => {
        const { value, low, high } = estimate(values);
        const order = [Math.min(...values), low, value, high, Math.max(...values)];
        expect(order).toEqual([...order].sort((a, b) => a - b));
      }),
    );
  });

  const draws: Record<string, (uniform: () => number) => number> = {
    'even passes': (uniform) => 1 + uniform(),
    'passes with a long tail': (uniform) => Math.exp(2 * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())),
    'a machine of two speeds': (uniform) => (uniform() < 0.5 ? 1 : 1.5) * (1 + 0.01 * uniform()),
  };
  // Their medians: of the third it is anything between the two speeds, so that an interval holds it that reaches across.
  const truths: Record<string, number> = { 'even passes': 1.5, 'passes with a long tail': 1, 'a machine of two speeds': 1.25 };

  it.each(Object.keys(draws))('holds the true median of %s in 95 of 100 runs', (name) => {
    const uniform = random(7);
    const draw = draws[name] as (typeof draws)[string];
    const truth = truths[name] as number;
    for (const passes of [6, 9, 15, 40]) {
      let held = 0;
      const runs = 4000;
      for (let run = 0; run < runs; run += 1) {
        const { low, high } = estimate(Array.from({ length: passes }, () => draw(uniform)));
        if (low <= truth && truth <= high) held += 1;
      }
      // Four standard errors of 4,000 draws below.
      expect(held / runs).toBeGreaterThan(0.95 - 4 * Math.sqrt((0.95 * 0.05) / runs));
      // And not by being endless.
      if (passes === 40) expect(held / runs).toBeLessThan(0.98);
    }
  });

  it('is confident from six passes on', () => {
    expect(isConfident([1, 2, 3, 4, 5])).toBe(false);
    expect(isConfident([1, 2, 3, 4, 5, 6])).toBe(true);
    expect(isConfident([1, 2, null, 3, 4, 5])).toBe(false);
  });

  it('two intervals that touch are not one below the other', () => {
    const between = (low: number, high: number) => ({ value: (low + high) / 2, low, high });
    expect(isBelow(between(1, 2), between(3, 4))).toBe(true);
    expect(isBelow(between(1, 3), between(3, 4))).toBe(false);
    expect(isBelow(between(3, 4), between(1, 2))).toBe(false);
  });
});

describe('spreadOf', () => {
  it('is how far apart the tenth and the ninetieth of a hundred are, of their middle', () => {
    expect(spreadOf(Float64Array.from({ length: 100 }, (_, at) => at + 1))).toBe((90 - 10) / 50);
    expect(spreadOf(Float64Array.of(5, 5, 5))).toBe(0);
  });
});
