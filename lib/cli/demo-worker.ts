// Real work for the demo: hashes until told to stop, and notes where it is between two hashes.
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '../binding.ts';
import { affinity, currentCpu } from '../threads/pin.ts';
import { seat } from '../workers/seats.ts';
import { stop, waiting, type DemoReport, type DemoStart } from './demo-protocol.ts';

const signal = new Int32Array(workerData as SharedArrayBuffer);
const block = Buffer.alloc(64 * 1024, 'groupaffinity');
const seen = new Map<number, number>();
let hashes = 0;

const place = seat();
parentPort?.postMessage({
  thread: native.currentThread(),
  seat: place === null ? null : { seat: place.seat, cpus: String(place.cpus), sharers: place.sharers },
} satisfies DemoStart);
Atomics.wait(signal, 0, waiting);
while (Atomics.load(signal, 0) !== stop) {
  createHash('sha256').update(block).digest();
  hashes += 1;
  const { cpu } = currentCpu();
  seen.set(cpu, (seen.get(cpu) ?? 0) + 1);
}
parentPort?.postMessage({
  mebibytes: (hashes * block.length) / 2 ** 20,
  seen: [...seen].sort(([a], [b]) => a - b),
  affinity: String(affinity()),
} satisfies DemoReport);
