import * as workerThreads from 'node:worker_threads';
import { AffinityError } from '../errors.ts';
import { inherit } from '../threads/own-thread.ts';
import { planVariable, seatKey, type Seated } from '../workers/taking.ts';
import { ownLook, tell } from './looks.ts';
import { toldByMain, type ProcessState } from './process-state.ts';
import { sitAmongAll, sitInProcess } from './seating.ts';
import { settle, warn } from './thread.ts';
import { reach, restoreEnvironment } from './reach.ts';

const { threadId } = workerThreads;

/** Node's own, which runs module hooks (known from Node 22.14 and 23.7 on). */
const isNodes = (workerThreads as { isInternalThread?: boolean }).isInternalThread === true;

function sit({ order, plan }: ProcessState): void {
  try {
    if (order.dealt === true) sitAmongAll(order);
    else if (plan !== undefined) sitInProcess(plan);
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
  reach(JSON.stringify(state.order));
  // Linux had it start where its maker is.
  inherit(state.base);
  if (process.env[planVariable] === undefined && !isNodes) sit(state);
  settle(state);
  const seat = (globalThis as Seated)[seatKey]?.seat ?? null;
  if (state.order.report !== undefined) tell(state.order.report, { process: process.pid, seated: { threadId, seat, look: ownLook() } });
}
