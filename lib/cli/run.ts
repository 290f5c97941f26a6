import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadError, native } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { endBy, launch, type Ending } from '../run/launch.ts';
import { makeOrder, type MadeOrder, type Wishes } from '../run/make-order.ts';
import { Sightings } from '../run/sightings.ts';
import { reason, RunMetrics } from './run-metrics.ts';
import { runReport } from './run-report.ts';
import { exitStatus, parse, UsageError } from './usage.ts';

export const usage = `Usage: groupaffinity run [options] -- COMMAND [ARGUMENT...]

Runs a command with the threads of every Node process in it placed: the command itself, its child processes, their
child processes. The program is unchanged and knows nothing of it.

  --main WHERE       the main thread
  --workers PLAN     worker threads: each takes the next free seat of the plan when it starts
  --libuv WHERE      libuv's pool (file system, DNS, crypto, zlib)
  --v8 WHERE         V8's helpers (garbage collection, compilation)
  --processes PLAN   each process takes the next free seat of this plan for all of its threads, and gives it back when it
                     ends; the other options place inside of it
  --processes share  all processes together take the seats of --workers: their workers, and the main threads of those that
                     were forked with a channel to their parent, as cluster and pools fork them
  --report           tell on standard error, after the command has ended, where every thread was seen
  --metrics FILE     keep in FILE, for Prometheus: seats, drifts, migrations, context switches
  --every SECONDS    write it so often (10), and at the end

WHERE  0-3,8   1:0xff   group:1   numa:0   core:2   package:0   l3:1
PLAN   a unit, a seat each: cpu, core, l3, numa, group, package; with options, as core,count=4,within=numa:0,pack:
       count=N|quota  within=WHERE  exclude=WHERE  prefer=performance|efficiency  pack
       or the CPUs of each seat: 0-1/2-3

Exit status: the command's own, and its signal; 127 there is no such command, 126 it can't be run, 2 wrong usage, no
such CPUs or no temporary folder, 3 not supported here.`;

function split(args: string[]): { own: string[]; command: string[] } {
  const at = args.indexOf('--');
  if (at < 0) throw new UsageError('-- and a command are missing, as in: groupaffinity run --main 0 -- node app.js', usage);
  const command = args.slice(at + 1);
  if (command.length === 0 || command[0] === '') throw new UsageError('a command is missing after --', usage);
  return { own: args.slice(0, at), command };
}

/** As shells and env(1) have it: 127 where there is no such command, 126 where there is and it can't be run. */
const statusOf = (code: string): number => (code === 'ENOENT' || code === 'ENOTDIR' ? 127 : 126);

const why: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such command',
  ENOTDIR: 'there is no such command',
  EACCES: 'permission denied',
  E2BIG: 'its arguments and environment are too long',
};

/** Between two files of metrics, seconds. */
const least = 0.1;
const longest = 3600;

interface Options {
  readonly wishes: Wishes;
  readonly report: boolean;
  readonly metrics: string | undefined;
  readonly seconds: number;
}

function options(args: string[]): Options {
  const {
    report = false,
    metrics,
    every,
    ...wishes
  } = parse(
    args,
    {
      main: { type: 'string' },
      workers: { type: 'string' },
      libuv: { type: 'string' },
      v8: { type: 'string' },
      processes: { type: 'string' },
      report: { type: 'boolean' },
      metrics: { type: 'string' },
      every: { type: 'string' },
    },
    usage,
  );
  if (Object.keys(wishes).length === 0 && !report && metrics === undefined)
    throw new UsageError('nothing is to be placed, and nothing reported', usage);
  if (wishes.processes === 'share' && wishes.workers === undefined)
    throw new UsageError('--processes share is of --workers: say which', usage);
  if (metrics === '') throw new UsageError('--metrics: a file is missing', usage);
  if (every !== undefined && metrics === undefined) throw new UsageError('--every is of --metrics: say which file', usage);
  const seconds = every === undefined ? 10 : /^\d*\.?\d+$/.test(every) ? Number(every) : 0;
  if (!(seconds >= least && seconds <= longest))
    throw new UsageError(`--every is a number of seconds from ${least} to ${longest}, not '${every}'`, usage);
  return { wishes, report, metrics, seconds };
}

/** ms between looks at the program. */
const looks = { report: 250, metrics: 1000 };

/** Numbers that are out of range are wrong texts here. */
function made(wishes: Wishes): MadeOrder {
  try {
    return makeOrder(wishes);
  } catch (error) {
    throw error instanceof RangeError ? new AffinityError('ERR_AFFINITY_SYNTAX', error.message) : error;
  }
}

/** A folder for what the program's processes tell of themselves. */
function scratch(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'groupaffinity-'));
  } catch (error) {
    throw new AffinityError('ERR_AFFINITY_REFUSED', `no temporary folder can be made in ${tmpdir()}: ${reason(error)}`);
  }
}

export async function run(args: string[]): Promise<number> {
  const { own, command } = split(args);
  const { wishes, report, metrics: metricsFile, seconds } = options(own);
  if (loadError !== undefined) throw loadError;
  if (!native.support().affinity)
    throw new AffinityError('ERR_AFFINITY_UNSUPPORTED', `threads can't be confined to CPUs on ${native.support().platform}`);

  const watched = report || metricsFile !== undefined;
  const folder = watched ? scratch() : undefined;
  const file = folder === undefined ? undefined : join(folder, 'threads');
  let ending: Ending;
  try {
    const { order, dropped, warnings } = made({ ...wishes, report: file });
    for (const [option, cpus] of dropped) console.error(`groupaffinity: --${option}: CPU ${cpus} is offline and left out`);
    for (const warning of warnings) console.error(`groupaffinity: ${warning}`);
    const often = report ? looks.report : Math.min(looks.metrics, seconds * 1000);
    const sightings = file === undefined ? undefined : new Sightings(file, { order, often, keeps: report });
    const metrics =
      metricsFile === undefined || sightings === undefined ? undefined : await RunMetrics.on(metricsFile, order, sightings, usage);
    ending = await launch(order, command, () => {
      sightings?.begin();
      metrics?.begin(seconds);
    });
    const processes = sightings?.end();
    await metrics?.end();
    if (report && sightings !== undefined && processes !== undefined && !('code' in ending))
      console.error(`\n${runReport(processes, order, sightings.count)}`);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
  if ('code' in ending) {
    console.error(`groupaffinity: ${command[0]}: ${why[ending.code] ?? ending.code}`);
    return statusOf(ending.code);
  }
  if ('status' in ending) return ending.status;
  endBy(ending.signal);
  // Where signals end no process.
  return exitStatus.failed;
}
