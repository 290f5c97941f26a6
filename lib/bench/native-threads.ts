/** What only threads without JavaScript can show: they are made, measured and ended by the addon. */
import { native, Outcome } from '../binding.ts';
import type { ArrivalTask, GapsTask, PairSamples, PairsOutcome, TimesOutcome, TripsTask } from './task.ts';

const none = new Float64Array(0);

function expectDone({ outcome, osError }: { outcome: Outcome; osError: number }, what: string): void {
  if (outcome !== Outcome.done) throw new Error(`the operating system refused ${what} (outcome ${outcome}, error ${osError})`);
}

/** Arrivals in a pass, at most. */
const mostArrivals = 20_000;

export function sampleArrivals({ caller, from, to }: ArrivalTask, milliseconds: number): TimesOutcome {
  const found = native.measureArrivals(caller, from, to, mostArrivals, milliseconds * 1e6);
  expectDone(found, `to send a thread from CPU ${from} to ${to}`);
  return { kind: 'times', samples: found.nanoseconds, strays: found.strays, floors: none, ratios: none };
}

export function sampleGaps({ cpu }: GapsTask, milliseconds: number): TimesOutcome {
  const { nanoseconds, over, elapsed, strays, ...found } = native.measureGaps(cpu, milliseconds * 1e6);
  expectDone(found, `CPU ${cpu}`);
  return { kind: 'times', samples: nanoseconds, strays, floors: none, ratios: none, gaps: { over, elapsed } };
}

/** Round trips of a sample, and samples of a pair in a row. */
const trip = { rounds: 100, samples: 10 } as const;
/** Of a pair in a pass, at most. */
const mostTrips = 1000;

/** Goes through all pairs again and again until the time is over, once at least. */
export function sampleTrips({ cpus }: TripsTask, milliseconds: number): PairsOutcome {
  const pairs = cpus.flatMap((one, at) => cpus.slice(at + 1).map((other) => ({ one, other, times: [] as number[], strays: 0 })));
  const end = performance.now() + milliseconds;
  do {
    for (const pair of pairs) {
      const found = native.measureRoundTrips(pair.one, pair.other, trip.rounds, trip.samples);
      expectDone(found, `CPUs ${pair.one} and ${pair.other}`);
      pair.times.push(...found.nanoseconds);
      pair.strays += found.strays;
    }
  } while (performance.now() < end && pairs.every(({ times }) => times.length < mostTrips));
  return {
    kind: 'pairs',
    pairs: pairs.map(({ one, other, times, strays }): PairSamples => ({ one, other, samples: Float64Array.from(times), strays })),
  };
}
