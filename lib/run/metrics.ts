/** A run in Prometheus' text format. */
import { basename } from 'node:path';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';
import type { ThreadRole } from '../threads/roles.ts';
import type { Order, SeatOrder } from './order.ts';
import type { LivingProcess, LivingThread } from './sightings.ts';
import type { Tally } from './tally.ts';

export interface RunNow {
  /** Tells runs of one machine apart. */
  readonly name: string;
  readonly version: string;
  readonly running: boolean;
  readonly order: Order;
  /** Of all processes that there were. */
  readonly tally: Tally;
  readonly processes: readonly LivingProcess[];
}

/** Every process, thread and seat is a time series of its own: of more than these the first are told. */
const most = { processes: 100, threads: 1000 };

/** Roles that have no place of their own in any order can't lose it. */
const hasPlace = (role: ThreadRole): boolean => role !== 'inspector' && role !== 'other';

const byNumber = (a: LivingThread, b: LivingThread): number => a.tid - b.tid;

/** What runs, without its arguments: they are nobody's business. */
const command = ([node = '', script = node]: readonly string[]): string => basename(script);

type Labels = Readonly<Record<string, string | number>>;

export function exposition({ name, version, running, order, tally, processes }: RunNow): Promise<string> {
  const registry = new Registry();
  registry.setDefaultLabels({ run: name });
  const registers = [registry];
  const gauge = (metric: string, help: string, labelNames: readonly string[] = []): ((labels: Labels, value: number) => void) => {
    const made = new Gauge({ name: `groupaffinity_${metric}`, help, labelNames, registers });
    return (labels, value) => made.set(labels, value);
  };
  /** Of what the operating system does not tell there is no sample. */
  const counter = (metric: string, help: string, labelNames: readonly string[]): ((labels: Labels, value: number | null) => void) => {
    const made = new Counter({ name: `groupaffinity_${metric}_total`, help, labelNames, registers });
    return (labels, value) => {
      if (value !== null) made.inc(labels, value);
    };
  };
  const told = processes.slice(0, most.processes);
  const threads = processes.flatMap(({ threads }) => threads);

  gauge('info', 'The groupaffinity that wrote this.', ['version'])({ version }, 1);
  gauge('running', '1 while the command runs, 0 when it has ended.')({}, running ? 1 : 0);
  gauge('processes', 'Node processes that were placed and live.')({}, processes.length);
  const living = gauge('threads', 'Threads of these processes.', ['role']);
  const adrift = gauge('threads_adrift', 'Threads that were in their place, and have other CPUs now.', ['role']);
  for (const role of new Set([...tally.roles.keys(), ...threads.map(({ role }) => role.role)])) {
    const own = threads.filter((thread) => thread.role.role === role);
    living({ role }, own.length);
    if (hasPlace(role)) adrift({ role }, own.filter((thread) => thread.adrift).length);
  }

  const shareProcesses = gauge('share_processes', 'Processes that have a share of --processes.', ['share', 'cpus']);
  const seatThreads = gauge('seat_threads', 'Threads that sit on a seat of --workers.', ['share', 'seat', 'cpus']);
  const sitting = (share: number | null, seats: readonly SeatOrder[] = []): void =>
    seats.forEach(([cpus], seat) => {
      const own = processes.filter((process) => share === null || process.share === share).flatMap(({ threads }) => threads);
      seatThreads({ share: share ?? '', seat, cpus }, own.filter((thread) => thread.seat === seat && thread.asked === cpus).length);
    });
  sitting(null, order.workers);
  order.shares?.forEach(({ cpus, workers }, share) => {
    shareProcesses({ share, cpus }, processes.filter((process) => process.share === share).length);
    sitting(share, workers);
  });

  const count = (what: string, whose: string, labels: readonly string[]): ((labels: Labels, tally: Tally) => void) => {
    const of = `${whose}, ended ones included`;
    const migrations = counter(`${what}migrations`, `Moves from one CPU to another: ${of}.`, [...labels, 'role']);
    const switches = counter(`${what}context_switches`, `Times a CPU was given up, or taken away: ${of}.`, [...labels, 'role', 'type']);
    const drifts = counter(`${what}drifts`, `Times a thread was seen to have other CPUs than it was given: ${of}.`, [...labels, 'role']);
    const mended = counter(`${what}drifts_mended`, `Times such a thread was seen in its place again: ${of}.`, [...labels, 'role']);
    return (labels, { roles }) => {
      for (const [role, counts] of roles) {
        migrations({ ...labels, role }, counts.migrations);
        switches({ ...labels, role, type: 'voluntary' }, counts.voluntarySwitches);
        switches({ ...labels, role, type: 'involuntary' }, counts.involuntarySwitches);
        if (!hasPlace(role)) continue;
        drifts({ ...labels, role }, counts.drifts);
        mended({ ...labels, role }, counts.mended);
      }
    };
  };
  count('', 'all threads of all processes', [])({}, tally);
  const process = gauge('process_info', 'A Node process that was placed and lives.', ['pid', 'command', 'share']);
  const countOf = count('process_', 'all threads of a process that lives', ['pid']);
  for (const { pid, arguments: words, share, tally } of told) {
    process({ pid, command: command(words), share: share ?? '' }, 1);
    countOf({ pid }, tally);
  }

  const info = gauge('thread_info', 'A thread that was given a place, the CPUs of that, and those that the kernel lets it use.', [
    'pid',
    'tid',
    'role',
    'seat',
    'asked',
    'allowed',
  ]);
  const migrations = counter('thread_migrations', 'Moves of a placed thread from one CPU to another.', ['pid', 'tid']);
  const switches = counter('thread_context_switches', 'Times a placed thread gave its CPU up, or had it taken away.', [
    'pid',
    'tid',
    'type',
  ]);
  const placed = told.flatMap(({ pid, threads }) =>
    threads
      .filter(({ asked }) => asked !== null)
      .sort(byNumber)
      .map((thread) => ({ ...thread, pid })),
  );
  for (const thread of placed.slice(0, most.threads)) {
    const { pid, tid, role, seat, asked, allowed } = thread;
    info({ pid, tid, role: role.role, seat: seat ?? '', asked: asked ?? '', allowed }, 1);
    migrations({ pid, tid }, thread.migrations);
    switches({ pid, tid, type: 'voluntary' }, thread.voluntarySwitches);
    switches({ pid, tid, type: 'involuntary' }, thread.involuntarySwitches);
  }
  return registry.metrics();
}
