/**
 * Workers by the thousand: each is seated, looked at and ended, a third of them by terminate(). `node soak.mjs WORKERS
 * WARM-UP PARTS` prints a Soaked.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { affinity, pin } from 'groupaffinity';
import { seat, sitters, spread, workerOptions } from 'groupaffinity/workers';
import type { Soaked } from '../soak-protocol.ts';

/** Of six in turn; the last two are terminated. */
const endings = ['return', 'exit', 'crash', 'close', 'terminate', 'spin'] as const;
type Ending = (typeof endings)[number];

interface Hello {
  /** The number of its folder in /proc/self/task. */
  readonly thread: string;
  readonly cpus: string;
}

function live(ending: Ending): void {
  const own = seat();
  const there = pin(own?.cpus ?? affinity());
  if (ending !== 'crash') there.restore();
  const hello: Hello = { thread: readlinkSync('/proc/thread-self').split('/').at(-1) ?? '', cpus: String(own?.cpus) };
  parentPort?.on('message', () => {
    if (ending === 'exit') process.exit(0);
    if (ending === 'crash') throw new Error('crash');
    if (ending === 'spin') for (;;);
    parentPort?.close();
    if (ending === 'return') setImmediate(() => {});
  });
  parentPort?.postMessage(hello);
}

async function soak(workers: number, warmUp: number, parts: number): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const plan = spread({ by: 'cpu' });
  const alive = new Map<Worker, Hello>();
  const ended: Record<string, number> = {};
  const astray: string[] = [];
  let looks = 0;

  /** The kernel's record of a thread, past every call under test. */
  const look = ({ thread, cpus }: Hello, when: string): void => {
    let status: string;
    try {
      status = readFileSync(`/proc/self/task/${thread}/status`, 'utf8');
    } catch {
      return;
    }
    looks += 1;
    const found = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1];
    if (found !== cpus) astray.push(`${when}: ${found}, not ${cpus}`);
  };

  const one = async (ending: Ending): Promise<void> => {
    const worker = new Worker(fileURLToPath(import.meta.url), { ...workerOptions(plan), workerData: { ending }, stderr: true });
    worker.on('error', () => {});
    const exit = new Promise((end) => worker.once('exit', end));
    const hello = await new Promise<Hello>((said) => worker.once('message', said));
    alive.set(worker, hello);
    look(hello, 'at first');
    worker.postMessage('end');
    if (ending === 'spin' || ending === 'terminate') {
      await new Promise((later) => setTimeout(later, 5));
      look(hello, ending);
      alive.delete(worker);
      await worker.terminate();
    }
    await exit;
    alive.delete(worker);
    ended[ending] = (ended[ending] ?? 0) + 1;
  };

  let begun = 0;
  const until = async (count: number): Promise<Soaked['samples'][number]> => {
    const lane = async (): Promise<void> => {
      while (begun < count) await one(endings[begun++ % endings.length] as Ending);
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    // What the last workers left goes in a few rounds.
    for (let round = 0; round < 5; round += 1) {
      collect();
      await new Promise((later) => setTimeout(later, 100));
    }
    return {
      workers: begun,
      rss: process.memoryUsage.rss(),
      threads: readdirSync('/proc/self/task').length,
      files: readdirSync('/proc/self/fd').length,
    };
  };

  const watch = setInterval(() => {
    for (const hello of alive.values()) look(hello, 'at any time');
  }, 20);
  const samples = [await until(warmUp)];
  for (let part = 1; part <= parts; part += 1) samples.push(await until(warmUp + Math.round(((workers - warmUp) * part) / parts)));
  clearInterval(watch);
  const soaked: Soaked = { ended, looks, astray: astray.slice(0, 10), sitters: sitters(plan), samples };
  console.log(JSON.stringify(soaked));
}

if (isMainThread) await soak(Number(process.argv[2]), Number(process.argv[3]), Number(process.argv[4]));
else live((workerData as { ending: Ending }).ending);
