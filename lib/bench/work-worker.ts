// Works until it is told to stop, and notes how far it is and where.
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '../binding.ts';
import { chunk, lineWords, phase, type Ready, type Report, type WorkerOrder } from './work-signal.ts';

const { load, memory, worker } = workerData as WorkerOrder;
const words = new Int32Array(memory);
const { currentCpu } = native;

/** 16 MiB: more than a core has for itself. Its own pages, on the node where the worker sits. */
const mask = 2 ** 22 - 1;
const field = new Int32Array(load === 'memory' ? mask + 1 : 1).fill(0);

/** Each load's address comes from the one before, and no two in a row lie near each other. */
function fromMemory(from: number, steps: number): number {
  let at = from;
  for (let step = 0; step < steps; step += 1) at = (Math.imul(at, 1_664_525) + 1_013_904_223 + (field[at & mask] as number)) & mask;
  return at;
}

/** Xorshift. */
function inRegisters(from: number, steps: number): number {
  let state = from | 1;
  for (let step = 0; step < steps; step += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return state;
}

const work = load === 'memory' ? fromMemory : inRegisters;
const steps = chunk[load];
const count = (worker + 1) * lineWords;
const seen = new Set<number>();
let state = 1;

parentPort?.postMessage({ thread: native.currentThread() } satisfies Ready);
Atomics.wait(words, 0, phase.prepare);
for (let now = Atomics.load(words, 0); now !== phase.stop; now = Atomics.load(words, 0)) {
  state = work(state, steps);
  Atomics.add(words, count, 1);
  if (now === phase.measure) seen.add(currentCpu());
}
// The state goes along, so that no compiler may leave the work out.
parentPort?.postMessage({ seen: [...seen].sort((a, b) => a - b), state } satisfies Report & { state: number });
