/** What a benchmark hands to the one who prints it. */
import type { Estimate } from '../../lib/bench/result.ts';

export interface Options {
  /** In place of the benchmark's own number. */
  readonly rounds?: number;
}

export interface Report {
  /** For a terminal. */
  readonly text: string;
  /** For `--json`. */
  readonly document: object;
}

export interface Benchmark {
  readonly run: (options: Options) => Promise<Report> | Report;
}

/** An estimate with its interval, as `1.07 (1.06 to 1.09)`. */
export function shown({ value, low, high }: Estimate, digits = 2): string {
  return `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}
