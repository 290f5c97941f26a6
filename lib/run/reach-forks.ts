/** Forked processes with an environment of their own: placing reaches them all the same, and their code doesn't see it. */
import childProcess, { type ForkOptions } from 'node:child_process';
import { addedTo, changed, isObject, isPlacing, orderVariable } from './environment.ts';

/** A process's environment has what its prototype has as well (child_process.spawn). */
function reached(options: unknown, order: string): unknown {
  const own = isObject(options) ? ((options as ForkOptions).env ?? process.env) : process.env;
  if (!isObject(own) || (isPlacing(own['NODE_OPTIONS']) && own[orderVariable] !== undefined)) return options;
  const env = Object.assign(Object.create(own) as NodeJS.ProcessEnv, addedTo(own), { [orderVariable]: order });
  return changed((isObject(options) ? options : {}) as ForkOptions, 'env', env);
}

/** From now on every process that this thread forks is reached, with the order as the environment has it. ES modules see
 * it after syncBuiltinESMExports(). */
export function reachForks(order: string): void {
  childProcess.fork = new Proxy(childProcess.fork, {
    apply: (target, self, [file, ...rest]: unknown[]) => {
      // fork(file[, args][, options])
      const at = isObject(rest[0]) && !Array.isArray(rest[0]) ? 0 : 1;
      const options = reached(rest[at], order);
      if (options === rest[at]) return Reflect.apply(target, self, [file, ...rest]) as unknown;
      return Reflect.apply(target, self, [file, ...(at === 0 ? [] : [rest[0] ?? []]), options]) as unknown;
    },
  });
}
