import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { addonFile, loadError, native } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { confine, keepPrevious, readOwn } from '../threads/own-thread.ts';
import { placeRoles, type RolePlaces } from '../threads/placing.ts';
import { listed, meetPool, poolSize } from '../threads/threads.ts';
import { registerSeats } from '../workers/seat-table.ts';
import { seatKey, type Seated } from '../workers/taking.ts';
import { lookAt, ownLook, tell } from './looks.ts';
import { readOrder, type Order, type ShareOrder } from './order.ts';
import { tellWorkers } from './process-state.ts';
import { seatsOf, sitAmongAll, takeUsable } from './seating.ts';
import { settle, warn } from './settle.ts';
import { reachForks } from './reach-forks.ts';
import { reachWorkers } from './reach-workers.ts';
import { restoreEnvironment } from './environment.ts';

/** Does what may fail for this machine's reasons: the program goes on without it, and says so. */
function attempt(what: string, call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof AffinityError)) throw error;
    warn(`${what}: ${error.message}`);
  }
}

/** The calling thread's set, as `native.restore` takes it. */
function exactSet(): BigUint64Array {
  readOwn();
  const exact = keepPrevious();
  return typeof exact === 'bigint' ? BigUint64Array.of(exact) : exact;
}

/** A process that its parent forked with a channel is a worker of it: of cluster, or of a pool. */
const isForked = ({ launcher, stays }: Order): boolean =>
  process.channel !== undefined && (stays ? process.ppid : process.pid) !== launcher;

const cpusOf = (list: string | undefined): CpuSet | undefined => (list === undefined ? undefined : CpuSet.parse(list));

/** All threads of this process, for the time being. */
function takeShare({ id, shares }: Order): ShareOrder | undefined {
  if (shares === undefined) return undefined;
  let taken: ShareOrder | undefined;
  attempt('no share of the machine is to be had', () => {
    const { at } = takeUsable(`groupaffinity/${id}/share`, shares.length, (one) => {
      const share = cpusOf(shares[one]?.cpus);
      placeRoles({ main: share, libuv: share, v8: share, inspector: share, other: share });
    });
    taken = shares[at];
  });
  return taken;
}

/** The part of a place that lies in a share; nothing where none does. */
function inside(share: CpuSet | undefined, place: CpuSet | undefined): CpuSet | undefined {
  if (share === undefined || place === undefined) return place;
  const part = place.intersect(share);
  return part.size === 0 ? undefined : part;
}

/** The pool runs by now: a size that the program asks for later comes to nothing. */
function watchPoolSize(): void {
  const { UV_THREADPOOL_SIZE: before } = process.env;
  setImmediate(() => {
    const { UV_THREADPOOL_SIZE: now } = process.env;
    if (now !== before && now !== undefined)
      warn(`UV_THREADPOOL_SIZE=${now} came too late, libuv's pool had to be placed before: set it in the environment of the command`);
  }).unref();
}

function reportTo(report: string, share: number | null): void {
  const pool = native.poolThreads();
  const seat = (globalThis as Seated)[seatKey]?.seat ?? null;
  const begun = { arguments: process.argv, share, seat, pool, poolComplete: pool.length >= poolSize(), look: ownLook() };
  tell(report, { process: process.pid, begun });
  process.once('exit', () => {
    try {
      const threads = listed().map(({ state, role }) => ({ look: lookAt(state), role }));
      tell(report, { process: process.pid, ends: { threads } });
    } catch (error) {
      // The report has what was seen from outside.
      if (!(error instanceof AffinityError)) throw error;
    }
  });
}

/** Places this process as the command line says that started it, before its program's code runs. */
export function placeProcess(): void {
  const order = readOrder();
  restoreEnvironment();
  if (order === undefined) return;
  if (loadError !== undefined) throw loadError;

  const taken = takeShare(order);
  const share = cpusOf(taken?.cpus);
  const base = exactSet();
  if (taken !== undefined) native.noteStart(base);
  const parallelism = os.availableParallelism();

  const sits = order.dealt === true && isForked(order);
  const [main, libuv, v8] = [order.main, order.libuv, order.v8].map((list) => inside(share, cpusOf(list)));
  // What a placed thread starts would start where it is. A pool that has a place of its own is started there.
  const moves = main !== undefined || order.workers !== undefined;
  if (moves && libuv === undefined) meetPool();
  if (moves || libuv !== undefined || share !== undefined) watchPoolSize();
  if (libuv !== undefined || v8 !== undefined) {
    const places: RolePlaces = { main: sits ? undefined : main, libuv, v8 };
    attempt('the process is not placed', () => void placeRoles(places));
  } else if (main !== undefined && !sits) attempt('the main thread is not placed', () => void confine(main));
  if (sits) attempt('no seat is to be had', () => sitAmongAll(order));

  const seats = order.dealt === true ? undefined : order.shares === undefined ? order.workers : taken?.workers;
  const plan = seats === undefined ? undefined : registerSeats(seatsOf({ ...order, workers: seats }));
  const state = { order, addon: addonFile, base, parallelism, ...(plan === undefined ? {} : { plan }) };
  tellWorkers(state);
  reachWorkers();
  reachForks(JSON.stringify(order));
  settle(native, state);
  syncBuiltinESMExports();
  if (order.report !== undefined) reportTo(order.report, taken === undefined ? null : (order.shares?.indexOf(taken) ?? null));
}
