import os from 'node:os';
import type { Native } from '../binding.ts';
import type { ProcessState } from './process-state.ts';

/**
 * The calling thread has its place: what it starts, and what it asks about the machine, is as if it had none. Pools size
 * themselves by os.availableParallelism(), which counts the calling thread's CPUs; ES modules see the new one after
 * syncBuiltinESMExports().
 */
export function settle(native: Native, { base, parallelism }: Pick<ProcessState, 'base' | 'parallelism'>): void {
  native.leaveToChildren(base);
  if (os.availableParallelism() !== parallelism) os.availableParallelism = () => parallelism;
}

export const warn = (message: string): void => process.emitWarning(message, 'GroupAffinityWarning');
