/** How placing travels: in NODE_OPTIONS and two variables of the environment. */
import { join } from 'node:path';
import { packageRoot } from '../binding.ts';

/** Carries the order to every process below. */
export const orderVariable = 'GROUPAFFINITY_RUN';

/** Where placing was put into an environment that lacked it: `=` and what NODE_OPTIONS was there, or nothing. */
const ownOptions = 'GROUPAFFINITY_OWN_NODE_OPTIONS';

export const preload: string = join(packageRoot, 'dist', 'run-preload.cjs');

/** As NODE_OPTIONS takes a value: in quotation marks a backslash stands before what it is to mean itself. */
export const quoted = (path: string): string => (/[\s"\\]/.test(path) ? `"${path.replaceAll(/["\\]/g, '\\$&')}"` : path);

/** What NODE_OPTIONS must have for a process or worker to be placed. */
const placingOptions: string = `--require ${quoted(preload)}`;

export function isPlacing(nodeOptions: string | undefined): boolean {
  return nodeOptions?.includes(placingOptions) === true;
}

/** NODE_OPTIONS with what places; what was there stays, and runs after it. */
export function withPlacing(nodeOptions: string | undefined): string {
  if (nodeOptions === undefined || nodeOptions.trim() === '') return placingOptions;
  return isPlacing(nodeOptions) ? nodeOptions : `${placingOptions} ${nodeOptions}`;
}

/** What an environment needs that has no placing, so that `restoreEnvironment` leaves it as it was. */
export function addedTo(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = env['NODE_OPTIONS'];
  return { NODE_OPTIONS: withPlacing(own), [ownOptions]: own === undefined ? '' : `=${own}` };
}

/** Takes out what was put into this thread's environment to reach it. */
export function restoreEnvironment(): void {
  const own = process.env[ownOptions];
  if (own === undefined) return;
  delete process.env[ownOptions];
  delete process.env[orderVariable];
  if (own === '') delete process.env['NODE_OPTIONS'];
  else process.env['NODE_OPTIONS'] = own.slice(1);
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** The same options but for one. */
export const changed = <T extends object, K extends keyof T>(options: T, name: K, value: T[K]): T =>
  Object.assign(Object.create(Object.getPrototypeOf(options) as object | null) as T, options, { [name]: value });
