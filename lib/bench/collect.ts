/** Of a scenario's passes: its result. */
import { CpuSet } from '../machine/cpu-set.ts';
import type {
  CorePair,
  Interruptions,
  MissingResult,
  Noise,
  PairsResult,
  RateResult,
  ScenarioResult,
  TimesResult,
  WorkerSeen,
} from './result.ts';
import type { Scenario } from './scenarios.ts';
import { distribution, estimate, median, spreadOf } from './statistics.ts';
import type { Load, Meanwhile, Outcome, PairsOutcome, RateOutcome, Task, TimesOutcome } from './task.ts';

/** What the passes of a scenario answered. */
export interface Passes {
  readonly scenario: Pick<Scenario, 'id' | 'sentence'>;
  readonly task: Task;
  readonly where: string;
  /** CPUs that the process may use. */
  readonly usable: CpuSet;
  readonly outcomes: readonly Outcome[];
  readonly meanwhile: readonly Meanwhile[];
}

function joined(arrays: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

function noiseOf(meanwhile: readonly Meanwhile[], floors: Float64Array): Noise {
  const part = (of: (pass: Meanwhile) => number | null): number | null => {
    const told = meanwhile.flatMap((pass) => {
      const value = of(pass);
      return pass.all === null || value === null ? [] : [{ value, all: pass.all }];
    });
    const all = sum(told.map((pass) => pass.all));
    return all === 0 ? null : Math.max(0, sum(told.map(({ value }) => value)) / all);
  };
  return {
    voluntarySwitches: sum(meanwhile.map((pass) => pass.voluntarySwitches)),
    involuntarySwitches: sum(meanwhile.map((pass) => pass.involuntarySwitches)),
    steal: part(({ stolen }) => stolen),
    others: part(({ others }) => others),
    floorSpread: floors.length === 0 ? null : spreadOf(floors),
  };
}

function missing({ scenario: { id, sentence } }: Passes, reason: string): MissingResult {
  return { kind: 'fail', id, sentence, reason };
}

/** Undefined where the samples are no gaps, or the thread was elsewhere in every pass. */
function interruptionsOf(outcomes: readonly TimesOutcome[]): Interruptions | undefined {
  const looked = outcomes.flatMap(({ samples, strays, gaps }) => (gaps === undefined ? [] : [{ samples, strays, ...gaps }]));
  // The slowest look at the clock decides for all passes.
  const over = Math.max(...looked.map((pass) => pass.over));
  const counted = looked.map(({ samples, strays, elapsed }) => {
    const long = samples.filter((gap) => gap > over);
    return strays > 0 ? null : { perSecond: long.length / (elapsed / 1e9), lost: sum([...long]) / elapsed };
  });
  const kept = counted.filter((pass) => pass !== null);
  if (kept.length === 0) return undefined;
  return {
    over,
    perSecond: estimate(kept.map(({ perSecond }) => perSecond)),
    lost: estimate(kept.map(({ lost }) => lost)),
    passes: counted.map((pass) => pass?.lost ?? null),
  };
}

function timesOf(passes: Passes, outcomes: readonly TimesOutcome[]): TimesResult | MissingResult {
  const { scenario, where, meanwhile } = passes;
  const strays = sum(outcomes.map((outcome) => outcome.strays));
  const samples = joined(outcomes.map((outcome) => outcome.samples));
  const interruptions = interruptionsOf(outcomes);
  // That there was no gap at all is a result; that there was no pass in which to look for one is none.
  const isLost = passes.task.kind === 'gaps' ? interruptions === undefined : samples.length === 0;
  if (isLost) return missing(passes, `no sample is left: the thread was elsewhere in all ${strays.toLocaleString('en')}`);
  const medians = outcomes.filter((outcome) => outcome.samples.length > 0).map((outcome) => median(outcome.samples));
  const compared = outcomes.filter(({ ratios }) => ratios.length > 0);
  const ratios = estimate(compared.map((outcome) => median(outcome.ratios)));
  return {
    kind: 'times',
    id: scenario.id,
    sentence: scenario.sentence,
    where,
    unit: 'ns',
    ...distribution(samples),
    median: medians.length === 0 ? { value: 0, low: 0, high: 0 } : estimate(medians),
    passes: medians,
    ...(compared.length === 0
      ? {}
      : {
          floor: estimate(compared.map((outcome) => median(outcome.floors))),
          floorRatio: ratios.value,
          floorRatioInterval: [ratios.low, ratios.high] as const,
        }),
    ...(interruptions === undefined ? {} : { interruptions }),
    noise: noiseOf(meanwhile, joined(compared.map((outcome) => outcome.floors))),
    strays,
  };
}

/** CPU lists as one. */
const union = (lists: readonly string[]): string => String(lists.reduce((all, list) => all.union(CpuSet.parse(list)), CpuSet.empty));

/** The same seats over all passes, whichever worker took which. */
function workersOf(outcomes: readonly RateOutcome[]): WorkerSeen[] {
  const inOrder = outcomes.map(({ workers }) =>
    [...workers].sort((a, b) => a.allowed.localeCompare(b.allowed, 'en', { numeric: true }) || a.seen.localeCompare(b.seen, 'en')),
  );
  return (inOrder[0] ?? []).map((_, at) => {
    const all = inOrder.flatMap((workers) => workers[at] ?? []);
    const migrations = all.flatMap((worker) => worker.migrations ?? []);
    return {
      allowed: [...new Set(all.map(({ allowed }) => allowed))].join(' then '),
      seen: union(all.map(({ seen }) => seen)),
      migrations: migrations.length < all.length ? null : sum(migrations),
    };
  });
}

const units: Readonly<Record<Load, string>> = { memory: 'loads/s', compute: 'steps/s' };

function rateOf(passes: Passes, outcomes: readonly RateOutcome[]): RateResult | MissingResult {
  const { scenario, task, where, meanwhile } = passes;
  const kept = outcomes.filter(({ strays }) => strays === 0);
  if (kept.length === 0) return missing(passes, `no pass is left: workers were elsewhere in all ${outcomes.length}`);
  return {
    kind: 'rate',
    id: scenario.id,
    sentence: scenario.sentence,
    where,
    unit: units[task.kind === 'work' ? task.load : 'compute'],
    n: kept.length,
    rate: estimate(kept.map((pass) => pass.rate)),
    passes: outcomes.map((pass) => (pass.strays === 0 ? pass.rate : null)),
    workers: workersOf(kept),
    noise: noiseOf(meanwhile, new Float64Array(0)),
    strays: outcomes.length - kept.length,
  };
}

function pairsOf(passes: Passes, outcomes: readonly PairsOutcome[]): PairsResult | MissingResult {
  const { scenario, task, where, meanwhile, usable } = passes;
  const cpus = task.kind === 'trips' ? task.cpus : [];
  const pairs = (outcomes[0]?.pairs ?? []).map(({ one, other }, at): CorePair => {
    const found = outcomes.flatMap((outcome) => outcome.pairs[at] ?? []);
    const sampled = found.filter(({ samples }) => samples.length > 0);
    return {
      one,
      other,
      ...distribution(joined(sampled.map(({ samples }) => samples))),
      passes: sampled.map(({ samples }) => median(samples)),
      strays: sum(found.map(({ strays }) => strays)),
    };
  });
  const strays = sum(pairs.map((pair) => pair.strays));
  if (pairs.every(({ n }) => n === 0)) return missing(passes, `no sample is left: a thread was elsewhere in all ${strays}`);
  return {
    kind: 'pairs',
    id: scenario.id,
    sentence: scenario.sentence,
    where,
    unit: 'ns',
    cpus,
    omitted: String(usable.minus(CpuSet.of(cpus))),
    pairs,
    noise: noiseOf(meanwhile, new Float64Array(0)),
    strays,
  };
}

const ofKind = <K extends Outcome['kind']>(outcomes: readonly Outcome[], kind: K): Extract<Outcome, { kind: K }>[] =>
  outcomes.filter((outcome): outcome is Extract<Outcome, { kind: K }> => outcome.kind === kind);

/** At least one pass. */
export function collect(passes: Passes): ScenarioResult {
  const { outcomes } = passes;
  switch (outcomes[0]?.kind) {
    case 'rate':
      return rateOf(passes, ofKind(outcomes, 'rate'));
    case 'pairs':
      return pairsOf(passes, ofKind(outcomes, 'pairs'));
    default:
      return timesOf(passes, ofKind(outcomes, 'times'));
  }
}
