// Places the worker that this runs in before its own code: dist/run-preload.cjs loads its build, dist/run-worker.cjs.
// Every worker's start waits for it, so that what few workers need lies in other files.
import { syncBuiltinESMExports } from 'node:module';
import * as workerThreads from 'node:worker_threads';
import { loadFrom, operandsOf, Outcome, type Native } from '../binding.ts';
import { isSystemThread } from '../storport/system-thread-start.ts';
import { planVariable, seatKey, type Seated } from '../workers/taking.ts';
import type * as unseated from '../workers/unseated.ts';
import { restoreEnvironment } from './environment.ts';
import type * as placing from './placing.ts';
import { toldByMain, type ProcessState } from './process-state.ts';
import { reachWorkers } from './reach-workers.ts';
import { settle, warn } from './settle.ts';

const { threadId, workerData } = workerThreads;

/** Node's own, which runs module hooks (known from Node 22.14 and 23.7 on). */
const isNodes = (workerThreads as { isInternalThread?: boolean }).isInternalThread === true;

function sit(native: Native, { order, plan }: ProcessState): void {
  try {
    if (order.dealt === true) (require('./run-placing.cjs') as typeof placing).sitAmongAll(order);
    else if (plan !== undefined) {
      const taken = native.takeSeat(plan);
      if (taken.outcome > Outcome.trimmed) (require('./unseated.cjs') as typeof unseated).refuse(String(plan), native, taken);
      const { seat, sharers } = taken;
      (globalThis as Seated)[seatKey] = { seat, sharers, description: native.planDescription(plan) };
    }
  } catch (error) {
    warn(`worker ${threadId} has no seat: ${(error as Error).message}`);
  }
}

restoreEnvironment();
const state = toldByMain();
if (state !== undefined) {
  reachWorkers();
  const native = loadFrom(state.addon, workerThreads);
  // Linux had it start where its maker is.
  operandsOf(native).wanted.set(state.base);
  native.restore();
  // A program's own plan seats its workers itself, and a system thread has its creator's user affinity.
  if (process.env[planVariable] === undefined && !isNodes && !isSystemThread(workerData)) sit(native, state);
  settle(native, state);
  syncBuiltinESMExports();
  const { report } = state.order;
  if (report !== undefined) (require('./run-placing.cjs') as typeof placing).tellOfWorker(report, threadId);
}
