import type { Exact } from '../threads/own-thread.ts';

/** Tells what a system thread is started with from what programs give to their workers. */
export const systemThread = 'groupaffinity.system-thread';

/** What a system thread is started with. */
export interface SystemThreadStart {
  readonly kind: typeof systemThread;
  readonly module: string;
  readonly context: number;
  /** One word, 0 until the thread tells how it began. */
  readonly memory: SharedArrayBuffer;
  readonly level: number;
  /** The creator's user affinity. */
  readonly user: Exact;
  readonly startContext: unknown;
}

export const isSystemThread = (workerData: unknown): boolean =>
  (workerData as Partial<SystemThreadStart> | null | undefined)?.kind === systemThread;

/** The thread has its affinity and its priority. */
export const begun = 1;
/** The operating system refused one of them; the thread ends. */
export const refused = 2;
