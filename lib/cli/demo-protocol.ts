/** The demo's signal to its workers: the one word they share. */
export const waiting = 0;
export const work = 1;
export const stop = 2;

/** A worker is ready. */
export interface DemoStart {
  /** The number the operating system knows it by. */
  thread: number;
  seat: { seat: number; cpus: string; sharers: number } | null;
}

/** What a worker has done, and how often it found itself on which CPU. */
export interface DemoReport {
  mebibytes: number;
  seen: [cpu: number, times: number][];
  /** The operating system's word at the end. */
  affinity: string;
}
