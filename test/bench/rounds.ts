/**
 * Times against a floor. All cases run in one process, in rounds, in a new order each round, and count as ratios to the
 * floor of the same round: a machine changes its speed within a run, and absolute times change with it.
 */
import type { Estimate } from '../../lib/bench/result.ts';

/**
 * Makes `count` calls and answers the nanoseconds that they took together. Each case needs a loop of its own: a call in a
 * loop that cases share is slower than a user's call.
 */
export type Work = (count: number) => number;

/** The work of a loop that makes the calls and does not time them. */
export const timed =
  (loop: (count: number) => void): Work =>
  (count) => {
    const begun = process.hrtime.bigint();
    loop(count);
    return Number(process.hrtime.bigint() - begun);
  };

export interface Comparison {
  readonly floor: Work;
  readonly cases: Readonly<Record<string, Work>>;
  /** Calls in a row. */
  readonly batch: number;
  /** In each the floor and each case run three times, and the middle one counts; 200 by default. */
  readonly rounds?: number;
  /** Calls of the floor and of each case before the first round, 10,000 by default: compiled code is what is compared. */
  readonly warmup?: number;
  /**
   * How often the thread has lost its CPU so far. A batch in which it did is run again, six times at most; the sixth is
   * kept and counted. Without it, as where every call moves the thread, all batches are kept.
   */
  readonly switches?: () => number;
}

export interface Compared {
  /** Of the case to the floor of its round. */
  readonly ratio: Estimate;
  /** Of one call, the median. */
  readonly nanoseconds: number;
  /** Batches kept although the thread lost its CPU. */
  readonly disturbed: number;
}

export interface Comparisons {
  /** Nanoseconds of one call. */
  readonly floor: Estimate;
  readonly cases: ReadonlyMap<string, Compared>;
}

/** The middle of values in ascending order; between the two middle ones where their number is even. */
function middle(sorted: Float64Array): number {
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] ?? Number.NaN) + (sorted[Math.ceil(half)] ?? Number.NaN)) / 2;
}

export function median(values: readonly number[]): number {
  return middle(Float64Array.from(values).sort());
}

/**
 * The median of some values and its 95 % interval, whatever their distribution: from order statistics, as the number of
 * values below the true median is binomial. Of fewer than six values it is all of their range, and promises less.
 */
export function estimate(values: readonly number[]): Estimate {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  const reach = (1.96 * Math.sqrt(n)) / 2;
  const low = sorted[Math.max(0, Math.floor(n / 2 - reach) - 1)] ?? Number.NaN;
  const high = sorted[Math.min(n - 1, Math.ceil(n / 2 + reach))] ?? Number.NaN;
  return { value: middle(sorted), low, high };
}

/** The same things in another order, each order as likely. */
export function shuffled<T>(things: readonly T[]): T[] {
  const order = [...things];
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1));
    [order[at], order[other]] = [order[other] as T, order[at] as T];
  }
  return order;
}

const tries = 6;

class Case {
  readonly work: Work;
  readonly ratios: number[] = [];
  readonly times: number[] = [];
  /** Nanoseconds of a call in this round, of each time it ran. */
  round: number[] = [];
  disturbed = 0;

  constructor(work: Work) {
    this.work = work;
  }

  run(batch: number, switches: () => number): void {
    for (let left = tries; ; left -= 1) {
      const before = switches();
      const nanoseconds = this.work(batch);
      const undisturbed = switches() === before;
      if (!undisturbed && left > 1) continue;
      if (!undisturbed) this.disturbed += 1;
      this.round.push(nanoseconds / batch);
      return;
    }
  }
}

/** Runs the floor and the cases, interleaved, and blocks until all rounds are over. */
export function compare({ floor, cases, batch, rounds = 200, warmup = 10_000, switches = () => 0 }: Comparison): Comparisons {
  const bare = new Case(floor);
  const named = new Map(Object.entries(cases).map(([name, work]) => [name, new Case(work)]));
  // In batches, as later: code compiled within one long loop is other code.
  for (const { work } of [bare, ...named.values()]) for (let calls = 0; calls < warmup; calls += batch) work(batch);

  for (let round = 0; round < rounds; round += 1) {
    const all = [bare, ...named.values()];
    // As often each, so that each is as often warm.
    for (const one of shuffled([...all, ...all, ...all])) one.run(batch, switches);
    const base = median(bare.round);
    for (const one of all) {
      const time = median(one.round);
      one.times.push(time);
      one.ratios.push(time / base);
      one.round = [];
    }
  }
  return {
    floor: estimate(bare.times),
    cases: new Map(
      [...named].map(([name, { ratios, times, disturbed }]) => [name, { ratio: estimate(ratios), nanoseconds: median(times), disturbed }]),
    ),
  };
}
