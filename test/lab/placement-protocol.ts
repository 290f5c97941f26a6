/** What the threads that placement.ts starts tell it, and what it tells them. */

/** A worker's first message. */
export interface Sighting {
  /** The kernel's number; null where it has none for the thread. */
  readonly thread: number | null;
  readonly seat: number | null;
  readonly sharers: number;
  /** By the worker's own call. */
  readonly affinity: string;
  /** CPUs that it found itself on, by its own call and by the kernel's record. */
  readonly seen: readonly number[];
  /** Groups of these. */
  readonly groups: readonly number[];
}

export type Order = 'close' | 'exit' | 'crash' | 'spin';

/** Words of the memory that is shared with a system thread. */
export const words = { told: 0, letGo: 1, thread: 2, irql: 3 } as const;
