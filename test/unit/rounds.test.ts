import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, estimate, median, shuffled, timed } from '../bench/rounds.ts';

describe('estimate', () => {
  it('is the middle value, or lies between the two middle ones', () => {
    expect(estimate([3, 1, 2]).value).toBe(2);
    expect(estimate([4, 1, 2, 3]).value).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  it('holds the median of the distribution 19 times of 20', () => {
    let state = 1;
    const uniform = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    // Skewed, as times are: the true median of -ln(uniform) is ln 2.
    const draws = 2000;
    for (const n of [6, 25, 100, 401]) {
      let held = 0;
      for (let draw = 0; draw < draws; draw += 1) {
        const { low, high } = estimate(Array.from({ length: n }, () => -Math.log(1 - uniform())));
        if (low <= Math.LN2 && Math.LN2 <= high) held += 1;
      }
      expect(held / draws).toBeGreaterThan(0.93);
      expect(held / draws).toBeLessThan(n > 25 ? 0.98 : 1);
    }
  });

  it('lies within its interval, which lies within the values', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: 0, max: 1e9 }), { minLength: 1, maxLength: 300 }), (values) => {
        const { value, low, high } = estimate(values);
        expect([Math.min(...values), low, value, high, Math.max(...values)]).toEqual(
          [Math.min(...values), low, value, high, Math.max(...values)].sort((a, b) => a - b),
        );
      }),
    );
  });
});

describe('shuffled', () => {
  it('loses nothing and brings every order', () => {
    const orders = new Set(Array.from({ length: 500 }, () => shuffled([1, 2, 3]).join('')));
    expect([...orders].sort()).toEqual(['123', '132', '213', '231', '312', '321']);
  });
});

describe('compare', () => {
  /** A machine whose speed changes from batch to batch within a round by nothing, and from round to round by a lot. */
  function drifting(batches: number): (nanoseconds: number) => (count: number) => number {
    let calls = 0;
    return (nanoseconds) => (count) => {
      calls += 1;
      return count * nanoseconds * (1 + Math.floor(calls / batches) * 0.01);
    };
  }

  it('finds the ratio on a machine that changes its speed', () => {
    const machine = drifting(9);
    const { cases, floor } = compare({
      floor: machine(1000),
      cases: { double: machine(2000), same: machine(1000) },
      batch: 10,
      rounds: 300,
      warmup: 90,
    });
    expect(cases.get('double')?.ratio.value).toBeCloseTo(2, 6);
    expect(cases.get('same')?.ratio.value).toBeCloseTo(1, 6);
    expect(floor.high).toBeGreaterThan(floor.low * 1.1);
  });

  it('warms up by whole batches, then runs the floor and each case three times a round', () => {
    const counted = { floor: 0, one: 0 };
    const count = (name: keyof typeof counted) => (calls: number) => {
      counted[name] += calls;
      return calls;
    };
    compare({ floor: count('floor'), cases: { one: count('one') }, batch: 30, rounds: 7, warmup: 100 });
    expect(counted).toEqual({ floor: 120 + 3 * 7 * 30, one: 120 + 3 * 7 * 30 });
  });

  it('runs a disturbed batch again, and counts those that stay disturbed', () => {
    let switched = 0;
    let runs = 0;
    const unlucky = (times: number) => (count: number) => {
      runs += 1;
      if (runs <= times) switched += 1;
      return count * (runs <= times ? 100 : 1);
    };
    const switches = (): number => switched;
    const once = compare({ floor: (count) => count, cases: { one: unlucky(3) }, batch: 1, rounds: 1, warmup: 0, switches });
    expect(once.cases.get('one')).toMatchObject({ nanoseconds: 1, disturbed: 0 });
    runs = 0;
    const always = compare({ floor: (count) => count, cases: { one: unlucky(Infinity) }, batch: 1, rounds: 1, warmup: 0, switches });
    expect(always.cases.get('one')).toMatchObject({ nanoseconds: 100, disturbed: 3 });
    expect(runs).toBe(18);
  });

  it('times a loop', () => {
    let made = 0;
    const work = timed((count) => {
      made += count;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    });
    expect(work(3)).toBeGreaterThan(4e6);
    expect(made).toBe(3);
  });
});
