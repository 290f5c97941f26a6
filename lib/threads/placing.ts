import { inForce, native, osError, operands32, Outcome, previous, wanted } from '../binding.ts';
import { AffinityError, EPERM, retold } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { resolve, type Where } from '../machine/where.ts';
import { confine, failure, giveBack, systemActive } from './own-thread.ts';
import { meetPool, type Listed, type ThreadInfo } from './threads.ts';
import { isOf, nameOf, toAll, toEach, type Deed, type Who } from './who.ts';

/** What was done to a thread. */
export interface PlacedThread extends Pick<ThreadInfo, 'tid' | 'name' | 'role' | 'certainty' | 'threadId' | 'workerName'> {
  /** Where it could run before. */
  readonly before: CpuSet;
  /** Where it may run now: what was asked for and is online. */
  readonly after: CpuSet;
  /** What was asked for, exists, and is offline. */
  readonly dropped: CpuSet;
  /** True where a system affinity of the StorPort routines is in force on the thread: `after` is in force when that ends. */
  readonly pending: boolean;
}

function refusal(thread: Listed, outcome: Outcome, set: CpuSet): AffinityError {
  const tid = thread.state.thread;
  if (outcome === Outcome.gone) return new AffinityError('ERR_AFFINITY_NO_THREAD', `${nameOf(thread)} has ended`, { tid });
  const error = failure(outcome, set);
  const sandbox =
    error.errno === EPERM
      ? ': this thread may not place others (EPERM); sandboxes such as seccomp filters allow sched_setaffinity for the calling thread only'
      : '';
  return retold(error, `${nameOf(thread)}: ${error.message}${sandbox}`, { tid });
}

function describe({ state, role }: Listed, after: CpuSet, dropped: CpuSet, pending: boolean): PlacedThread {
  return Object.freeze({
    tid: state.thread,
    name: state.name,
    ...role,
    before: CpuSet.fromMask(state.allowed),
    after,
    dropped,
    pending,
  });
}

/** The calling thread has two layers, and what it pins itself to is known bit for bit. */
function placeOwn(thread: Listed, set: CpuSet): Deed<PlacedThread> {
  const pending = systemActive();
  try {
    const { cpus, dropped, before } = confine(set);
    return { done: describe(thread, cpus, dropped, pending), undo: () => giveBack(before) };
  } catch (error) {
    if (!(error instanceof AffinityError)) throw error;
    throw retold(error, `${nameOf(thread)}: ${error.message}`, { tid: thread.state.thread });
  }
}

function place(thread: Listed, set: CpuSet): Deed<PlacedThread> {
  const tid = thread.state.thread;
  if (tid === native.currentThread()) return placeOwn(thread, set);
  // It alone is in force there, and its Revert brings back what was before it.
  if (native.hasSystemAffinity(tid)) {
    const message = `${nameOf(thread)}: a system affinity is in force on it, which only that thread can end`;
    throw new AffinityError('ERR_AFFINITY_SYSTEM', message, { tid });
  }
  operands32[osError] = 0;
  if (!set.writeTo(wanted)) throw refusal(thread, Outcome.noneRunning, set);
  const outcome = native.confineThread(tid);
  if (outcome > Outcome.trimmed) throw refusal(thread, outcome, set);
  const exact = previous.slice();
  const after = CpuSet.fromWords(inForce);
  const undo = (): void => {
    wanted.set(exact);
    const restored = native.restoreThread(tid);
    if (restored > Outcome.trimmed) throw refusal(thread, restored, CpuSet.fromMask(thread.state.allowed));
  };
  return { done: describe(thread, after, set.minus(after), false), undo };
}

/**
 * Confines threads of this process to some CPUs, whichever thread calls. The calling thread runs on one of them when the
 * call returns; another one does as soon as it runs. Either all of the threads are placed or, after an error, each has the
 * set that it had, bit for bit.
 *
 * A pin that a thread has in force ends with what that pin found: a placing from outside, as one by `taskset`, lasts until
 * then. Of the calling thread it changes the user affinity, below a system affinity of the StorPort routines; another
 * thread on which one is in force is refused.
 *
 * `'libuv'` starts the pool, if it does not run. Threads and child processes start where their maker may run on Linux.
 *
 * @example
 * setThreadAffinity('libuv', 'numa:0');
 * setThreadAffinity(threads().filter(({ role }) => role === 'v8'), [0]);
 * @returns what was done, a thread each; of threads that ended meanwhile nothing.
 * @throws {TypeError | RangeError} `who` is no way to say which threads, `where` none to say which CPUs.
 * @throws {AffinityError} `ERR_AFFINITY_NO_THREAD`: a thread has ended or is another process's, or none has the role;
 * `ERR_AFFINITY_SYSTEM`: a system affinity is in force on another thread; `ERR_AFFINITY_REFUSED`: the operating system, or
 * a sandbox, does not let this thread place it; and for the CPUs as `pin`.
 */
export function setThreadAffinity(who: Who, where: Where): PlacedThread[] {
  const set = resolve(where);
  return toAll(who, (thread) => place(thread, set));
}

/** Seats for workers, as a plan has them. */
export interface Seats {
  readonly seats: readonly { readonly cpus: CpuSet }[];
}

/** @internal Where the threads of each role are to go; workers in turn, in the order of their threadId. */
export interface RolePlaces {
  readonly main?: CpuSet | undefined;
  readonly workers?: CpuSet | Seats | undefined;
  readonly libuv?: CpuSet | undefined;
  readonly v8?: CpuSet | undefined;
  readonly inspector?: CpuSet | undefined;
  readonly other?: CpuSet | undefined;
}

/** @internal Places all threads of the process at once, or none. */
export function placeRoles(places: RolePlaces): PlacedThread[] {
  if (places.libuv !== undefined) meetPool();
  const { workers } = places;
  const seats = workers instanceof CpuSet ? [{ cpus: workers }] : (workers?.seats ?? []);
  const inTurn = [...seats];
  return toEach((thread) => {
    const { role } = thread.role;
    if (!isOf(role, thread)) return undefined;
    if (role !== 'worker') return places[role];
    const seat = inTurn.shift();
    if (seat !== undefined) inTurn.push(seat);
    return seat?.cpus;
  }, place);
}
