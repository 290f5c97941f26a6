import { confidentPasses, type Distribution, type Estimate } from './result.ts';

/** Of values in ascending order: the smallest that at least this part of them does not exceed. */
export function quantile(sorted: Float64Array, part: number): number {
  // A hair less, as 0.07 * 100 is 7.000000000000001.
  const rank = Math.ceil(part * sorted.length * (1 - 1e-12));
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1] ?? Number.NaN;
}

/** The middle value, or what lies between the two middle ones; NaN for none. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] ?? Number.NaN) + (sorted[Math.ceil(half)] ?? Number.NaN)) / 2;
}

/** Parts of the curve: hundredths up to 0.99, then of each tenth that is left another ten, to the last sample of n. */
function parts(n: number): number[] {
  const found = Array.from({ length: 100 }, (_, hundredth) => hundredth / 100);
  for (let left = 0.01; left * n >= 1; left /= 10) for (let tenth = 9; tenth >= 1; tenth -= 1) found.push(1 - (left * tenth) / 10);
  return [...new Set([0, ...found.map((part) => +part.toPrecision(12)), 1])].filter((part) => part >= 0 && part <= 1).sort((a, b) => a - b);
}

/** What samples are like; zeros for none. */
export function distribution(samples: Float64Array): Distribution {
  const sorted = Float64Array.from(samples).sort();
  const n = sorted.length;
  const at = (part: number): number => (n === 0 ? 0 : quantile(sorted, part));
  return {
    n,
    min: at(0),
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    curve: n === 0 ? [] : parts(n).map((part) => [part, quantile(sorted, part)] as const),
  };
}

/**
 * How many values to leave out at each end of n sorted ones, so that the true median lies between the first and the last
 * of the rest in at least 95 of 100 cases: how many of n values lie below it is binomial.
 */
export function trim(n: number): number {
  let below = 0;
  let term = 0.5 ** n;
  for (let k = 0; k < n / 2; k += 1) {
    below += term;
    if (2 * below > 0.05) return Math.max(k - 1, 0);
    term = (term * (n - k)) / (k + 1);
  }
  return 0;
}

/** The median of values and its 95 % interval from order statistics; of fewer than `confidentPasses`, all of their range. */
export function estimate(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const out = trim(sorted.length);
  const middle = median(sorted);
  return { value: middle, low: sorted[out] ?? middle, high: sorted[sorted.length - 1 - out] ?? middle };
}

/** (p90 - p10) / p50 */
export function spreadOf(values: Float64Array): number {
  const sorted = Float64Array.from(values).sort();
  return (quantile(sorted, 0.9) - quantile(sorted, 0.1)) / quantile(sorted, 0.5);
}

/** Passes that an interval can be had from. */
export const isConfident = (passes: readonly (number | null)[]): boolean =>
  passes.filter((pass) => pass !== null).length >= confidentPasses;

/** Below: all of the one interval is below the other. */
export const isBelow = (one: Estimate, other: Estimate): boolean => one.high < other.low;
