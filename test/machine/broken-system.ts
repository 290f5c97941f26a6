/** Operating systems that are broken in one way each: faults.c, preloaded. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout } from './own-process.ts';

const has = (command: string): boolean => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
const compiler = ['cc', 'gcc', 'clang'].find(has);

/** Why no system can be broken here; undefined where one can. */
export const noCompiler: string | undefined = compiler === undefined ? 'needs a C compiler' : undefined;

export class BrokenSystem implements Disposable {
  // LD_PRELOAD ends names at spaces: not below a checkout that may have one.
  readonly #folder = mkdtempSync(join(tmpdir(), 'groupaffinity-faults-'));
  readonly #library = join(this.#folder, 'faults.so');

  constructor() {
    const source = join(checkout, 'test', 'machine', 'faults.c');
    const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror'];
    const { status, stderr } = spawnSync(compiler ?? '', [...flags, '-o', this.#library, source, '-ldl'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }

  /** The environment of a process whose system has this fault. */
  with(fault: string): NodeJS.ProcessEnv {
    return { ...process.env, LD_PRELOAD: this.#library, GROUPAFFINITY_FAULT: fault };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
