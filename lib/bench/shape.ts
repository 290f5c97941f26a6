/** Checks of what JSON holds, for documents that older or other programs may have written. */
import { parseCpuList } from '../machine/cpu-list.ts';

/** Says where a value is no what; undefined where it is. */
export type Check = (value: unknown, path: string) => string | undefined;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const number: Check = (value, path) => (typeof value === 'number' && Number.isFinite(value) ? undefined : `${path} is no number`);
export const text: Check = (value, path) => (typeof value === 'string' ? undefined : `${path} is no text`);
export const truth: Check = (value, path) => (typeof value === 'boolean' ? undefined : `${path} is neither true nor false`);

export const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? undefined : check(value, path);

export const optional =
  (check: Check): Check =>
  (value, path) =>
    value === undefined ? undefined : check(value, path);

export const list =
  (check: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return `${path} is no list`;
    for (const [at, item] of value.entries()) {
      const wrong = check(item, `${path}[${at}]`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

export const shape =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    if (!isObject(value)) return `${path === '' ? 'it' : path} is no object`;
    for (const [key, check] of Object.entries(checks)) {
      const wrong = check(value[key], path === '' ? key : `${path}.${key}`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

export const cpuList: Check = (value, path) => {
  try {
    if (typeof value === 'string') parseCpuList(value);
    return text(value, path);
  } catch {
    return `${path} is no list of CPUs`;
  }
};

export const layout = shape({
  packages: list(shape({ id: orNull(number), cpus: cpuList })),
  numaNodes: list(shape({ id: number, cpus: cpuList })),
  caches: list(shape({ level: number, type: text, cpus: cpuList })),
  cores: list(shape({ cpus: cpuList })),
});

export function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw new SyntaxError(`it is no JSON (${(error as Error).message})`, { cause: error });
  }
}

/** @throws {SyntaxError} for a value that is no such document of a command; the message says what is wrong with it. */
export function check(value: unknown, document: Check, command: string): void {
  const wrong = document(value, '');
  if (wrong !== undefined) throw new SyntaxError(`it is no result of groupaffinity ${command} --json: ${wrong}`);
}
