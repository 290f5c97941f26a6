/**
 * Every thread of a process: who they are by each Node's habits, placed and prioritized, each seen by the kernel's record
 * where there is one (record.ts). Writes JSON to standard output: `[{ name, verdict, observed }]`.
 */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  affinity,
  CpuSet,
  getThreadPriority,
  placeProcess,
  setThreadAffinity,
  setThreadPriority,
  threads,
  type PlacedThread,
  type ThreadInfo,
  type ThreadRole,
} from 'groupaffinity';
import { spread, workerOptions } from 'groupaffinity/workers';
import { errorCode } from '../error-code.ts';
import { Found } from '../lab.ts';
import type { Sighting } from '../placement-protocol.ts';
import { allRecorded, recorded } from '../record.ts';

const found = new Found();
const linux = process.platform === 'linux';
/** Under qemu-user the kernel shows the emulator's threads, which has one of its own and keeps the program's signals to itself. */
const emulated = linux && process.arch === 'arm64';
const node = Number(process.versions.node.split('.')[0]);
const mine = affinity();
const [first = 0] = mine;
const last = mine.toArray().at(-1) ?? first;

function agree(what: string, wanted: unknown, seen: unknown): void {
  const [expected, observed] = [JSON.stringify(wanted), JSON.stringify(seen)];
  if (expected !== observed) throw new Error(`${what}: ${observed}, not ${expected}`);
}

async function started(file: string, options: object): Promise<{ worker: Worker; message: unknown }> {
  const worker = new Worker(fileURLToPath(new URL(file, import.meta.url)), options);
  return { worker, message: (await once(worker, 'message'))[0] as unknown };
}

const silent = [await started('./silent-worker.mjs', {}), await started('./silent-worker.mjs', { name: 'a silent one' })];
const seated = await started('./seated-worker.mjs', workerOptions(spread({ by: 'cpu', count: 1 })));
const workers = [...silent, seated];
await readFile(fileURLToPath(import.meta.url));

/** On a crowded machine libuv's pool may need longer for its answer than threads() waits. */
async function settled(): Promise<ThreadInfo[]> {
  for (let round = 0; ; round += 1) {
    const all = threads();
    if (round === 8 || !all.some(({ role, certainty }) => role === 'libuv' && certainty === 'unsure')) return all;
    await new Promise((soon) => setTimeout(soon, 1100));
  }
}
// Starts the pool where nothing else has.
const pool = setThreadAffinity('libuv', mine);
const all = await settled();
const of = (role: ThreadRole): ThreadInfo[] => all.filter((thread) => thread.role === role);
const told = (list: readonly ThreadInfo[]): string => list.map(({ role, certainty, name }) => `${role} ${certainty} '${name}'`).join(', ');

if (linux)
  found.same(
    'threads() lists what the kernel lists',
    readdirSync('/proc/self/task')
      .map(Number)
      .sort((a, b) => a - b),
    all.map(({ tid }) => tid),
  );
else found.add('threads() lists what the kernel lists', all.length > 4 ? 'pass' : 'fail', `${all.length} threads: ${told(all)}`);

await found.check('who is who', () => {
  agree(
    'main threads',
    [[0, 'known']],
    of('main').map(({ threadId, certainty }) => [threadId, certainty]),
  );
  if (linux) agree('the main thread', process.pid, of('main')[0]?.tid);
  const byId = (worker: Worker | undefined): ThreadInfo | undefined => of('worker').find(({ threadId }) => threadId === worker?.threadId);
  agree('the worker that loads the library', 'known', byId(seated.worker)?.certainty);
  agree('the pool', 4, of('libuv').filter(({ certainty }) => certainty !== 'unsure').length);
  if (of('v8').length < 4) throw new Error(`V8 has ${of('v8').length} threads`);
  if (linux) agree('its number', (seated.message as Sighting).thread, byId(seated.worker)?.tid);
  if (linux && !emulated) {
    agree(
      'the silent workers',
      silent.map(({ message }) => message),
      silent.map(({ worker }) => byId(worker)?.tid),
    );
    agree('workers', workers.length, of('worker').length);
    if (node >= 24) agree('the name of one', 'a silent one', byId(silent[1]?.worker)?.workerName);
    agree("V8's threads", 5, of('v8').length);
    agree("the inspector's", 1, of('inspector').length);
    agree('others', '', told(of('other')));
    agree('unsure', '', told(all.filter(({ certainty }) => certainty === 'unsure')));
    const isNamed = (role: ThreadRole): boolean => of(role).every(({ certainty }) => certainty === 'named');
    if (node >= 24) agree("Node's names", [true, true], [isNamed('v8'), isNamed('inspector')]);
  }
  return told(all);
});

/** The kernel's record of what was placed, or at least that so many threads are so confined. */
function byKernel(placed: readonly PlacedThread[], where: (thread: PlacedThread) => string): void {
  for (const thread of placed) agree(`thread ${thread.tid}, as it is told`, where(thread), String(thread.after));
  for (const thread of placed) {
    if (linux) agree(`the kernel's word on thread ${thread.tid} (${thread.role})`, where(thread), String(recorded(thread.tid)?.allowed));
    else {
      const alike = placed.filter((other) => where(other) === where(thread)).length;
      const there = allRecorded().filter(({ allowed }) => String(allowed) === where(thread)).length;
      if (allRecorded().length > 0 && there < alike)
        throw new Error(`the kernel confines ${there} threads to ${where(thread)}, not ${alike}`);
    }
  }
}

for (const role of ['libuv', 'v8', 'workers'] as const)
  await found.check(`the threads of one role, placed and put back: ${role}`, () => {
    const placed = setThreadAffinity(role, [last]);
    byKernel(placed, () => String(last));
    agree('the main thread', String(mine), String(affinity()));
    for (const { tid, before } of placed) setThreadAffinity(tid, before);
    return `${placed.length} threads on ${last}`;
  });

await found.check('the whole process, workers by seats', () => {
  const seats = spread({ by: 'cpu', within: mine }).seats.map(({ cpus }) => String(cpus));
  const placed = placeProcess({ main: [last], workers: { by: 'cpu', within: mine }, libuv: [first], v8: [first] });
  let turn = 0;
  const seatOf = new Map(placed.filter(({ role }) => role === 'worker').map(({ tid }) => [tid, seats[turn++ % seats.length] ?? '']));
  byKernel(placed, ({ tid, role }) => seatOf.get(tid) ?? String(role === 'main' ? last : first));
  agree('the main thread', String(last), String(affinity()));
  agree('how many', of('worker').length + 1 + pool.length + of('v8').length, placed.length);
  const back = placeProcess({ main: mine, workers: mine, libuv: mine, v8: mine });
  byKernel(back, () => String(mine));
  return `${placed.length} threads`;
});

await found.check('priorities, and back to normal', () => {
  const [before] = setThreadPriority('v8', 'low');
  agree('told', 10, before?.after);
  if (linux && !emulated) for (const { tid } of of('v8')) agree('the kernel', 'nice 10', recorded(tid)?.priority);
  agree('its own word', before?.after, getThreadPriority(before?.tid));
  const back = errorCode(() => setThreadPriority('v8', before?.before ?? 0));
  // Without the right to a higher one they stay as they are.
  if (back !== 'none' && back !== 'ERR_AFFINITY_REFUSED') throw new Error(back);
  return String(before?.before);
});

await found.check('what is no thread of this process is refused', async () => {
  const { tid } = of('worker').find(({ threadId }) => threadId === seated.worker.threadId) ?? { tid: -1 };
  await seated.worker.terminate();
  for (let wait = 0; wait < 200 && threads().some((thread) => thread.tid === tid); wait += 1)
    await new Promise((soon) => setTimeout(soon, 10));
  const none = 'ERR_AFFINITY_NO_THREAD';
  agree(
    'an ended one',
    none,
    errorCode(() => setThreadAffinity(tid, mine)),
  );
  agree(
    'its priority',
    none,
    errorCode(() => setThreadPriority(tid, 5)),
  );
  agree(
    "another process's",
    none,
    // Windows' numbers are multiples of four; 4 is its kernel's process, as 1 is the first one on Linux.
    errorCode(() => setThreadAffinity(process.platform === 'win32' ? 4 : 1, mine)),
  );
  agree('a role', 'TypeError', errorCode(() => setThreadAffinity('pool' as 'libuv', mine)).split(':')[0]);
  agree(
    'CPUs',
    'ERR_AFFINITY_UNKNOWN_CPU',
    errorCode(() => setThreadAffinity('main', CpuSet.of([65_000]))),
  );
  agree('the main thread', String(mine), String(affinity()));
  return `thread ${tid}`;
});

// Written whole before the end: workers that run do not keep it.
process.stdout.write(JSON.stringify(found.checks), () => process.exit());
