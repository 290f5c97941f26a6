/** Which threads are meant, and acting on all of them or on none. */
import { AffinityError, outOfRange, retold, show, wrongType } from '../errors.ts';
import type { ThreadRole } from './roles.ts';
import { listed, meetPool, startOf, type Listed, type ThreadInfo } from './threads.ts';

/** A role as `threads()` tells it; `'workers'` is `'worker'`. */
export type RoleName = ThreadRole | 'workers';

/**
 * How to say which threads of this process: by number, as the operating system counts; what `threads()` told, or some of
 * that; or a role, of all threads that have it, those included that begin meanwhile.
 */
export type Who = number | RoleName | Pick<ThreadInfo, 'tid'> | Iterable<number | Pick<ThreadInfo, 'tid'>>;

const roles: readonly RoleName[] = ['main', 'worker', 'workers', 'libuv', 'v8', 'inspector', 'other'];

const list = roles.map((role) => `'${role}'`).join(', ');

/** The kernel's own among a process's threads: io_uring's, which it may keep where they are. */
const kernels = /^iou-/;

/** Whether a role means the thread. */
export const isOf = (role: ThreadRole, { state, role: found }: Listed): boolean => found.role === role && !kernels.test(state.name);

/** Rounds in which threads that began meanwhile are looked for. */
const rounds = 16;

function numbered(one: unknown): { tid: number; started: number | null } {
  const tid: unknown = typeof one === 'object' && one !== null && 'tid' in one ? one.tid : one;
  if (typeof tid !== 'number') throw wrongType(`a thread is a number, a role (${list}) or what threads() told, not ${show(one)}`);
  if (!Number.isSafeInteger(tid) || tid <= 0)
    throw outOfRange(`a thread's number is a whole number from 1, as the operating system counts, not ${show(tid)}`);
  return { tid, started: typeof one === 'object' ? startOf(one as object) : null };
}

/** A thread as an error message shows it. */
export function nameOf({ state: { thread, name }, role: { role, threadId } }: Listed): string {
  const number = role === 'worker' && threadId !== null ? ` ${threadId}` : '';
  return `thread ${thread} (${role}${number}${name === '' || name === role ? '' : `, '${name}'`})`;
}

function noThread(tid: number): AffinityError {
  return new AffinityError('ERR_AFFINITY_NO_THREAD', `this process has no thread ${tid}: it has ended, or is another process's`, { tid });
}

/** What is to be done with a thread, and how it is taken back. */
export interface Deed<T> {
  readonly done: T;
  /** Throws what keeps it from being taken back; that the thread has ended is no reason to. */
  readonly undo: () => void;
}

const isGone = (error: unknown): boolean => error instanceof AffinityError && error.code === 'ERR_AFFINITY_NO_THREAD';

function takeBack<T>(deeds: readonly Deed<T>[], error: unknown): unknown {
  const failed: string[] = [];
  for (const { undo } of deeds.toReversed())
    try {
      undo();
    } catch (cause) {
      if (!isGone(cause)) failed.push(cause instanceof Error ? cause.message : show(cause));
    }
  if (failed.length === 0 || !(error instanceof AffinityError)) return error;
  return retold(error, `${error.message}; and not all is as it was: ${failed.join('; ')}`);
}

const number = ({ role: { threadId } }: Listed): number => threadId ?? Number.MAX_SAFE_INTEGER;

/**
 * Does something to each thread for which `wish` has something, also to those that begin meanwhile; leaves out those that
 * end. Where one fails, all are taken back and its error is thrown. Workers have their turn in the order of threadId.
 */
export function toEach<W, T>(wish: (thread: Listed) => W | undefined, act: (thread: Listed, wish: W) => Deed<T>): T[] {
  const deeds: Deed<T>[] = [];
  const met = new Set<string>();
  try {
    for (let round = 0; round < rounds; round += 1) {
      const before = met.size;
      for (const thread of listed().toSorted((a, b) => number(a) - number(b))) {
        const key = `${thread.state.thread} ${thread.state.started}`;
        const wanted = met.has(key) ? undefined : wish(thread);
        if (wanted === undefined) continue;
        met.add(key);
        const deed = unlessGone(() => act(thread, wanted));
        if (deed !== undefined) deeds.push(deed);
      }
      if (met.size === before) break;
    }
  } catch (error) {
    throw takeBack(deeds, error);
  }
  return deeds.map(({ done }) => done);
}

function unlessGone<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function toThese<T>(these: Iterable<Listed>, act: (thread: Listed) => Deed<T>): T[] {
  const deeds: Deed<T>[] = [];
  try {
    for (const thread of these) deeds.push(act(thread));
  } catch (error) {
    throw takeBack(deeds, error);
  }
  return deeds.map(({ done }) => done);
}

/** Does the same to each thread that is meant, or to none. */
export function toAll<T>(who: Who, act: (thread: Listed) => Deed<T>): T[] {
  if (typeof who === 'string') {
    if (!roles.includes(who)) throw wrongType(`a role is one of ${list}, not ${show(who)}`);
    const role = who === 'workers' ? 'worker' : who;
    if (role === 'libuv') meetPool();
    const done = toEach((thread) => (isOf(role, thread) ? true : undefined), act);
    if (done.length === 0) throw new AffinityError('ERR_AFFINITY_NO_THREAD', `this process has no ${role} thread`);
    return done;
  }
  const isOne = typeof who !== 'object' || who === null || 'tid' in who || !(Symbol.iterator in who);
  const meant = isOne ? [numbered(who)] : Array.from(who, numbered);
  const all = listed();
  const chosen = meant.map(({ tid, started }) => {
    const found = all.find(({ state }) => state.thread === tid && (started === null || state.started === started));
    if (found === undefined) throw noThread(tid);
    return found;
  });
  return toThese(new Set(chosen), act);
}
