import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { native, packageRoot } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups } from '../machine/group-table.ts';
import { topology, type Topology } from '../machine/topology.ts';
import { spread, type Plan } from '../workers/plan.ts';
import { workerOptions, type WorkerPlacement } from '../workers/seats.ts';
import { stop, waiting, work, type DemoReport, type DemoStart } from './demo-protocol.ts';
import { picture } from '../machine/picture.ts';
import { table } from './table.ts';
import { exitStatus, parse, UsageError } from './usage.ts';

export const usage = `Usage: groupaffinity demo [--seconds N] [--workers N]

Draws the machine, then runs one worker a core (at least two) on SHA-256: pinned to their seats, then where the
scheduler likes, and each once more. Exit status 1 if a pinned worker was ever seen off its seat.

  --seconds N   how long each of the four runs takes (1)
  --workers N   how many workers, at most one a CPU`;

interface Sampled {
  start: DemoStart;
  report: DemoReport;
  /** What the kernel showed as the worker's allowed CPUs, each different value once. */
  allowed: Set<string>;
  /** CPUs that the kernel showed as the worker's last, and how often. */
  last: Map<number, number>;
  samples: number;
  migrations: number | null;
}

const sampleEvery = 5;

async function runWorkers(count: number, seconds: number, placement: Partial<WorkerPlacement>): Promise<Sampled[]> {
  const memory = new SharedArrayBuffer(4);
  const signal = new Int32Array(memory);
  Atomics.store(signal, 0, waiting);
  const workers = Array.from(
    { length: count },
    () => new Worker(join(packageRoot, 'dist', 'cli', 'demo-worker.js'), { workerData: memory, ...placement }),
  );
  try {
    const starts = await Promise.all(
      workers.map(async (worker) => {
        const [start] = (await once(worker, 'message')) as [DemoStart];
        return start;
      }),
    );
    const reports = workers.map(async (worker) => {
      const [report] = (await once(worker, 'message')) as [DemoReport];
      return report;
    });
    const before = starts.map(({ thread }) => native.readThread(thread)?.migrations ?? null);
    const watched = starts.map(() => ({
      allowed: new Set<string>(),
      last: new Map<number, number>(),
      samples: 0,
      migrations: null as number | null,
    }));

    Atomics.store(signal, 0, work);
    Atomics.notify(signal, 0);
    const end = performance.now() + seconds * 1000;
    // Each worker has run on its own before the kernel is asked where it ran last.
    await sleep(sampleEvery);
    do {
      starts.forEach(({ thread }, at) => {
        const state = native.readThread(thread);
        const mine = watched[at];
        if (state === null || mine === undefined) return;
        mine.samples += 1;
        mine.allowed.add(String(CpuSet.fromMask(state.allowed)));
        if (state.lastCpu !== null) mine.last.set(state.lastCpu, (mine.last.get(state.lastCpu) ?? 0) + 1);
        const first = before[at] ?? null;
        if (state.migrations !== null && first !== null) mine.migrations = state.migrations - first;
      });
      await sleep(sampleEvery);
    } while (performance.now() < end);

    Atomics.store(signal, 0, stop);
    const done = await Promise.all(reports);
    return starts
      .map((start, at) => ({ start, report: done[at] as DemoReport, ...(watched[at] as (typeof watched)[number]) }))
      .sort((a, b) => (a.start.seat?.seat ?? 0) - (b.start.seat?.seat ?? 0));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function seatNumbers(cpus: CpuSet): string {
  const places = cpus.toArray().map((cpu) => processGroups().locate(cpu));
  const groups = [...new Set(places.map((place) => place?.group))];
  return groups
    .map(
      (group) =>
        `${group}:${String(CpuSet.of(places.flatMap((place) => (place !== undefined && place.group === group ? [place.number] : []))))}`,
    )
    .join(' ');
}

function nodesOf(cpus: CpuSet, machine: Topology): string {
  return machine.numaNodes
    .filter((node) => node.cpus.intersect(cpus).size > 0)
    .map(({ id }) => id)
    .join(',');
}

function whereSeen({ report, last }: Sampled): CpuSet {
  return CpuSet.of([...report.seen.map(([cpu]) => cpu), ...last.keys()]);
}

const looks = ({ report, samples }: Sampled): number => report.seen.reduce((sum, [, times]) => sum + times, 0) + samples;

function rows(results: readonly Sampled[], machine: Topology): (string | number)[][] {
  return results.map((result, at) => {
    const { start } = result;
    const cpus = start.seat === null ? undefined : CpuSet.parse(start.seat.cpus);
    return [
      `${at + 1}`,
      ...(cpus === undefined ? ['-', '-', '-'] : [seatNumbers(cpus), String(cpus), nodesOf(cpus, machine)]),
      [...result.allowed].join(' then ') || result.report.affinity,
      String(whereSeen(result)),
      looks(result),
      result.migrations ?? '-',
      Math.round(result.report.mebibytes),
    ];
  });
}

const heads = ['worker', 'seat', 'cpu', 'node', 'kernel allows', 'seen on', 'looks', 'migrations', 'MiB hashed'];

/** What was not as promised, a line each. */
function broken(results: readonly Sampled[]): string[] {
  return results.flatMap((result, at) => {
    const worker = `worker ${at + 1}`;
    const { start, report } = result;
    if (start.seat === null) return [`${worker} has no seat`];
    const cpus = CpuSet.parse(start.seat.cpus);
    const strays = whereSeen(result).minus(cpus);
    const wrong = [...result.allowed, report.affinity].filter((allowed) => !CpuSet.parse(allowed).equals(cpus));
    return [
      ...(strays.size > 0 ? [`${worker} was seen on ${strays}, off its seat ${cpus}`] : []),
      ...(wrong.length > 0 ? [`${worker} sits on ${cpus}, but the kernel allows it ${wrong[0]}`] : []),
    ];
  });
}

/** Two runs of the same workers as one. */
function both(first: readonly Sampled[], second: readonly Sampled[]): Sampled[] {
  const add = (a: Map<number, number>, b: Iterable<[number, number]>): Map<number, number> => {
    const sum = new Map(a);
    for (const [cpu, times] of b) sum.set(cpu, (sum.get(cpu) ?? 0) + times);
    return sum;
  };
  return first.map((a, at) => {
    const b = second[at] as Sampled;
    return {
      start: a.start,
      report: { ...b.report, mebibytes: a.report.mebibytes + b.report.mebibytes, seen: [...add(new Map(a.report.seen), b.report.seen)] },
      allowed: new Set([...a.allowed, a.report.affinity, ...b.allowed]),
      last: add(a.last, b.last),
      samples: a.samples + b.samples,
      migrations: a.migrations === null || b.migrations === null ? null : a.migrations + b.migrations,
    };
  });
}

/** What the workers hashed in each run, MiB/s, slowest run first. */
const speeds = (runs: readonly (readonly Sampled[])[], seconds: number): number[] =>
  runs.map((run) => Math.round(run.reduce((sum, { report }) => sum + report.mebibytes, 0) / seconds)).sort((a, b) => a - b);

const moves = (results: readonly Sampled[]): string =>
  results.every(({ migrations }) => migrations !== null)
    ? `, ${results.reduce((sum, { migrations }) => sum + (migrations ?? 0), 0)} migrations`
    : '';

function compare(pinned: readonly number[], free: readonly number[]): string {
  const [slowest, fastest] = [Math.min, Math.max];
  if (slowest(...pinned) > fastest(...free)) return 'pinned was faster in each of the two runs';
  if (fastest(...pinned) < slowest(...free)) return 'free was faster in each of the two runs';
  return 'the runs overlap: no difference to see here';
}

function positive(text: string | undefined, name: string, most: number, whole: boolean): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && value <= most) || (whole && !Number.isInteger(value)))
    throw new UsageError(`--${name} is a ${whole ? 'whole ' : ''}number above 0, at most ${most}, not '${text}'`, usage);
  return value;
}

export async function run(args: string[]): Promise<number> {
  const options = parse(args, { seconds: { type: 'string' }, workers: { type: 'string' } }, usage);
  const seconds = positive(options.seconds, 'seconds', 3600, false) ?? 1;
  const machine = topology();
  const usable = machine.cpus.allowed.size;
  const asked = positive(options.workers, 'workers', usable, true);
  console.log(picture(machine, process.stdout.columns || 100));

  const cores = spread({ by: 'core' });
  // Two workers even where there is one core: they share its seat.
  const plan: Plan = asked === undefined ? cores : spread({ by: 'core', count: asked });
  const count = asked ?? Math.max(2, plan.seats.length);

  console.log(`\n${count} workers hash, twice ${seconds} s on their seats and twice ${seconds} s where the scheduler likes, in turn.`);
  const pinnedRuns: Sampled[][] = [];
  const freeRuns: Sampled[][] = [];
  for (let round = 0; round < 2; round += 1) {
    pinnedRuns.push(await runWorkers(count, seconds, workerOptions(plan)));
    freeRuns.push(await runWorkers(count, seconds, {}));
  }
  const [pinned, free] = [pinnedRuns, freeRuns].map(([first, second]) => both(first as Sampled[], second as Sampled[])) as [
    Sampled[],
    Sampled[],
  ];
  console.log(`\nOn their seats:\n\n${table(heads, rows(pinned, machine))}`);
  console.log(`\nWhere the scheduler likes:\n\n${table(heads, rows(free, machine))}`);

  const [a, b] = [speeds(pinnedRuns, seconds), speeds(freeRuns, seconds)];
  const spoken = (speed: readonly number[]): string => speed.map((value) => value.toLocaleString('en')).join(' and ');
  console.log(`\npinned ${spoken(a)} MiB/s${moves(pinned)} · free ${spoken(b)} MiB/s${moves(free)}: ${compare(a, b)}.`);
  const faults = broken(pinned);
  for (const fault of faults) console.log(`FAULT: ${fault}`);
  if (faults.length > 0) return exitStatus.failed;
  const all = pinned.reduce((sum, result) => sum + looks(result), 0);
  console.log(
    `Every pinned worker was on its seat in all of ${all.toLocaleString('en')} looks: its own after each hash, the kernel's every ${sampleEvery} ms.`,
  );
  return exitStatus.good;
}
