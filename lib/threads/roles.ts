/**
 * Which of Node's threads is which, from what an operating system shows of them. Pure: the threads may be another
 * process's, or recorded ones.
 *
 * Node 24 and later name all of their threads, and workers after themselves; Node 22 names libuv's pool only; Node 20 and
 * earlier name none, so that all are called as the main thread was when they were made. What a thread is without its name
 * shows in when it began and in the signals that it blocks.
 */

/**
 * - `main`: the event loop's, of the program itself
 * - `worker`: one of `worker_threads`
 * - `libuv`: of the pool that does file system calls, DNS, zlib, crypto and the work of addons
 * - `v8`: V8's helpers, for garbage collection and compilation, and Node's timer for them
 * - `inspector`: waits for debuggers: the debugger's connection, and the signal that opens it
 * - `other`: an addon's, the kernel's, or not to be told
 */
export type ThreadRole = 'main' | 'worker' | 'libuv' | 'v8' | 'inspector' | 'other';

/**
 * How sure a role is.
 *
 * - `known`: the thread itself said so, was met at its work, or has the main thread's number
 * - `named`: it has the name that Node gives to such threads; an addon could give the same
 * - `inferred`: it behaves as only such a thread does, or is left over where just these must be
 * - `unsure`: the likeliest
 */
export type Certainty = 'known' | 'named' | 'inferred' | 'unsure';

/** What is seen of a thread from outside. */
export interface SeenThread {
  /** The operating system's number. */
  readonly thread: number;
  readonly name: string;
  /** When it began, in ms after a moment that all threads share. */
  readonly started: number | null;
  /** Bit n is signal n + 1. */
  readonly blockedSignals: bigint | null;
  /** It waits in a call of the kind that event loops wait in. */
  readonly waitsForEvents: boolean | null;
}

/** A worker as Node knows it. */
export interface NodeWorker {
  readonly threadId: number;
  /** Null where it has none, or nobody knows it. */
  readonly name: string | null;
}

/** A worker as its maker knows it. */
export interface MadeWorker extends NodeWorker {
  /** When it was made, ms after V8 was started; null where that is unknown. */
  readonly at: number | null;
}

/** What else is known of the process. */
export interface Knowledge {
  /** The main thread's number; on Linux that of the process. */
  readonly main?: number | undefined;
  /** Workers that told their number. */
  readonly workers?: ReadonlyMap<number, NodeWorker>;
  /** Living workers that did not; absent where nobody counts them. */
  readonly strangers?: readonly MadeWorker[];
  /** Threads that were met in libuv's pool. */
  readonly pool?: ReadonlySet<number>;
  /** True: no others are in it. False: it was busy, and may have others. Absent: nobody tried to meet them. */
  readonly poolComplete?: boolean;
  /** UV_THREADPOOL_SIZE; 4 if left out. */
  readonly poolSize?: number;
  /** `--v8-pool-size`; 4 if left out. */
  readonly v8PoolSize?: number;
  /** A debugger can connect; false if left out. */
  readonly debuggable?: boolean;
}

export interface Role {
  readonly role: ThreadRole;
  readonly certainty: Certainty;
  /** Node's threadId; null where it is unknown, or the thread is no thread of JavaScript. */
  readonly threadId: number | null;
  readonly workerName: string | null;
}

/** Linux keeps so many bytes of a name. */
const nameBytes = 15;

const names: readonly [RegExp, ThreadRole][] = [
  [/^(node-)?(V8Worker|DelayedTaskSche)/, 'v8'],
  // V8's own threads: its sampling profiler.
  [/^(v8:|V8:|SamplingThread)/, 'v8'],
  [/^libuv-worker$/, 'libuv'],
  [/^(node-)?(SignalInspecto|InspectorIo)/, 'inspector'],
  [/^(node-)?WorkerThread?$/, 'worker'],
  // The kernel's, for io_uring.
  [/^iou-(sqp|wrk)-/, 'other'],
];

function cut(name: string): string {
  const bytes = Buffer.from(name);
  return bytes.length <= nameBytes ? name : bytes.subarray(0, nameBytes).toString();
}

const plain = (role: ThreadRole, certainty: Certainty): Role => ({ role, certainty, threadId: null, workerName: null });
const worker = ({ threadId, name }: NodeWorker, certainty: Certainty): Role => ({
  role: 'worker',
  certainty,
  threadId,
  workerName: name,
});

const bits = (mask: bigint): number => mask.toString(2).replaceAll('0', '').length;
const SIGUSR1 = 1n << 9n;

/** Node blocks this many signals and more in the thread that waits for the debugger's. */
const nearlyAll = 48;

/** Threads that one thread makes in a loop begin at most so long after each other, ms; Linux counts in steps of 10. */
const atOnce = 20;

/** The most that making a worker takes its maker, ms; its thread begins meanwhile. */
const making = 100;

const began = (thread: SeenThread | undefined): number => thread?.started ?? 0;

/** The threads of a pool of `size` among the nameless, oldest first: the first so many that began at once. */
function poolAmong(nameless: readonly SeenThread[], met: readonly SeenThread[], size: number): readonly SeenThread[] {
  const idle = nameless.filter(({ waitsForEvents }) => waitsForEvents !== true);
  if (met.length > 0) {
    const near = (thread: SeenThread): boolean => met.some((other) => Math.abs(began(thread) - began(other)) <= atOnce);
    return idle.filter(near).slice(0, Math.max(0, size - met.length));
  }
  for (let from = 0; from + size <= idle.length; from += 1) {
    const run = idle.slice(from, from + size);
    if (run.every((thread, at) => at === 0 || began(thread) - began(run[at - 1]) <= atOnce)) return run;
  }
  return [];
}

/** The role of each thread, by its number. */
export function rolesOf(threads: readonly SeenThread[], known: Knowledge = {}): Map<number, Role> {
  const roles = new Map<number, Role>();
  const byStart = [...threads].sort((a, b) => (a.started ?? 0) - (b.started ?? 0) || a.thread - b.thread);
  const left = (): SeenThread[] => byStart.filter(({ thread }) => !roles.has(thread));
  const give = (thread: SeenThread | undefined, role: Role): void => {
    if (thread !== undefined) roles.set(thread.thread, role);
  };
  const first = byStart.find(({ thread }) => thread === known.main) ?? byStart[0];

  // Who said so.
  give(first, { role: 'main', certainty: first?.thread === known.main ? 'known' : 'inferred', threadId: 0, workerName: null });
  for (const thread of left()) {
    const told = known.workers?.get(thread.thread);
    if (told !== undefined) give(thread, worker(told, 'known'));
    else if (known.pool?.has(thread.thread) === true) give(thread, plain('libuv', 'known'));
  }

  // Who is called so. A worker's own name may be anything, so it is looked for before Node's.
  let strangers = [...(known.strangers ?? [])].sort((a, b) => a.threadId - b.threadId);
  for (const thread of left()) {
    const stranger = strangers.find(({ name }) => name !== null && name !== '' && cut(name) === thread.name);
    if (stranger === undefined) continue;
    strangers = strangers.filter((other) => other !== stranger);
    give(thread, worker(stranger, 'named'));
  }
  for (const thread of left()) {
    const named = names.find(([pattern]) => pattern.test(thread.name));
    if (named !== undefined && named[1] !== 'worker') give(thread, plain(named[1], 'named'));
  }
  const isNamed = (role: ThreadRole): boolean =>
    byStart.some(({ thread }) => roles.get(thread)?.role === role && roles.get(thread)?.certainty === 'named');
  /** Node names all of its threads here. */
  const namesAll = byStart.some(({ name }) => /^(node-)?V8Worker/.test(name));

  // Who blocks what only they block: V8's helpers are made while the main thread blocks SIGUSR1, for the debugger's, whose
  // thread is the next. Any thread blocks all signals for a moment when it begins.
  if (!namesAll) {
    const isUsual = ((first?.blockedSignals ?? 0n) & SIGUSR1) === 0n;
    const unnamed = isUsual ? left() : [];
    for (const thread of unnamed) if (thread.blockedSignals === SIGUSR1) give(thread, plain('v8', 'inferred'));
    give(
      unnamed.find(({ blockedSignals }) => bits(blockedSignals ?? 0n) >= nearlyAll),
      plain('inspector', 'inferred'),
    );
    // Where signals tell nothing they are the first that the process makes.
    if (!byStart.some(({ thread, name }) => roles.get(thread)?.role === 'v8' && !name.startsWith('DelayedTask')))
      for (const thread of left().slice(0, (known.v8PoolSize ?? 4) + (isNamed('v8') ? 0 : 1))) give(thread, plain('v8', 'unsure'));
  }

  // Who has no name. Threads get that of their maker, or of the program.
  const inherited = new Set(['node', first?.name]);
  for (const { thread, name } of byStart) if (roles.get(thread)?.certainty === 'inferred') inherited.add(name);
  const nameless = (): SeenThread[] => left().filter(({ name }) => name === '' || inherited.has(name));
  if (!isNamed('libuv') && known.poolComplete !== true) {
    const met = byStart.filter(({ thread }) => roles.get(thread)?.role === 'libuv');
    const isSeen = byStart.some(({ waitsForEvents }) => waitsForEvents !== null);
    const certainty = known.poolComplete === false || !isSeen ? 'unsure' : 'inferred';
    for (const thread of poolAmong(nameless(), met, known.poolSize ?? 4)) give(thread, plain('libuv', certainty));
  }
  // Workers, in the order in which they were made; where others are left as well, by when they were made.
  const candidates = namesAll ? left().filter(({ name }) => /^(node-)?WorkerThread?$/.test(name)) : nameless();
  const certainty = namesAll ? 'named' : 'inferred';
  if (namesAll) strangers = strangers.filter(({ name }) => name === null);
  if (strangers.length === candidates.length)
    candidates.forEach((thread, at) => give(thread, worker(strangers[at] as MadeWorker, certainty)));
  else {
    const v8 = began(byStart.find(({ thread }) => roles.get(thread)?.role === 'v8') ?? first);
    const fits = ({ at }: MadeWorker, thread: SeenThread): boolean =>
      at !== null && thread.started !== null && began(thread) <= v8 + at + atOnce && began(thread) >= v8 + at - making;
    // The last first: what began before the first worker and is none would take its place.
    const matched = strangers.toReversed().flatMap((stranger) => {
      const thread = candidates.findLast((one) => !roles.has(one.thread) && fits(stranger, one));
      give(thread, worker(stranger, certainty));
      return thread === undefined ? [] : [{ thread, stranger }];
    });
    // Others that began in the same moment could be meant.
    const rest = candidates.filter(({ thread }) => !roles.has(thread));
    for (const { thread, stranger } of matched)
      if (rest.some((one) => fits(stranger, one))) give(thread, worker(stranger, namesAll ? 'named' : 'unsure'));
  }
  if (known.debuggable === true && !namesAll) {
    const loops = nameless().filter(({ waitsForEvents }) => waitsForEvents !== false);
    const signal = byStart.find(({ thread }) => roles.get(thread)?.role === 'inspector');
    // With --inspect it begins before what the program makes.
    if (loops.length === 1) give(loops[0], plain('inspector', 'inferred'));
    else if (loops.length > 0 && Math.abs(began(loops[0]) - began(signal)) <= atOnce) give(loops[0], plain('inspector', 'unsure'));
  }
  for (const thread of candidates)
    if (!roles.has(thread.thread))
      give(thread, plain('worker', namesAll ? 'named' : known.strangers === undefined ? 'inferred' : 'unsure'));
  // Workers of a name that nobody knows, and threads of other libraries.
  for (const thread of left()) give(thread, plain(thread.waitsForEvents === true && namesAll ? 'worker' : 'other', 'unsure'));
  return roles;
}
