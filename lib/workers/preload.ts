// Runs in a worker before its own code: workerOptions() names its build, dist/preload.cjs, in execArgv. CommonJS,
// because Node aborts when a worker is terminated while it requires an ES module. Every worker's start waits for it, so
// that what there is to say about a worker without a seat lies in a file of its own.
import { begin, Outcome, type ThisThread } from '../binding.ts';
import { planVariable, seatKey, type Seated } from './taking.ts';
import type * as unseated from './unseated.ts';

const plan = process.env[planVariable];
// A worker without a plan stays as it is.
if (plan !== undefined && !(seatKey in globalThis)) {
  // Its own workers and child processes are no part of the plan.
  delete process.env[planVariable];
  const [owner = '', number = ''] = plan.split(':', 2);
  const file = plan.slice(owner.length + number.length + 2);
  // What an import is bundled into copies the module.
  const native = owner === String(process.pid) ? begin(file, require('node:worker_threads') as ThisThread) : undefined;
  const taken = native?.takeSeat(Number.parseInt(number, 10));
  if (native === undefined || taken === undefined || taken.outcome > Outcome.trimmed)
    (require('./unseated.cjs') as typeof unseated).refuse(plan, native?.complete(), taken);
  else {
    const { seat, sharers } = taken;
    (globalThis as Seated)[seatKey] = { seat, sharers, description: native.planDescription(Number.parseInt(number, 10)) };
  }
}
