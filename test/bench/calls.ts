/** The library's own calls against the bare system calls, and what they are meant to cost. */
import { currentCpu } from 'groupaffinity';
import { native, Outcome, operands, operands32, wantedGroup, wantedMask } from '../../lib/binding.ts';
import { table } from '../../lib/cli/table.ts';
import { bareExchanges, switches } from './floor.ts';
import { affinities, modesHere, pinAndRestore, set, setAndRevert, type Mode, type Peer } from './ours.ts';
import { shown, type Options, type Report } from './report.ts';
import { compare, timed, type Comparisons } from './rounds.ts';

const { exchangeGroup } = native;

/** The addon's call behind Set, without what TypeScript adds. */
const addon: Peer = (mode) => {
  const [first, second, group] = affinities(mode);
  return timed((count) => {
    for (let i = 0; i < count; i += 1) {
      operands[wantedMask] = i % 2 === 0 ? first : second;
      operands32[wantedGroup] = group;
      if ((exchangeGroup() ?? Outcome.done) !== Outcome.done) throw new Error('the addon refuses');
    }
  });
};

const names = {
  set: 'Set, a new Affinity, the previous one read',
  addon: "the addon's part of it",
  pair: 'Set and Revert, against two',
  pin: 'pin and restore, against two',
} as const;

/** At the most, as ratios to the bare calls. */
const goals: Readonly<Record<string, number>> = {
  [`${names.set} · same`]: 1.08,
  [`${names.set} · other`]: 1.06,
  [`${names.set} · move`]: 1.04,
  [`${names.pair} · same`]: 1.1,
  [`${names.pin} · same`]: 1.25,
};

/** A mode in a comparison of its own: code that runs between two calls is a part of what the next one costs. */
function measure(mode: Mode, cases: Readonly<Record<string, Peer>>, rounds: number): Comparisons {
  const { first, second, batch, settled } = mode;
  const begin = bareExchanges(second.toMask());
  return compare({
    floor: bareExchanges(first.toMask(), second.toMask()),
    cases: Object.fromEntries(
      Object.entries(cases).map(([name, prepare]) => {
        const work = prepare(mode);
        return [
          name,
          (count: number) => {
            begin(1);
            return work(count);
          },
        ];
      }),
    ),
    batch,
    rounds,
    ...(settled ? { switches } : {}),
  });
}

function currentCpuOverVdso(rounds: number): { bare: number; over: { value: number; low: number; high: number } } {
  currentCpu();
  const bare = (count: number): number => native.timeCurrentCpu(count).nanoseconds;
  let last = 0;
  const { floor, cases } = compare({
    floor: bare,
    cases: {
      ours: timed((count) => {
        for (let i = 0; i < count; i += 1) last += currentCpu().cpu;
      }),
    },
    batch: 2_000,
    rounds,
    switches,
  });
  if (Number.isNaN(last)) throw new Error('no CPU');
  const { value, low, high } = cases.get('ours')?.ratio ?? { value: Number.NaN, low: Number.NaN, high: Number.NaN };
  const over = (ratio: number): number => (ratio - 1) * floor.value;
  return { bare: floor.value, over: { value: over(value), low: over(low), high: over(high) } };
}

export function run({ rounds = 400 }: Options): Report {
  const rows: {
    name: string;
    mode: string;
    ratio: { value: number; low: number; high: number };
    floor: number;
    goal: number | undefined;
  }[] = [];
  const modes = modesHere();
  const [same, ...others] = modes;
  if (same === undefined) throw new Error('no mode');
  const take = (mode: Mode, cases: Readonly<Record<string, Peer>>): void => {
    const { floor, cases: compared } = measure(mode, cases, mode.settled ? rounds : rounds * 4);
    for (const [name, { ratio }] of compared)
      rows.push({ name, mode: mode.about, ratio, floor: floor.value, goal: goals[`${name} · ${mode.name}`] });
  };
  for (const mode of modes) take(mode, { [names.set]: set });
  for (const mode of modes) take(mode, { [names.addon]: addon });
  // Both go from a set of several CPUs to one of them and back, without a move.
  const there: Mode = { ...(others.find(({ name }) => name === 'other') ?? same), name: 'same' };
  take(there, { [names.pair]: setAndRevert });
  take(there, { [names.pin]: pinAndRestore });
  const cpu = currentCpuOverVdso(rounds);
  const verdict = (met: boolean): string => (met ? 'met' : 'missed');
  return {
    text: [
      table(
        ['against the bare system calls', 'mode', 'floor, ns', 'ratio', 'goal', ''],
        rows.map(({ name, mode, ratio, floor, goal }) => [
          name,
          mode,
          floor.toFixed(0),
          shown(ratio, 3),
          goal === undefined ? '' : goal.toFixed(2),
          goal === undefined ? '' : verdict(ratio.value <= goal),
        ]),
      ),
      '',
      `currentCpu() over the bare getcpu (${cpu.bare.toFixed(1)} ns): ${shown(cpu.over, 1)} ns; goal 30: ${verdict(cpu.over.value <= 30)}`,
      `Medians of the ratios in ${rounds} rounds (four times as many where every call moves the thread), with their 95 % intervals.`,
    ].join('\n'),
    document: { rounds, rows, currentCpu: cpu },
  };
}
