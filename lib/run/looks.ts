/** What placed processes tell of themselves, a line of JSON each, and what a look at a thread is. */
import { appendFileSync } from 'node:fs';
import { native, type ThreadState } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import type { Role } from '../threads/roles.ts';

/** A thread at one moment, as the operating system shows it. */
export interface Look {
  readonly thread: number;
  readonly started: number | null;
  readonly name: string;
  readonly allowed: string;
  readonly lastCpu: number | null;
  /** How often it gave its CPU up, and how often it was taken from it. */
  readonly voluntarySwitches: number | null;
  readonly involuntarySwitches: number | null;
  readonly migrations: number | null;
  /** ms */
  readonly cpuTime: number | null;
}

export function lookAt(state: ThreadState): Look {
  const { thread, started, name, allowed, lastCpu, voluntarySwitches, involuntarySwitches, migrations, cpuTime } = state;
  return {
    thread,
    started,
    name,
    allowed: String(CpuSet.fromMask(allowed)),
    lastCpu,
    voluntarySwitches,
    involuntarySwitches,
    migrations,
    cpuTime,
  };
}

/** The main thread has its place, and the program begins. */
export interface Begun {
  readonly process: number;
  readonly begun: {
    readonly arguments: readonly string[];
    readonly share: number | null;
    /** Of the main thread, where that sits among workers. */
    readonly seat: number | null;
    /** Those of libuv's pool that were met. */
    readonly pool: readonly number[];
    /** These are all of it. */
    readonly poolComplete: boolean;
    readonly look: Look | null;
  };
}
/** A worker has its place. */
export interface Seated {
  readonly process: number;
  readonly seated: { readonly threadId: number; readonly seat: number | null; readonly look: Look | null };
}
/** The program ends by itself: all of its threads for the last time, and who they were. */
export interface Ends {
  readonly process: number;
  readonly ends: { readonly threads: readonly { readonly look: Look; readonly role: Role }[] };
}
export type Told = Begun | Seated | Ends;

/** The calling thread. */
export function ownLook(): Look | null {
  const state = native.readThread(native.currentThread());
  return state === null ? null : lookAt(state);
}

/** What a line tells; nothing where it was cut. */
export function heard(line: string): Told | undefined {
  try {
    return JSON.parse(line) as Told;
  } catch {
    return undefined;
  }
}

export function tell(report: string | undefined, told: Told): void {
  if (report === undefined) return;
  try {
    // A full disk may have cut what was told before: that ends here.
    appendFileSync(report, `\n${JSON.stringify(told)}\n`);
  } catch {
    // Another user's process, or a run that is over: it goes untold.
  }
}
