/** Does pinning pay here? In words that claim no more than the figures do. */
import { percent, range, ratio, time, withRange } from './quantities.ts';
import type { BenchDocument, Estimate, RateResult, ScenarioResult, TimesResult } from './result.ts';
import { estimate, isBelow, isConfident } from './statistics.ts';

/** How two results of the same passes stand to each other. */
export interface Contrast {
  /** The one to the other, pass by pass. */
  readonly ratio: Estimate;
  readonly verdict: 'more' | 'less' | 'alike' | 'too few passes';
}

/**
 * A difference is claimed where the two intervals do not touch and the one of the ratios, which what both have of the
 * machine's moods does not widen, leaves out 1.
 */
export function contrast(
  one: { readonly passes: readonly (number | null)[]; readonly all: Estimate },
  other: { readonly passes: readonly (number | null)[]; readonly all: Estimate },
): Contrast {
  const ratios = one.passes.flatMap((value, pass) => {
    const against = other.passes[pass] ?? null;
    return value === null || against === null || against === 0 ? [] : [value / against];
  });
  const paired = estimate(ratios);
  if (!isConfident(ratios)) return { ratio: paired, verdict: 'too few passes' };
  if (isBelow(other.all, one.all) && paired.low > 1) return { ratio: paired, verdict: 'more' };
  if (isBelow(one.all, other.all) && paired.high < 1) return { ratio: paired, verdict: 'less' };
  return { ratio: paired, verdict: 'alike' };
}

const times = (value: Estimate): string => `${ratio(value.value)} times (${range(value, ratio)})`;
const inTime = (value: Estimate): string => withRange(value, time);

const loads = { memory: 'Work bound by memory', compute: 'Work bound by the processor' } as const;

type Find = <K extends 'times' | 'rate'>(kind: K, id: string) => Extract<ScenarioResult, { kind: K }> | undefined;

const rates = ({ passes, rate }: RateResult): { passes: readonly (number | null)[]; all: Estimate } => ({ passes, all: rate });

function throughput(find: Find): { lines: string[]; verdicts: Contrast['verdict'][] } {
  const lines: string[] = [];
  const verdicts: Contrast['verdict'][] = [];
  for (const [load, words] of Object.entries(loads)) {
    const [spread, packed, free] = ['spread', 'packed', 'free'].map((way) => find('rate', `throughput.${load}.${way}`));
    if (spread === undefined || free === undefined) continue;
    const { ratio: paired, verdict } = contrast(rates(spread), rates(free));
    verdicts.push(verdict);
    const workers = `${spread.workers.length} workers`;
    const said = {
      more: `${workers} on a core each did ${times(paired)} the work that they did where the scheduler put them.`,
      less: `${workers} on a core each did only ${times(paired)} the work that they did where the scheduler put them.`,
      alike: `no difference to see between ${workers} on a core each and where the scheduler put them: ${times(paired)} the work.`,
      'too few passes': `${spread.n} passes are too few to tell ${workers} on a core each from where the scheduler put them.`,
    }[verdict];
    const together = packed === undefined ? undefined : contrast(rates(packed), rates(free));
    const packing =
      together?.verdict === 'less' || together?.verdict === 'more' ? ` All on one core they did ${times(together.ratio)} of it.` : '';
    lines.push(`${words}: ${said}${packing}`);
  }
  return { lines, verdicts };
}

function answer(verdicts: readonly Contrast['verdict'][]): string {
  const has = (verdict: Contrast['verdict']): boolean => verdicts.includes(verdict);
  const said = (): string => {
    if (has('more') && has('less')) return 'That depends on the work.';
    if (has('more')) return verdicts.every((verdict) => verdict === 'more') ? 'Yes.' : 'Yes, for some work.';
    if (has('less')) return 'No, it costs.';
    if (has('alike')) return 'No difference can be seen in how much work gets done.';
    return verdicts.length > 0 ? 'There were too few passes to tell.' : 'How much work gets done was not measured.';
  };
  return `Does pinning pay here? ${said()}`;
}

function overFloor(result: TimesResult | undefined): string {
  const { floorRatio, floorRatioInterval, passes } = result ?? {};
  if (floorRatio === undefined || floorRatioInterval === undefined || !isConfident(passes ?? [])) return '';
  const [low, high] = floorRatioInterval;
  const value = { value: floorRatio, low, high };
  return low > 1
    ? `, ${times(value)} the bare calls`
    : high < 1
      ? `, ${times(value)} the bare calls`
      : ', no more than the bare calls to see';
}

function costs(find: Find, moves: readonly TimesResult[]): string[] {
  const lines: string[] = [];
  const [stays, scope] = [find('times', 'set.stays'), find('times', 'pin.scope')];
  const parts = [
    stays === undefined ? '' : `a Set that changes nothing costs ${inTime(stays.median)}${overFloor(stays)}`,
    scope === undefined ? '' : `a pin and its end ${inTime(scope.median)}${overFloor(scope)}`,
  ].filter((part) => part !== '');
  if (parts.length > 0) lines.push(`What it costs: ${parts.join('; ')}.`);
  const said = moves.map(({ id, median }) => `${relation(id)} ${inTime(median)}`);
  if (said.length > 0) lines.push(`What a move costs: ${said.join('; ')}.`);
  const arrival = find('times', 'remote.arrival');
  if (arrival !== undefined) lines.push(`A running thread that another one sends elsewhere is there after ${inTime(arrival.median)}.`);
  return lines;
}

const relation = (id: string): string =>
  ({
    'set.moves.same-core': 'in the same core',
    'set.moves.same-l3': 'below the same level 3 cache',
    'set.moves.other-l3': 'to another level 3 cache',
    'set.moves.other-package': 'to another package',
    'set.moves.other-node': 'to another NUMA node',
    'set.moves.other-group': 'to another processor group',
  })[id] ?? id;

function jitter(find: Find): string[] {
  const [pinned, free] = ['pinned', 'free'].map((way) => find('times', `jitter.${way}`)?.interruptions);
  if (pinned === undefined) return [];
  const alone = `A pinned thread did not run for ${withRange(pinned.lost, percent)} of the time`;
  if (free === undefined) return [`${alone}.`];
  const { verdict } = contrast({ passes: pinned.passes, all: pinned.lost }, { passes: free.passes, all: free.lost });
  const said = {
    less: 'less than a free one',
    more: 'more than a free one',
    alike: 'no difference to see to a free one',
    'too few passes': 'too few passes to tell it from a free one',
  }[verdict];
  return [`${alone}, ${said}: ${withRange(free.lost, percent)}.`];
}

/** Above these a machine is not quiet: parts of the CPUs' time, and of the floor's own median. */
const quiet = { steal: 0.01, others: 0.05, floorSpread: 0.3 } as const;

function noise(scenarios: readonly ScenarioResult[], machine: BenchDocument['machine']): string[] {
  const all = scenarios.flatMap((result) => ('noise' in result ? [result.noise] : []));
  const told = (of: (noise: (typeof all)[number]) => number | null): number[] => all.flatMap((one) => of(one) ?? []).sort((a, b) => a - b);
  const [steal, others, spread] = [told((one) => one.steal), told((one) => one.others), told((one) => one.floorSpread)];
  const middle = (values: readonly number[]): number => values[values.length >> 1] ?? 0;
  const parts = [
    others.length > 0
      ? `other programs took ${percent(middle(others))} of the CPUs' time (at most ${percent(others.at(-1) ?? 0)} in a scenario)`
      : '',
    steal.length > 0 ? `a hypervisor stole ${percent(middle(steal))} (at most ${percent(steal.at(-1) ?? 0)})` : '',
    spread.length > 0 ? `the bare calls themselves spread by ${percent(middle(spread))}` : '',
  ].filter((part) => part !== '');
  const isLoud = middle(steal) > quiet.steal || middle(others) > quiet.others;
  const verdict = isLoud
    ? ' This machine was not quiet: small differences do not show.'
    : middle(spread) > quiet.floorSpread
      ? ' Its speed was not steady: small differences do not show.'
      : '';
  const lines = parts.length > 0 ? [`Noise: ${parts.join(', ')}.${verdict}`] : [];
  if (machine.hypervisor === true)
    lines.push('This is a virtual machine: where its CPUs really run, and what else runs there, is its host’s business and may change.');
  return lines;
}

function strays(scenarios: readonly ScenarioResult[]): string[] {
  const some = scenarios.flatMap((result) => ('strays' in result && result.strays > 0 ? [result] : []));
  const thrown = some.map(({ id, kind, strays: count }) => {
    const what = kind === 'rate' ? (count === 1 ? 'pass' : 'passes') : count === 1 ? 'sample' : 'samples';
    return `${count.toLocaleString('en')} ${what} of ${id}`;
  });
  return thrown.length === 0 ? [] : [`Thrown away, as a thread was elsewhere: ${thrown.join(', ')}.`];
}

/** A sentence each; the answer first. */
export function summarize({
  machine,
  scenarios,
  passes,
  quick,
  complete,
}: Pick<BenchDocument, 'machine' | 'scenarios' | 'passes' | 'quick' | 'complete'>): string[] {
  const find: Find = (kind, id) =>
    scenarios.find((result): result is Extract<ScenarioResult, { kind: typeof kind }> => result.kind === kind && result.id === id);
  const moves = scenarios.filter((result): result is TimesResult => result.kind === 'times' && result.id.startsWith('set.moves.'));
  const { lines, verdicts } = throughput(find);
  const measured = scenarios.some((result) => 'noise' in result);
  if (!measured) return ['Nothing was measured.'];
  return [
    answer(verdicts),
    ...lines,
    ...costs(find, moves),
    ...jitter(find),
    ...noise(scenarios, machine),
    ...strays(scenarios),
    complete
      ? `Intervals are 95 % ones, from ${passes} passes${quick ? ' of a quick run: a full one has narrower ones' : ''}.`
      : 'The run was interrupted: figures rest on the passes that there were.',
  ];
}
