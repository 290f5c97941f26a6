/** Watches placed processes from outside: where each thread was seen, from its place's taking to its end. */
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { AffinityError } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { rolesOf, type Knowledge, type NodeWorker, type Role } from '../threads/roles.ts';
import { told } from '../threads/threads.ts';
import { lookAt, type Begun, type Look, type Told } from './looks.ts';

/** A thread's stay, as far as it was seen. */
export interface Sighting {
  readonly tid: number;
  readonly role: Role;
  readonly name: string;
  /** Of the plan; null where it took none. */
  readonly seat: number | null;
  /** Every set of CPUs that the operating system showed for it, in the order of appearance, in the kernel's list format. */
  readonly allowed: readonly string[];
  /** Where it had run, at the looks at which it had run since the look before. */
  readonly seenOn: CpuSet;
  /** Such looks. */
  readonly looks: number;
  /** Since the first look; null where the operating system does not tell. */
  readonly migrations: number | null;
}

export interface PlacedProcess {
  readonly pid: number;
  readonly arguments: readonly string[];
  /** Of the plan of shares; null where it took none. */
  readonly share: number | null;
  readonly threads: readonly Sighting[];
  /** It was there when the watching ended. */
  readonly living: boolean;
}

const unknown: Role = { role: 'other', certainty: 'unsure', threadId: null, workerName: null };

class WatchedThread {
  role: Role = unknown;
  seat: number | null = null;
  readonly allowed = new Set<string>();
  readonly on = new Set<number>();
  looks = 0;
  #first: Look;
  #last: Look;

  constructor(look: Look) {
    this.#first = look;
    this.#last = look;
  }

  saw(look: Look): void {
    this.allowed.add(look.allowed);
    const ran = look.switches !== this.#last.switches || look.cpuTime !== this.#last.cpuTime;
    // Where a thread ran last may be long ago, before it was placed.
    if (ran) this.#sawOn(look);
    this.#last = look;
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
  }

  #sawOn({ lastCpu }: Look): void {
    if (lastCpu === null) return;
    this.on.add(lastCpu);
    this.looks += 1;
  }

  sighting(): Sighting {
    const { role, seat } = this;
    const [first, last] = [this.#first.migrations, this.#last.migrations];
    return {
      tid: this.#last.thread,
      role,
      name: this.#last.name,
      seat,
      allowed: [...this.allowed],
      seenOn: CpuSet.of(this.on),
      looks: this.looks,
      migrations: first === null || last === null ? null : last - first,
    };
  }
}

class WatchedProcess {
  readonly pid: number;
  readonly arguments: readonly string[];
  readonly share: number | null;
  living = true;
  readonly #threads = new Map<string, WatchedThread>();
  readonly #workers = new Map<number, NodeWorker>();
  readonly #known: Knowledge;

  constructor(pid: number, { arguments: words, share, pool, poolComplete, look }: Begun['begun']) {
    this.pid = pid;
    this.#known = { main: pid, workers: this.#workers, pool: new Set(pool), ...(poolComplete ? { poolComplete } : {}) };
    this.arguments = words;
    this.share = share;
    if (look !== null) this.#thread(look).placed(look);
  }

  /** Numbers of threads are given out again. */
  #thread(look: Look): WatchedThread {
    const key = `${look.thread} ${look.started}`;
    const known = this.#threads.get(key);
    if (known !== undefined) return known;
    const thread = new WatchedThread(look);
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
  }

  ends(threads: readonly { look: Look; role: Role }[]): void {
    for (const { look, role } of threads) {
      const thread = this.#thread(look);
      thread.saw(look);
      thread.role = role;
    }
  }

  look(): void {
    if (!this.living) return;
    try {
      const states = told(this.pid);
      const roles = rolesOf(states, this.#known);
      for (const state of states) {
        const look = lookAt(state);
        const thread = this.#thread(look);
        thread.saw(look);
        const role = roles.get(state.thread);
        if (role !== undefined && thread.role.certainty !== 'known') thread.role = role;
      }
    } catch (error) {
      if (!(error instanceof AffinityError)) throw error;
      this.living = false;
    }
  }

  placed(): PlacedProcess {
    const { pid, arguments: words, share, living } = this;
    return { pid, arguments: words, share, threads: [...this.#threads.values()].map((thread) => thread.sighting()), living };
  }
}

/** ms between looks. */
const often = 250;
/** Looking takes at most one part in so many of a CPU's time. */
const sparing = 50;

/** Looks at all placed processes of a run, four times a second, and seldomer where that took more than a fiftieth of a CPU. */
export class Sightings {
  /** Looks that were taken. */
  count = 0;
  readonly #file: number;
  #read = 0;
  #rest = '';
  readonly #processes: WatchedProcess[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param report The file that placed processes write into. */
  constructor(report: string) {
    writeFileSync(report, '', { mode: 0o600 });
    this.#file = openSync(report, 'r');
  }

  begin(): void {
    const before = process.cpuUsage();
    this.#look();
    const { user, system } = process.cpuUsage(before);
    this.#timer = setTimeout(() => this.begin(), Math.max(often, (sparing * (user + system)) / 1000));
  }

  end(): PlacedProcess[] {
    clearTimeout(this.#timer);
    this.#look();
    closeSync(this.#file);
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
      this.#processes.push(new WatchedProcess(line.process, line.begun));
    } else if ('seated' in line) known?.seated(line.seated.threadId, line.seated.seat, line.seated.look);
    else known?.ends(line.ends.threads);
  }

  #look(): void {
    this.count += 1;
    const part = Buffer.alloc(65_536);
    for (;;) {
      const bytes = readSync(this.#file, part, 0, part.length, this.#read);
      if (bytes === 0) break;
      this.#read += bytes;
      this.#rest += part.toString('utf8', 0, bytes);
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(JSON.parse(line) as Told);
    for (const process of this.#processes) process.look();
  }
}
