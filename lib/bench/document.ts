/** Reads a document that `bench --json` wrote, now or with an older version. */
import { parseCpuList } from '../machine/cpu-list.ts';
import type { BenchDocument } from './result.ts';

/** Says where a value is no what; undefined where it is. */
type Check = (value: unknown, path: string) => string | undefined;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const number: Check = (value, path) => (typeof value === 'number' && Number.isFinite(value) ? undefined : `${path} is no number`);
const text: Check = (value, path) => (typeof value === 'string' ? undefined : `${path} is no text`);
const truth: Check = (value, path) => (typeof value === 'boolean' ? undefined : `${path} is neither true nor false`);

const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? undefined : check(value, path);

const optional =
  (check: Check): Check =>
  (value, path) =>
    value === undefined ? undefined : check(value, path);

const list =
  (check: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return `${path} is no list`;
    for (const [at, item] of value.entries()) {
      const wrong = check(item, `${path}[${at}]`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

const shape =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    if (!isObject(value)) return `${path === '' ? 'it' : path} is no object`;
    for (const [key, check] of Object.entries(checks)) {
      const wrong = check(value[key], path === '' ? key : `${path}.${key}`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };

const estimate = shape({ value: number, low: number, high: number });
const distribution = {
  n: number,
  min: number,
  p50: number,
  p90: number,
  p99: number,
  p999: number,
  max: number,
  curve: list(list(number)),
};
const noise = shape({
  voluntarySwitches: number,
  involuntarySwitches: number,
  steal: orNull(number),
  others: orNull(number),
  floorSpread: orNull(number),
});
const ran = { id: text, sentence: text, where: text, noise, strays: number, unit: text };

const results: Readonly<Record<string, Check>> = {
  times: shape({
    ...ran,
    ...distribution,
    median: estimate,
    passes: list(number),
    floor: optional(estimate),
    floorRatio: optional(number),
    floorRatioInterval: optional(list(number)),
    interruptions: optional(shape({ over: number, perSecond: estimate, lost: estimate, passes: list(orNull(number)) })),
  }),
  rate: shape({
    ...ran,
    n: number,
    rate: estimate,
    passes: list(orNull(number)),
    workers: list(shape({ allowed: text, seen: text, migrations: orNull(number) })),
  }),
  pairs: shape({
    ...ran,
    cpus: list(number),
    omitted: text,
    pairs: list(shape({ ...distribution, one: number, other: number, passes: list(number), strays: number })),
  }),
  skip: shape({ id: text, sentence: text, reason: text }),
  fail: shape({ id: text, sentence: text, reason: text }),
};

const result: Check = (value, path) => {
  const check =
    isObject(value) && typeof value['kind'] === 'string' && Object.hasOwn(results, value['kind']) ? results[value['kind']] : undefined;
  return check === undefined ? `${path}.kind is none of ${Object.keys(results).join(', ')}` : check(value, path);
};

const cpuList: Check = (value, path) => {
  try {
    if (typeof value === 'string') parseCpuList(value);
    return text(value, path);
  } catch {
    return `${path} is no list of CPUs`;
  }
};

const layout = shape({
  packages: list(shape({ id: orNull(number), cpus: cpuList })),
  numaNodes: list(shape({ id: number, cpus: cpuList })),
  caches: list(shape({ level: number, type: text, cpus: cpuList })),
  cores: list(shape({ cpus: cpuList })),
});

const document = shape({
  machine: shape({
    platform: text,
    release: text,
    arch: text,
    node: text,
    version: text,
    cpuModel: text,
    hypervisor: orNull(truth),
    cpus: text,
    allowed: text,
    groups: number,
    picture: orNull(text),
    topology: optional(layout),
  }),
  begun: text,
  seconds: number,
  quick: truth,
  passes: number,
  complete: truth,
  scenarios: list(result),
  summary: list(text),
});

/** @throws {SyntaxError} for a text that is no document of `bench --json`; the message says what is wrong with it. */
export function parseDocument(json: string): BenchDocument {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new SyntaxError(`it is no JSON (${(error as Error).message})`, { cause: error });
  }
  const wrong = document(value, '');
  if (wrong !== undefined) throw new SyntaxError(`it is no result of groupaffinity bench --json: ${wrong}`);
  return value as BenchDocument;
}
