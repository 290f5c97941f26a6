import { median } from '../bench/statistics.ts';

/**
 * Of fewer machines no one is called unlike the others. Of 1,000 times 8 machines that differ by chance alone this
 * finds something in 50, of 20 in 10, of 50 in 3 (simulated, normal values).
 */
export const fewest = 8;
const farthest = 5;
/** Nearer than this part of the median nothing matters, however alike the others are. */
const nearest = 0.05;

export interface Center {
  readonly median: number;
  /** Of values that are normal: their standard deviation. */
  readonly deviation: number;
}

/** The median, and how far values lie from it: by the median of the distances, or their mean where most values are one. */
export function centerOf(values: readonly number[]): Center {
  const middle = median(values);
  const distances = values.map((value) => Math.abs(value - middle));
  const typical = median(distances);
  const mean = distances.reduce((sum, distance) => sum + distance, 0) / Math.max(distances.length, 1);
  return { median: middle, deviation: typical > 0 ? 1.4826 * typical : 1.2533 * mean };
}

/** How many deviations a value lies from the others' median where that is far; undefined where it is not. */
export function outlying(value: number, { median, deviation }: Center, of: number): number | undefined {
  if (of < fewest || deviation === 0) return undefined;
  const score = (value - median) / deviation;
  return Math.abs(score) > farthest && Math.abs(value - median) > nearest * Math.abs(median) ? score : undefined;
}
