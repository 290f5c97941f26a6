/** What a run of the benchmark is when it is written down: `bench --json` prints it, `--compare` and `--html` read it. */

/**
 * Every scenario runs in several passes. A pass goes through all of them, each in a process of its own, so what a
 * machine does to its speed meanwhile meets all alike. Intervals come from the passes.
 */
export const confidentPasses = 6;

/** A distribution of times, in nanoseconds. */
export interface Distribution {
  /** Samples kept. */
  readonly n: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** [part from 0 to 1, value]: the percentile curve, dense towards 1, for a picture. */
  readonly curve: readonly (readonly [number, number])[];
}

/**
 * An estimate and the 95 % interval around it: the median of the passes, and the order statistics between which the
 * true median lies. Of fewer passes than `confidentPasses` it is all of their range, and promises less.
 */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What else went on while a scenario ran. */
export interface Noise {
  /** Of the scenario's process. */
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** Time stolen by a hypervisor from all CPUs, as a part of theirs; null where the system does not tell. */
  readonly steal: number | null;
  /** Time that other processes took, as a part of all CPUs'; null where the system does not tell. */
  readonly others: number | null;
  /** How far the floor spread in the same run: (p90 - p10) / p50; null in scenarios without one. */
  readonly floorSpread: number | null;
}

interface Ran {
  /** 'set.stays', 'throughput.memory.spread', … */
  readonly id: string;
  /** What was timed, in a sentence. */
  readonly sentence: string;
  /** On which CPUs: 'CPU 0 and 1'. */
  readonly where: string;
  readonly noise: Noise;
  /** Samples thrown away because a thread was not where it claimed to be. */
  readonly strays: number;
}

/** Of a spinning thread: how often and how long it did not run. */
export interface Interruptions {
  /** The shortest gap that counts, ns. */
  readonly over: number;
  readonly perSecond: Estimate;
  /** The part of the time that lies in gaps, from 0 to 1. */
  readonly lost: Estimate;
  /** The same of each pass, in their order; null where the thread was elsewhere. */
  readonly passes: readonly (number | null)[];
}

/** Of calls: times of one call or event each. */
export interface TimesResult extends Ran, Distribution {
  readonly kind: 'times';
  readonly unit: 'ns';
  /** The median's interval; its value is the median of `passes`, which `p50`, of all samples together, may miss by a little. */
  readonly median: Estimate;
  /** The median of each pass, in their order. */
  readonly passes: readonly number[];
  /** The bare system calls that do the same, in the same run, ns. */
  readonly floor?: Estimate;
  /** Against the bare system calls in the same run. */
  readonly floorRatio?: number;
  /** Its 95 % interval. */
  readonly floorRatioInterval?: readonly [number, number];
  /** Where the times are gaps. */
  readonly interruptions?: Interruptions;
}

/** One worker over all passes. */
export interface WorkerSeen {
  /** CPUs by the operating system's record of the thread. */
  readonly allowed: string;
  /** Where it found itself, and where the record named. */
  readonly seen: string;
  /** Null where the system does not count them. */
  readonly migrations: number | null;
}

/** Of work: how much of it in a second. */
export interface RateResult extends Ran {
  readonly kind: 'rate';
  /** 'loads/s' */
  readonly unit: string;
  /** Passes kept. */
  readonly n: number;
  readonly rate: Estimate;
  /** The rate of each pass, in their order; null where a worker was not where it claimed to be. */
  readonly passes: readonly (number | null)[];
  readonly workers: readonly WorkerSeen[];
}

/** Round trips of a cache line between two CPUs. */
export interface CorePair extends Distribution {
  readonly one: number;
  readonly other: number;
  /** The medians of the passes, which lie apart in time. */
  readonly passes: readonly number[];
  readonly strays: number;
}

/** Of pairs: from each CPU to each other. */
export interface PairsResult extends Ran {
  readonly kind: 'pairs';
  readonly unit: 'ns';
  readonly cpus: readonly number[];
  /** CPUs that the process may use and that were left out, as they would be too many. */
  readonly omitted: string;
  readonly pairs: readonly CorePair[];
}

/** What was not run here, or broke, and why. */
export interface MissingResult {
  readonly kind: 'skip' | 'fail';
  readonly id: string;
  readonly sentence: string;
  readonly reason: string;
}

export type ScenarioResult = TimesResult | RateResult | PairsResult | MissingResult;

/** The part of `topology --json` that says which CPUs lie together; sets are cpulists. */
export interface MachineLayout {
  readonly packages: readonly { readonly id: number | null; readonly cpus: string }[];
  readonly numaNodes: readonly { readonly id: number; readonly cpus: string }[];
  readonly caches: readonly { readonly level: number; readonly type: string; readonly cpus: string }[];
  readonly cores: readonly { readonly cpus: string }[];
}

export interface BenchMachine {
  readonly platform: string;
  readonly release: string;
  readonly arch: string;
  readonly node: string;
  readonly version: string;
  readonly cpuModel: string;
  /** The processor says that a hypervisor runs it; null where processors don't tell. */
  readonly hypervisor: boolean | null;
  readonly cpus: string;
  readonly allowed: string;
  readonly groups: number;
  /** `groupaffinity topology` as drawn, without colours; null where there is none. */
  readonly picture: string | null;
  /** Absent where the platform tells no topology. */
  readonly topology?: MachineLayout;
}

export type Verdict = 'faster' | 'slower' | 'no difference to see' | "can't be compared";

/** One scenario, now and before. */
export interface Difference {
  readonly id: string;
  readonly verdict: Verdict;
  /** Of those that can't be compared. */
  readonly reason?: string;
  /** What is compared: 'ns', a rate's unit, or 'of the time' for what interruptions take. */
  readonly unit?: string;
  readonly before?: Estimate;
  readonly after?: Estimate;
  /** How many times as fast as before: above 1 is faster. The interval is the widest that the two allow. */
  readonly speed?: Estimate;
  /** The same of the bare calls: a machine that has become faster or slower. */
  readonly floorSpeed?: Estimate;
  /** The same of the library's calls against the bare ones: a library that has. */
  readonly ratioSpeed?: Estimate;
}

/** This run against an older one. */
export interface Comparison {
  /** When the older one began, ISO 8601. */
  readonly before: string;
  /** What is not the same on the two machines, a line each; empty where they are alike. */
  readonly machines: readonly string[];
  /** What else is not: versions of Node, of the system, of groupaffinity, and how it was run. */
  readonly changes: readonly string[];
  readonly differences: readonly Difference[];
}

export interface BenchDocument {
  readonly machine: BenchMachine;
  /** ISO 8601 */
  readonly begun: string;
  readonly seconds: number;
  readonly quick: boolean;
  /** As many as were asked for. */
  readonly passes: number;
  /** False where Ctrl-C came first. */
  readonly complete: boolean;
  readonly scenarios: readonly ScenarioResult[];
  /** Does pinning pay here? A sentence each. */
  readonly summary: readonly string[];
  /** Of `--compare`. */
  readonly comparison?: Comparison;
}
