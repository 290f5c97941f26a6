/** What the workers of a throughput run and their process say to each other. */
import type { Load } from './task.ts';

/** The worker's data. */
export interface WorkerOrder {
  readonly load: Load;
  /** Words: the phase first, and from `lineWords` on a line for each worker's count of chunks. */
  readonly memory: SharedArrayBuffer;
  readonly worker: number;
}

export const phase = { prepare: 0, warmUp: 1, measure: 2, stop: 3 } as const;
/** Two cache lines: counts do not disturb each other. */
export const lineWords = 32;
export const memoryFor = (workers: number): SharedArrayBuffer => new SharedArrayBuffer(4 * lineWords * (workers + 1));

/** A worker's first message: it is ready, and the operating system knows it by this number. */
export interface Ready {
  readonly thread: number;
}

/** Its last one: the CPUs that it found itself on while it was measured. */
export interface Report {
  readonly seen: readonly number[];
}

/** Steps that a worker makes between two looks at the phase. */
export const chunk: Readonly<Record<Load, number>> = { memory: 2_000, compute: 50_000 };
