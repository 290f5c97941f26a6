/** The library's own calls against the bare system calls, and what they are meant to cost. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { currentCpu } from 'groupaffinity';
import type { Estimate } from '../../lib/bench/result.ts';
import { native } from '../../lib/binding.ts';
import { table } from '../../lib/cli/table.ts';
import type { CallName } from './call.ts';
import { switches } from './floor.ts';
import { modesHere, type Mode } from './ours.ts';
import { shown, type Options, type Report } from './report.ts';
import { compare, timed } from './rounds.ts';

const names = {
  set: 'Set, a new Affinity, the previous one read',
  addon: "the addon's part of it",
  pair: 'Set and Revert, against two',
  pin: 'pin and restore, against two',
} as const satisfies Record<CallName, string>;

/** At the most, as ratios to the bare calls. */
const goals: Partial<Record<CallName, Partial<Record<Mode['name'], number>>>> = {
  set: { same: 1.08, other: 1.06, move: 1.04 },
  pair: { other: 1.1 },
  pin: { other: 1.25 },
};

function measured(name: CallName, { name: mode, settled }: Mode, rounds: number): { floor: number; ratio: Estimate } {
  const program = join(dirname(process.argv[1] as string), 'call.js');
  // Where every call moves the thread times vary most.
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, name, mode, String(settled ? rounds : rounds * 4)], {
    encoding: 'utf8',
  });
  if (status !== 0 || stderr !== '') throw new Error(`${names[name]}, ${mode}: status ${status}\n${stderr}`);
  return JSON.parse(stdout) as { floor: number; ratio: Estimate };
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
  const modes = modesHere();
  const [same, ...others] = modes;
  if (same === undefined) throw new Error('no mode');
  // Both go from a set of several CPUs to one of them and back, without a move.
  const there = others.find(({ name }) => name === 'other') ?? same;
  const asked: [CallName, Mode][] = [
    ...modes.map((mode): [CallName, Mode] => ['set', mode]),
    ...modes.map((mode): [CallName, Mode] => ['addon', mode]),
    ['pair', there],
    ['pin', there],
  ];
  const rows = asked.map(([name, mode]) => ({
    name: names[name],
    mode: mode.about,
    ...measured(name, mode, rounds),
    goal: goals[name]?.[mode.name],
  }));
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
