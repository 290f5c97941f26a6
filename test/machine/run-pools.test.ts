/** Programs and pools as people have them, unchanged, under `groupaffinity run`: the kernel's word for every thread. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout, cpus } from './own-process.ts';
import { Folder, placing, runs, threadsByProc } from './placed.ts';
import { poolFiles, poolProgram, processPools, tasksEach, threadPools, vitestFiles, type PoolSeen, type Task } from './pool-programs.ts';

const two = cpus.length >= 2;
const [a = 0] = cpus;
const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort((x, y) => Number(x) - Number(y));
const each = sorted(cpus.map(String));

const count = cpus.length;
const tasks = count * tasksEach;

async function run(options: readonly string[], body: string): Promise<PoolSeen> {
  using folder = new Folder({ ...poolFiles, 'program.cjs': poolProgram(body) });
  const { status, stdout, stderr } = await placing(options, [process.execPath, folder.file('program.cjs')]).ended;
  if (status !== 0 || stderr !== '') throw new Error(`status ${status}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as PoolSeen;
}

describe.runIf(two)('a pool of threads: every worker has a seat of its own', () => {
  it.each(Object.entries(threadPools(count)))('%s', async (_, body) => {
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

describe.runIf(two).each(Object.entries(processPools(count)))('%s', (_, body) => {
  const runChildren = async (options: readonly string[]): Promise<PoolSeen> => {
    using folder = new Folder({ ...poolFiles, 'program.cjs': poolProgram(body) });
    const { status, stdout, stderr } = await placing(options, [process.execPath, folder.file('program.cjs')]).ended;
    if (status !== 0 || stderr !== '') throw new Error(`status ${status}\n${stdout}\n${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as PoolSeen;
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
    using folder = new Folder({ ...poolFiles, 'parent.cjs': parent, 'program.cjs': poolProgram(body) });
    const { stdout, stderr } = await placing(options, [process.execPath, folder.file('program.cjs')]).ended;
    expect(stderr).toBe('');
    const seen = JSON.parse(stdout) as PoolSeen;
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
  it.each(['threads', 'forks'])('%s: every worker has a seat', async (pool) => {
    using folder = new Folder(vitestFiles(pool, count));
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
      await expect.poll(() => runs(victim), { timeout: 10_000 }).toBe(false);
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
