/** What every placed thread does, the main thread and workers alike. */
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { native } from '../binding.ts';
import { keepPrevious, readOwn } from '../threads/own-thread.ts';
import type { ProcessState } from './process-state.ts';

export const warn = (message: string): void => process.emitWarning(message, 'GroupAffinityWarning');

/** The calling thread's set, as `native.restore` takes it. */
export function exactSet(): BigUint64Array {
  readOwn();
  const exact = keepPrevious();
  return typeof exact === 'bigint' ? BigUint64Array.of(exact) : exact;
}

/**
 * The thread has its place: what it starts, and what it asks about the machine, is as if it had none. Pools size
 * themselves by os.availableParallelism(), which counts the calling thread's CPUs.
 */
export function settle({ base, parallelism }: Pick<ProcessState, 'base' | 'parallelism'>): void {
  native.leaveToChildren(base);
  if (os.availableParallelism() === parallelism) return;
  os.availableParallelism = () => parallelism;
  syncBuiltinESMExports();
}
