import { parseArgs } from 'node:util';
import { loadError, realTime } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { endBy } from '../run/launch.ts';
import { nodeProcesses, seeProcess, type SeenProcess } from '../threads/processes.ts';
import type { ThreadRole } from '../threads/roles.ts';
import type { Listed } from '../threads/threads.ts';
import { plain } from './plain-text.ts';
import { redraw, type Room } from './screen.ts';
import { table } from './table.ts';
import { exitStatus, UsageError } from './usage.ts';

export const usage = `Usage: groupaffinity ps [--json] [--watch[=SECONDS]] [PID...]

The threads of running Node processes, and which CPUs they are on, as the operating system shows them: the processes
need not know this library, and nothing in them is touched. Without a PID, the Node processes of this user (of everybody,
for root), a line each.

  --watch[=SECONDS]   again every so many seconds (2), with what happened in between a second; Ctrl-C ends it
  --json              one JSON document on standard output, and nothing else

A role is known (the main thread), named (the thread has the name that Node gives to such threads: Node 22 to libuv's,
24 and later to all), inferred (it behaves as only such threads do, or is who is left), or unsure (the likeliest).

Exit status: 0 good, 1 a PID is no Node process, has ended or is not shown to this user, 2 wrong usage, 3 not supported
here.`;

interface Options {
  readonly json: boolean;
  readonly watch: number | undefined;
  readonly pids: readonly number[];
}

const longest = 86_400;

function options(args: string[]): Options {
  // --watch alone is every two seconds.
  const spelled = args.map((arg) => (arg === '--watch' ? '--watch=2' : arg));
  let parsed;
  try {
    parsed = parseArgs({
      args: spelled,
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, watch: { type: 'string' } },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, usage);
  }
  const { json, watch } = parsed.values;
  const seconds = watch === undefined ? undefined : /^\d*\.?\d+$/.test(watch) ? Number(watch) : 0;
  if (seconds !== undefined && !(seconds >= 0.1 && seconds <= longest))
    throw new UsageError(`--watch is a number of seconds from 0.1 to ${longest}, not '${watch}'`, usage);
  if (json && seconds !== undefined) throw new UsageError('--json prints one document, --watch goes on: take one of them', usage);
  const pids = parsed.positionals.map((text) => {
    if (!/^[1-9]\d{0,9}$/.test(text)) throw new UsageError(`a PID is a whole number from 1, not '${text}'`, usage);
    return Number(text);
  });
  return { json, watch: seconds, pids: [...new Set(pids)] };
}

const order: readonly ThreadRole[] = ['main', 'worker', 'libuv', 'v8', 'inspector', 'other'];

const byRole = (a: Listed, b: Listed): number => order.indexOf(a.role.role) - order.indexOf(b.role.role) || a.state.thread - b.state.thread;

const allowed = ({ state }: Listed): CpuSet => CpuSet.fromMask(state.allowed);

/** What happened to a thread since the last look, a second. */
interface Rates {
  /** Of one CPU, 0 to 1. */
  readonly load: number;
  readonly switches: number;
  readonly migrations: number;
}

class Rating {
  #before = new Map<string, Listed['state']>();
  #at = 0;
  #rates = new Map<number, Rates>();

  look(threads: readonly Listed[]): void {
    const now = performance.now();
    const seconds = (now - this.#at) / 1000;
    const key = ({ thread, started }: Listed['state']): string => `${thread} ${started}`;
    this.#rates = new Map(
      threads.flatMap(({ state }) => {
        const before = this.#before.get(key(state));
        if (before === undefined) return [];
        const a = (of: 'cpuTime' | 'voluntarySwitches' | 'involuntarySwitches' | 'migrations'): number =>
          ((state[of] ?? 0) - (before[of] ?? 0)) / seconds;
        return [
          [
            state.thread,
            { load: a('cpuTime') / 1000, switches: a('voluntarySwitches') + a('involuntarySwitches'), migrations: a('migrations') },
          ],
        ];
      }),
    );
    this.#before = new Map(threads.map(({ state }) => [key(state), state]));
    this.#at = now;
  }

  of({ state }: Listed): Rates | undefined {
    return this.#rates.get(state.thread);
  }
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const aSecond = (rate: number): number => (rate >= 10 ? Math.round(rate) : Number(rate.toFixed(1)));

function threadTable(threads: readonly Listed[], rating: Rating | undefined): string {
  const heads = ['tid', 'role', 'sure', 'name', 'allowed', 'on', 'waits', 'preempted', 'migrations'];
  const rates = ['cpu %', 'switches/s', 'migrations/s'];
  const rows = threads.map((thread) => {
    const { state, role } = thread;
    const rate = rating?.of(thread);
    return [
      `${state.thread}`,
      role.role,
      role.certainty,
      state.name,
      String(allowed(thread)),
      `${state.lastCpu ?? '-'}`,
      state.voluntarySwitches ?? '-',
      state.involuntarySwitches ?? '-',
      state.migrations ?? '-',
      ...(rating === undefined
        ? []
        : rate === undefined
          ? ['-', '-', '-']
          : [Math.round(rate.load * 100), aSecond(rate.switches), aSecond(rate.migrations)]),
    ];
  });
  return table(rating === undefined ? heads : [...heads, ...rates], rows);
}

/** Threads by what they do: main, worker ×2. */
function who(threads: readonly Listed[]): string {
  return order
    .map((role) => ({ role, count: threads.filter((thread) => thread.role.role === role).length }))
    .filter(({ count }) => count > 0)
    .map(({ role, count }) => (count === 1 ? role : `${role} ×${count}`))
    .join(', ');
}

const bar = (share: number, width = 10): string => {
  const full = Math.min(width, Math.round(share * width));
  return '█'.repeat(full) + '░'.repeat(width - full);
};

/** The CPUs on which a thread was last, or which is all that one may use. */
function map(threads: readonly Listed[], rating: Rating | undefined): string {
  const alone = (thread: Listed): number | undefined => {
    const cpus = allowed(thread);
    return cpus.size === 1 ? cpus.first : undefined;
  };
  const cpus = CpuSet.of(threads.flatMap((thread) => [thread.state.lastCpu, alone(thread)].filter((cpu) => typeof cpu === 'number')));
  const rows = cpus.toArray().map((cpu) => {
    const here = threads.filter(({ state }) => state.lastCpu === cpu);
    const bound = threads.filter((thread) => alone(thread) === cpu);
    const load = here.reduce((sum, thread) => sum + (rating?.of(thread)?.load ?? 0), 0);
    const guests = here.filter((thread) => !bound.includes(thread));
    return [
      `${cpu}`,
      ...(rating === undefined ? [] : [`${bar(load)} ${percent(load).padStart(5)}`]),
      who(bound) || '-',
      who(guests) || '-',
    ];
  });
  return table(['cpu', ...(rating === undefined ? [] : ['load']), 'only here', 'last here'], rows);
}

const commandLine = ({ process: { arguments: words, program, name } }: SeenProcess): string =>
  words.length > 0 ? words.join(' ') : program || name;

function drawProcess(seen: SeenProcess, rating?: Rating): string {
  const threads = seen.threads.toSorted(byRole);
  rating?.look(threads);
  const count = threads.length === 1 ? '1 thread' : `${threads.length} threads`;
  return [
    `process ${seen.process.process} · ${count} · ${plain(commandLine(seen))}`,
    '',
    map(threads, rating),
    '',
    threadTable(threads, rating),
  ].join('\n');
}

function drawList(all: readonly SeenProcess[], { columns }: Room): string {
  if (all.length === 0) return 'no Node process of this user runs';
  const users = new Set(all.map(({ process }) => process.user));
  const rows = all.map((seen) => {
    const main = seen.threads.find(({ role }) => role.role === 'main');
    const { process } = seen;
    return [
      `${process.process}`,
      ...(users.size > 1 ? [`${process.user ?? '-'}`] : []),
      seen.threads.length,
      main === undefined ? '-' : String(allowed(main)),
      `${main?.state.lastCpu ?? '-'}`,
      commandLine(seen),
    ];
  });
  const text = table(['pid', ...(users.size > 1 ? ['user'] : []), 'threads', 'main allowed', 'on', 'command'], rows);
  return text
    .split('\n')
    .map((line) => Array.from(line).slice(0, columns).join(''))
    .join('\n');
}

function asJson({ process: seen, threads }: SeenProcess): object {
  const { process: pid, parent, name, program, arguments: words, user } = seen;
  return {
    pid,
    parent,
    user,
    name,
    program,
    arguments: words,
    threads: threads.map((thread) => {
      const { state, role } = thread;
      return {
        tid: state.thread,
        role: role.role,
        certainty: role.certainty,
        name: state.name,
        allowed: allowed(thread),
        lastCpu: state.lastCpu,
        voluntarySwitches: state.voluntarySwitches,
        involuntarySwitches: state.involuntarySwitches,
        migrations: state.migrations,
        cpuMilliseconds: state.cpuTime,
        priority: state.nice === realTime ? 'realtime' : state.nice,
      };
    }),
  };
}

/** Processes that there are, and what is wrong with the others. */
function see(pids: readonly number[]): { seen: SeenProcess[]; wrong: string[] } {
  if (pids.length === 0) return { seen: nodeProcesses().filter(({ process: { process: pid } }) => pid !== process.pid), wrong: [] };
  const wrong: string[] = [];
  const seen = pids.flatMap((pid) => {
    try {
      return [seeProcess(pid)];
    } catch (error) {
      if (!(error instanceof AffinityError) || error.code === 'ERR_AFFINITY_UNSUPPORTED') throw error;
      wrong.push(error.message);
      return [];
    }
  });
  return { seen, wrong };
}

function complain(wrong: readonly string[]): number {
  for (const message of wrong) console.error(`groupaffinity: ${plain(message)}`);
  return wrong.length > 0 ? exitStatus.failed : exitStatus.good;
}

async function watch(pids: readonly number[], seconds: number): Promise<number> {
  const first = see(pids);
  if (first.wrong.length > 0) return complain(first.wrong);
  const ratings = new Map(pids.map((pid) => [pid, new Rating()]));
  const born = ({ threads }: SeenProcess): number | null | undefined => threads.find(({ role }) => role.role === 'main')?.state.started;
  const births = new Map(first.seen.map((seen) => [seen.process.process, born(seen)]));
  const signal = await redraw(seconds, (room) => {
    const { seen } = see(pids);
    if (pids.length === 0) return drawList(seen, room);
    // Its number may be another's by now.
    const living = seen.filter((one) => births.get(one.process.process) === born(one));
    if (living.length === 0) return undefined;
    return living.map((one) => drawProcess(one, ratings.get(one.process.process))).join('\n\n');
  });
  if (signal === undefined) console.log(pids.length === 1 ? `process ${pids[0]} has ended` : 'all of them have ended');
  else if (signal !== 'SIGINT') endBy(signal);
  return exitStatus.good;
}

export async function run(args: string[]): Promise<number> {
  const { json, watch: seconds, pids } = options(args);
  if (loadError !== undefined) throw loadError;
  if (seconds !== undefined) return watch(pids, seconds);
  const { seen, wrong } = see(pids);
  if (json) console.log(JSON.stringify({ processes: seen.map(asJson) }, null, 2));
  else if (pids.length === 0) console.log(drawList(seen, { columns: process.stdout.columns || Infinity, rows: Infinity }));
  else if (seen.length > 0) console.log(seen.map((one) => drawProcess(one)).join('\n\n'));
  return complain(wrong);
}
