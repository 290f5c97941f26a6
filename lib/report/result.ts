/** What many results of `validate --json` and `bench --json` say together: `report --json` prints it. */
import type { MachineLayout } from '../bench/result.ts';

/** What both documents say of their machine; older ones lack the processor's name or the topology. */
export interface MachineFacts {
  readonly platform: string;
  readonly release: string;
  readonly arch: string;
  readonly node: string;
  readonly version: string;
  readonly cpuModel: string;
  readonly cpus: string;
  readonly groups: number;
  readonly topology?: MachineLayout;
}

/** One figure of a benchmark by which machines are compared. */
export interface Headline {
  /** The scenario's id; of round trips also '….farthest'. */
  readonly id: string;
  /** 'ns' and 'of the time': less is better. A rate: more is. */
  readonly unit: string;
  readonly value: number;
  /** The part of all CPUs' time that other programs took meanwhile; null where unknown. */
  readonly others: number | null;
}

export interface FailedClaim {
  readonly id: string;
  readonly sentence: string;
  readonly expected: string;
  readonly observed: string;
}

export interface BrokenScenario {
  readonly id: string;
  readonly reason: string;
}

/** What is kept of a file, whatever its size. */
export type Kept =
  | {
      readonly kind: 'validate';
      readonly machine: MachineFacts;
      readonly passed: number;
      readonly failed: readonly FailedClaim[];
      readonly skipped: number;
    }
  | {
      readonly kind: 'bench';
      readonly machine: MachineFacts;
      readonly begun: string;
      readonly quick: boolean;
      readonly complete: boolean;
      readonly headlines: readonly Headline[];
      readonly broken: readonly BrokenScenario[];
    };

/** A file that holds no result, and why. */
export interface Unread {
  readonly file: string;
  readonly reason: string;
}

export interface Machine {
  /** From the names of its files. */
  readonly name: string;
  readonly files: readonly string[];
  /** Its place in the report's `layouts`. */
  readonly layout: number;
  readonly node: string;
  readonly release: string;
  readonly version: string;
  readonly validate: { readonly passed: number; readonly failed: number; readonly skipped: number } | null;
  readonly bench: { readonly begun: string; readonly quick: boolean; readonly complete: boolean; readonly broken: number } | null;
  /** Of its figures. */
  readonly outliers: number;
}

/** A figure over the machines of one layout. */
export interface Spread {
  readonly id: string;
  readonly unit: string;
  readonly n: number;
  readonly median: number;
  /** Median absolute deviation, times 1.4826: a standard deviation where values are normal. */
  readonly deviation: number;
  /** Ascending. */
  readonly values: readonly number[];
}

/** Machines whose CPUs are alike: as many, in the same packages, nodes, caches and cores, under the same numbers. */
export interface Layout {
  readonly name: string;
  readonly machines: number;
  readonly spreads: readonly Spread[];
}

/** The same claim or scenario on several machines. */
export interface Failure {
  readonly id: string;
  readonly sentence: string;
  readonly machines: readonly { readonly name: string; readonly said: string }[];
}

export interface Outlier {
  readonly machine: string;
  readonly layout: number;
  readonly id: string;
  readonly unit: string;
  readonly value: number;
  readonly median: number;
  /** Deviations from the median. */
  readonly score: number;
  /** Of how many machines. */
  readonly of: number;
  readonly is: 'better' | 'worse';
  readonly others: number | null;
}

export interface FleetReport {
  /** Files that were read, those that hold no result included. */
  readonly files: number;
  readonly machines: readonly Machine[];
  readonly layouts: readonly Layout[];
  readonly failures: readonly Failure[];
  readonly broken: readonly Failure[];
  /** The farthest first. */
  readonly outliers: readonly Outlier[];
  readonly unread: readonly Unread[];
}
