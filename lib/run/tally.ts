import type { ThreadRole } from '../threads/roles.ts';

/** What happened to threads. Null is what the operating system does not tell. */
export interface Counts {
  migrations: number | null;
  voluntarySwitches: number | null;
  involuntarySwitches: number | null;
  /** A thread was in its place, and then had other CPUs. */
  drifts: number;
  /** It had those of its place again. */
  mended: number;
}

/** Counts by role that only grow: those of threads that have ended stay in them. */
export class Tally {
  readonly roles = new Map<ThreadRole, Counts>();
  readonly #above: Tally | undefined;

  /** @param above Of a whole that this is a part of: it counts all that is counted here. */
  constructor(above?: Tally) {
    this.#above = above;
  }

  add(role: ThreadRole, what: keyof Counts, count: number | null): void {
    this.#above?.add(role, what, count);
    let counts = this.roles.get(role);
    if (counts === undefined) {
      counts = { migrations: null, voluntarySwitches: null, involuntarySwitches: null, drifts: 0, mended: 0 };
      this.roles.set(role, counts);
    }
    if (count !== null) counts[what] = (counts[what] ?? 0) + count;
  }
}
