import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CpuSet } from '../../lib/index.ts';
import { Cpuset, noCpuset, noThreadCpuset } from './cpuset.ts';
import { checkout, cpus, hiding, inOwnProcess, noMounts, unless } from './own-process.ts';

const [a = 0, b = a] = cpus;
const two = cpus.length >= 2;
const needsTwo = two ? undefined : 'needs two CPUs';
const major = Number(process.versions.node.split('.')[0]);
const compiler = ['cc', 'gcc', 'clang'].find((command) => spawnSync(command, ['--version']).status === 0);
const namesAll = major >= 24;
const namesPool = major >= 22;

const imports = `
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync as read } from 'node:fs';
import { pbkdf2 } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import * as ga from 'groupaffinity';
import { getThreadPriority, pin, placeProcess, setThreadAffinity, setThreadPriority, threads } from 'groupaffinity';
const [a, b] = [${a}, ${b}];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
/** The kernel's word on every thread of this process: not through any call under test. */
function kernel() {
  const list = new Map();
  for (const tid of readdirSync('/proc/self/task')) {
    try {
      const status = read('/proc/self/task/' + tid + '/status', 'utf8');
      const stat = read('/proc/self/task/' + tid + '/stat', 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const field = (name) => new RegExp('^' + name + ':\\\\s*(.*)$', 'm').exec(status)[1];
      list.set(Number(tid), { comm: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')), allowed: field('Cpus_allowed_list'), exact: field('Cpus_allowed'), nice: Number(fields[16]), policy: Number(fields[38]), time: Number(fields[11]) + Number(fields[12]) });
    } catch {}
  }
  return list;
}
/** The same by another program. */
const taskset = (tid) => /: (.*)$/m.exec(execFileSync('taskset', ['-cp', String(tid)], { encoding: 'utf8' }))[1];
const exactOf = () => Object.fromEntries([...kernel()].map(([tid, { exact }]) => [tid, exact]));
const allowedOf = (list) => Object.fromEntries(list.map(({ tid }) => [tid, kernel().get(tid)?.allowed]));
const idle = 'setInterval(() => {}, 1000)';
/** A worker that runs, with code of its own in it. */
async function start(code = idle, options = {}) {
  const worker = new Worker('const { parentPort, threadId } = require("node:worker_threads"); const own = () => Number(require("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1)); parentPort.postMessage(own());' + code, { eval: true, ...options });
  const [tid] = await once(worker, 'message');
  return { worker, tid, threadId: worker.threadId };
}
/** The code of a worker that loads the library. */
const loads = 'const ga = require("groupaffinity");';
/** threads() when libuv's pool has been met: on a crowded machine it may need longer for its answer. */
async function settled() {
  for (let round = 0; ; round += 1) {
    const all = threads();
    if (round === 10 || !all.some(({ role, certainty }) => role === 'libuv' && certainty === 'unsure')) return all;
    await pause(1100);
  }
}
const poolStarts = () => readFile('/dev/null');
`;

interface Told {
  tid: number;
  name: string;
  role: string;
  certainty: string;
  threadId: number | null;
  workerName: string | null;
  allowed: string;
  lastCpu: number;
  voluntarySwitches: number;
  involuntarySwitches: number;
  migrations: number | null;
  priority: number | string;
}
interface Placed {
  tid: number;
  role: string;
  before: string;
  after: string;
  dropped: string;
  pending: boolean;
}
interface Failure {
  name: string;
  code: string;
  message: string;
  errno?: number;
}
type Sets = Record<string, string>;

describe('threads()', () => {
  it('tells of each thread what /proc tells, in the order of their numbers, on any thread', async () => {
    const seen = await inOwnProcess<{
      told: Told[];
      kernel: [number, { comm: string; allowed: string; nice: number }][];
      inWorker: number[];
    }>(
      `${imports}
      await poolStarts();
      const { worker } = await start(loads + 'parentPort.on("message", () => parentPort.postMessage(ga.threads().map(({ tid }) => tid)))');
      const told = threads();
      const listed = [...kernel()];
      worker.postMessage('');
      export default { told, kernel: listed, inWorker: (await once(worker, 'message'))[0] };`,
    );
    expect(seen.told.map(({ tid, name, allowed, priority }) => [tid, { comm: name, allowed, nice: priority }])).toMatchObject(
      seen.kernel.map(([tid, { comm, allowed, nice }]) => [tid, { comm, allowed, nice }]),
    );
    expect(seen.inWorker).toEqual(seen.told.map(({ tid }) => tid));
    for (const { lastCpu, voluntarySwitches, involuntarySwitches } of seen.told) {
      expect(cpus).toContain(lastCpu);
      expect(voluntarySwitches + involuntarySwitches).toBeGreaterThanOrEqual(0);
    }
  });

  it('knows who is who: the main thread, the pool, workers with their threadId and name, V8 and the inspector', async () => {
    const seen = await inOwnProcess<{ told: Told[]; main: number; silent: number[]; loaded: number; worked: number[] }>(
      `${imports}
      const silent = [await start(), await start()];
      const loaded = await start(loads + idle, { name: 'who says so' });
      // The pool shows by the time that it works.
      const before = kernel();
      await Promise.all([1, 2, 3].map(() => new Promise((done) => pbkdf2('', '', 600_000, 64, 'sha512', done))));
      const worked = [...kernel()].filter(([tid, { time }]) => time - (before.get(tid)?.time ?? 0) >= 5).map(([tid]) => tid);
      export default { told: await settled(), main: process.pid, silent: silent.map(({ tid }) => tid), loaded: loaded.tid, worked };`,
      { env: { UV_THREADPOOL_SIZE: '3' } },
    );
    const roles = (role: string): Told[] => seen.told.filter((thread) => thread.role === role);
    expect(roles('main')).toMatchObject([{ tid: seen.main, certainty: 'known', threadId: 0 }]);
    expect(roles('worker').map(({ tid, threadId }) => [tid, threadId])).toEqual([
      [seen.silent[0], 1],
      [seen.silent[1], 2],
      [seen.loaded, 3],
    ]);
    const byLooks = namesAll ? 'named' : 'inferred';
    expect(roles('worker').map(({ certainty }) => certainty)).toEqual([byLooks, byLooks, 'known']);
    expect(roles('libuv')).toHaveLength(3);
    expect(roles('libuv').map(({ tid }) => tid)).toEqual(seen.worked);
    expect(roles('libuv').map(({ certainty }) => certainty)).toEqual(seen.worked.map(() => (namesPool ? 'named' : 'known')));
    expect(roles('v8')).toHaveLength(5);
    expect(roles('inspector')).toHaveLength(1);
    expect(roles('other')).toEqual([]);
  });

  it('a busy pool keeps nobody waiting, and is told as unsure where it has no name; when it is free it is known', async () => {
    const seen = await inOwnProcess<{ took: number; busy: Told[]; free: Told[]; ended: number }>(
      `${imports}
      let ended = 0;
      const work = [1, 2, 3, 4].map(() => new Promise((done) => pbkdf2('', '', 800_000, 64, 'sha512', () => done(ended += 1))));
      await start();
      await pause(100);
      const begun = performance.now();
      const busy = threads();
      const took = performance.now() - begun;
      const stillBusy = ended;
      await Promise.all(work);
      await pause(1100);
      export default { took, busy, free: await settled(), ended: stillBusy };`,
    );
    expect(seen.ended, 'the pool was free too early for this test').toBe(0);
    // Its patience is 100 ms an answer.
    expect(seen.took).toBeLessThan(2000);
    const pool = (told: Told[]): string[] => told.filter(({ role }) => role === 'libuv').map(({ certainty }) => certainty);
    expect(pool(seen.busy)).toEqual(Array.from({ length: 4 }, () => (namesPool ? 'named' : 'unsure')));
    expect(pool(seen.free)).toEqual(Array.from({ length: 4 }, () => (namesPool ? 'named' : 'known')));
  });

  it('a pool that is smaller than the environment says by now keeps nobody waiting either', async () => {
    const seen = await inOwnProcess<{ took: number; pool: number; placed: number }>(
      `${imports}
      await poolStarts();
      process.env.UV_THREADPOOL_SIZE = '64';
      await start();
      const begun = performance.now();
      threads();
      const took = performance.now() - begun;
      const pool = (await settled()).filter(({ role, certainty }) => role === 'libuv' && certainty !== 'unsure').length;
      const placed = setThreadAffinity('libuv', [a]).filter(({ certainty }) => certainty !== 'unsure').length;
      export default { took, pool, placed };`,
      { env: { UV_THREADPOOL_SIZE: '2' } },
    );
    expect(seen).toMatchObject({ pool: 2, placed: 2 });
    expect(seen.took).toBeLessThan(2000);
  });

  it.skipIf(noMounts !== undefined)(
    unless('without /proc it says that nobody lists threads, and pins work all the same', noMounts),
    async () => {
      const seen = await inOwnProcess<{ failures: Failure[]; pinned: string }>(
        `${imports}
      const failures = [failure(() => threads()), failure(() => setThreadAffinity('main', [a])), failure(() => placeProcess({ v8: [a] }))];
      const here = pin([b]);
      const pinned = String(ga.affinity());
      here.restore();
      export default { failures, pinned };`,
        { under: hiding('/proc') },
      );
      expect(seen.failures).toMatchObject(seen.failures.map(() => ({ code: 'ERR_AFFINITY_REFUSED', errno: 2 })));
      expect(seen.pinned).toBe(`${b}`);
    },
  );

  it('asked on all threads at once, each has an answer, and a worker that ends while it asks takes nobody along', async () => {
    const seen = await inOwnProcess<{ answers: number; own: number }>(
      `${imports}
      const workers = await Promise.all([1, 2, 3, 4].map(() => start(loads + 'let n = 0; const go = () => { n += ga.threads().length > 5 ? 1 : 0; parentPort.postMessage(n); setImmediate(go); }; go();')));
      let answers = 0;
      for (const { worker } of workers) worker.on('message', () => (answers += 1));
      let own = 0;
      for (let i = 0; i < 40; i += 1) {
        own += threads().length >= 5 ? 1 : 0;
        setThreadAffinity('libuv', [i % 2 ? a : b]);
        await pause(1);
        if (i % 10 === 5) void workers[(i - 5) / 10].worker.terminate();
      }
      await pause(100);
      export default { answers, own };`,
    );
    expect(seen.own).toBe(40);
    expect(seen.answers).toBeGreaterThan(20);
  });
});

const many = 'Array.from({ length: 5000 }, (_, at) => 4_000_000_000 + at)';
const noGroups =
  spawnSync(process.execPath, ['-e', `process.setgroups(${many})`]).status === 0 ? undefined : 'needs root, and all groups there can be';

describe('what /proc tells', () => {
  it.skipIf(noGroups !== undefined)(unless('of a process in 5,000 groups is read to its end', noGroups), async () => {
    const seen = await inOwnProcess<
      Record<'exact' | 'here' | 'listed' | 'kernel' | 'shown', unknown> & { placed: Placed[]; byProc: string }
    >(
      `${imports}
      process.setgroups(${many});
      const { tid } = await start();
      const before = exactly();
      const one = pin([b]);
      const here = byProc();
      one.restore();
      const placed = setThreadAffinity(tid, [b]);
      const byProcess = kernel();
      const listed = (await settled()).map(({ tid }) => tid);
      const ps = JSON.parse(execFileSync(process.execPath, ['dist/cli/main.js', 'ps', '--json', String(process.pid)], { encoding: 'utf8' }));
      export default { exact: exactly() === before, here, placed, byProc: byProcess.get(tid).allowed,
        listed, kernel: [...kernel().keys()], shown: ps.processes[0].threads.map(({ tid }) => tid) };`,
    );
    expect(seen).toMatchObject({ exact: true, here: `${b}`, placed: [{ role: 'worker', after: `${b}` }], byProc: `${b}` });
    expect(seen.listed).toEqual(seen.kernel);
    expect(seen.shown).toEqual(seen.kernel);
  });

  it.skipIf(noMounts !== undefined)(unless('of no thread at all is told in words', noMounts), async () => {
    const seen = await inOwnProcess<{ code: string; message: string }>(`${imports} export default failure(() => threads());`, {
      under: [...hiding('/proc'), 'sh', '-c', 'mkdir -p /proc/self/task && exec "$@"', 'sh'],
    });
    expect(seen).toMatchObject({ code: 'ERR_AFFINITY_NO_THREAD', message: 'this process has no threads to be seen in /proc' });
  });
});

describe('setThreadAffinity', () => {
  it.skipIf(!two)(unless('places a thread by its number, from whichever thread, and says what it did', needsTwo), async () => {
    const seen = await inOwnProcess<{
      done: Placed[];
      byProc: string;
      byTaskset: string;
      tid: number;
      others: boolean;
      fromWorker: Placed[];
      main: string;
    }>(
      `${imports}
      const { tid } = await start();
      const before = exactOf();
      const done = setThreadAffinity(tid, [b]);
      const [allowed, byTaskset] = [kernel().get(tid).allowed, taskset(tid)];
      const after = exactOf();
      const others = Object.keys(before).every((one) => Number(one) === tid || before[one] === after[one]);
      const other = await start(loads + 'parentPort.on("message", () => parentPort.postMessage(JSON.stringify(ga.setThreadAffinity(process.pid, ' + JSON.stringify(String(a)) + '))))');
      other.worker.postMessage('');
      const fromWorker = JSON.parse((await once(other.worker, 'message'))[0]);
      export default { done, byProc: allowed, byTaskset, tid, others, fromWorker, main: taskset(process.pid) };`,
    );
    expect(seen.done).toMatchObject([{ tid: seen.tid, role: 'worker', after: `${b}`, dropped: '', pending: false }]);
    expect(seen).toMatchObject({ byProc: `${b}`, byTaskset: `${b}`, others: true, main: `${a}` });
    expect(seen.fromWorker).toMatchObject([{ role: 'main', after: `${a}` }]);
  });

  it.skipIf(!two)(unless('places a role, a list, and what threads() told; the pool also before it runs', needsTwo), async () => {
    const seen = await inOwnProcess<Record<'v8' | 'listed' | 'told' | 'workers' | 'pool', Placed[]> & { kernel: Sets }>(
      `${imports}
      const v8 = setThreadAffinity('v8', [b]);
      const one = await start();
      const two = await start();
      const listed = setThreadAffinity([one.tid, two.tid, one.tid], [a]);
      const workers = setThreadAffinity('workers', [b]);
      const told = setThreadAffinity(threads().filter(({ role }) => role === 'inspector'), [a]);
      const pool = setThreadAffinity('libuv', [a]);
      export default { v8, listed, workers, told, pool, kernel: allowedOf([...v8, ...told, ...pool, ...workers]) };`,
    );
    const expected = new Map<string, string>();
    for (const { tid } of [...seen.v8, ...seen.workers]) expected.set(String(tid), `${b}`);
    for (const { tid } of [...seen.told, ...seen.pool]) expected.set(String(tid), `${a}`);
    expect(seen.kernel).toEqual(Object.fromEntries(expected));
    expect([seen.v8, seen.listed, seen.workers, seen.told, seen.pool].map(({ length }) => length)).toEqual([5, 2, 2, 1, 4]);
  });

  it('a pool of 1,024 threads is started and placed whole', async () => {
    const seen = await inOwnProcess<{ placed: number; there: number; took: number }>(
      `${imports}
      const begun = performance.now();
      const placed = setThreadAffinity('libuv', [b]);
      const took = performance.now() - begun;
      const list = kernel();
      export default { placed: placed.length, there: placed.filter(({ tid }) => list.get(tid)?.allowed === String(b)).length, took };`,
      { env: { UV_THREADPOOL_SIZE: '1024' } },
    );
    expect(seen).toMatchObject({ placed: 1024, there: 1024 });
  });

  it.skipIf(!two)(unless('a pin ends with the set that it found, bit for bit, whoever placed the thread meanwhile', needsTwo), async () => {
    const seen = await inOwnProcess<{ before: string; own: string; worker: string[]; placed: string }>(
      `${imports}
      const before = exactly();
      const here = pin([a]);
      setThreadAffinity('main', [b]);
      const placed = byProc();
      here.restore();
      const own = exactly();
      const { worker, tid } = await start(loads + 'let here; parentPort.on("message", (what) => { if (what === "pin") here = ga.pin([' + a + ']); else here.restore(); parentPort.postMessage(what); })');
      const told = async (what) => { worker.postMessage(what); await once(worker, 'message'); return kernel().get(tid).exact; };
      const found = kernel().get(tid).exact;
      await told('pin');
      setThreadAffinity(tid, [b]);
      export default { before, own, placed, worker: [found, await told('restore')] };`,
    );
    expect(seen.placed).toBe(`${b}`);
    expect(seen.own).toBe(seen.before);
    expect(seen.worker[1]).toBe(seen.worker[0]);
  });

  it.skipIf(!two)(unless('a system affinity of the calling thread stays in force; the placing waits below it', needsTwo), async () => {
    const seen = await inOwnProcess<{ done: Placed[]; during: string; after: string }>(
      `${imports}
      import * as wdk from 'groupaffinity/storport';
      const at = (cpu) => ga.topology().groups.flatMap(({ group, cpus }) => (cpus.includes(cpu) ? [new wdk.STOR_GROUP_AFFINITY({ Group: group, Mask: 1n << BigInt(cpus.indexOf(cpu)) })] : []))[0];
      const previous = new wdk.STOR_GROUP_AFFINITY();
      if (wdk.StorPortSetSystemGroupAffinityThread({}, null, at(a), previous) !== 0) throw new Error('no system affinity');
      const done = setThreadAffinity(process.pid, [b]);
      const during = byProc();
      if (wdk.StorPortRevertToUserGroupAffinityThread({}, null, previous) !== 0) throw new Error('no revert');
      export default { done, during, after: byProc() };`,
    );
    expect(seen.done).toMatchObject([{ role: 'main', after: `${b}`, pending: true }]);
    expect(seen).toMatchObject({ during: `${a}`, after: `${b}` });
  });

  it.skipIf(!two)(unless('a system affinity of another thread is left alone, and with it all that was meant', needsTwo), async () => {
    const seen = await inOwnProcess<{ failure: Failure; before: Sets; after: Sets; reverted: string; placed: Placed[] }>(
      `${imports}
      const code = loads + \`const wdk = require("groupaffinity/storport"); const previous = new wdk.STOR_GROUP_AFFINITY();
        const { group, cpus } = ga.topology().groups.find(({ cpus }) => cpus.includes(${a}));
        parentPort.on("message", (what) => {
          if (what === "set") wdk.StorPortSetSystemGroupAffinityThread({}, null, new wdk.STOR_GROUP_AFFINITY({ Group: group, Mask: 1n << BigInt(cpus.indexOf(${a})) }), previous);
          else wdk.StorPortRevertToUserGroupAffinityThread({}, null, previous);
          parentPort.postMessage(what); });\`;
      await start();
      const { worker, tid } = await start(code);
      const told = async (what) => { worker.postMessage(what); await once(worker, 'message'); };
      const free = kernel().get(tid).exact;
      await told('set');
      const before = exactOf();
      const failed = failure(() => setThreadAffinity('workers', [b]));
      const after = exactOf();
      await told('revert');
      const reverted = kernel().get(tid).exact === free;
      export default { failure: failed, before, after, reverted: String(reverted), placed: setThreadAffinity('workers', [b]) };`,
    );
    expect(seen.failure).toMatchObject({ name: 'AffinityError', code: 'ERR_AFFINITY_SYSTEM' });
    expect(seen.after).toEqual(seen.before);
    expect(seen.reverted).toBe('true');
    expect(seen.placed.map(({ after }) => after)).toEqual([`${b}`, `${b}`]);
  });

  it('refuses what is no thread of this process, and what is none at all; nothing has changed then', async () => {
    const seen = await inOwnProcess<{ failures: Record<string, Failure | null>; same: boolean }>(
      `${imports}
      const child = spawn(process.execPath, ['-e', idle]);
      await once(child, 'spawn');
      const { worker, tid } = await start();
      const info = threads().find(({ role }) => role === 'worker');
      await worker.terminate();
      while (kernel().has(tid)) await pause(1);
      const before = exactOf();
      const failures = {
        child: failure(() => setThreadAffinity(child.pid, [a])),
        parent: failure(() => setThreadAffinity(process.ppid, [a])),
        init: failure(() => setThreadAffinity(1, [a])),
        ended: failure(() => setThreadAffinity(tid, [a])),
        told: failure(() => setThreadAffinity(info, [a])),
        among: failure(() => setThreadAffinity([process.pid, tid], [a])),
        huge: failure(() => setThreadAffinity(2 ** 40, [a])),
        none: failure(() => setThreadAffinity('workers', [a])),
        role: failure(() => setThreadAffinity('worke', [a])),
        zero: failure(() => setThreadAffinity(0, [a])),
        negative: failure(() => setThreadAffinity(-1, [a])),
        half: failure(() => setThreadAffinity(1.5, [a])),
        nan: failure(() => setThreadAffinity(NaN, [a])),
        nothing: failure(() => setThreadAffinity(undefined, [a])),
        text: failure(() => setThreadAffinity(String(process.pid), [a])),
        object: failure(() => setThreadAffinity({}, [a])),
        inside: failure(() => setThreadAffinity([{}], [a])),
        unknown: failure(() => setThreadAffinity('main', [4095])),
        empty: failure(() => setThreadAffinity('main', [])),
        where: failure(() => setThreadAffinity('main', 3)),
        places: failure(() => placeProcess({ main: [a], worker: [a] })),
        seats: failure(() => placeProcess({ main: [a], workers: { by: 'core', seats: [] } })),
        by: failure(() => placeProcess({ main: [a], workers: { by: 'cup' } })),
        nowhere: failure(() => placeProcess({ main: [a], v8: 'numa:99' })),
        list: failure(() => placeProcess([])),
      };
      child.kill();
      const after = exactOf();
      export default { failures, same: JSON.stringify(before) === JSON.stringify(after) };`,
    );
    const noThread = { name: 'AffinityError', code: 'ERR_AFFINITY_NO_THREAD' };
    const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
    const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
    expect(seen.failures).toMatchObject({
      child: noThread,
      parent: noThread,
      init: noThread,
      ended: noThread,
      told: noThread,
      among: noThread,
      huge: noThread,
      none: noThread,
      role: wrongType,
      zero: outOfRange,
      negative: outOfRange,
      half: outOfRange,
      nan: outOfRange,
      nothing: wrongType,
      text: wrongType,
      object: wrongType,
      inside: wrongType,
      unknown: { code: 'ERR_AFFINITY_UNKNOWN_CPU' },
      empty: { code: 'ERR_AFFINITY_EMPTY' },
      where: wrongType,
      places: wrongType,
      seats: wrongType,
      by: wrongType,
      nowhere: { code: 'ERR_AFFINITY_UNKNOWN_NODE' },
      list: wrongType,
    });
    expect(seen.same).toBe(true);
  });

  it.skipIf(noCpuset !== undefined)(
    unless('a CPU that the cpuset withholds is refused, and every thread is as it was', noCpuset),
    async () => {
      using cpuset = new Cpuset(`${a}`);
      const seen = await inOwnProcess<{ failures: Failure[]; before: Sets; after: Sets }>(
        `${imports}
      await poolStarts();
      await start();
      const before = exactOf();
      const failures = [
        failure(() => setThreadAffinity('libuv', [b])),
        failure(() => setThreadAffinity('main', [a, b])),
        failure(() => placeProcess({ main: [a], v8: [a], workers: [a, b] })),
      ];
      export default { failures, before, after: exactOf() };`,
        { under: cpuset.under },
      );
      expect(seen.failures).toMatchObject(seen.failures.map(() => ({ code: 'ERR_AFFINITY_NOT_ALLOWED' })));
      expect(seen.after).toEqual(seen.before);
    },
  );

  it.skipIf(noThreadCpuset !== undefined)(
    unless('one thread that may not go there, and none goes; the message names it', noThreadCpuset),
    async () => {
      using cpuset = new Cpuset(`${b}`);
      const seen = await inOwnProcess<{ failure: Failure & { tid?: number }; tid: number; before: Sets; after: Sets }>(
        `${imports}
      import { writeFileSync } from 'node:fs';
      const [first, second, third] = [await start(), await start(), await start()];
      setThreadAffinity(first.tid, [b]);
      writeFileSync(${JSON.stringify(cpuset.tasksFile)}, String(second.tid));
      const before = exactOf();
      const failed = failure(() => setThreadAffinity('workers', [a]));
      const after = exactOf();
      writeFileSync('/sys/fs/cgroup/cpuset/tasks', String(second.tid));
      export default { failure: failed, tid: second.tid, before, after };`,
      );
      expect(seen.failure).toMatchObject({ name: 'AffinityError', code: 'ERR_AFFINITY_NOT_ALLOWED' });
      expect(seen.failure.message).toContain(`thread ${seen.tid} (worker 2`);
      expect(seen.after).toEqual(seen.before);
    },
  );

  it.skipIf(noCpuset !== undefined)(
    unless('a cpuset that changes while threads are placed: done and in force, or refused, and it goes on', noCpuset),
    async () => {
      using cpuset = new Cpuset(`${a},${b}`);
      const seen = await inOwnProcess<{ done: number; codes: string[]; last: [string, string | undefined][]; helpers: number[] }>(
        `${imports}
      const { worker: changer } = await start(\`const { writeFileSync } = require('node:fs'); setInterval(() => { for (let i = 0; i < 4; i += 1) writeFileSync(${JSON.stringify(cpuset.cpusFile)}, i % 2 ? '${a},${b}' : '${a}'); }, 1)\`);
      const helpers = await Promise.all([start(), start()]);
      let done = 0;
      const codes = new Set();
      for (let i = 0; i < 60; i += 1) {
        try { placeProcess({ v8: [b], libuv: [a, b], workers: [a, b] }); done += 1; } catch (error) { codes.add(error.code); }
      }
      await changer.terminate();
      const { writeFileSync } = await import('node:fs');
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, '${a},${b}');
      export default { done, codes: [...codes], last: placeProcess({ v8: [b], libuv: [a], workers: [b] }).map(({ tid, role }) => [role, kernel().get(tid)?.allowed]), helpers: helpers.map(({ tid }) => tid) };`,
        { under: cpuset.under },
      );
      expect(seen.done + seen.codes.length).toBeGreaterThan(0);
      expect(seen.last.length).toBe(5 + 4 + seen.helpers.length);
      for (const [role, allowed] of seen.last) expect(allowed).toBe(`${role === 'libuv' ? a : b}`);
      for (const code of seen.codes) expect(['ERR_AFFINITY_NOT_ALLOWED']).toContain(code);
    },
  );
});

describe('placeProcess', () => {
  it.skipIf(!two)(unless('places every role at once; workers take the seats of a plan in turn', needsTwo), async () => {
    const seen = await inOwnProcess<{ done: Placed[]; workers: number[]; kernel: Sets; inspector: string; before: string }>(
      `${imports}
      const workers = [await start(), await start(), await start()];
      const before = kernel().get(process.pid).allowed;
      const done = placeProcess({ main: [a], workers: { by: 'cpu' }, libuv: [b], v8: [b] });
      export default { done, workers: workers.map(({ tid }) => tid), before, kernel: allowedOf(done), inspector: kernel().get(threads().find(({ role }) => role === 'inspector').tid).allowed };`,
    );
    const of = (role: string): Placed[] => seen.done.filter((thread) => thread.role === role);
    expect(of('main').map(({ after }) => after)).toEqual([`${a}`]);
    expect(of('libuv').map(({ after }) => after)).toEqual(Array.from({ length: 4 }, () => `${b}`));
    expect(of('v8').map(({ after }) => after)).toEqual(Array.from({ length: 5 }, () => `${b}`));
    expect(of('worker').map(({ tid }) => tid)).toEqual(seen.workers);
    const seats = of('worker').map(({ after }) => after);
    expect(new Set(seats.slice(0, 2)).size).toBe(2);
    expect(seats[2]).toBe(cpus.length > 2 ? seats[2] : seats[0]);
    expect(seen.kernel).toEqual(Object.fromEntries(seen.done.map(({ tid, after }) => [tid, after])));
    expect(seen.inspector).toBe(seen.before);
  });

  it.skipIf(!two)(unless('threads that begin while it places are placed as well', needsTwo), async () => {
    const seen = await inOwnProcess<{ rounds: number; strays: string[] }>(
      `${imports}
      // A worker that makes workers without an end: whoever lives when the call returns has its place, or was made by one
      // that had it.
      const code = \`const { Worker } = require('node:worker_threads'); let n = 0; const more = () => { const child = new Worker('', { eval: true }); child.once('exit', more); }; more(); more();\`;
      await start(code);
      const strays = [];
      let rounds = 0;
      for (; rounds < 30; rounds += 1) {
        const cpu = rounds % 2 ? a : b;
        placeProcess({ workers: [cpu] });
        const roles = new Map(threads().map(({ tid, role }) => [tid, role]));
        for (const [tid, { allowed }] of kernel()) if (roles.get(tid) === 'worker' && allowed !== String(cpu)) strays.push(tid + ': ' + allowed);
        await pause(3);
      }
      export default { rounds, strays };`,
    );
    expect(seen).toEqual({ rounds: 30, strays: [] });
  });

  it.skipIf(!two)(
    unless('a thread that is pinned itself places others anywhere, and the pool that it starts as well', needsTwo),
    async () => {
      const seen = await inOwnProcess<{ worker: string; pool: Sets; own: string; after: string; before: string }>(
        `${imports}
      const before = exactly();
      const here = pin([a]);
      const { tid } = await start();
      setThreadAffinity(tid, [b]);
      const pool = allowedOf(placeProcess({ libuv: [b] }));
      const own = byProc();
      here.restore();
      export default { worker: kernel().get(tid).allowed, pool, own, before, after: exactly() };`,
      );
      expect(seen).toMatchObject({ worker: `${b}`, own: `${a}`, after: seen.before });
      expect(Object.values(seen.pool)).toEqual(Array.from({ length: 4 }, () => `${b}`));
    },
  );

  it('roles that nobody has are no error, and no place is none', async () => {
    const seen = await inOwnProcess<Placed[][]>(`${imports}
      export default [placeProcess({}), placeProcess({ workers: [a], other: [a], main: undefined })];`);
    expect(seen).toEqual([[], []]);
  });
});

it.skipIf(!two || a !== 0 || b !== 1)(
  unless('what docs/threads.md shows does what it says', !two || a !== 0 || b !== 1 ? 'needs CPUs 0 and 1' : undefined),
  async () => {
    const text = readFileSync(join(checkout, 'docs', 'threads.md'), 'utf8');
    const [, program = ''] = /^```js\n(.*?)^```/ms.exec(text) ?? [];
    const [imported, ...rest] = program.split('\n\n');
    const seen = await inOwnProcess<{ lines: unknown[][]; byProc: string; v8: number }>(
      `${imports.replace(/import \{ getThreadPriority.*/, '')}
    ${imported}
    const lines = [];
    const console = { log: (...line) => lines.push(line) };
    await start();
    ${rest.join('\n\n')}
    const nices = threads().filter(({ role }) => role === 'v8').map(({ tid }) => kernel().get(tid).nice);
    export default { lines, byProc: byProc(), v8: Math.min(...nices) };`,
    );
    expect(CpuSet.parse(seen.byProc).toArray()).toEqual(cpus);
    expect(seen.v8).toBe(10);
    const places = new Map(seen.lines.map(([, role, , allowed]) => [role, allowed]));
    expect([places.get('main'), places.get('libuv'), places.get('v8')]).toEqual(['0', '1', '1']);
    expect(seen.lines.every((line) => line.length === 6)).toBe(true);
  },
);

describe.skipIf(compiler === undefined)(
  unless('in a sandbox that allows the calling thread only', compiler === undefined ? 'needs a C compiler' : undefined),
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-sandbox-'));
    const sandbox = join(folder, 'sandbox');
    afterAll(() => rmSync(folder, { recursive: true }));
    beforeAll(() => {
      const source = join(checkout, 'test', 'machine', 'sandbox.c');
      execFileSync(compiler ?? '', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', sandbox, source]);
    });

    it.each(['open', 'deaf'])('its own calls work, those for others say who refuses, and nothing has changed (%s)', async (kind) => {
      const seen = await inOwnProcess<{ own: string[]; failures: Failure[]; before: Sets; after: Sets; listed: number }>(
        `${imports}
      await poolStarts();
      await start();
      const own = [];
      const here = pin([b]); own.push(byProc()); here.restore();
      setThreadAffinity('main', [b]); own.push(byProc());
      setThreadAffinity(process.pid, [a]); own.push(byProc());
      setThreadPriority('main', 3); own.push(String(kernel().get(process.pid).nice));
      const before = exactOf();
      const failures = [
        failure(() => setThreadAffinity('libuv', [a])),
        failure(() => placeProcess({ main: [b], v8: [b], workers: [b] })),
        failure(() => setThreadPriority('v8', 5)),
      ];
      export default { own, failures, before, after: exactOf(), listed: threads().length - kernel().size };`,
        { under: [sandbox, kind] },
      );
      expect(seen.own).toEqual([`${b}`, `${b}`, `${a}`, '3']);
      expect(seen.failures).toMatchObject(seen.failures.map(() => ({ code: 'ERR_AFFINITY_REFUSED', errno: 1 })));
      for (const { message } of seen.failures) expect(message).toMatch(/thread \d+ \(.*sandbox/);
      expect(seen.after).toEqual(seen.before);
      expect(seen.listed).toBe(0);
    });
  },
);

const noRights =
  process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0 ? undefined : 'needs root, to give rights up, and setpriv';

describe('setThreadPriority', () => {
  it('gives threads what they are asked to have, and tells what the kernel has', async () => {
    const seen = await inOwnProcess<{
      told: [number | string, number | string][];
      byProc: [number, number][];
      base: number;
      untouched: number[];
      own: (number | string)[];
    }>(
      `${imports}
      const { tid } = await start();
      const base = kernel().get(tid).nice;
      const told = [], listed = [];
      for (const priority of [5, 'low', 'idle', 'normal', 'high', -20, 'realtime', 19, 0]) {
        const [{ before, after }] = setThreadPriority(tid, priority);
        told.push([before, after]);
        const { nice, policy } = kernel().get(tid);
        listed.push([policy, nice]);
      }
      setThreadPriority('v8', 7);
      const untouched = [...kernel()].filter(([one]) => threads().find(({ tid }) => tid === one)?.role !== 'v8').map(([, { nice }]) => nice);
      const own = [getThreadPriority(), getThreadPriority(threads().find(({ role }) => role === 'v8').tid)];
      untouched.push(0);
      export default { told, byProc: listed, base, untouched, own };`,
    );
    const steps = [5, 10, 19, 0, -10, -20, 'realtime', 19, 0];
    expect(seen.told).toEqual(steps.map((after, at) => [at === 0 ? seen.base : steps[at - 1], after]));
    // Policy 2 is SCHED_RR, which keeps the nice value of before.
    expect(seen.byProc).toEqual(steps.map((nice) => (nice === 'realtime' ? [2, -20] : [0, nice])));
    expect(new Set(seen.untouched)).toEqual(new Set([0, seen.base]));
    expect(seen.own).toEqual([seen.base, 7]);
  });

  it.skipIf(noRights !== undefined)(
    unless('without the right: lower works, higher is refused, says what it needs, and changes nothing', noRights),
    async () => {
      const unprivileged = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];
      const program = `
      const { setThreadPriority, threads, getThreadPriority } = require(${JSON.stringify(join(checkout, 'dist', 'index.js'))});
      const failure = (call) => { try { call(); return null; } catch ({ name, code, message, errno }) { return { name, code, message, errno }; } };
      const base = getThreadPriority();
      const lowered = setThreadPriority('v8', base + 4).map(({ after }) => after);
      const failures = [['v8', base + 3], ['main', 'realtime'], ['main', base - 1]].map((call) => failure(() => setThreadPriority(...call)));
      console.log(JSON.stringify({ base, lowered, failures, after: threads().map(({ role, priority }) => [role, priority]) }));`;
      const { stdout, stderr } = spawnSync(unprivileged[0] ?? '', [...unprivileged.slice(1), process.execPath, '-e', program], {
        encoding: 'utf8',
      });
      expect(stderr).toBe('');
      const seen = JSON.parse(stdout) as { base: number; lowered: number[]; failures: Failure[]; after: [string, number][] };
      expect(seen.lowered).toEqual(Array.from({ length: 5 }, () => seen.base + 4));
      expect(seen.failures.map(({ code }) => code)).toEqual(seen.failures.map(() => 'ERR_AFFINITY_REFUSED'));
      expect(seen.failures.map(({ message }) => /RLIMIT_\w+[^,]*/.exec(message)?.[0])).toEqual([
        `RLIMIT_NICE (ulimit -e) of at least ${17 - seen.base}`,
        'RLIMIT_RTPRIO (ulimit -r)',
        `RLIMIT_NICE (ulimit -e) of at least ${21 - seen.base}`,
      ]);
      for (const [role, priority] of seen.after) expect(priority).toBe(role === 'v8' ? seen.base + 4 : seen.base);
    },
  );

  it('refuses what is no priority and no thread', async () => {
    const seen = await inOwnProcess<(Failure | null)[]>(`${imports}
      const wrong = [-21, 20, 1.5, NaN, Infinity, '', 'High', 'toString', null, undefined, 5n, {}];
      export default [...wrong.map((priority) => failure(() => setThreadPriority('main', priority))), failure(() => setThreadPriority(1, 5)), failure(() => setThreadPriority('workers', 5)), failure(() => getThreadPriority(1)), failure(() => getThreadPriority('main'))];`);
    const range = 'ERR_OUT_OF_RANGE';
    const type = 'ERR_INVALID_ARG_TYPE';
    const none = 'ERR_AFFINITY_NO_THREAD';
    expect(seen.map((failure) => failure?.code)).toEqual([
      range,
      range,
      range,
      range,
      range,
      type,
      type,
      type,
      type,
      type,
      type,
      type,
      none,
      none,
      none,
      type,
    ]);
  });
});
