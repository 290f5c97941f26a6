/** The start routine of placement.ts: tells what its thread is, and stays until it is let go. */
import { StorPortGetCurrentIrql } from 'groupaffinity/storport';
import { words } from '../placement-protocol.ts';
import { ownThread } from '../record.ts';

export default function routine(memory: SharedArrayBuffer): void {
  const shared = new Int32Array(memory);
  const irql = { value: -1 };
  StorPortGetCurrentIrql({}, irql);
  shared[words.irql] = irql.value;
  shared[words.thread] = ownThread() ?? 0;
  Atomics.store(shared, words.told, 1);
  Atomics.notify(shared, words.told);
  Atomics.wait(shared, words.letGo, 0, 60_000);
}
