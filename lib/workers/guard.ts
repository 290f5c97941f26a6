import { native, Outcome, type NativeDrift } from '../binding.ts';
import { AffinityError, checkOptions, osDetails, outOfRange, show, wrongType } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { Pin } from '../threads/pin.ts';
import type { Plan } from './plan.ts';
import { isPlan, register } from './seats.ts';

/** A thread that is not where this library put it, or is there again. */
export interface Drift {
  /**
   * - `narrowed`: it has lost some of its CPUs, or all of them while it sleeps
   * - `widened`: it has others as well
   * - `moved`: it has others instead
   * - `mended`: it has its own again
   */
  readonly what: 'narrowed' | 'widened' | 'moved' | 'mended';
  /**
   * Why, as far as it shows: some of its CPUs were `offline`, or `withheld` from the process (its cpuset, container or
   * job). `unknown`: neither; somebody placed the thread, as taskset does.
   */
  readonly cause: 'offline' | 'withheld' | 'unknown';
  /** The operating system's number of the thread (gettid, GetCurrentThreadId). */
  readonly thread: number;
  /** The seat that the thread sits on; null where no plan seated it. */
  readonly seat: number | null;
  /** Where the thread should be. */
  readonly wanted: CpuSet;
  /** Where it was found; on Linux with CPUs that are offline, where they are part of a wider set. */
  readonly found: CpuSet;
}

export interface GuardOptions {
  /**
   * Called in this thread for each drift and each mending, in the order in which they happened. What it throws is an
   * uncaught exception of this thread, as with any event; the guard goes on.
   */
  onDrift?: (drift: Drift) => void;
  /**
   * Look at least this often, in milliseconds: a whole number from 10 to 86,400,000; 1,000 if left out. It is the time
   * within which a thread that somebody placed by hand is found; what the operating system tells of is found at once.
   */
  check?: number;
}

const whats = ['narrowed', 'widened', 'moved', 'mended'] as const;
const causes = ['offline', 'withheld', 'unknown'] as const;

const asDrift = ({ what, cause, thread, seat, wanted, found }: NativeDrift): Drift =>
  Object.freeze({
    what: whats[what],
    cause: causes[cause],
    thread,
    seat,
    wanted: CpuSet.fromMask(wanted),
    found: CpuSet.fromMask(found),
  });

/** Keeps threads in place until it is stopped, by `stop()` or by the end of the block that a `using` declaration stands in. */
export class Guard implements Disposable {
  #guard: number | undefined;
  readonly #among: Set<Disposable> | undefined;

  private constructor(plan: number | null, check: number, onDrift: ((drift: Drift) => void) | undefined, among?: Set<Disposable>) {
    const tell = (): void => {
      for (const seen of native.takeDrifts(this.#guard ?? 0)) {
        // A stopped guard is silent, whoever stopped it.
        if (this.#guard === undefined) return;
        try {
          onDrift?.(asDrift(seen));
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    };
    const { outcome, osError, guard } = native.beginGuard(plan, check, tell);
    if (guard === undefined) throw refusal(outcome, osError);
    this.#guard = guard;
    this.#among = among?.add(this);
  }

  /** @internal `among` holds it until it is stopped. */
  static begin(plan: number | null, check: number, onDrift: ((drift: Drift) => void) | undefined, among?: Set<Disposable>): Guard {
    return new Guard(plan, check, onDrift, among);
  }

  /** False once it is stopped, or its pin has ended. */
  get active(): boolean {
    return this.#guard !== undefined;
  }

  /** Leaves the threads as they are, and says nothing more; a second call does nothing. */
  stop(): void {
    if (this.#guard === undefined) return;
    native.endGuard(this.#guard);
    this.#guard = undefined;
    this.#among?.delete(this);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

function refusal(outcome: Outcome, osError: number): AffinityError {
  const { platform } = native.support();
  if (outcome === Outcome.unsupported) return new AffinityError('ERR_AFFINITY_UNSUPPORTED', `threads can't be guarded on ${platform}`);
  return new AffinityError(
    'ERR_AFFINITY_REFUSED',
    `no thread can be guarded: the operating system lets this process place no thread but the calling one, or make none (error ${osError})`,
    osDetails(platform, osError),
  );
}

function checkedPeriod(check: unknown): number {
  if (typeof check !== 'number') throw wrongType(`check is a number of milliseconds, not ${show(check)}`);
  if (!Number.isInteger(check) || check < 10 || check > 86_400_000)
    throw outOfRange(`check is a whole number of milliseconds from 10 to 86,400,000, not ${show(check)}`);
  return check;
}

/**
 * Keeps the calling thread, or every worker on the seats of a plan, where this library put it, and says when it was not
 * there: a CPU went offline and the kernel let the thread run elsewhere, a cpuset shrank, somebody used taskset. The thread
 * is put back as soon as that is possible. What this library itself does to the thread, a newer pin or a system affinity of
 * StorPort, is no drift, and is kept in its turn; a system affinity is left alone.
 *
 * A guard ends with its pin. It keeps no process alive, and does its work on a thread of its own, whatever the guarded
 * threads do. docs/guard.md has what is noticed when.
 *
 * @example
 * const here = pin('1');
 * const watch = guard(here, { onDrift: ({ what, found, cause }) => console.log(`${what}: on ${found} (${cause})`) });
 * watch.stop(); // or: using watch = guard(here)
 * @throws {TypeError | RangeError} `what` is no pin in force and no plan, or an option has the wrong type or range.
 * @throws {AffinityError} `ERR_AFFINITY_REFUSED`: a sandbox lets threads place themselves only. `ERR_AFFINITY_UNSUPPORTED`
 */
export function guard(what: Pin | Plan, options: GuardOptions = {}): Guard {
  if (typeof options !== 'object' || options === null) throw wrongType(`guard's options are an object, not ${show(options)}`);
  checkOptions('guard', options, ['onDrift', 'check']);
  const { onDrift, check = 1000 } = options;
  if (onDrift !== undefined && typeof onDrift !== 'function') throw wrongType(`onDrift is a function, not ${show(onDrift)}`);
  const period = checkedPeriod(check);
  if (!(what instanceof Pin)) {
    if (!isPlan(what)) throw wrongType(`guard takes what pin() or spread() returned, not ${show(what)}`);
    return Guard.begin(register(what), period, onDrift);
  }
  const ending = Pin.atEnd(what);
  if (ending === undefined) throw wrongType('guard takes a pin that is in force; this one has ended');
  return Guard.begin(null, period, onDrift, ending);
}
