import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { native, Outcome, packageRoot } from '../binding.ts';
import { show, wrongType } from '../errors.ts';
import { userExact } from '../threads/own-thread.ts';
import { contextNumber, isOwnContext, threadOf, type ThreadContext } from './contexts.ts';
import { APC_LEVEL, currentIrql, DISPATCH_LEVEL, PASSIVE_LEVEL } from './irql.ts';
import { checkNumber, isPointer, type HwDeviceExtension, type Out } from './parameters.ts';
import { processors } from './queries.ts';
import {
  orStatus,
  STOR_STATUS_INVALID_IRQL,
  STOR_STATUS_INVALID_PARAMETER,
  STOR_STATUS_NOT_IMPLEMENTED,
  STOR_STATUS_SUCCESS,
  STOR_STATUS_UNSUCCESSFUL,
} from './status.ts';
import { begun, systemThread, type SystemThreadStart } from './system-thread-start.ts';

/** STOR_THREAD_PRIORITY ("STOR_THREAD_PRIORITY enumeration"). */
export const STOR_THREAD_PRIORITY = {
  StorThreadPriorityBackground: 0,
  StorThreadPriorityNormal: 1,
  StorThreadPriorityDelayed: 2,
  StorThreadPriorityCritical: 3,
  StorThreadPrioritySuperCritical: 4,
  StorThreadPriorityHyperCritical: 5,
  StorThreadPriorityRealTime: 6,
} as const;

/** The scheduling level of each priority, as documented. */
const levels = [7, 8, 12, 13, 14, 15, 18] as const;

function levelOf(priority: number): number | undefined {
  return levels[priority];
}

const maximumProcessors = (): number => processors().reduce((sum, { maximum }) => sum + maximum.toString(2).replaceAll('0', '').length, 0);

/** The threads of each adapter; ended ones are swept out when a new one is asked for. */
const threadsOf = new WeakMap<object, Set<number>>();

/** A thread has this long to begin, ms: a crowded machine that emulates another one takes more than ten seconds. */
const patience = 30_000;

function start(
  HwDeviceExtension: object,
  StartRoutine: string | URL,
  StartContext: unknown,
  level: number,
  ThreadContext: Out<ThreadContext | null> | null,
): number {
  const alive = threadsOf.get(HwDeviceExtension) ?? new Set<number>();
  for (const context of alive) if (native.contextThread(context) === 0) alive.delete(context);
  if (alive.size >= maximumProcessors()) return STOR_STATUS_UNSUCCESSFUL;

  // A structure that can't be written shows here, before a thread runs that nobody could name.
  if (ThreadContext !== null) ThreadContext.value = null;
  const user = userExact();
  const context = native.addContext();
  const memory = new SharedArrayBuffer(4);
  const module =
    StartRoutine instanceof URL
      ? StartRoutine.href
      : /^[a-z][a-z+.-]+:/i.test(StartRoutine)
        ? StartRoutine
        : pathToFileURL(resolve(StartRoutine)).href;
  const workerData: SystemThreadStart = { kind: systemThread, module, context, memory, level, user, startContext: StartContext };
  let worker: Worker;
  try {
    worker = new Worker(join(packageRoot, 'dist', 'storport', 'system-thread.js'), { workerData });
  } catch (cause) {
    native.endContext(context);
    // What the structured clone algorithm does not take, and what the caller's own getters throw, is the caller's fault.
    if ((cause as NodeJS.ErrnoException).code !== undefined && !(cause instanceof DOMException)) return STOR_STATUS_UNSUCCESSFUL;
    throw Object.assign(wrongType(`StartContext can't be given to another thread: ${(cause as Error).message}`), { cause });
  }
  worker.once('exit', () => native.endContext(context));
  const signal = new Int32Array(memory);
  Atomics.wait(signal, 0, 0, patience);
  if (Atomics.load(signal, 0) !== begun) {
    void worker.terminate();
    return STOR_STATUS_UNSUCCESSFUL;
  }
  alive.add(context);
  threadsOf.set(HwDeviceExtension, alive);
  if (ThreadContext !== null) ThreadContext.value = Object.freeze({ StorPortThread: context });
  return STOR_STATUS_SUCCESS;
}

/**
 * Starts a thread ("StorPortCreateSystemThread"): a worker that calls the default export of a module with StartContext
 * and its own ThreadContext. It begins with the calling thread's user affinity, never with its system affinity.
 * The call returns when the thread has its affinity and its priority, before the module is loaded. The thread ends when
 * the routine returns, or the promise that it returns settles; with it end the threads that it made. An error in it, or a
 * module that can't be loaded, is an uncaught error of the creator, as with any worker.
 *
 * @param StartRoutine the module: a URL, or a path from the working directory.
 * @param StartContext a value for the routine, copied as `postMessage` does.
 * @param Priority points to a STOR_THREAD_PRIORITY; null means StorThreadPriorityNormal.
 * @param ThreadContext receives the thread's context.
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER where the extension or the routine is NULL, or the priority
 * is none; STOR_STATUS_UNSUCCESSFUL where the adapter has as many threads as there can be processors, or the operating
 * system refuses; STOR_STATUS_NOT_IMPLEMENTED.
 * @throws {TypeError} for what a C compiler would refuse, and for a StartContext that can't be copied.
 */
export function StorPortCreateSystemThread(
  HwDeviceExtension: HwDeviceExtension,
  StartRoutine: string | URL | null,
  StartContext: unknown,
  Priority: Out<number> | null,
  ThreadContext: Out<ThreadContext | null> | null,
): number {
  const hasExtension = isPointer(HwDeviceExtension, 'HwDeviceExtension');
  if (StartRoutine !== null && typeof StartRoutine !== 'string' && !(StartRoutine instanceof URL))
    throw wrongType(`StartRoutine is the URL or path of a module, not ${show(StartRoutine)}`);
  const priority = isPointer(Priority, 'Priority') ? (Priority as Out<number>).value : STOR_THREAD_PRIORITY.StorThreadPriorityNormal;
  checkNumber(priority, 'Priority.value');
  isPointer(ThreadContext, 'ThreadContext');

  const level = levelOf(priority);
  if (!hasExtension || HwDeviceExtension === null || StartRoutine === null || StartRoutine === '' || level === undefined)
    return STOR_STATUS_INVALID_PARAMETER;
  if (!native.support().affinity) return STOR_STATUS_NOT_IMPLEMENTED;
  return orStatus(() => start(HwDeviceExtension, StartRoutine, StartContext, level, ThreadContext));
}

/**
 * Ends the calling thread, which StorPortCreateSystemThread must have made ("StorPortTerminateSystemThread"); does not
 * return then. For any other thread it has no effect, and the process warns.
 *
 * @param ThreadContext null, or the calling thread's own context.
 */
export function StorPortTerminateSystemThread(HwDeviceExtension: HwDeviceExtension, ThreadContext: ThreadContext | null): void {
  const mine = isPointer(HwDeviceExtension, 'HwDeviceExtension') && isOwnContext(ThreadContext) && native.ownContext() !== 0;
  if (mine) process.exit();
  process.emitWarning('StorPortTerminateSystemThread ends the calling thread only, and only one that StorPortCreateSystemThread made.', {
    code: 'GROUPAFFINITY_TERMINATE',
  });
}

/**
 * Gives a thread of StorPortCreateSystemThread another priority, in the operating system ("StorPortSetPriorityThread").
 * Levels 7 to 15 are nice values 3 to -20 on Linux, 18 is SCHED_RR; on Windows the nearest level below that the process's
 * class has, and 18 needs the real-time class.
 *
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER for a wrong pointer, a thread that has ended, or no
 * priority; STOR_STATUS_INVALID_IRQL above PASSIVE_LEVEL; STOR_STATUS_UNSUCCESSFUL where the operating system refuses.
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function StorPortSetPriorityThread(
  HwDeviceExtension: HwDeviceExtension,
  ThreadContext: ThreadContext | null,
  Priority: number,
): number {
  checkNumber(Priority, 'Priority');
  const hasExtension = isPointer(HwDeviceExtension, 'HwDeviceExtension');
  const hasContext = isPointer(ThreadContext, 'ThreadContext');
  if (!hasExtension || !hasContext) return STOR_STATUS_INVALID_PARAMETER;
  const thread = threadOf(ThreadContext as ThreadContext);
  if (thread === 0) return STOR_STATUS_INVALID_PARAMETER;
  if (currentIrql() !== PASSIVE_LEVEL) return STOR_STATUS_INVALID_IRQL;
  const level = levelOf(Priority);
  if (level === undefined) return STOR_STATUS_INVALID_PARAMETER;
  return native.setPriority(thread, level).outcome === Outcome.done ? STOR_STATUS_SUCCESS : STOR_STATUS_UNSUCCESSFUL;
}

/** 100 ns units between 1601, where Windows counts from, and 1970. */
const epoch = 116_444_736_000_000_000n;

/** ms */
const slice = 50;

function nanoseconds(timeout: bigint): number {
  const units = timeout <= 0n ? -timeout : timeout - (BigInt(Date.now()) * 10_000n + epoch);
  return units <= 0n ? 0 : Number(units) * 100;
}

/**
 * Waits for a thread of StorPortCreateSystemThread to end ("StorPortWaitForSingleObject"). The calling thread is blocked.
 *
 * @param Timeout in units of 100 ns: below zero from now, above zero since 1601 (UTC), zero to look only; null waits
 * for ever.
 * @returns STOR_STATUS_SUCCESS when it has ended; STOR_STATUS_UNSUCCESSFUL when the time is over first, and at an IRQL at
 * which the wait is not allowed; STOR_STATUS_INVALID_PARAMETER for a wrong pointer or no thread.
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function StorPortWaitForSingleObject(
  HwDeviceExtension: HwDeviceExtension,
  Object: ThreadContext | null,
  Alertable: boolean,
  Timeout: Out<bigint> | null,
): number {
  if (typeof Alertable !== 'boolean') throw wrongType(`Alertable is true or false, not ${show(Alertable)}`);
  const hasExtension = isPointer(HwDeviceExtension, 'HwDeviceExtension');
  const hasObject = isPointer(Object, 'Object');
  const hasTimeout = isPointer(Timeout, 'Timeout');
  const timeout = hasTimeout ? (Timeout as Out<bigint>).value : null;
  if (timeout !== null && typeof timeout !== 'bigint') throw wrongType(`Timeout.value is a bigint of 100 ns units, not ${show(timeout)}`);
  if (!hasExtension || !hasObject) return STOR_STATUS_INVALID_PARAMETER;
  const context = contextNumber(Object as ThreadContext);
  if (context === 0 || !native.isContext(context)) return STOR_STATUS_INVALID_PARAMETER;
  if (currentIrql() > (timeout === 0n ? DISPATCH_LEVEL : APC_LEVEL)) return STOR_STATUS_UNSUCCESSFUL;
  // A thread that waits for its own end would wait for ever.
  if (timeout === null && context === native.ownContext()) return STOR_STATUS_UNSUCCESSFUL;
  // In slices: a worker that is blocked outright could not be terminated, nor the process exit.
  const until = timeout === null ? Infinity : performance.now() + nanoseconds(timeout) / 1e6;
  for (;;) {
    const left = until - performance.now();
    if (native.waitForContext(context, Math.max(0, Math.min(left, slice)) * 1e6)) return STOR_STATUS_SUCCESS;
    if (left <= slice) return STOR_STATUS_UNSUCCESSFUL;
  }
}
