/** Programs that use pools of threads and of processes as people do: texts, for any Node. Each prints a `PoolSeen`. */

/** What placed programs begin with: the kernel's word on the calling thread. */
export const teller = `
const { readFileSync, readlinkSync } = require('node:fs');
const field = (text, name) => new RegExp('^' + name + ':\\\\s*(.*)$', 'm').exec(text)[1];
const where = () => field(readFileSync('/proc/thread-self/status', 'utf8'), 'Cpus_allowed_list');
const thread = () => Number(readlinkSync('/proc/thread-self').split('/').at(-1));
const os = require('node:os');
`;

/** What a task of a pool saw. */
export interface Task {
  process: number;
  thread: number;
  /** By the kernel, in its list format. */
  where: string;
}

export interface PoolSeen {
  /** Where the main thread may run. */
  main: string;
  parallelism: number;
  tasks: Task[];
}

/** Tasks for each worker of a pool. */
export const tasksEach = 4;

/** Beside the program: a task tells where it is, and takes so long that the other workers have their part as well. */
export const poolFiles: Record<string, string> = {
  'task.cjs': `${teller}
module.exports = () => {
  const end = Date.now() + 100;
  while (Date.now() < end);
  return { process: process.pid, thread: thread(), where: where() };
};
`,
  'workerpool.cjs': `require('workerpool').worker({ task: require('./task.cjs') });`,
  'child.cjs': `const task = require('./task.cjs'); process.on('message', () => process.send(task()));`,
};

export const poolProgram = (body: string): string =>
  `${teller}${body}
  run().then((tasks) => console.log(JSON.stringify({ main: where(), parallelism: os.availableParallelism(), tasks })));`;

/** Pools of so many threads, by name. */
export const threadPools = (count: number): Record<string, string> => ({
  worker_threads: `
    const { Worker } = require('node:worker_threads');
    const text = 'const { parentPort } = require("node:worker_threads"); const task = require(' + JSON.stringify(__dirname + '/task.cjs') + '); parentPort.on("message", () => parentPort.postMessage(task()));';
    const workers = Array.from({ length: ${count} }, () => new Worker(text, { eval: true }));
    const one = (worker) => new Promise((go) => { worker.once('message', go); worker.postMessage(0); });
    const run = async () => { const all = []; for (let i = 0; i < 4; i += 1) all.push(...await Promise.all(workers.map(one))); for (const worker of workers) worker.terminate(); return all; };`,
  Piscina: `
    const { Piscina } = require('piscina');
    const pool = new Piscina({ filename: __dirname + '/task.cjs', minThreads: ${count}, maxThreads: ${count}, concurrentTasksPerWorker: 1 });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${count * tasksEach} }, () => pool.run(null))); await pool.destroy(); return all; };`,
  'Piscina with an environment of its own': `
    const { Piscina } = require('piscina');
    const pool = new Piscina({ filename: __dirname + '/task.cjs', minThreads: ${count}, maxThreads: ${count}, env: {}, execArgv: [] });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${count * tasksEach} }, () => pool.run(null))); await pool.destroy(); return all; };`,
  tinypool: `
    const run = async () => {
      const { Tinypool } = await import('tinypool');
      const pool = new Tinypool({ filename: __dirname + '/task.cjs', minThreads: ${count}, maxThreads: ${count} });
      const all = await Promise.all(Array.from({ length: ${count * tasksEach} }, () => pool.run(null)));
      await pool.destroy();
      return all;
    };`,
  workerpool: `
    const workerpool = require('workerpool');
    const pool = workerpool.pool(__dirname + '/workerpool.cjs', { minWorkers: ${count}, maxWorkers: ${count}, workerType: 'thread' });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${count * tasksEach} }, () => pool.exec('task', []))); await pool.terminate(); return all; };`,
});

/** Pools of so many processes, by name. */
export const processPools = (count: number): Record<string, string> => ({
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
      const all = await Promise.all(Array.from({ length: ${count * tasksEach} }, () => pool.run(null)));
      await pool.destroy();
      return all;
    };`,
  'workerpool of processes': `
    const workerpool = require('workerpool');
    const pool = workerpool.pool(__dirname + '/workerpool.cjs', { minWorkers: ${count}, maxWorkers: ${count}, workerType: 'process' });
    const run = async () => { const all = await Promise.all(Array.from({ length: ${count * tasksEach} }, () => pool.exec('task', []))); await pool.terminate(); return all; };`,
});

/** Two test files a worker for vitest's own pool, 'threads' or 'forks'; each appends a `Task` to the file that TOLD names. */
export function vitestFiles(pool: string, count: number): Record<string, string> {
  const testFile = `
    import { appendFileSync, readFileSync, readlinkSync } from 'node:fs';
    import { it } from 'vitest';
    it('tells where it is', () => {
      const end = Date.now() + 400;
      while (Date.now() < end);
      const where = /^Cpus_allowed_list:\\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))[1];
      appendFileSync(process.env.TOLD, JSON.stringify({ process: process.pid, thread: Number(readlinkSync('/proc/thread-self').split('/').at(-1)), where }) + '\\n');
    });`;
  return {
    ...Object.fromEntries(Array.from({ length: count * 2 }, (_, at) => [`${at}.test.mjs`, testFile])),
    'vitest.config.mjs': `export default { test: { root: '.', pool: '${pool}', maxWorkers: ${count} } };`,
    told: '',
  };
}
