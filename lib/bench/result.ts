/** What a run of the benchmark is when it is written down: `bench --json` prints it, `--compare` and `--html` read it. */

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

/** An estimate and the 95 % interval around it. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What else went on while a scenario ran. */
export interface Noise {
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** Time stolen by a hypervisor from all CPUs, as a part of theirs; null where the system does not tell. */
  readonly steal: number | null;
  /** How far the floor spread in the same run: (p90 - p10) / p50; null in scenarios without one. */
  readonly floorSpread: number | null;
}

interface Ran {
  /** 'set.stays', 'throughput.memory.spread', … */
  readonly id: string;
  /** What was timed, in a sentence. */
  readonly sentence: string;
  readonly noise: Noise;
  /** Samples thrown away because a thread was not where it claimed to be. */
  readonly strays: number;
}

/** Of calls: times of one call or event each. */
export interface TimesResult extends Ran, Distribution {
  readonly kind: 'times';
  readonly unit: 'ns';
  /** The median's interval. */
  readonly median: Estimate;
  /** Against the bare system calls in the same run. */
  readonly floorRatio?: number;
  /** Its 95 % interval. */
  readonly floorRatioInterval?: readonly [number, number];
}

/** Of work: how much of it in a second. */
export interface RateResult extends Ran {
  readonly kind: 'rate';
  readonly unit: string;
  /** Repetitions. */
  readonly n: number;
  readonly rate: Estimate;
  readonly samples: readonly number[];
  /** Of each worker: the CPUs it was allowed, those it was seen on, and how often it moved. */
  readonly workers: readonly { readonly allowed: string; readonly seen: string; readonly migrations: number }[];
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
  readonly pairs: readonly CorePair[];
}

/** What was not run, and why. */
export interface SkippedResult {
  readonly kind: 'skip';
  readonly id: string;
  readonly sentence: string;
  readonly reason: string;
}

export type ScenarioResult = TimesResult | RateResult | PairsResult | SkippedResult;

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
  readonly cpus: string;
  readonly allowed: string;
  readonly groups: number;
  /** `groupaffinity topology` as drawn, without colours; null where there is none. */
  readonly picture: string | null;
  /** Absent where the platform tells no topology. */
  readonly topology?: MachineLayout;
}

export interface BenchDocument {
  readonly machine: BenchMachine;
  /** ISO 8601 */
  readonly begun: string;
  readonly seconds: number;
  readonly quick: boolean;
  /** False where Ctrl-C came first. */
  readonly complete: boolean;
  readonly scenarios: readonly ScenarioResult[];
  /** Does pinning pay here? A sentence each. */
  readonly summary: readonly string[];
}
