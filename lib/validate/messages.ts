/** What the thread that checks claims and the one that asks it say to each other. */

/** The worker's data. */
export interface ClaimsWorkerData {
  readonly moves: number;
  readonly hotplug: boolean;
  /** The asking thread, to the operating system. */
  readonly bystander: number;
}

/** Asks for a claim. */
export interface Ask {
  readonly id: string;
}

export type Verdict = 'pass' | 'fail' | 'skip';

export interface Answer {
  readonly kind: 'answer';
  readonly verdict: Verdict;
  readonly expected: string;
  readonly observed: string;
  /** Of a skip. */
  readonly reason?: string;
  /** The thread could not be put back as it was: it is not fit for other claims. */
  readonly spoilt: boolean;
}

export interface Progress {
  readonly kind: 'progress';
  /** From 0 to 1. */
  readonly part: number;
}
