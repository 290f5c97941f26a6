// Places the process that this runs in before its program's code: what dist/run-preload.cjs loads on a main thread. What
// few workers need they find here as well.
import { isMainThread } from 'node:worker_threads';
import { seatKey, type Seated } from '../workers/taking.ts';
import { ownLook, tell } from './looks.ts';
import { placeProcess } from './place-process.ts';

export { sitAmongAll } from './seating.ts';

export function tellOfWorker(report: string, threadId: number): void {
  const seat = (globalThis as Seated)[seatKey]?.seat ?? null;
  tell(report, { process: process.pid, seated: { threadId, seat, look: ownLook() } });
}

if (isMainThread) placeProcess();
