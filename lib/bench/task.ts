/** What the process of a scenario is told to do in a pass, and what it answers. */
import type { WorkerSeen } from './result.ts';

/**
 * Calls of the library, timed one by one and in turns against bare ones. CPU sets are cpulists.
 *
 * - set: StorPortSetSystemGroupAffinityThread to `first` and `second` in turn
 * - revert: a Set to `first` and its Revert
 * - pin: a pin on `first` and its end
 */
export interface CallsTask {
  readonly kind: 'calls';
  readonly call: 'set' | 'revert' | 'pin';
  readonly first: string;
  /** Of set alone. */
  readonly second: string;
  /** Where the thread is after `first`, and after `second`. */
  readonly seats: readonly [number, number];
}

/** A thread on `caller` sends one that runs on `from` to `to`. */
export interface ArrivalTask {
  readonly kind: 'arrival';
  readonly caller: number;
  readonly from: number;
  readonly to: number;
}

/** A spinning thread on one CPU, or with null on any. */
export interface GapsTask {
  readonly kind: 'gaps';
  readonly cpu: number | null;
}

export type Load = 'memory' | 'compute';

/** Workers that share out these seats evenly; no seats: the scheduler places them. */
export interface WorkTask {
  readonly kind: 'work';
  readonly load: Load;
  readonly workers: number;
  readonly seats: readonly string[];
}

/** Round trips between all pairs. */
export interface TripsTask {
  readonly kind: 'trips';
  readonly cpus: readonly number[];
}

export type Task = CallsTask | ArrivalTask | GapsTask | WorkTask | TripsTask;

/** One pass: how long to sample, ms. A process has one task for all of its passes. */
export interface Order {
  readonly task: Task;
  readonly milliseconds: number;
}

/** What else went on meanwhile; seconds are of all CPUs together, null where the system does not tell. */
export interface Meanwhile {
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** Seconds that there were, that a hypervisor took, and that other processes took. */
  readonly all: number | null;
  readonly stolen: number | null;
  readonly others: number | null;
}

export interface TimesOutcome {
  readonly kind: 'times';
  /** ns */
  readonly samples: Float64Array;
  readonly strays: number;
  /** A round each: the bare calls that do the same as one sample, ns, and what the library's took against them. */
  readonly floors: Float64Array;
  readonly ratios: Float64Array;
  /** Where the samples are gaps: the shortest that counts, and how long it was looked, ns. */
  readonly gaps?: { readonly over: number; readonly elapsed: number };
}

export interface RateOutcome {
  readonly kind: 'rate';
  /** Of all workers together, a second. */
  readonly rate: number;
  readonly workers: readonly WorkerSeen[];
  /** Workers that were elsewhere: the rate is no sample then. */
  readonly strays: number;
}

export interface PairSamples {
  readonly one: number;
  readonly other: number;
  readonly samples: Float64Array;
  readonly strays: number;
}

export interface PairsOutcome {
  readonly kind: 'pairs';
  readonly pairs: readonly PairSamples[];
}

export type Outcome = TimesOutcome | RateOutcome | PairsOutcome;

/** Of a pass. */
export type Answer = { readonly outcome: Outcome; readonly meanwhile: Meanwhile } | { readonly error: string };
