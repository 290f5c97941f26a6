import { threadId } from 'node:worker_threads';
import { native } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { inherit } from '../threads/own-thread.ts';
import { planVariable, sitDown, takenSeat } from '../workers/taking.ts';
import { toldByMain, type ProcessState } from './process-state.ts';
import { sitAmongAll } from './seating.ts';
import { settle, tell, warn } from './thread.ts';
import { reachWorkers, restoreEnvironment } from './worker-constructor.ts';

function sit({ order, plan }: ProcessState): void {
  try {
    if (order.dealt === true) sitAmongAll(order);
    else if (plan !== undefined) sitDown(plan);
  } catch (error) {
    if (!(error instanceof AffinityError)) throw error;
    warn(`worker ${threadId} has no seat: ${error.message}`);
  }
}

/** Places the calling worker as its process was told; one that its program placed itself has what its process has. */
export function placeWorker(): void {
  restoreEnvironment();
  const state = toldByMain();
  if (state === undefined) return;
  reachWorkers();
  // Linux had it start where its maker is.
  inherit(state.base);
  if (process.env[planVariable] === undefined) sit(state);
  settle(state);
  const seat = takenSeat();
  tell(state.order.report, {
    worker: { thread: native.currentThread(), threadId, seat: seat?.seat ?? null },
    state: native.readThread(native.currentThread()),
  });
}
