/** Workers with an environment of their own: placing reaches them all the same, and their code doesn't see it. */
import workerThreads, { type Worker, type WorkerOptions } from 'node:worker_threads';
import { addedTo, changed, isObject, isPlacing, preload } from './environment.ts';

/**
 * A worker takes the preload from NODE_OPTIONS of its own environment, if it has one, else from this thread's; a worker
 * without options takes this thread's as they were parsed (measured on Node 20, 22, 24 and 26).
 */
function reached(options: unknown): unknown {
  if (!isObject(options)) return options;
  const { env, execArgv } = options as WorkerOptions;
  if (isObject(env)) {
    const own = env as NodeJS.ProcessEnv;
    return isPlacing(own['NODE_OPTIONS']) ? options : changed(options as WorkerOptions, 'env', { ...own, ...addedTo(own) });
  }
  if (!Array.isArray(execArgv) || isPlacing(process.env['NODE_OPTIONS'])) return options;
  return changed(options as WorkerOptions, 'execArgv', [...execArgv, '--require', preload]);
}

/** From now on every worker that this thread makes is reached. ES modules see it after syncBuiltinESMExports(). */
export function reachWorkers(): void {
  const { Worker: original } = workerThreads;
  const reaching: typeof Worker = new Proxy(original, {
    construct: (target, [file, options, ...rest]: unknown[], made) =>
      Reflect.construct(target, [file, reached(options), ...rest], made === reaching ? target : made) as object,
  });
  workerThreads.Worker = reaching;
}
