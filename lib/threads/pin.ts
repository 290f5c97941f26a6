import { native } from '../binding.ts';
import { AffinityError, show, wrongType } from '../errors.ts';
import { cpusOf } from '../machine/cpu-list.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups, readCpus, readMachine } from '../machine/group-table.ts';
import { resolve, type Where } from '../machine/where.ts';
import { confine, giveBack, readOwn, type Exact } from './own-thread.ts';

const nativeCurrentCpu = native.currentCpu;

/** The pins in force on this thread, the innermost on top. */
let top: Pin | undefined;

/**
 * A thread's stay on some CPUs. It ends with `restore()`, or with the block that a `using` declaration stands in, and
 * leaves the thread's set bit for bit as it was before. A pin belongs to its thread: it can't be posted to another.
 */
export class Pin implements Disposable {
  /** Where the thread may run: what was asked for and is online. */
  readonly cpus: CpuSet;
  /** What was asked for, exists, and is offline. */
  readonly dropped: CpuSet;
  /**
   * Ends the pin; a second call does nothing. Pins nest: an outer one that ends before an inner one leaves the inner
   * in force, and the inner one then goes back to what was before the outer.
   *
   * Where nothing of the old set is left to the process, offline or in another cpuset by now, the thread gets what the
   * operating system would have made of it: all that it grants.
   *
   * @throws {AffinityError} `ERR_AFFINITY_REFUSED`: the operating system said no; the pin still holds.
   */
  // An own function: the structured clone algorithm refuses to carry the object to another thread.
  readonly restore: (this: Pin) => void = restore;

  #before: Exact;
  #below: Pin | undefined;
  #active = true;
  #atEnd: Set<Disposable> | undefined;

  private constructor(set: CpuSet) {
    const { cpus, dropped, before } = confine(set);
    this.cpus = cpus;
    this.dropped = dropped;
    this.#before = before;
  }

  /** @internal */
  static begin(set: CpuSet): Pin {
    const pin = new Pin(set);
    pin.#below = top;
    top = pin;
    return pin;
  }

  /** @internal */
  static end(pin: Pin): void {
    if (!pin.#active) return;
    if (top === pin) {
      giveBack(pin.#before);
      top = pin.#below;
    } else {
      let above = top;
      while (above !== undefined && above.#below !== pin) above = above.#below;
      if (above !== undefined) {
        above.#before = pin.#before;
        above.#below = pin.#below;
      }
    }
    pin.#active = false;
    pin.#atEnd?.forEach((one) => one[Symbol.dispose]());
  }

  /** @internal What ends with the pin; undefined where it has ended. */
  static atEnd(pin: Pin): Set<Disposable> | undefined {
    return pin.#active ? (pin.#atEnd ??= new Set()) : undefined;
  }

  [Symbol.dispose](): void {
    Pin.end(this);
  }
}

function restore(this: Pin): void {
  if (!(this instanceof Pin)) throw wrongType('restore() belongs to the pin that pin() returned');
  Pin.end(this);
}

/**
 * Confines the calling thread to some CPUs until the pin is restored. It runs on one of them when the call returns; where
 * a system affinity of the StorPort routines is in force, as soon as that ends.
 * New threads and child processes that this thread makes meanwhile start there too on Linux.
 *
 * @example
 * {
 *   using here = pin('0');
 *   console.log(`on CPU ${currentCpu().cpu} of ${here.cpus}`);
 * }
 * @throws {TypeError | RangeError} `where` is no way to say which CPUs.
 * @throws {AffinityError} The CPUs do not exist, are offline or are withheld. The thread is as it was.
 */
export function pin(where: Where): Pin {
  return Pin.begin(resolve(where));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') && 'then' in value && typeof value.then === 'function'
  );
}

/**
 * Runs `fn` with the calling thread pinned. Where `fn` is async the thread stays pinned until its promise settles, and
 * with it everything else that runs on the thread meanwhile.
 *
 * @example
 * const text = withAffinity('0', () => JSON.stringify(topology()));
 */
export function withAffinity<T>(where: Where, fn: () => T): T {
  if (typeof fn !== 'function') throw wrongType(`withAffinity needs a function to run, not ${show(fn)}`);
  const here = pin(where);
  let result: T;
  let isLater: boolean;
  try {
    result = fn();
    isLater = isThenable(result);
  } catch (error) {
    here.restore();
    throw error;
  }
  if (isLater) return new Promise((resolve) => resolve(result)).finally(() => here.restore()) as T;
  here.restore();
  return result;
}

/** The CPUs that the calling thread may run on now: those of its set that are online. */
export function affinity(): CpuSet {
  return readOwn();
}

/** Where a thread is at this moment. */
export interface CurrentCpu {
  readonly cpu: number;
  readonly group: number;
  /** The CPU's bit in the masks of its group. */
  readonly number: number;
  /** The NUMA node's id. */
  readonly node: number;
}

let places: readonly (Readonly<CurrentCpu> | undefined)[] | undefined;

function placesOfCpus(): readonly (Readonly<CurrentCpu> | undefined)[] {
  const machine = readMachine('/');
  const { known, locate } = processGroups(machine);
  const nodes = new Map<number, number>();
  for (const { id, cpus, capacity } of machine.numaNodes)
    for (const cpu of cpusOf(cpus | capacity)) if (!nodes.has(cpu)) nodes.set(cpu, id);
  const list: CurrentCpu[] = [];
  for (const cpu of cpusOf(known)) {
    const place = locate(cpu);
    if (place !== undefined) list[cpu] = Object.freeze({ cpu, ...place, node: nodes.get(cpu) ?? 0 });
  }
  return list;
}

/**
 * The CPU that runs the calling thread, with its processor group and NUMA node.
 *
 * @throws {AffinityError} `ERR_AFFINITY_UNSUPPORTED`
 */
export function currentCpu(): CurrentCpu {
  places ??= placesOfCpus();
  const cpu = nativeCurrentCpu();
  const place = places[cpu];
  if (place !== undefined) return place;
  if (cpu < 0) throw new AffinityError('ERR_AFFINITY_UNSUPPORTED', `the current CPU can't be told on ${native.support().platform}`);
  throw new AffinityError('ERR_AFFINITY_UNKNOWN_CPU', `CPU ${cpu} was plugged in after this process formed its groups`);
}

/**
 * The CPUs that this process may use and that are online: its cpuset or container, and the affinity that it had when
 * groupaffinity was loaded. It does not shrink when a thread is pinned.
 */
export function allowedCpus(): CpuSet {
  return CpuSet.fromMask(readCpus().allowed);
}
