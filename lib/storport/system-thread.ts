// The worker behind StorPortCreateSystemThread: takes its place, tells its creator, and calls the start routine.
import { workerData } from 'node:worker_threads';
import { native, Outcome } from '../binding.ts';
import { inherit, systemActive } from '../threads/own-thread.ts';
import type { ThreadContext } from './contexts.ts';
import { KeGetCurrentIrql, PASSIVE_LEVEL } from './irql.ts';
import { begun, refused, type SystemThreadStart } from './system-thread-start.ts';

const { module, context, memory, level, user, startContext } = workerData as SystemThreadStart;

const isPlaced =
  native.beginContext(context) &&
  inherit(user) === Outcome.done &&
  native.setPriority(native.currentThread(), level).outcome === Outcome.done;
const signal = new Int32Array(memory);
Atomics.store(signal, 0, isPlaced ? begun : refused);
Atomics.notify(signal, 0);
if (isPlaced) {
  const { default: routine } = (await import(module)) as { default: unknown };
  if (typeof routine !== 'function') throw new TypeError(`${module} has no function as its default export`);
  await (routine as (startContext: unknown, own: ThreadContext) => unknown)(startContext, Object.freeze({ StorPortThread: context }));
  if (systemActive() || KeGetCurrentIrql() !== PASSIVE_LEVEL) {
    process.emitWarning('A system thread ended with its system affinity in force or its IRQL raised.', {
      code: 'GROUPAFFINITY_UNREVERTED',
    });
    await new Promise((told) => {
      setImmediate(told);
    });
  }
  // A worker that ends by itself waits for its creator, who may be waiting for it.
  process.exit();
}
