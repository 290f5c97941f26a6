import {
  confidentPasses,
  type BenchDocument,
  type BenchMachine,
  type Comparison,
  type Difference,
  type Estimate,
  type PairsResult,
  type ScenarioResult,
  type Verdict,
} from './result.ts';
import { estimate, isBelow, isConfident, median } from './statistics.ts';

/** What of a result is compared. */
interface Level {
  readonly unit: string;
  readonly estimate: Estimate;
  readonly passes: readonly (number | null)[];
  readonly higherIsFaster: boolean;
}

/** How long round trips of these pairs take in each pass: the median of them all. */
function passesOf({ pairs }: PairsResult, among: ReadonlySet<string>): number[] {
  const chosen = pairs.filter(({ one, other, passes }) => among.has(`${one}-${other}`) && passes.length > 0);
  const count = Math.min(...chosen.map(({ passes }) => passes.length));
  if (!Number.isFinite(count)) return [];
  return Array.from({ length: count }, (_, pass) => median(chosen.map(({ passes }) => passes[pass] as number)));
}

function level(result: ScenarioResult, other: ScenarioResult): Level | undefined {
  switch (result.kind) {
    case 'times':
      return result.interruptions === undefined
        ? { unit: 'ns', estimate: result.median, passes: result.passes, higherIsFaster: false }
        : { unit: 'of the time', estimate: result.interruptions.lost, passes: result.interruptions.passes, higherIsFaster: false };
    case 'rate':
      return { unit: result.unit, estimate: result.rate, passes: result.passes, higherIsFaster: true };
    case 'pairs': {
      const known = other.kind === 'pairs' ? other.pairs : [];
      const passes = passesOf(result, new Set(known.filter(({ n }) => n > 0).map((pair) => `${pair.one}-${pair.other}`)));
      return { unit: 'ns', estimate: estimate(passes), passes, higherIsFaster: false };
    }
    default:
      return undefined;
  }
}

/** How many times as fast; undefined where there is nothing to divide by. */
function speedOf(before: Estimate, after: Estimate, higherIsFaster: boolean): Estimate | undefined {
  const [over, under] = higherIsFaster ? [after, before] : [before, after];
  if (!(under.low > 0)) return undefined;
  return { value: over.value / under.value, low: over.low / under.high, high: over.high / under.low };
}

function verdictOf(before: Estimate, after: Estimate, higherIsFaster: boolean): Verdict {
  if (isBelow(before, after)) return higherIsFaster ? 'faster' : 'slower';
  if (isBelow(after, before)) return higherIsFaster ? 'slower' : 'faster';
  return 'no difference to see';
}

const asEstimate = (value: number | undefined, interval: readonly [number, number] | undefined): Estimate | undefined =>
  value === undefined || interval === undefined ? undefined : { value, low: interval[0], high: interval[1] };

const few = (passes: readonly (number | null)[], when: string): string | undefined =>
  isConfident(passes)
    ? undefined
    : `${passes.filter((pass) => pass !== null).length} passes ${when} are too few: an interval needs ${confidentPasses}`;

/** Why two results can't be compared; undefined where they can. */
function obstacle(before: ScenarioResult, after: ScenarioResult): string | undefined {
  if (after.kind === 'skip' || after.kind === 'fail') return `not measured now: ${after.reason}`;
  if (before.kind === 'skip' || before.kind === 'fail') return `not measured before: ${before.reason}`;
  if (before.kind !== after.kind || before.unit !== after.unit || before.sentence !== after.sentence)
    return 'another thing was measured under this name before';
  if (after.kind !== 'pairs' && before.where !== after.where) return `measured elsewhere before: ${before.where}; now: ${after.where}`;
  if (before.kind === 'times' && after.kind === 'times' && before.interruptions?.over !== after.interruptions?.over)
    return 'other gaps counted before';
  const [old, now] = [level(before, after), level(after, before)];
  if (after.kind === 'pairs' && old?.passes.length === 0) return 'no pair in common';
  return few(old?.passes ?? [], 'before') ?? few(now?.passes ?? [], 'now');
}

function difference(before: ScenarioResult | undefined, after: ScenarioResult): Difference {
  const { id } = after;
  const cannot = (reason: string): Difference => ({ id, verdict: "can't be compared", reason });
  if (before === undefined) return cannot('not measured before');
  const reason = obstacle(before, after);
  if (reason !== undefined) return cannot(reason);
  const [old, now] = [level(before, after), level(after, before)];
  if (old === undefined || now === undefined) return cannot('not measured');
  const speed = speedOf(old.estimate, now.estimate, now.higherIsFaster);
  const timed = before.kind === 'times' && after.kind === 'times' ? { before, after } : undefined;
  const floorSpeed =
    timed?.before.floor === undefined || timed.after.floor === undefined
      ? undefined
      : speedOf(timed.before.floor, timed.after.floor, false);
  const [ratioBefore, ratioAfter] = [
    asEstimate(timed?.before.floorRatio, timed?.before.floorRatioInterval),
    asEstimate(timed?.after.floorRatio, timed?.after.floorRatioInterval),
  ];
  const ratioSpeed = ratioBefore === undefined || ratioAfter === undefined ? undefined : speedOf(ratioBefore, ratioAfter, false);
  return {
    id,
    verdict: verdictOf(old.estimate, now.estimate, now.higherIsFaster),
    unit: now.unit,
    before: old.estimate,
    after: now.estimate,
    ...(speed === undefined ? {} : { speed }),
    ...(floorSpeed === undefined ? {} : { floorSpeed }),
    ...(ratioSpeed === undefined ? {} : { ratioSpeed }),
  };
}

type Fact = Exclude<keyof BenchMachine, 'topology'>;

const same = {
  platform: 'system',
  arch: 'architecture',
  cpuModel: 'processor',
  cpus: 'CPUs',
  allowed: 'allowed CPUs',
  groups: 'processor groups',
  hypervisor: 'under a hypervisor',
} as const satisfies Partial<Record<Fact, string>>;

const may = { release: 'system version', node: 'Node', version: 'groupaffinity' } as const satisfies Partial<
  Record<keyof BenchMachine, string>
>;

function unlike(before: BenchMachine, after: BenchMachine, keys: Partial<Record<Fact, string>>): string[] {
  return (Object.entries(keys) as [Fact, string][])
    .filter(([key]) => before[key] !== after[key])
    .map(([key, name]) => `${name}: ${before[key]} before, ${after[key]} now`);
}

/**
 * How a run stands to an older one, scenario by scenario. A claim needs two intervals that do not touch, and one and the
 * same machine.
 */
export function compare(before: BenchDocument, after: Pick<BenchDocument, 'machine' | 'quick' | 'scenarios'>): Comparison {
  const machines = unlike(before.machine, after.machine, same);
  const changes = [
    ...unlike(before.machine, after.machine, may),
    ...(before.quick === after.quick ? [] : [`run: ${before.quick ? 'quick' : 'full'} before, ${after.quick ? 'quick' : 'full'} now`]),
  ];
  return {
    before: before.begun,
    machines,
    changes,
    differences: after.scenarios.map((result) =>
      machines.length > 0
        ? { id: result.id, verdict: "can't be compared", reason: 'another machine' }
        : difference(
            before.scenarios.find(({ id }) => id === result.id),
            result,
          ),
    ),
  };
}
