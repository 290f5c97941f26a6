/** Throughput: worker threads with work for all of their time, on the seats that they are given. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { native, packageRoot, type ThreadState } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import type { Plan } from '../workers/plan.ts';
import { workerOptions } from '../workers/seats.ts';
import type { WorkerSeen } from './result.ts';
import type { RateOutcome, WorkTask } from './task.ts';
import { chunk, lineWords, memoryFor, phase, type Ready, type Report, type WorkerOrder } from './work-signal.ts';

const file = join(packageRoot, 'dist', 'bench', 'work-worker.js');

function planOf(seats: readonly string[]): Plan {
  return { by: 'core', seats: seats.map((cpus, seat) => ({ seat, cpus: CpuSet.parse(cpus), group: null, node: null })), quota: null };
}

/** Looks at the workers in a run: at its two ends and between. */
const looks = 4;

interface Watched {
  readonly thread: number;
  readonly states: ThreadState[];
}

function look(watched: readonly Watched[]): void {
  for (const { thread, states } of watched) {
    const state = native.readThread(thread);
    if (state !== null) states.push(state);
  }
}

function seenOf({ states }: Watched, { seen }: Report): WorkerSeen {
  // The last CPU of before the run is none of the run's.
  const last = states.slice(1).flatMap(({ lastCpu }) => (lastCpu === null ? [] : [lastCpu]));
  const [first, final] = [states[0]?.migrations ?? null, states.at(-1)?.migrations ?? null];
  return {
    allowed: [...new Set(states.map(({ allowed }) => String(CpuSet.fromMask(allowed))))].join(' then '),
    seen: String(CpuSet.of([...seen, ...last])),
    migrations: first === null || final === null ? null : final - first,
  };
}

export async function sampleWork({ load, workers: count, seats }: WorkTask, milliseconds: number): Promise<RateOutcome> {
  const memory = memoryFor(count);
  const words = new Int32Array(memory);
  const options = seats.length > 0 ? workerOptions(planOf(seats)) : {};
  const workers = Array.from(
    { length: count },
    (_, worker) => new Worker(file, { workerData: { load, memory, worker } satisfies WorkerOrder, ...options }),
  );
  const tell = (now: number): void => {
    Atomics.store(words, 0, now);
    Atomics.notify(words, 0);
  };
  const chunks = (): number => workers.reduce((sum, _, worker) => sum + (Atomics.load(words, (worker + 1) * lineWords) >>> 0), 0);
  const message = async <T>(worker: Worker): Promise<T> => ((await once(worker, 'message')) as [T])[0];
  try {
    const ready = await Promise.all(workers.map((worker) => message<Ready>(worker)));
    const watched = ready.map(({ thread }): Watched => ({ thread, states: [] }));
    const own = native.readThread(native.currentThread())?.allowed;
    tell(phase.warmUp);
    await sleep(milliseconds / 3);

    tell(phase.measure);
    look(watched);
    const begun = native.clock();
    const before = chunks();
    for (let part = 1; part <= looks; part += 1) {
      await sleep(milliseconds / looks);
      if (part < looks) look(watched);
    }
    const done = chunks() - before;
    const seconds = (native.clock() - begun) / 1e9;
    look(watched);
    const reports = Promise.all(workers.map((worker) => message<Report>(worker)));
    tell(phase.stop);

    const reported = await reports;
    const seen = watched.map((worker, at) => seenOf(worker, reported[at] as Report));
    const places = seats.length > 0 ? seats : own === undefined ? [] : [String(CpuSet.fromMask(own))];
    return { kind: 'rate', rate: (done * chunk[load]) / seconds, workers: seen, strays: straysAmong(seen, places) };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/**
 * How many workers were not where they were to be: the system's record shows another set than a seat, or several, or one
 * found itself off its seat, or more of them share a seat than must. Without seats to be on, none.
 */
export function straysAmong(workers: readonly WorkerSeen[], seats: readonly string[]): number {
  if (seats.length === 0) return 0;
  const share = Math.ceil(workers.length / seats.length);
  const taken = new Map<string, number>();
  return workers.filter(({ allowed, seen }) => {
    const seat = seats.find((cpus) => cpus === allowed);
    if (seat === undefined || !CpuSet.parse(seen).isSubsetOf(CpuSet.parse(seat))) return true;
    taken.set(seat, (taken.get(seat) ?? 0) + 1);
    return (taken.get(seat) ?? 0) > share;
  }).length;
}
