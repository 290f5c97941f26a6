/** A benchmark's results as people read them. */
import { figure, percent, range, rate, ratio, time, withRange } from '../bench/quantities.ts';
import type {
  BenchDocument,
  Comparison,
  Difference,
  MissingResult,
  PairsResult,
  RateResult,
  ScenarioResult,
  TimesResult,
} from '../bench/result.ts';
import { median } from '../bench/statistics.ts';
import { contrast } from '../bench/summary.ts';
import { plain } from './plain-text.ts';
import { table } from './table.ts';

/** A column and what stands in it; the ones with the highest `spare` go first where the line is too short. */
interface Column<T> {
  readonly head: string;
  readonly cell: (item: T) => string;
  readonly spare?: number;
  readonly left?: boolean;
}

/** As many columns as fit. */
function fitted<T>(columns: readonly Column<T>[], items: readonly T[], width: number): string {
  const rest = [...columns];
  for (;;) {
    const right = rest.filter(({ left }) => left !== true).map(({ head }) => head);
    const text = table(
      rest.map(({ head }) => head),
      items.map((item) => rest.map(({ cell }) => cell(item))),
      right,
    );
    const [least] = rest.filter(({ spare }) => spare !== undefined).sort((a, b) => (b.spare ?? 0) - (a.spare ?? 0));
    if (least === undefined || Math.max(...text.split('\n').map((line) => line.length)) <= width) return text;
    rest.splice(rest.indexOf(least), 1);
  }
}

const count = (value: number): string => value.toLocaleString('en');
const name = { head: 'scenario', cell: ({ id }: { id: string }) => id, left: true } as const;

function calls(results: readonly TimesResult[], width: number): string {
  return fitted<TimesResult>(
    [
      name,
      { head: 'n', cell: ({ n }) => count(n), spare: 4 },
      { head: 'median', cell: (result) => time(result.median.value) },
      { head: '95 %', cell: (result) => range(result.median, time), spare: 3 },
      { head: 'p90', cell: ({ p90 }) => time(p90), spare: 5 },
      { head: 'p99', cell: ({ p99 }) => time(p99) },
      { head: 'p99.9', cell: ({ p999 }) => time(p999), spare: 1 },
      { head: 'max', cell: ({ max }) => time(max), spare: 2 },
      {
        head: 'of bare calls',
        cell: ({ floorRatio, floorRatioInterval: [low, high] = [0, 0] }) =>
          floorRatio === undefined ? '' : withRange({ value: floorRatio, low, high }, ratio),
      },
    ],
    results,
    width,
  );
}

function gaps(results: readonly TimesResult[], width: number): string {
  const of = (result: TimesResult) => result.interruptions as NonNullable<TimesResult['interruptions']>;
  return fitted<TimesResult>(
    [
      name,
      { head: 'gaps/s', cell: (result) => figure(of(result).perSecond.value) },
      { head: 'median', cell: (result) => time(result.median.value), spare: 2 },
      { head: 'p99', cell: ({ p99 }) => time(p99) },
      { head: 'p99.9', cell: ({ p999 }) => time(p999), spare: 1 },
      { head: 'max', cell: ({ max }) => time(max) },
      { head: 'time lost', cell: (result) => withRange(of(result).lost, percent) },
    ],
    results,
    width,
  );
}

/** Each worker's CPUs where they are few. */
function seen({ workers }: RateResult): string {
  if (workers.length > 4) return `${workers.length} workers`;
  return workers.map((worker) => worker.seen).join(' | ');
}

function migrations({ workers }: RateResult): string {
  const all = workers.flatMap((worker) => worker.migrations ?? []);
  return all.length < workers.length ? '' : count(all.reduce((sum, value) => sum + value, 0));
}

function work(results: readonly RateResult[], width: number): string {
  const free = (result: RateResult): RateResult | undefined =>
    results.find(({ id }) => id === result.id.replace(/\.[^.]+$/, '.free') && id !== result.id);
  return fitted<RateResult>(
    [
      name,
      { head: 'rate', cell: (result) => `${rate(result.rate.value)} ${result.unit}` },
      { head: '95 %', cell: (result) => range(result.rate, rate), spare: 1 },
      {
        head: 'of free',
        cell: (result) => {
          const other = free(result);
          if (other === undefined) return '';
          return withRange(contrast({ passes: result.passes, all: result.rate }, { passes: other.passes, all: other.rate }).ratio, ratio);
        },
      },
      { head: 'seen on', cell: seen, spare: 3, left: true },
      { head: 'migrations', cell: migrations, spare: 2 },
    ],
    results,
    width,
  );
}

/** How far the passes of a pair lie apart, of their median. */
const spreadOf = ({ passes }: { passes: readonly number[] }): number => (Math.max(...passes) - Math.min(...passes)) / median(passes);

function roundTrips(result: PairsResult, width: number): string {
  const found = result.pairs.filter(({ n }) => n > 0);
  const at = new Map(
    found.flatMap((pair) => [[`${pair.one} ${pair.other}`, pair.p50] as const, [`${pair.other} ${pair.one}`, pair.p50] as const]),
  );
  const heads = ['CPU', ...result.cpus.map(String)];
  const rows = result.cpus.map((one) => [
    String(one),
    ...result.cpus.map((other) => {
      const value = at.get(`${one} ${other}`);
      return one === other ? '·' : value === undefined ? '-' : String(Math.round(value));
    }),
  ]);
  const matrix = table(heads, rows, heads);
  const sorted = [...found].sort((a, b) => a.p50 - b.p50);
  const [nearest, middle, farthest] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  const say = (pair: typeof nearest): string => (pair === undefined ? '' : `${time(pair.p50)} between CPUs ${pair.one} and ${pair.other}`);
  const spreads = found.map(spreadOf).sort((a, b) => a - b);
  const fits = found.length > 1 && Math.max(...matrix.split('\n').map((line) => line.length)) <= width;
  return [
    ...(fits ? [matrix] : []),
    found.length === 1 ? say(nearest) : `nearest ${say(nearest)}, in the middle ${say(middle)}, farthest ${say(farthest)}`,
    found.length === 1
      ? `its passes lie ${percent(spreads[0] ?? 0)} apart`
      : `the passes of a pair lie ${percent(spreads[spreads.length >> 1] ?? 0)} apart in the middle, ${percent(spreads.at(-1) ?? 0)} at most`,
    ...(result.omitted === '' ? [] : [`too many for all pairs: CPUs ${result.omitted} were left out`]),
    ...(fits || found.length === 1 ? [] : ['too wide for a table here: all pairs are in --json and --html']),
  ]
    .map((line) => (line === matrix ? line : wrapped(line, width)))
    .join('\n');
}

/** Breaks a sentence at blanks; lines after the first are indented. */
export function wrapped(text: string, width: number, indent = 2): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${' '.repeat(indent)}${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

const ofKind = <K extends 'times' | 'rate' | 'pairs'>(
  results: readonly ScenarioResult[],
  kind: K,
): Extract<ScenarioResult, { kind: K }>[] =>
  results.filter((result): result is Extract<ScenarioResult, { kind: K }> => result.kind === kind);

/** All but the summary. */
export function tables({ machine, scenarios, passes, quick, seconds }: Omit<BenchDocument, 'summary'>, width: number): string {
  const times = ofKind(scenarios, 'times');
  const timed = times.filter(({ interruptions }) => interruptions === undefined);
  const interrupted = times.filter(({ interruptions }) => interruptions !== undefined);
  const rates = ofKind(scenarios, 'rate');
  const missing = scenarios.filter((result): result is MissingResult => result.kind === 'skip' || result.kind === 'fail');
  const over = interrupted[0]?.interruptions?.over ?? 0;
  const parts = [
    wrapped(
      [
        `${machine.platform} ${machine.release} ${machine.arch}`,
        machine.cpuModel,
        `CPUs ${machine.allowed}${machine.allowed === machine.cpus ? '' : ` of ${machine.cpus}`}`,
        `Node ${machine.node}`,
        `${passes} passes${quick ? ', quick' : ''}`,
        `${Math.round(seconds)} s`,
      ]
        .filter((part) => part !== '')
        .join(' · '),
      width,
    ),
    ...(timed.length > 0 ? [`Calls\n\n${calls(timed, width)}`] : []),
    ...(interrupted.length > 0 ? [`Gaps over ${time(over)} in a spinning thread\n\n${gaps(interrupted, width)}`] : []),
    ...(rates.length > 0 ? [`Work of ${rates[0]?.workers.length} workers\n\n${work(rates, width)}`] : []),
    ...ofKind(scenarios, 'pairs').map((result) => `Round trips from core to core, ns\n\n${roundTrips(result, width)}`),
    ...(missing.length > 0
      ? [
          `Not measured\n\n${missing
            .map(({ kind, id, reason }) => wrapped(`${kind === 'fail' ? 'FAIL' : 'skip'}  ${id}: ${reason}`, width, 6))
            .join('\n')}`,
        ]
      : []),
  ];
  return parts.join('\n\n');
}

const asUnit = (unit: string | undefined): ((value: number) => string) =>
  unit === 'ns' ? time : unit === 'of the time' ? percent : (value) => `${rate(value)} ${unit}`;

/** Whose doing a change is, as far as the bare calls of the same runs tell. */
function cause({ verdict, floorSpeed, ratioSpeed }: Difference): string {
  if (floorSpeed === undefined || ratioSpeed === undefined || verdict === "can't be compared") return '';
  const [machine, library] = [floorSpeed, ratioSpeed].map(({ low, high }) => (low > 1 ? 'faster' : high < 1 ? 'slower' : ''));
  if (verdict !== 'no difference to see' && machine === verdict && library === '') return 'as the bare calls are';
  if (library !== '') return `${library} against the bare calls: ${withRange(ratioSpeed, ratio)}`;
  return '';
}

const inset = (line: string): string => `  ${plain(line)}`;

export function comparison({ before, machines, changes, differences }: Comparison, width: number): string {
  const compared = differences.filter(({ verdict }) => verdict !== "can't be compared");
  const others = differences.filter(({ verdict }) => verdict === "can't be compared");
  return [
    `Against the run of ${plain(before)}`,
    ...(machines.length > 0 ? [['Another machine, so nothing can be compared:', ...machines.map(inset)].join('\n')] : []),
    ...(changes.length > 0 ? [['Also changed:', ...changes.map(inset)].join('\n')] : []),
    ...(compared.length > 0
      ? [
          fitted<Difference>(
            [
              name,
              { head: 'before', cell: ({ unit, before: old }) => (old === undefined ? '' : asUnit(unit)(old.value)), spare: 2 },
              { head: 'now', cell: ({ unit, after }) => (after === undefined ? '' : asUnit(unit)(after.value)), spare: 1 },
              { head: 'speed', cell: ({ speed }) => (speed === undefined ? '' : withRange(speed, ratio)) },
              { head: 'verdict', cell: ({ verdict }) => verdict, left: true },
              { head: 'and', cell: cause, spare: 3, left: true },
            ],
            compared,
            width,
          ),
          wrapped('Speed: how many times as fast as before, and the widest range that the two intervals allow.', width),
        ]
      : []),
    ...(others.length > 0 && machines.length === 0
      ? [others.map(({ id, reason }) => wrapped(plain(`can’t be compared  ${id}: ${reason}`), width, 6)).join('\n')]
      : []),
  ].join('\n\n');
}
