/**
 * Many threads of one process at once, 16 of them alive: workers that take seats, move themselves by every call there
 * is and make system threads, and that end in every way there is, terminate() at any moment of their life included.
 * `node storm.mjs WORKERS SEED` prints what it did as one JSON document.
 */
import { readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { affinity, allowedCpus, currentCpu, pin, topology, withAffinity } from 'groupaffinity';
import * as storport from 'groupaffinity/storport';
import { KeLowerIrql, KeRaiseIrql } from 'groupaffinity/wdm';
import { guard, seat, sitters, spread, workerOptions, type Drift } from 'groupaffinity/workers';

type Random = () => number;

/** mulberry32 */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;

/** Ways to end, by the worker itself and from without. */
const endings = ['return', 'exit', 'throw', 'terminate', 'terminate', 'spin', 'wait'] as const;
type Ending = (typeof endings)[number];

interface Orders {
  readonly ending: Ending;
  readonly seed: number;
}

function threadContext(out: storport.Out<storport.ThreadContext | null>): storport.ThreadContext | null {
  return out.value;
}

/** Nobody else places these threads. */
function drifted(drift: Drift): never {
  writeSync(2, `a thread was ${drift.what} (${drift.cause}): ${drift.found}, not ${drift.wanted}`);
  process.abort();
}

/** What a thread does at random, each a small program of its own. A thread that is to end by returning is kept by no other. */
function deeds(random: Random, ending: Ending): (() => void)[] {
  const adapter = {};
  const cpus = allowedCpus().toArray();
  const { groups } = topology();
  const previous = (): storport.STOR_GROUP_AFFINITY => new storport.STOR_GROUP_AFFINITY({ Mask: 1n });
  const wanted = (): storport.STOR_GROUP_AFFINITY => {
    const { group, activeMask } = pick(random, groups);
    return new storport.STOR_GROUP_AFFINITY({ Mask: activeMask & BigInt(Math.floor(random() * 2 ** 32)), Group: group });
  };
  const setAndRevert = (turns: number): void => {
    for (let turn = 0; turn < turns; turn += 1) {
      const before = previous();
      const status = storport.StorPortSetSystemGroupAffinityThread(adapter, null, wanted(), before);
      if (status === storport.STOR_STATUS_SUCCESS) storport.StorPortRevertToUserGroupAffinityThread(adapter, null, before);
    }
  };
  const create = (): storport.ThreadContext | null => {
    const out: storport.Out<storport.ThreadContext | null> = { value: null };
    const orders: Orders = {
      ending: pick(random, ending === 'return' ? ['return', 'exit'] : ['return', 'exit', 'spin']),
      seed: Math.floor(random() * 2 ** 32),
    };
    storport.StorPortCreateSystemThread(adapter, import.meta.url, orders, null, out);
    return threadContext(out);
  };
  return [
    () => setAndRevert(200),
    () => {
      for (let turn = 0; turn < 200; turn += 1) {
        const outer = pin([pick(random, cpus)]);
        const inner = pin(cpus);
        if (random() < 0.5) inner.restore();
        outer.restore();
      }
    },
    () => {
      const here = pin([pick(random, cpus)]);
      const watch = guard(here, { check: 10, onDrift: drifted });
      setAndRevert(10);
      if (random() < 0.3) watch.stop();
      if (random() < 0.8) here.restore();
    },
    () => void withAffinity([pick(random, cpus)], async () => setAndRevert(3)),
    () => {
      const old = { value: 0 };
      KeRaiseIrql(2, old);
      setAndRevert(5);
      KeLowerIrql(old.value);
    },
    () => {
      affinity();
      currentCpu();
      seat();
      topology();
    },
    () => {
      storport.StorPortGetActiveGroupCount(adapter, { value: 0 });
      storport.StorPortGetGroupAffinity(adapter, 0, { value: 0n });
      storport.StorPortGetCurrentProcessorNumber(adapter, new storport.PROCESSOR_NUMBER());
      sitters(spread({ by: 'cpu' }));
    },
    () => {
      const context = create();
      if (context === null) return;
      storport.StorPortSetPriorityThread(adapter, context, pick(random, [7, 8, 9]));
      storport.StorPortWaitForSingleObject(adapter, context, false, { value: BigInt(Math.floor(random() * -100_000)) });
    },
  ];
}

function rage(random: Random, ending: Ending, turns: number): void {
  const all = deeds(random, ending);
  for (let turn = 0; turn < turns; turn += 1) pick(random, all)();
}

/** The start routine of the storm's system threads. */
export default function routine({ ending, seed }: Orders): unknown {
  rage(randomFrom(seed), ending, 3);
  if (ending === 'exit') storport.StorPortTerminateSystemThread({}, null);
  return ending === 'spin' ? new Promise(() => setInterval(rage, 1, randomFrom(seed), ending, 1)) : undefined;
}

function live({ ending, seed }: Orders): void {
  const random = randomFrom(seed);
  parentPort?.postMessage('begun');
  rage(random, ending, 8);
  switch (ending) {
    case 'return':
      return;
    case 'exit':
      process.exit(0);
    // oxlint-disable-next-line no-fallthrough
    case 'throw':
      throw new Error('crash');
    case 'wait': {
      const out: storport.Out<storport.ThreadContext | null> = { value: null };
      storport.StorPortCreateSystemThread({}, import.meta.url, { ending: 'spin', seed } satisfies Orders, null, out);
      const context = threadContext(out);
      if (context !== null) storport.StorPortWaitForSingleObject({}, context, false, null);
      return;
    }
    case 'terminate':
    case 'spin':
      for (;;) rage(random, ending, 1);
  }
}

async function storm(workers: number, seed: number): Promise<void> {
  const random = randomFrom(seed);
  const plans = [spread({ by: 'cpu' }), spread({ by: 'core' }), spread({ by: 'cpu', count: 1 })];
  const watches = plans.map((plan) => guard(plan, { check: 10, onDrift: drifted }));
  const did: Record<string, number> = {};
  let left = workers;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const ending = pick(random, endings);
      did[ending] = (did[ending] ?? 0) + 1;
      const orders: Orders = { ending, seed: Math.floor(random() * 2 ** 32) };
      const options = random() < 0.9 ? workerOptions(pick(random, plans)) : {};
      const worker = new Worker(fileURLToPath(import.meta.url), { ...options, workerData: { storm: orders }, stderr: true });
      worker.on('error', () => {});
      const ended = new Promise((end) => worker.once('exit', end));
      if (ending === 'terminate') {
        await new Promise((later) => setTimeout(later, random() * 400));
        await worker.terminate();
      } else if (ending === 'spin' || ending === 'wait') {
        await Promise.race([new Promise((begun) => worker.once('message', begun)), ended]);
        await new Promise((later) => setTimeout(later, random() * 400));
        await worker.terminate();
      }
      await ended;
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  for (const watch of watches) watch.stop();
  const libraries = new Set(readFileSync('/proc/self/maps', 'utf8').match(/(?<=\/)(lib[atu]\w*san|groupaffinity)(?=\.\S*$)/gm));
  console.log(JSON.stringify({ did, sitters: plans.map(sitters), libraries: [...libraries].sort() }));
}

const orders = (workerData as { storm?: Orders } | null)?.storm;
if (orders !== undefined) live(orders);
else if (isMainThread) await storm(Number(process.argv[2]), Number(process.argv[3]));
