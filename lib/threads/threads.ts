/** Every thread of a process, and who each one is. */
import { subscribe } from 'node:diagnostics_channel';
import { isMainThread, type Worker } from 'node:worker_threads';
import { native, Outcome, realTime, type ThreadState } from '../binding.ts';
import { AffinityError, osDetails } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups } from '../machine/group-table.ts';
import { rolesOf, type Certainty, type Knowledge, type MadeWorker, type NodeWorker, type Role, type ThreadRole } from './roles.ts';

/** How a thread shares CPUs with others: 19 the least to -20 the most, as nice(1) counts; `'realtime'` runs before all of these. */
export type NiceOrRealtime = number | 'realtime';

/** A thread at one moment. What the operating system does not tell is null. */
export interface ThreadInfo {
  /** The operating system's number: gettid(2), GetCurrentThreadId. */
  readonly tid: number;
  /** As the operating system keeps it: Linux cuts it after 15 bytes. Empty where Windows has none. */
  readonly name: string;
  readonly role: ThreadRole;
  /** How sure the role is. */
  readonly certainty: Certainty;
  /** Node's number of the worker, 0 for the main thread. */
  readonly threadId: number | null;
  /** The `name` that the worker was made with. */
  readonly workerName: string | null;
  /** Where it may run: offline CPUs of its set included on Linux; on Windows the part in its primary group. */
  readonly allowed: CpuSet;
  /** The CPU that ran it last. */
  readonly lastCpu: number | null;
  /** Times it gave its CPU up, because it had to wait. */
  readonly voluntarySwitches: number | null;
  /** Times the CPU was taken from it. */
  readonly involuntarySwitches: number | null;
  /** Times it went from one CPU to another. */
  readonly migrations: number | null;
  readonly priority: NiceOrRealtime | null;
}

interface Made {
  readonly worker: WeakRef<Worker & { readonly threadName?: string | null }>;
  /** ms after V8 was started. */
  readonly at: number;
}

/** Workers that this thread has made; ended ones are swept out when there are many. */
const made = new Set<Made>();
let many = 64;
subscribe('worker_threads', (message) => {
  made.add({ worker: new WeakRef((message as { worker: Worker }).worker), at: performance.now() - performance.nodeTiming.v8Start });
  if (made.size > many) many = 64 + 2 * living().length;
});

/** What Node calls workers that have no name. */
const given = (name: string | null | undefined): string | null =>
  name === undefined || name === '' || name === 'WorkerThread' ? null : name;

/** Those of them that live. */
function living(): MadeWorker[] {
  const workers: MadeWorker[] = [];
  for (const one of made) {
    const worker = one.worker.deref();
    if (worker === undefined || worker.threadId < 0) made.delete(one);
    // A worker's clock began with the worker.
    else workers.push({ threadId: worker.threadId, name: given(worker.threadName), at: isMainThread ? one.at : null });
  }
  return workers;
}

/** Node without its inspector has no such module. */
function isDebuggable(): boolean {
  return process.features.inspector && process.getBuiltinModule('node:inspector').url() !== undefined;
}

function numberAfter(flag: string): number | undefined {
  const options = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  const at = options.findLastIndex((option) => option.replaceAll('_', '-').split('=')[0] === flag);
  const value = Number(options[at]?.split('=')[1] ?? options[at + 1]);
  return at >= 0 && Number.isInteger(value) && value > 0 ? value : undefined;
}

/** How many threads libuv's pool has by its variable, UV_THREADPOOL_SIZE (libuv, uv_queue_work). */
export function poolSizeBy(variable = '4'): number {
  const size = Number.parseInt(variable, 10);
  return size < 0 ? 1024 : Math.min(1024, Math.max(1, size || 1));
}

/** How many threads libuv's pool has, or will have. */
export const poolSize = (): number => poolSizeBy(process.env['UV_THREADPOOL_SIZE']);

/** ms without an answer after which libuv's pool is busy: so long may a thread wait for its turn on a crowded machine. */
const patience = 100;

/** Starts libuv's pool, if it does not run, and meets its threads: all of them, unless they are busy for long. */
export function meetPool(expected = poolSize()): void {
  native.callPool(Math.min(1024, expected), Math.min(poolSize(), expected), patience);
}

/** @internal The threads of a process, of this one for 0, as the operating system shows them. */
export function told(process: number): ThreadState[] {
  let answer = native.readThreads(process);
  if (answer.outcome === Outcome.noGroups) {
    processGroups();
    answer = native.readThreads(process);
  }
  const { outcome, osError, threads } = answer;
  if (outcome === Outcome.done) return threads;
  const { platform } = native.support();
  const whose = process === 0 ? 'this process' : `process ${process}`;
  if (outcome === Outcome.unsupported)
    throw new AffinityError('ERR_AFFINITY_UNSUPPORTED', `the threads of ${whose} can't be listed on ${platform}`);
  if (outcome === Outcome.gone) {
    const why = process === 0 ? `${whose} has no threads to be seen in /proc` : `there is no ${whose}`;
    throw new AffinityError('ERR_AFFINITY_NO_THREAD', why);
  }
  throw new AffinityError(
    'ERR_AFFINITY_REFUSED',
    `the operating system does not list the threads of ${whose}`,
    osDetails(platform, osError),
  );
}

function describe(state: ThreadState, { role, certainty, threadId, workerName }: Role): ThreadInfo {
  const { thread, name, allowed, lastCpu, voluntarySwitches, involuntarySwitches, migrations, nice } = state;
  return Object.freeze({
    tid: thread,
    name,
    role,
    certainty,
    threadId,
    workerName,
    allowed: CpuSet.fromMask(allowed),
    lastCpu,
    voluntarySwitches,
    involuntarySwitches,
    migrations,
    priority: nice === realTime ? 'realtime' : nice,
  });
}

function knowledge(): Knowledge {
  const workers = new Map<number, NodeWorker>();
  let main = native.support().platform === 'linux' ? process.pid : undefined;
  const mine = living();
  for (const { thread, main: isMain, worker, name } of native.inhabitants())
    if (isMain) main ??= thread;
    else
      workers.set(thread, {
        threadId: worker,
        name: given(name) ?? mine.find(({ threadId }) => threadId === worker)?.name ?? null,
      });
  const introduced = new Set([...workers.values()].map(({ threadId }) => threadId));
  return {
    main,
    workers,
    strangers: mine.filter(({ threadId }) => !introduced.has(threadId)),
    pool: new Set(native.poolThreads()),
    poolSize: poolSize(),
    v8PoolSize: numberAfter('--v8-pool-size') ?? 4,
    debuggable: isDebuggable(),
  };
}

/** What the last roll call was about: for the same threads it need not be repeated, unless it failed and that is a while ago. */
const called = { threads: '', at: 0, complete: false };
/** ms */
const again = 1000;

/** Who is left, to be told from each other by who is in libuv's pool. */
function doubtful(roles: ReadonlyMap<number, Role>): number[] {
  return [...roles]
    .filter(
      ([, { role, certainty }]) =>
        (role === 'worker' || role === 'libuv' || role === 'other') && certainty !== 'known' && certainty !== 'named',
    )
    .map(([thread]) => thread);
}

/**
 * Every thread of this process, in the order of their numbers, with its role and what the operating system tells of it.
 * May be called on any thread.
 *
 * Where Node does not name its threads, as Node 20, libuv's pool is found by occupying it: the call then blocks until its
 * threads have met, or are busy for 100 ms, and starts them where they did not run. The answer is remembered.
 *
 * @example
 * for (const { tid, role, allowed, lastCpu } of threads()) console.log(tid, role, `${allowed}`, lastCpu);
 * @throws {AffinityError} `ERR_AFFINITY_UNSUPPORTED`; `ERR_AFFINITY_REFUSED` where the operating system does not list them.
 */
export function threads(): ThreadInfo[] {
  return listed().map(({ state, role }) => {
    const info = describe(state, role);
    starts.set(info, state.started);
    return info;
  });
}

/** When the thread that `threads()` told of began: numbers are given out again. */
const starts = new WeakMap<object, number | null>();
export const startOf = (info: object): number | null => starts.get(info) ?? null;

/** A thread as the operating system tells of it, and who it is. */
export interface Listed {
  readonly state: ThreadState;
  readonly role: Role;
}

/** @internal The same before it is put into words. */
export function listed(): Listed[] {
  let states = told(0);
  let known = knowledge();
  let roles = rolesOf(states, known);
  const candidates = doubtful(roles);
  const strangers = known.strangers?.length ?? 0;
  // Workers that this thread made and that are all who is left are no pool.
  if (candidates.length > 0 && candidates.length !== strangers) {
    const key = states.map(({ thread }) => thread).join();
    const now = performance.now();
    if (key !== called.threads || (!called.complete && now - called.at > again)) {
      const before = native.poolThreads().length;
      if (before < poolSize() || key !== called.threads) meetPool(Math.max(poolSize(), candidates.length + before));
      states = told(0);
      known = knowledge();
      called.threads = states.map(({ thread }) => thread).join();
      called.at = now;
      called.complete = (known.pool?.size ?? 0) >= poolSize();
    }
    roles = rolesOf(states, { ...known, poolComplete: called.complete });
  }
  return states.map((state) => ({ state, role: roles.get(state.thread) as Role }));
}
