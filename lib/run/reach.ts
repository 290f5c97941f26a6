/** Workers and forked processes with an environment of their own: placing reaches them all the same, and they don't see it. */
import childProcess, { type ForkOptions } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import workerThreads, { type Worker, type WorkerOptions } from 'node:worker_threads';
import { isPlacing, orderVariable, preload, withPlacing } from './order.ts';

/** In such an environment: `=` and what NODE_OPTIONS was there, or nothing. */
const ownOptions = 'GROUPAFFINITY_OWN_NODE_OPTIONS';

/** Takes out what was put into this thread's environment to reach it. */
export function restoreEnvironment(): void {
  const own = process.env[ownOptions];
  if (own === undefined) return;
  delete process.env[ownOptions];
  delete process.env[orderVariable];
  if (own === '') delete process.env['NODE_OPTIONS'];
  else process.env['NODE_OPTIONS'] = own.slice(1);
}

/** What an environment has beside its own. */
function added(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = env['NODE_OPTIONS'];
  return { NODE_OPTIONS: withPlacing(own), [ownOptions]: own === undefined ? '' : `=${own}` };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** The same options but for one. */
const changed = <T extends object, K extends keyof T>(options: T, name: K, value: T[K]): T =>
  Object.assign(Object.create(Object.getPrototypeOf(options) as object | null) as T, options, { [name]: value });

/**
 * A worker takes the preload from NODE_OPTIONS of its own environment, if it has one, else from this thread's; a worker
 * without options takes this thread's as they were parsed (measured on Node 20, 22, 24 and 26).
 */
function reachedWorker(options: unknown): unknown {
  if (!isObject(options)) return options;
  const { env, execArgv } = options as WorkerOptions;
  if (isObject(env)) {
    const own = env as NodeJS.ProcessEnv;
    return isPlacing(own['NODE_OPTIONS']) ? options : changed(options as WorkerOptions, 'env', { ...own, ...added(own) });
  }
  if (!Array.isArray(execArgv) || isPlacing(process.env['NODE_OPTIONS'])) return options;
  return changed(options as WorkerOptions, 'execArgv', [...execArgv, '--require', preload]);
}

/** A process's environment has what its prototype has as well (child_process.spawn). */
function reachedFork(options: unknown, order: string): unknown {
  const own = isObject(options) ? ((options as ForkOptions).env ?? process.env) : process.env;
  if (!isObject(own) || (isPlacing(own['NODE_OPTIONS']) && own[orderVariable] !== undefined)) return options;
  const env = Object.assign(Object.create(own) as NodeJS.ProcessEnv, added(own), { [orderVariable]: order });
  return changed((isObject(options) ? options : {}) as ForkOptions, 'env', env);
}

/**
 * From now on every worker that this thread makes is reached, and every process that it forks.
 *
 * @param order As the environment has it.
 */
export function reach(order: string): void {
  const { Worker: original } = workerThreads;
  const reaching: typeof Worker = new Proxy(original, {
    construct: (target, [file, options, ...rest]: unknown[], made) =>
      Reflect.construct(target, [file, reachedWorker(options), ...rest], made === reaching ? target : made) as object,
  });
  workerThreads.Worker = reaching;
  childProcess.fork = new Proxy(childProcess.fork, {
    apply: (target, self, [file, ...rest]: unknown[]) => {
      // fork(file[, args][, options])
      const at = rest.length > 0 && !Array.isArray(rest[0]) && isObject(rest[0]) ? 0 : 1;
      if (at === 1 && rest.length === 0) rest.push([]);
      rest[at] = reachedFork(rest[at], order);
      return Reflect.apply(target, self, [file, ...rest]) as unknown;
    },
  });
  syncBuiltinESMExports();
}
