/** What a claim and the system thread that it starts say to each other, through memory: both may block meanwhile. */

/** What the thread does. All but `terminate` and `nap` stay until they are let go. */
export type Task = 'report' | 'own-context' | 'terminate' | 'terminate-other' | 'nap';

/** The StartContext. */
export interface Part {
  readonly task: Task;
  readonly memory: SharedArrayBuffer;
  /** For `terminate-other`: another thread. */
  readonly victim?: unknown;
}

export interface Report {
  /** To the operating system. */
  readonly thread: number;
  readonly irql: number;
  readonly where: string;
  readonly bits: string;
  readonly words: string;
}

/** Words of the memory: set when there is a report; set to let the thread go; the report's bytes. */
export const [reported, released, length, survived] = [0, 1, 2, 3];
export const header = 16;
export const memorySize = 4096;

/** How long either waits for the other, ms. */
export const patience = 30_000;
