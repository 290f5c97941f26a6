/** The worker of placement.ts: tells where it sits and what it sees, then does as it is told. */
import { parentPort } from 'node:worker_threads';
import { affinity, currentCpu } from 'groupaffinity';
import { seat } from 'groupaffinity/workers';
import type { Order, Sighting } from '../placement-protocol.ts';
import { ownThread, recorded } from '../record.ts';

const sat = seat();
const seen = new Set<number>();
const groups = new Set<number>();
const end = performance.now() + 50;
for (let looks = 0; looks < 100 || performance.now() < end; looks += 1) {
  const { cpu, group } = currentCpu();
  seen.add(cpu).add(recorded()?.lastCpu ?? cpu);
  groups.add(group);
}

parentPort?.postMessage({
  thread: ownThread() ?? null,
  seat: sat?.seat ?? null,
  sharers: sat?.sharers ?? 0,
  affinity: String(affinity()),
  seen: [...seen],
  groups: [...groups],
} satisfies Sighting);
parentPort?.on('message', (order: Order) => {
  if (order === 'spin') for (;;);
  if (order === 'crash') throw new Error('crash');
  if (order === 'exit') process.exit(3);
  parentPort?.close();
});
