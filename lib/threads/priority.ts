import { native, Outcome, realTime } from '../binding.ts';
import { AffinityError, EACCES, EPERM, osDetails, outOfRange, show, wrongType } from '../errors.ts';
import type { Listed, NiceOrRealtime, ThreadInfo } from './threads.ts';
import { nameOf, toAll, type Deed, type Who } from './who.ts';

/**
 * How a thread shares CPUs with others. A number is a nice value, as `os.setPriority` takes it: 19 the least, 0 normal,
 * -20 the most. Names stand for
 *
 * | name | Linux | Windows, `SetThreadPriority` |
 * | --- | --- | --- |
 * | `'idle'` | nice 19 | THREAD_PRIORITY_IDLE |
 * | `'low'` | nice 10 | THREAD_PRIORITY_LOWEST |
 * | `'normal'` | nice 0 | THREAD_PRIORITY_NORMAL |
 * | `'high'` | nice -10 | THREAD_PRIORITY_HIGHEST |
 * | `'realtime'` | SCHED_RR, priority 1 | in a process of the real-time class only |
 *
 * Windows has seven steps, at nice 19, 10, 5, 0, -5, -10 and -20: a thread gets the highest that is no higher than asked.
 */
export type ThreadPriority = number | 'idle' | 'low' | 'normal' | 'high' | 'realtime';

const named = { idle: 19, low: 10, normal: 0, high: -10, realtime: realTime } as const;

/** What was done to a thread. */
export interface PrioritizedThread extends Pick<ThreadInfo, 'tid' | 'name' | 'role' | 'certainty' | 'threadId' | 'workerName'> {
  readonly before: NiceOrRealtime;
  /** As the operating system tells it afterwards. */
  readonly after: NiceOrRealtime;
}

function niceOf(priority: unknown): number {
  if (typeof priority === 'string' && Object.hasOwn(named, priority)) return named[priority as keyof typeof named];
  const how = `a priority is one of ${Object.keys(named)
    .map((name) => `'${name}'`)
    .join(', ')} or a nice value from 19, the least, to -20`;
  if (typeof priority !== 'number') throw wrongType(`${how}, not ${show(priority)}`);
  if (!Number.isInteger(priority) || priority < -20 || priority > 19) throw outOfRange(`${how}, not ${show(priority)}`);
  return priority;
}

const told = (nice: number): NiceOrRealtime => (nice === realTime ? 'realtime' : nice);

/** What the operating system wants for it. */
function needed(nice: number, osError: number): string {
  const { platform } = native.support();
  if (platform === 'windows') return nice === realTime ? ': it needs a process of the real-time class' : '';
  if (osError === EACCES) return `: it needs CAP_SYS_NICE, or RLIMIT_NICE (ulimit -e) of at least ${20 - nice}`;
  if (osError !== EPERM) return '';
  return nice === realTime
    ? ': it needs CAP_SYS_NICE or RLIMIT_RTPRIO (ulimit -r), and a cgroup that has real-time bandwidth'
    : ': this thread may not change the other (EPERM); sandboxes such as seccomp filters forbid it';
}

function change(thread: Listed, nice: number): number {
  const tid = thread.state.thread;
  const { outcome, osError } = native.setNice(tid, nice);
  const after = outcome === Outcome.done ? native.niceOf(tid) : null;
  if (after !== null) return after;
  const { platform } = native.support();
  if (outcome === Outcome.gone || outcome === Outcome.done)
    throw new AffinityError('ERR_AFFINITY_NO_THREAD', `${nameOf(thread)} has ended`, { tid });
  throw new AffinityError(
    'ERR_AFFINITY_REFUSED',
    `${nameOf(thread)}: the operating system refuses priority ${told(nice)} (error ${osError})${needed(nice, osError)}`,
    { ...osDetails(platform, osError), tid },
  );
}

/**
 * Gives threads of this process a priority: all of them, or after an error none. On Linux a higher one than a thread has
 * takes CAP_SYS_NICE, or RLIMIT_NICE of at least 20 - nice; `'realtime'` takes CAP_SYS_NICE or RLIMIT_RTPRIO. So a thread
 * without rights that was made nicer stays so. On Windows the process's class (`os.setPriority`) says around which level
 * its threads lie.
 *
 * @example
 * setThreadPriority('libuv', 'low');
 * @returns what was done, a thread each, as the operating system tells it afterwards.
 * @throws {TypeError | RangeError} `who` is no way to say which threads, or `priority` is none.
 * @throws {AffinityError} `ERR_AFFINITY_NO_THREAD`, as `setThreadAffinity`; `ERR_AFFINITY_REFUSED`: the right is missing,
 * and the message says which.
 */
export function setThreadPriority(who: Who, priority: ThreadPriority): PrioritizedThread[] {
  const nice = niceOf(priority);
  return toAll(who, (thread): Deed<PrioritizedThread> => {
    const { state, role } = thread;
    const before = native.niceOf(state.thread) ?? state.nice ?? 0;
    const after = change(thread, nice);
    return {
      done: Object.freeze({ tid: state.thread, name: state.name, ...role, before: told(before), after: told(after) }),
      undo: () => {
        change(thread, before);
      },
    };
  });
}

/**
 * The priority of a thread of this process, of the calling one if left out.
 *
 * @throws {AffinityError} `ERR_AFFINITY_NO_THREAD`; `ERR_AFFINITY_UNSUPPORTED`
 */
export function getThreadPriority(tid: number = native.currentThread()): NiceOrRealtime {
  if (typeof tid !== 'number') throw wrongType(`a thread is a number, as threads() tells it, not ${show(tid)}`);
  if (!native.support().affinity)
    throw new AffinityError('ERR_AFFINITY_UNSUPPORTED', `the priority of threads can't be told on ${native.support().platform}`);
  const nice = Number.isSafeInteger(tid) && tid > 0 ? native.niceOf(tid) : null;
  if (nice === null) throw new AffinityError('ERR_AFFINITY_NO_THREAD', `this process has no thread ${show(tid)}`);
  return told(nice);
}
