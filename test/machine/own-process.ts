import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The checkout; its build is what the tests of this folder run. */
export const checkout = fileURLToPath(new URL('../..', import.meta.url));

const run = promisify(execFile);

export interface Options {
  env?: NodeJS.ProcessEnv;
  execArgv?: string[];
  /** A command that the process is started with, as taskset. */
  under?: string[];
  /** The folder of the package that it loads; the checkout by default. */
  at?: string;
}

/** The kernel's word on the calling thread: not through any call under test. */
const prelude = `
import { readFileSync } from 'node:fs';
const status = (name) => new RegExp('^' + name + ':\\\\s*(.*)$', 'm').exec(readFileSync('/proc/thread-self/status', 'utf8'))[1];
const byProc = () => status('Cpus_allowed_list');
const exactly = () => status('Cpus_allowed');
const lastCpu = () => Number(readFileSync('/proc/thread-self/stat', 'utf8').split(') ')[1].split(' ')[36]);
const failure = (call) => { try { call(); return null; } catch (error) { return { name: error.name, code: error.code, message: error.message, status: error.status, errno: error.errno }; } };
`;

/**
 * Runs a module in a Node process of its own, with the package under its public names, and returns what it exports as
 * default. The process starts with the CPUs that this one has.
 */
export async function inOwnProcess<T>(source: string, { env = {}, execArgv = [], under = [], at = checkout }: Options = {}): Promise<T> {
  const folder = mkdtempSync(join(at, 'build', 'test-'));
  try {
    const file = join(folder, 'program.mjs');
    const main = join(folder, 'main.mjs');
    const out = join(folder, 'result.json');
    writeFileSync(file, `${prelude}${source}`);
    writeFileSync(
      main,
      `import { writeFileSync } from 'node:fs';
       const { default: result } = await import('./program.mjs');
       writeFileSync(${JSON.stringify(out)}, JSON.stringify((await result) ?? null, (_, value) => (typeof value === 'bigint' ? '0x' + value.toString(16) : value)));
       process.exit(0);`,
    );
    const command = [...under, process.execPath, ...execArgv, main];
    await run(command[0] ?? '', command.slice(1), { cwd: checkout, env: { ...process.env, NODE_OPTIONS: '', ...env }, maxBuffer: 2 ** 26 });
    return JSON.parse(readFileSync(out, 'utf8')) as T;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** CPUs that this process may use, by the kernel's list; tests that need two say so. */
export const cpus: number[] = (/^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '')
  .split(',')
  .flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });

/** Why no folder can be hidden from a process here; undefined where `hiding` works. */
export const noMounts: string | undefined =
  spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /sys']).status === 0 ? undefined : 'needs root and mount namespaces';

/** A command that starts another one with nothing in a folder. */
export const hiding = (folder: string): string[] => ['unshare', '-m', 'sh', '-c', `mount -t tmpfs none ${folder} && exec "$@"`, 'sh'];

/** A test's title, with the reason where it is skipped. */
export const unless = (title: string, reason: string | undefined): string => (reason === undefined ? title : `${title}: ${reason}`);
