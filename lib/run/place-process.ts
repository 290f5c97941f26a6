import os from 'node:os';
import { loadError } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { confine } from '../threads/own-thread.ts';
import { registerSeats } from '../workers/seat-table.ts';
import { readOrder, type Order, type ShareOrder } from './order.ts';
import { tellWorkers } from './process-state.ts';
import { seatsOf, sitAmongAll, takeUsable } from './seating.ts';
import { exactSet, settle, tell, warn } from './thread.ts';
import { reachWorkers } from './worker-constructor.ts';

/** Runs what may fail for this machine's reasons: the program goes on without it, and says so. */
function attempt(what: string, call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof AffinityError)) throw error;
    warn(`${what}: ${error.message}`);
  }
}

/** A process that its parent forked with a channel is a worker of it: of cluster, or of a pool. */
const isForked = ({ launcher }: Order): boolean => process.channel !== undefined && process.pid !== launcher && process.ppid !== launcher;

/** The part of a place that lies in the process's share; all of the share where none does. */
function inside(share: CpuSet, place: string | undefined): CpuSet {
  const part = place === undefined ? share : CpuSet.parse(place).intersect(share);
  return part.size === 0 ? share : part;
}

/** Places this process as the command line says that started it, before its program's code runs. */
export function placeProcess(): void {
  const order = readOrder();
  if (order === undefined) return;
  if (loadError !== undefined) throw loadError;

  let share: ShareOrder | undefined;
  const set = (text: string): CpuSet => CpuSet.parse(text);
  if (order.shares !== undefined) {
    const shares = order.shares;
    attempt('no share of the machine is to be had', () => {
      const { at } = takeUsable(`groupaffinity/${order.id}/share`, shares.length, (one) => confine(set((shares[one] as ShareOrder).cpus)));
      share = shares[at];
    });
  }
  const base = exactSet();
  const parallelism = os.availableParallelism();
  if (order.dealt === true && isForked(order)) attempt('no seat is to be had', () => sitAmongAll(order));
  else if (order.main !== undefined)
    attempt(
      'the main thread is not placed',
      () => void confine(share === undefined ? set(order.main as string) : inside(set(share.cpus), order.main)),
    );
  const seats = order.dealt === true ? undefined : order.shares === undefined ? order.workers : share?.workers;
  const state = {
    order,
    base,
    parallelism,
    ...(seats === undefined ? {} : { plan: registerSeats(seatsOf({ ...order, workers: seats })) }),
  };
  tellWorkers(state);
  reachWorkers();
  settle(state);
  tell(order.report, { started: { arguments: process.argv } });
}
