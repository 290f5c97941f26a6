/** Reads a document that `bench --json` wrote, now or with an older version. */
import type { BenchDocument } from './result.ts';
import { check, isObject, layout, list, number, optional, orNull, parse, shape, text, truth, type Check } from './shape.ts';

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
  return toDocument(parse(json));
}

/** The same of a text that is parsed already. */
export function toDocument(value: unknown): BenchDocument {
  check(value, document, 'bench');
  return value as BenchDocument;
}
