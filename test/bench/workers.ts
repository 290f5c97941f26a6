/** What a seat adds to a worker's start: workers with and without one in turn, each run to its end before the next starts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { affinity, withAffinity } from 'groupaffinity';
import { spread, workerOptions } from 'groupaffinity/workers';
import { table } from '../../lib/cli/table.ts';
import { checkout } from '../lab/lab.ts';
import { shown, type Options, type Report } from './report.ts';
import { estimate, median, shuffled } from './rounds.ts';

/** Of one worker. */
interface Start {
  /** From its constructor's call, ms. */
  readonly online: number;
  readonly exit: number;
  /** CPU time of the process meanwhile, ms: other programs don't count. */
  readonly cpu: number;
}

const ends = { online: "to 'online'", exit: "to 'exit'", cpu: "CPU time to 'exit'" } as const;
type End = keyof typeof ends;

function start(make: () => Worker): Promise<Start> {
  return new Promise((resolve, reject) => {
    const before = process.cpuUsage();
    const begun = performance.now();
    let online = Number.NaN;
    const worker = make();
    worker.once('online', () => (online = performance.now() - begun));
    worker.once('error', reject);
    worker.once('exit', () => {
      const exit = performance.now() - begun;
      const { user, system } = process.cpuUsage(before);
      resolve({ online, exit, cpu: (user + system) / 1e3 });
    });
  });
}

export async function run({ rounds = 200 }: Options): Promise<Report> {
  const empty = join(checkout, 'build', 'bench', 'empty.mjs');
  const nothing = join(checkout, 'build', 'bench', 'nothing.cjs');
  for (const file of [empty, nothing]) writeFileSync(file, '');
  const file = pathToFileURL(empty);
  const plan = spread({ by: 'cpu' });
  const packages = spread({ by: 'package' });
  const everyCpu = affinity();
  // Options made for each worker, as it is written most: what they cost counts.
  const having = (options: () => WorkerOptions) => () => new Worker(file, options());
  const bare = 'no options';
  const cases: Record<string, () => Worker> = {
    [bare]: having(() => ({})),
    'a copy of the environment': having(() => ({ env: { ...process.env } })),
    'that, and --require of an empty file': having(() => ({
      env: { ...process.env },
      execArgv: [...process.execArgv, '--require', nothing],
    })),
    'workerOptions of a seat that is a package': having(() => workerOptions(packages)),
    'workerOptions(plan)': having(() => workerOptions(plan)),
    'no options, made within withAffinity(every CPU)': () => withAffinity(everyCpu, () => new Worker(file)),
  };
  const starts = new Map(Object.keys(cases).map((name) => [name, [] as Start[]]));
  const one = async (name: string): Promise<Start> => start(cases[name] as () => Worker);
  for (let warm = 0; warm < 5; warm += 1) for (const name of starts.keys()) await one(name);
  for (let round = 0; round < rounds; round += 1) for (const name of shuffled([...starts.keys()])) starts.get(name)?.push(await one(name));

  const times = (name: string, end: End): number[] => (starts.get(name) ?? []).map((started) => started[end]);
  const rows = [...starts.keys()].map((name) => ({
    name,
    ...Object.fromEntries(
      (Object.keys(ends) as End[]).map((end) => {
        const base = times(bare, end);
        return [
          end,
          { milliseconds: median(times(name, end)), ratio: estimate(times(name, end).map((time, at) => time / (base[at] ?? 0))) },
        ];
      }),
    ),
  })) as ({ name: string } & Record<End, { milliseconds: number; ratio: ReturnType<typeof estimate> }>)[];
  return {
    text: [
      table(
        ['a worker with', ...Object.values(ends)],
        rows.map((row) => [
          row.name,
          ...(Object.keys(ends) as End[]).map((end) =>
            row.name === bare ? `1 = ${row[end].milliseconds.toFixed(2)} ms` : shown(row[end].ratio, 3),
          ),
        ]),
      ),
      '',
      `Medians of the ratios in ${rounds} rounds, with their 95 % intervals.`,
    ].join('\n'),
    document: { rounds, rows },
  };
}
