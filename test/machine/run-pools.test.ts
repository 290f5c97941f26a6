/** Programs and pools as people have them, unchanged, under `groupaffinity run`: the kernel's word for every thread. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout, cpus } from './own-process.ts';
import { Folder, placing, teller, threadsByProc } from './placed.ts';

const two = cpus.length >= 2;
const [a = 0] = cpus;
const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort((x, y) => Number(x) - Number(y));
const each = sorted(cpus.map(String));

interface Task {
  process: number;
  thread: number;
  where: string;
}

/** What a pool's worker does: tells where it is, and takes so long that the others have their part as well. */
const task = `${teller}
module.exports = () => {
  const end = Date.now() + 100;
  while (Date.now() < end);
  return { process: process.pid, thread: thread(), where: where() };
};
`;

const count = cpus.length;
const tasks = count * 4;

/** Each program prints { main, tasks }. */
const pools: Record<string, string> = {
  worker_threads: `
    const { Worker } = require('node:worker_threads');
    const text = 'const { parentPort } = require("node:worker_threads"); const task = require(' + JSON.stringify(__dirname + '/task.cjs') + '); parentPort.on("message", () => parentPort.postMessage(task()));';
    const workers = Array.from({ length: ${count} }, () => new Worker(text, { eval: true }));
    const one = (worker) => new Promise((go) => { worker.once('message', go); worker.postMessage(0); });
    const run = async () => { const all = []; for (let i = 0; i < 4; i += 1) all.push(...await Promise.all(workers.map(one))); for (const worker of workers) worker.terminate(); return all; };`,
  Piscina: `
    const { Piscina } = require('piscina');
    const pool = new Piscina({ filename: __dirname + '/task.cjs', minThreads: ${count}, maxThreads: ${count}, concurrentTasksPerWorker: 1 });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${tasks} }, () => pool.run(null))); await pool.destroy(); return all; };`,
  'Piscina with an environment of its own': `
    const { Piscina } = require('piscina');
    const pool = new Piscina({ filename: __dirname + '/task.cjs', minThreads: ${count}, maxThreads: ${count}, env: {}, execArgv: [] });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${tasks} }, () => pool.run(null))); await pool.destroy(); return all; };`,
  tinypool: `
    const run = async () => {
      const { Tinypool } = await import('tinypool');
      const pool = new Tinypool({ filename: __dirname + '/task.cjs', minThreads: ${count}, maxThreads: ${count} });
      const all = await Promise.all(Array.from({ length: ${tasks} }, () => pool.run(null)));
      await pool.destroy();
      return all;
    };`,
  workerpool: `
    const workerpool = require('workerpool');
    const pool = workerpool.pool(__dirname + '/workerpool.cjs', { minWorkers: ${count}, maxWorkers: ${count}, workerType: 'thread' });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${tasks} }, () => pool.exec('task', []))); await pool.terminate(); return all; };`,
};

const files = {
  'task.cjs': task,
  'workerpool.cjs': `require('workerpool').worker({ task: require('./task.cjs') });`,
};
const program = (body: string): string =>
  `${teller}${body}
  run().then((tasks) => console.log(JSON.stringify({ main: where(), parallelism: os.availableParallelism(), tasks })));`;

interface Seen {
  main: string;
  parallelism: number;
  tasks: Task[];
}

async function run(options: readonly string[], body: string): Promise<Seen> {
  using folder = new Folder({ ...files, 'program.cjs': program(body) });
  const { status, stdout, stderr } = await placing(options, [process.execPath, folder.file('program.cjs')]).ended;
  if (status !== 0 || stderr !== '') throw new Error(`status ${status}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Seen;
}

describe.runIf(two)('a pool of threads: every worker has a seat of its own', () => {
  it.each(Object.entries(pools))('%s', async (_, body) => {
    const seen = await run(['--main', `${a}`, '--workers', 'cpu'], body);
    expect(seen).toMatchObject({ main: `${a}`, parallelism: count });
    expect(seen.tasks).toHaveLength(tasks);
    const places = new Map(seen.tasks.map(({ thread, where }) => [thread, where]));
    expect(places.size).toBe(count);
    expect(sorted(places.values())).toEqual(each);
    // No worker was ever elsewhere.
    for (const { thread, where } of seen.tasks) expect(where).toBe(places.get(thread));
  });
});

const children: Record<string, string> = {
  'child_process.fork': `
    const { fork } = require('node:child_process');
    const all = Array.from({ length: ${count} }, () => fork(__dirname + '/child.cjs'));
    const one = (child) => new Promise((go) => { child.once('message', go); child.send(0); });
    const run = async () => { const told = await Promise.all(all.map(one)); for (const child of all) child.disconnect(); return told; };`,
  cluster: `
    const cluster = require('node:cluster');
    cluster.setupPrimary({ exec: __dirname + '/child.cjs' });
    const all = Array.from({ length: ${count} }, () => cluster.fork());
    const one = (worker) => new Promise((go) => { worker.on('message', go); worker.once('online', () => worker.send(0)); });
    const run = async () => { const told = await Promise.all(all.map(one)); for (const worker of all) worker.disconnect(); return told; };`,
  'tinypool of processes': `
    const run = async () => {
      const { Tinypool } = await import('tinypool');
      const pool = new Tinypool({ filename: __dirname + '/task.cjs', runtime: 'child_process', minThreads: ${count}, maxThreads: ${count} });
      const all = await Promise.all(Array.from({ length: ${tasks} }, () => pool.run(null)));
      await pool.destroy();
      return all;
    };`,
  'workerpool of processes': `
    const workerpool = require('workerpool');
    const pool = workerpool.pool(__dirname + '/workerpool.cjs', { minWorkers: ${count}, maxWorkers: ${count}, workerType: 'process' });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${tasks} }, () => pool.exec('task', []))); await pool.terminate(); return all; };`,
};
const child = `const task = require('./task.cjs'); process.on('message', () => process.send(task()));`;

describe.runIf(two).each(Object.entries(children))('%s', (_, body) => {
  const runChildren = async (options: readonly string[]): Promise<Seen> => {
    using folder = new Folder({ ...files, 'child.cjs': child, 'program.cjs': program(body) });
    const { status, stdout, stderr } = await placing(options, [process.execPath, folder.file('program.cjs')]).ended;
    if (status !== 0 || stderr !== '') throw new Error(`status ${status}\n${stdout}\n${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Seen;
  };

  it('every process is placed alike when nothing else is said', async () => {
    const seen = await runChildren(['--main', `${a}`]);
    expect(seen.main).toBe(`${a}`);
    expect(new Set(seen.tasks.map(({ process }) => process)).size).toBe(count);
    expect(sorted(seen.tasks.map(({ where }) => where))).toEqual([`${a}`]);
  });

  it('every process has a share of its own, its parent one as well', async () => {
    const seen = await runChildren(['--processes', 'cpu']);
    const places = new Map(seen.tasks.map(({ process, where }) => [process, where]));
    expect(places.size).toBe(count);
    expect(sorted(places.values())).toEqual(each);
    expect(each).toContain(seen.main);
    expect(seen.parallelism).toBe(1);
  });

  it('forked processes take the seats of the workers, the first process none', async () => {
    const seen = await runChildren(['--workers', 'cpu', '--processes', 'share']);
    expect(seen.main).toBe(list);
    const places = new Map(seen.tasks.map(({ process, where }) => [process, where]));
    expect(places.size).toBe(count);
    expect(sorted(places.values())).toEqual(each);
  });
});

describe.runIf(two)('workers of several processes', () => {
  const body = `
    const { fork } = require('node:child_process');
    const all = Array.from({ length: 2 }, () => fork(__dirname + '/parent.cjs', { execArgv: [], stdio: 'inherit' }));
    const run = async () => (await Promise.all(all.map((one) => new Promise((go) => one.once('message', go))))).flat();`;
  const parent = `
    const { Worker } = require('node:worker_threads');
    const text = 'const { parentPort } = require("node:worker_threads"); parentPort.postMessage(require(' + JSON.stringify(__dirname + '/task.cjs') + ')()); setTimeout(() => {}, 1500);';
    const workers = Array.from({ length: ${count} }, () => new Worker(text, { eval: true }));
    Promise.all(workers.map((worker) => new Promise((go) => worker.once('message', go)))).then((told) => process.send(told));`;

  it.each([
    ['each process has all seats', ['--workers', 'cpu'], false],
    ['share the seats of one plan', ['--workers', 'cpu', '--processes', 'share'], true],
  ])('%s', async (_, options, shared) => {
    using folder = new Folder({ ...files, 'parent.cjs': parent, 'program.cjs': program(body) });
    const { stdout, stderr } = await placing(options, [process.execPath, folder.file('program.cjs')]).ended;
    expect(stderr).toBe('');
    const seen = JSON.parse(stdout) as Seen;
    const processes = new Set(seen.tasks.map(({ process }) => process));
    expect(processes.size).toBe(2);
    const taken = (where: string): number => seen.tasks.filter((one) => one.where === where).length;
    // With the two forked processes themselves there are twice as many and two for the seats, none with two more than another.
    if (shared) {
      const [least, most] = [Math.min, Math.max].map((f) => f(...each.map(taken))) as [number, number];
      expect(most - least).toBeLessThanOrEqual(2);
    } else
      for (const pid of processes) expect(sorted(seen.tasks.filter((one) => one.process === pid).map(({ where }) => where))).toEqual(each);
  });
});

describe.runIf(two)("vitest's own pools", () => {
  const testFile = `
    import { appendFileSync, readFileSync, readlinkSync } from 'node:fs';
    import { it } from 'vitest';
    it('tells where it is', () => {
      const end = Date.now() + 400;
      while (Date.now() < end);
      const where = /^Cpus_allowed_list:\\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))[1];
      appendFileSync(process.env.TOLD, JSON.stringify({ process: process.pid, thread: Number(readlinkSync('/proc/thread-self').split('/').at(-1)), where }) + '\\n');
    });`;

  it.each(['threads', 'forks'])('%s: every worker has a seat', async (pool) => {
    using folder = new Folder({
      ...Object.fromEntries(Array.from({ length: count * 2 }, (_, at) => [`${at}.test.mjs`, testFile])),
      'vitest.config.mjs': `export default { test: { root: ${JSON.stringify('.')}, pool: '${pool}', maxWorkers: ${count} } };`,
      told: '',
    });
    const vitest = join(checkout, 'node_modules', 'vitest', 'vitest.mjs');
    const { status, stdout, stderr } = await placing(
      ['--workers', 'cpu', '--processes', 'share'],
      [process.execPath, vitest, 'run', '--root', folder.path],
      {
        cwd: folder.path,
        env: { TOLD: folder.file('told'), VITEST: undefined, VITEST_POOL_ID: undefined, VITEST_WORKER_ID: undefined },
      },
    ).ended;
    expect({ status, stderr, failed: status === 0 ? '' : stdout }).toEqual({ status: 0, stderr: '', failed: '' });
    const told = readFileSync(folder.file('told'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Task);
    expect(told).toHaveLength(count * 2);
    for (const { where } of told) expect(each).toContain(where);
    expect(sorted(told.map(({ where }) => where))).toEqual(each);
  });
});

describe.runIf(two)('from outside', () => {
  it('the kernel shows every thread of the process where the command line sent its role', async () => {
    const b = `${cpus[1]}`;
    const body = `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
      worker.once('online', () => console.log('ready ' + process.pid));
      setInterval(() => {}, 1000);`;
    for (const command of [
      [process.execPath, '-e', body],
      ['sh', '-c', '"$0" -e "$1"; exit $?', process.execPath, body],
    ]) {
      const running = placing(['--main', `${a}`, '--workers', b, '--libuv', b, '--v8', `${a}`], command);
      const pid = Number(/ready (\d+)/.exec(await running.said(/ready \d+/))?.[1]);
      try {
        const threads = threadsByProc(pid);
        expect(threads.get(pid)?.allowed).toBe(`${a}`);
        const sets = [...threads.values()].map(({ allowed }) => allowed);
        // Four of libuv's and a worker; the main thread, four of V8's and their timer; the debugger's is left alone.
        expect(sets.filter((set) => set === b)).toHaveLength(5);
        expect(sets.filter((set) => set === `${a}`)).toHaveLength(6);
        expect(sets.filter((set) => set !== b && set !== `${a}`)).toEqual(sets.filter((set) => set === list));
      } finally {
        process.kill(pid, 'SIGKILL');
        await running.ended;
      }
    }
  });

  it('a share is free again when its process is killed', async () => {
    const body = `
      const { spawn } = require('node:child_process');
      const start = () => spawn(process.execPath, ['-e', 'console.log(process.pid); setInterval(() => {}, 1000)'], { stdio: ['ignore', 'inherit', 'inherit'] });
      process.stdin.on('data', () => { start(); });
      start();`;
    const wanted = cpus.length + 3;
    const running = placing(['--processes', 'cpu'], [process.execPath, '-e', body], { stdio: ['pipe', 'pipe', 'pipe'] });
    const pids: number[] = [];
    const where = (pid: number): string => threadsByProc(pid).get(pid)?.allowed ?? 'gone';
    const next = async (): Promise<number> => {
      await running.said(new RegExp(`(\\d+\\n){${pids.length + 1}}`));
      const pid = Number(running.stdout.trim().split('\n').at(-1));
      pids.push(pid);
      return pid;
    };
    try {
      await next();
      while (pids.length < wanted) {
        running.child.stdin?.write('x');
        await next();
      }
      // One more than the shares beside the first process: two on each, or three.
      const victim = pids[0] ?? 0;
      const freed = where(victim);
      process.kill(victim, 'SIGKILL');
      while (readdirSync('/proc').includes(String(victim)) && !/^State:\s*Z/m.test(readFileSync(`/proc/${victim}/status`, 'utf8')))
        await new Promise((go) => setTimeout(go, 5));
      const load = new Map(each.map((cpu) => [cpu, [running.pid, ...pids.slice(1)].filter((pid) => where(pid) === cpu).length]));
      const emptiest = each.filter((cpu) => load.get(cpu) === Math.min(...load.values()));
      running.child.stdin?.write('x');
      const heir = await next();
      expect(emptiest).toContain(where(heir));
      expect(each).toContain(freed);
    } finally {
      for (const pid of [...pids, running.pid])
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
      await running.ended;
    }
  });
});
