/** Takes from a document what a report needs of it. */
import { toDocument } from '../bench/document.ts';
import type { MissingResult, ScenarioResult } from '../bench/result.ts';
import { check, isObject, layout, list, number, optional, parse, shape, text, type Check } from '../bench/shape.ts';
import { median } from '../bench/statistics.ts';
import type { Headline, Kept, MachineFacts } from './result.ts';

const verdict: Check = (value, path) =>
  value === 'pass' || value === 'fail' || value === 'skip' ? undefined : `${path} is none of pass, fail, skip`;

const validated = shape({
  machine: shape({
    platform: text,
    release: text,
    arch: text,
    node: text,
    version: text,
    cpuModel: optional(text),
    cpus: text,
    groups: number,
    topology: optional(layout),
  }),
  claims: list(shape({ id: text, sentence: text, verdict, expected: text, observed: text })),
});

interface Validated {
  readonly machine: Omit<MachineFacts, 'cpuModel'> & { readonly cpuModel?: string };
  readonly claims: readonly {
    readonly id: string;
    readonly sentence: string;
    readonly verdict: 'pass' | 'fail' | 'skip';
    readonly expected: string;
    readonly observed: string;
  }[];
}

function factsOf({ platform, release, arch, node, version, cpuModel = '', cpus, groups, topology }: Validated['machine']): MachineFacts {
  return { platform, release, arch, node, version, cpuModel, cpus, groups, ...(topology === undefined ? {} : { topology }) };
}

/** Of what was measured; nothing of what was not. */
function headlines(result: Exclude<ScenarioResult, MissingResult>): Headline[] {
  const { id } = result;
  const { others } = result.noise;
  const of = (name: string, unit: string, value: number): Headline => ({ id: name, unit, value, others });
  switch (result.kind) {
    case 'times':
      if (result.n === 0) return [];
      return result.interruptions === undefined
        ? [of(id, 'ns', result.median.value)]
        : [of(id, 'of the time', result.interruptions.lost.value)];
    case 'rate':
      return result.n === 0 ? [] : [of(id, result.unit, result.rate.value)];
    case 'pairs': {
      const medians = result.pairs.filter(({ n }) => n > 0).map(({ p50 }) => p50);
      if (medians.length === 0) return [];
      return [
        of(id, 'ns', median(medians)),
        of(
          `${id}.farthest`,
          'ns',
          medians.reduce((most, value) => Math.max(most, value)),
        ),
      ];
    }
  }
}

/** @throws {SyntaxError} for a text that neither command wrote; the message says what it is. */
export function keep(json: string): Kept {
  const value = parse(json);
  if (isObject(value) && 'claims' in value) {
    check(value, validated, 'validate');
    const { machine, claims } = value as unknown as Validated;
    const count = (wanted: string): number => claims.filter(({ verdict }) => verdict === wanted).length;
    const failed = claims
      .filter(({ verdict }) => verdict === 'fail')
      .map(({ id, sentence, expected, observed }) => ({ id, sentence, expected, observed }));
    return { kind: 'validate', machine: factsOf(machine), passed: count('pass'), failed, skipped: count('skip') };
  }
  if (isObject(value) && 'scenarios' in value) {
    const { machine, begun, quick, complete, scenarios } = toDocument(value);
    const broken = scenarios.flatMap((result) => (result.kind === 'fail' ? [{ id: result.id, reason: result.reason }] : []));
    const figures = scenarios.flatMap((result) => ('reason' in result ? [] : headlines(result)));
    return { kind: 'bench', machine: factsOf(machine), begun, quick, complete, headlines: figures, broken };
  }
  throw new SyntaxError('it is JSON, but no result of groupaffinity validate or bench');
}
