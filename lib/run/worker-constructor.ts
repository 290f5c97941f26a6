/** Workers with an environment of their own: NODE_OPTIONS reaches them all the same, and their code doesn't see it. */
import { syncBuiltinESMExports } from 'node:module';
import workerThreads, { type Worker, type WorkerOptions } from 'node:worker_threads';
import { isPlacing, preload, withPlacing } from './order.ts';

/** In a worker's environment: `=` and what NODE_OPTIONS was there, or nothing. */
const ownOptions = 'GROUPAFFINITY_OWN_NODE_OPTIONS';

/** Takes out what was put into this worker's environment to reach it. */
export function restoreEnvironment(): void {
  const { [ownOptions]: own, ...rest } = process.env;
  if (own === undefined) return;
  delete process.env[ownOptions];
  if (own === '') delete process.env['NODE_OPTIONS'];
  else if (rest['NODE_OPTIONS'] !== undefined) process.env['NODE_OPTIONS'] = own.slice(1);
}

/**
 * A worker takes the preload from NODE_OPTIONS of its own environment, if it has one, else from this thread's; a worker
 * without options takes this thread's as they were parsed (measured on Node 20, 22, 24 and 26).
 */
function reached(options: unknown): unknown {
  if (typeof options !== 'object' || options === null) return options;
  const { env, execArgv } = options as WorkerOptions;
  const changed: WorkerOptions = Object.create(options) as WorkerOptions;
  const change = <K extends keyof WorkerOptions>(name: K, value: WorkerOptions[K]): WorkerOptions =>
    Object.defineProperty(changed, name, { value, enumerable: true, writable: true, configurable: true });
  if (typeof env === 'object' && env !== null) {
    const own = (env as NodeJS.ProcessEnv)['NODE_OPTIONS'];
    if (isPlacing(own)) return options;
    return change('env', {
      ...(env as NodeJS.ProcessEnv),
      NODE_OPTIONS: withPlacing(own),
      [ownOptions]: own === undefined ? '' : `=${own}`,
    });
  }
  if (Array.isArray(execArgv) && !isPlacing(process.env['NODE_OPTIONS'])) return change('execArgv', [...execArgv, '--require', preload]);
  return options;
}

/** From now on every worker that this thread makes is reached. */
export function reachWorkers(): void {
  const { Worker: original } = workerThreads;
  const reaching: typeof Worker = new Proxy(original, {
    construct: (target, [file, options, ...rest]: unknown[], made) =>
      Reflect.construct(target, [file, reached(options), ...rest], made === reaching ? target : made) as object,
  });
  workerThreads.Worker = reaching;
  syncBuiltinESMExports();
}
