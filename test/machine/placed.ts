/** Runs a program under `groupaffinity run`, and asks the kernel where its threads are: through /proc, from outside. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './own-process.ts';

import { teller } from './pool-programs.ts';

export { teller };

export const main = join(checkout, 'dist', 'cli', 'main.js');

/** A folder of files below the checkout, where the development dependencies are found. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(checkout, 'build', 'run test-'));

  constructor(files: Record<string, string>) {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.path, name), text);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const environment = (): NodeJS.ProcessEnv => {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  return rest;
};

/** A command that runs, with what it has written so far. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  /** It has ended, and all that it wrote is here: it may end before that is read. */
  private closed = false;

  constructor(command: readonly string[], { env, ...options }: SpawnOptions = {}) {
    const [file = '', ...args] = command;
    this.child = spawn(file, args, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'], ...options, env: { ...environment(), ...env } });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (status, signal) => {
        this.closed = true;
        resolve({ status, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits until it has written something. */
  async said(what: string | RegExp): Promise<string> {
    const until = Date.now() + 30_000;
    for (;;) {
      const text = this.stdout + this.stderr;
      if (typeof what === 'string' ? text.includes(what) : what.test(text)) return text;
      if (Date.now() > until || this.closed) throw new Error(`it never said ${String(what)}, but ${text}`);
      await new Promise((go) => setTimeout(go, 10));
    }
  }
}

/** `node main.js run OPTIONS -- COMMAND`. */
export const placing = (options: readonly string[], command: readonly string[], spawning?: SpawnOptions): Running =>
  new Running([process.execPath, main, 'run', ...options, '--', ...command], spawning);

/** Runs a program that prints JSON; what it printed, one document a line. */
export async function placed<T>(options: readonly string[], program: string, files: Record<string, string> = {}): Promise<T[]> {
  using folder = new Folder({ 'program.cjs': `${teller}${program}`, ...files });
  const { status, signal, stdout, stderr } = await placing(options, [process.execPath, folder.file('program.cjs')]).ended;
  if (status !== 0 || stderr !== '') throw new Error(`status ${status ?? signal}\n${stdout}\n${stderr}`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

/** By the kernel: where each thread of a process may run. */
export function threadsByProc(pid: number): Map<number, { name: string; allowed: string }> {
  const found = new Map<number, { name: string; allowed: string }>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    try {
      const status = readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8');
      const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
      found.set(Number(tid), { name: field('Name'), allowed: field('Cpus_allowed_list') });
    } catch {
      // It has ended.
    }
  }
  return found;
}

/** By the kernel: whether a process has not ended, a zombie being one that has. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Node processes below a process, itself included. */
export function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(descendants)];
}
