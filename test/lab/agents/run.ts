/**
 * `groupaffinity run` over pools of threads and of processes, and `ps` beside it, with the Node that runs this. Writes JSON:
 * `[{ name, verdict, observed }]`.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { allowedCpus } from 'groupaffinity';
import {
  poolFiles,
  poolProgram,
  processPools,
  tasksEach,
  threadPools,
  vitestFiles,
  type PoolSeen,
  type Task,
} from '../../machine/pool-programs.ts';
import { Found } from '../lab.ts';

const found = new Found();
const node = process.execPath;
const command = join(import.meta.dirname, '..', 'dist', 'cli', 'main.js');
const cpus = allowedCpus().toArray();
const count = cpus.length;
const each = cpus.map(String);
const run = promisify(execFile);
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort((a, b) => Number(a) - Number(b));

async function inFolder<T>(files: Record<string, string>, act: (folder: string) => Promise<T>): Promise<T> {
  // Below the package: the pools lie in the folders above it.
  const folder = realpathSync(mkdtempSync(join(import.meta.dirname, 'run ')));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return await act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const pool = (options: readonly string[], body: string): Promise<PoolSeen> =>
  inFolder({ ...poolFiles, 'program.cjs': poolProgram(body) }, async (folder) => {
    const { stdout } = await run(node, [command, 'run', ...options, '--', node, join(folder, 'program.cjs')]);
    return JSON.parse(stdout) as PoolSeen;
  });

function judge(places: ReadonlyMap<number, string>, workers = count): string {
  const [wanted, seen] = [each.join(), sorted(places.values()).join()];
  if (places.size !== workers) throw new Error(`${places.size} workers, not ${workers}`);
  if (wanted !== seen) throw new Error(`on ${seen}, not on ${wanted}`);
  return `${places.size} workers on ${seen}`;
}

for (const [name, body] of Object.entries(threadPools(count)))
  await found.check(`--main, --workers: ${name}`, async () => {
    const { main, parallelism, tasks } = await pool(['--main', each[0] ?? '', '--workers', 'cpu'], body);
    if (main !== each[0]) throw new Error(`the main thread is on ${main}`);
    if (parallelism !== count || tasks.length !== count * tasksEach) throw new Error(`${parallelism} CPUs, ${tasks.length} tasks`);
    return judge(new Map(tasks.map(({ thread, where }) => [thread, where])));
  });

for (const [name, body] of Object.entries(processPools(count)))
  for (const options of [
    ['--processes', 'cpu'],
    ['--workers', 'cpu', '--processes', 'share'],
  ])
    await found.check(`${options.join(' ')}: ${name}`, async () => {
      const { tasks } = await pool(options, body);
      return judge(new Map(tasks.map(({ process, where }) => [process, where])));
    });

for (const name of ['threads', 'forks'])
  await found.check(`vitest, ${name}`, () =>
    inFolder(vitestFiles(name, count), async (folder) => {
      const vitest = join(import.meta.dirname, '..', '..', '..', '..', '..', 'node_modules', 'vitest', 'vitest.mjs');
      const env = { ...process.env, TOLD: join(folder, 'told') };
      await run(node, [command, 'run', '--workers', 'cpu', '--processes', 'share', '--', node, vitest, 'run', '--root', folder], {
        cwd: folder,
        env,
      });
      const told = readFileSync(join(folder, 'told'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Task);
      if (told.length !== count * 2) throw new Error(`${told.length} test files, not ${count * 2}`);
      const seen = sorted(told.map(({ where }) => where));
      if (seen.join() !== each.join()) throw new Error(`on ${seen.join()}, not on ${each.join()}`);
      return `${told.length} test files on ${seen.join()}`;
    }),
  );

await found.check('ps: every thread of a placed process, and who it is', async () => {
  const [first = '', last = first] = [each[0], each.at(-1)];
  const text = `
    const { Worker } = require('node:worker_threads');
    new Worker('setInterval(() => {}, 1000)', { eval: true }).once('online', () => require('node:fs').stat('.', () => console.log('up')));`;
  const options = ['--main', first, '--workers', last, '--libuv', last, '--v8', first];
  const child = spawn(node, [command, 'run', ...options, '--', node, '-e', text], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await new Promise((go) => child.stdout.once('data', go));
    const { stdout } = await run(node, [command, 'ps', '--json', String(child.pid)]);
    const [seen] = (JSON.parse(stdout) as { processes: { threads: { role: string; certainty: string; allowed: string }[] }[] }).processes;
    const wanted = { main: [1, first], worker: [1, last], libuv: [4, last], v8: [5, first] } as const;
    for (const [role, [number, where]] of Object.entries(wanted)) {
      const own = (seen?.threads ?? []).filter((thread) => thread.role === role);
      if (own.length !== number || own.some(({ allowed }) => allowed !== where))
        throw new Error(`${role}: ${own.map(({ allowed }) => allowed).join(' ')}, not ${number} on ${where}`);
    }
    return (seen?.threads ?? []).map(({ role, certainty, allowed }) => `${role} (${certainty}) ${allowed}`).join(', ');
  } finally {
    child.kill('SIGKILL');
  }
});

console.log(JSON.stringify(found.checks));
