/** Watches placed processes from outside: where each thread was seen, from its place's taking to its end. */
import type { ThreadState } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { rolesOf, type Knowledge, type NodeWorker, type Role } from '../threads/roles.ts';
import { told } from '../threads/threads.ts';
import { askedFor } from './asked.ts';
import { Lines } from './lines.ts';
import { heard, lookAt, type Begun, type Look, type Told } from './looks.ts';
import type { Order } from './order.ts';
import { Tally } from './tally.ts';

interface Watched {
  readonly tid: number;
  readonly role: Role;
  /** Of the plan; null where it took none. */
  readonly seat: number | null;
  /** Since the first look; null where the operating system does not tell. */
  readonly migrations: number | null;
}

/** A thread's stay, as far as it was seen. */
export interface Sighting extends Watched {
  readonly name: string;
  /** Every set of CPUs that the operating system showed for it, in the order of appearance, in the kernel's list format. */
  readonly allowed: readonly string[];
  /** Where it had run, at the looks at which it had run since the look before. */
  readonly seenOn: CpuSet;
  /** Such looks. */
  readonly looks: number;
}

interface Placed {
  readonly pid: number;
  readonly arguments: readonly string[];
  /** Of the plan of shares; null where it took none. */
  readonly share: number | null;
}

export interface PlacedProcess extends Placed {
  readonly threads: readonly Sighting[];
  /** It was there when the watching ended. */
  readonly living: boolean;
}

/** A thread that lives, and what happened to it since it took its place, or was first seen. */
export interface LivingThread extends Watched {
  /** Where the order has it; null where it says nothing of this thread. */
  readonly asked: string | null;
  readonly allowed: string;
  /** It was in its place, and has other CPUs now. */
  readonly adrift: boolean;
  readonly voluntarySwitches: number | null;
  readonly involuntarySwitches: number | null;
}

export interface LivingProcess extends Placed {
  readonly threads: readonly LivingThread[];
  readonly tally: Tally;
}

const unknown: Role = { role: 'other', certainty: 'unsure', threadId: null, workerName: null };

/** Numbers of threads are given out again. */
const keyOf = ({ thread, started }: { readonly thread: number; readonly started: number | null }): string => `${thread} ${started}`;

const counted = ['migrations', 'voluntarySwitches', 'involuntarySwitches'] as const;

/** A thread's own look at itself may be a moment older than one at it from outside. */
function since(first: Look, last: Look, what: (typeof counted)[number]): number | null {
  const [before, now] = [first[what], last[what]];
  return before === null || now === null ? null : Math.max(0, now - before);
}

class WatchedThread {
  role: Role = unknown;
  seat: number | null = null;
  living = true;
  readonly allowed = new Set<string>();
  readonly on = new Set<number>();
  looks = 0;
  #first: Look;
  #last: Look;
  #asked: string | null = null;
  /** Null until it was seen in its place. */
  #adrift: boolean | null = null;
  readonly #tally: Tally;

  constructor(look: Look, tally: Tally) {
    this.#first = look;
    this.#last = look;
    this.#tally = tally;
  }

  saw(look: Look): void {
    this.allowed.add(look.allowed);
    const ran = counted.some((what) => look[what] !== this.#last[what]) || look.cpuTime !== this.#last.cpuTime;
    // Where a thread ran last may be long ago, before it was placed.
    if (ran) this.#sawOn(look);
    for (const what of counted) this.#tally.add(this.role.role, what, since(this.#last, look, what));
    this.#last = look;
  }

  /** Holds what was seen last against where the thread is to be; a place that it never had it can't lose. */
  compare(asked: string | null): void {
    if (asked !== this.#asked) this.#adrift = null;
    this.#asked = asked;
    if (asked === null) return;
    const inPlace = this.#last.allowed === asked;
    if (inPlace && this.#adrift === true) this.#tally.add(this.role.role, 'mended', 1);
    if (!inPlace && this.#adrift === false) this.#tally.add(this.role.role, 'drifts', 1);
    if (inPlace || this.#adrift !== null) this.#adrift = !inPlace;
  }

  /** It took its place a moment ago, and looked at itself: what was seen before does not count. */
  placed(look: Look): void {
    this.allowed.clear();
    this.on.clear();
    this.looks = 0;
    this.#first = look;
    this.allowed.add(look.allowed);
    this.#sawOn(look);
    this.#last = look;
    // So that its role has counts, however short it lives.
    for (const what of counted) this.#tally.add(this.role.role, what, since(look, look, what));
  }

  #sawOn({ lastCpu }: Look): void {
    if (lastCpu === null) return;
    this.on.add(lastCpu);
    this.looks += 1;
  }

  sighting(): Sighting {
    const { role, seat } = this;
    return {
      tid: this.#last.thread,
      role,
      name: this.#last.name,
      seat,
      allowed: [...this.allowed],
      seenOn: CpuSet.of(this.on),
      looks: this.looks,
      migrations: since(this.#first, this.#last, 'migrations'),
    };
  }

  now(): LivingThread {
    const { role, seat } = this;
    const [first, last] = [this.#first, this.#last];
    return {
      tid: last.thread,
      role,
      seat,
      asked: this.#asked,
      allowed: last.allowed,
      adrift: this.#adrift === true,
      migrations: since(first, last, 'migrations'),
      voluntarySwitches: since(first, last, 'voluntarySwitches'),
      involuntarySwitches: since(first, last, 'involuntarySwitches'),
    };
  }
}

class WatchedProcess {
  readonly pid: number;
  readonly arguments: readonly string[];
  readonly share: number | null;
  living = true;
  readonly tally: Tally;
  readonly #order: Order;
  readonly #threads = new Map<string, WatchedThread>();
  readonly #workers = new Map<number, NodeWorker>();
  readonly #known: Knowledge;

  constructor(pid: number, { arguments: words, share, seat, pool, poolComplete, look }: Begun['begun'], order: Order, all: Tally) {
    this.pid = pid;
    this.#order = order;
    this.tally = new Tally(all);
    this.#known = { main: pid, workers: this.#workers, pool: new Set(pool), ...(poolComplete ? { poolComplete } : {}) };
    this.arguments = words;
    this.share = share;
    if (look === null) return;
    const main = this.#thread(look);
    main.role = { role: 'main', certainty: 'known', threadId: 0, workerName: null };
    main.seat = seat;
    main.placed(look);
    this.#compare(main);
  }

  #compare(thread: WatchedThread): void {
    const { role, certainty } = thread.role;
    thread.compare(certainty === 'unsure' ? null : askedFor(this.#order, this.share, role, thread.seat));
  }

  #thread(look: Look): WatchedThread {
    const key = keyOf(look);
    const known = this.#threads.get(key);
    if (known !== undefined) return known;
    const thread = new WatchedThread(look, this.tally);
    this.#threads.set(key, thread);
    return thread;
  }

  seated(threadId: number, seat: number | null, look: Look | null): void {
    if (look === null) return;
    const thread = this.#thread(look);
    const worker = { threadId, name: null };
    this.#workers.set(look.thread, worker);
    thread.role = { role: 'worker', certainty: 'known', threadId, workerName: null };
    thread.seat = seat;
    thread.placed(look);
    this.#compare(thread);
  }

  ends(threads: readonly { look: Look; role: Role }[]): void {
    for (const { look, role } of threads) {
      const thread = this.#thread(look);
      thread.saw(look);
      thread.role = role;
      this.#compare(thread);
    }
  }

  /** @param keeps Threads that have ended are remembered. */
  look(keeps: boolean): void {
    if (!this.living) return;
    try {
      const states = told(this.pid);
      this.#end(states, keeps);
      const roles = rolesOf(states, this.#known);
      for (const state of states) {
        const look = lookAt(state);
        const thread = this.#thread(look);
        thread.saw(look);
        const role = roles.get(state.thread);
        if (role !== undefined && thread.role.certainty !== 'known') thread.role = role;
        this.#compare(thread);
      }
    } catch (error) {
      if (!(error instanceof AffinityError)) throw error;
      this.living = false;
    }
  }

  /** Whoever is not among these has ended. */
  #end(states: readonly ThreadState[], keeps: boolean): void {
    const here = new Set(states.map(keyOf));
    for (const [key, thread] of this.#threads) {
      if (here.has(key)) continue;
      thread.living = false;
      if (!keeps) this.#threads.delete(key);
    }
    const numbers = new Set(states.map(({ thread }) => thread));
    for (const tid of this.#workers.keys()) if (!numbers.has(tid)) this.#workers.delete(tid);
  }

  now(): LivingProcess {
    const { pid, arguments: words, share, tally } = this;
    const threads = [...this.#threads.values()].filter(({ living }) => living).map((thread) => thread.now());
    return { pid, arguments: words, share, tally, threads };
  }

  placed(): PlacedProcess {
    const { pid, arguments: words, share, living } = this;
    return { pid, arguments: words, share, threads: [...this.#threads.values()].map((thread) => thread.sighting()), living };
  }
}

/** Looking takes at most one part in so many of a CPU's time. */
const sparing = 50;

export interface Watching {
  readonly order: Order;
  /** ms between looks, more where looking would take more than a fiftieth of a CPU. */
  readonly often: number;
  /** Threads and processes that have ended are remembered for `end`; counts are in any case. */
  readonly keeps: boolean;
}

/** Looks at all placed processes of a run. */
export class Sightings {
  /** Looks that were taken. */
  count = 0;
  /** Of all processes that there were. */
  readonly tally = new Tally();
  readonly #lines: Lines;
  readonly #watching: Watching;
  #processes: WatchedProcess[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param report The file that placed processes write into. */
  constructor(report: string, watching: Watching) {
    this.#lines = new Lines(report);
    this.#watching = watching;
  }

  begin(): void {
    const before = process.cpuUsage();
    this.#look();
    const { user, system } = process.cpuUsage(before);
    this.#timer = setTimeout(() => this.begin(), Math.max(this.#watching.often, (sparing * (user + system)) / 1000));
  }

  /** The processes that lived at the last look, and their threads. */
  now(): LivingProcess[] {
    return this.#processes.filter(({ living }) => living).map((process) => process.now());
  }

  end(): PlacedProcess[] {
    clearTimeout(this.#timer);
    this.#look();
    this.#lines.close();
    return this.#processes.map((process) => process.placed());
  }

  #of(pid: number): WatchedProcess | undefined {
    return this.#processes.findLast((process) => process.pid === pid);
  }

  #take(line: Told): void {
    const known = this.#of(line.process);
    if ('begun' in line) {
      // A process that became another program, or whose number is another's.
      if (known !== undefined) known.living = false;
      this.#processes.push(new WatchedProcess(line.process, line.begun, this.#watching.order, this.tally));
    } else if ('seated' in line) known?.seated(line.seated.threadId, line.seated.seat, line.seated.look);
    else known?.ends(line.ends.threads);
  }

  #look(): void {
    this.count += 1;
    for (const line of this.#lines.take()) {
      const told = heard(line);
      if (told !== undefined) this.#take(told);
    }
    // Its last words came before its end was seen, and have been read now.
    if (!this.#watching.keeps) this.#processes = this.#processes.filter(({ living }) => living);
    for (const process of this.#processes) process.look(this.#watching.keeps);
  }
}
