/** The peers, each in a scratch folder or from the system: never dependencies. `Unavailable` says what is missing. */
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { checkout, must, needs, npmPackage, run, Unavailable } from '../../lab/lab.ts';

const require = createRequire(import.meta.url);
const sources = join(checkout, 'test', 'bench', 'peers');
const built = join(checkout, 'build', 'bench');
/** The headers that belong to this node, libuv's among them. */
const nodedir = dirname(dirname(process.execPath));
const headers = join(nodedir, 'include', 'node');

async function compile(source: string, out: string, ...flags: readonly string[]): Promise<string> {
  await needs('cc', 'gcc');
  mkdirSync(built, { recursive: true });
  const file = join(built, out);
  await must('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', ...flags, '-o', file, join(sources, source)]);
  return file;
}

export interface NodeAffinity {
  getAffinity(): number;
  setAffinity(mask: number): number;
}

export async function nodeAffinity(version: string): Promise<NodeAffinity> {
  const folder = await npmPackage('nodeaffinity', version);
  if (!existsSync(join(folder, 'build', 'Release', 'nodeaffinity.node'))) {
    const nodeGyp = require.resolve('node-gyp/bin/node-gyp.js');
    const here = existsSync(headers) ? ['--nodedir', nodedir] : [];
    const { status, stderr } = await run(process.execPath, [nodeGyp, 'rebuild', '--directory', folder, ...here]);
    if (status !== 0) throw new Unavailable(`nodeaffinity does not build here: ${stderr.trim().split('\n').at(-1)}`);
  }
  return require(folder) as NodeAffinity;
}

/** As much of koffi as is used here. */
export interface Koffi {
  /** null: what the process has loaded. */
  load(library: string | null): { func(declaration: string): (...values: readonly unknown[]) => number };
  alloc(type: string, count: number): unknown;
  address(allocated: unknown): bigint;
  view(allocated: unknown, bytes: number): ArrayBuffer;
}

export async function koffi(version: string): Promise<Koffi> {
  if (process.platform !== 'linux') throw new Unavailable("it is asked for Linux' calls");
  const folder = await npmPackage('koffi', version);
  try {
    return require(folder) as Koffi;
  } catch (error) {
    throw new Unavailable(`koffi does not load here: ${(error as Error).message.split('\n')[0]}`);
  }
}

export interface Libuv {
  /** Bytes of a mask: one a CPU. */
  readonly maskSize: number;
  /** Nanoseconds of `count` calls of uv_thread_setaffinity with the two masks in turn; below zero: libuv's error. */
  exchanges(first: Uint8Array, second: Uint8Array, previous: Uint8Array, count: number): number;
}

export async function libuv(): Promise<Libuv> {
  if (!existsSync(join(headers, 'uv.h'))) throw new Unavailable(`needs libuv's headers beside node, in ${headers}`);
  const [major = 0, minor = 0] = process.versions.uv.split('.').map(Number);
  if (major < 1 || minor < 45) throw new Unavailable(`uv_thread_setaffinity came with libuv 1.45; this is ${process.versions.uv}`);
  return require(await compile('libuv.c', 'libuv.node', '-I', headers)) as Libuv;
}

/** The floor as a shared library that Python can load, and the script that does. */
export async function python(): Promise<{ library: string; script: string }> {
  await needs('python3', 'python3');
  const { status } = await run('python3', ['-c', 'import os; os.sched_setaffinity']);
  if (status !== 0) throw new Unavailable('this Python has no os.sched_setaffinity');
  return { library: await compile('floor.c', 'floor.so'), script: join(sources, 'python.py') };
}

export async function taskset(): Promise<string> {
  await needs('taskset', 'util-linux');
  return (await must('taskset', ['--version'])).trim().split(' ').at(-1) ?? '';
}

/** Loads the topology of the machine below a root, `/` for this one; nanoseconds of hwloc_topology_load alone. */
export async function hwloc(koffiVersion: string): Promise<(root: string) => number> {
  const caller = await koffi(koffiVersion);
  let library: ReturnType<Koffi['load']>;
  try {
    library = caller.load('libhwloc.so.15');
  } catch {
    throw new Unavailable('needs libhwloc: on Debian, apt-get install libhwloc15');
  }
  const begin = library.func('int hwloc_topology_init(_Out_ void **topology)');
  const read = library.func('int hwloc_topology_load(void *topology)');
  const end = library.func('void hwloc_topology_destroy(void *topology)');
  const { env } = process;
  env['HWLOC_COMPONENTS'] = 'linux,stop';
  return (root) => {
    if (root === '/') for (const name of ['HWLOC_FSROOT', 'HWLOC_THISSYSTEM']) delete env[name];
    else Object.assign(env, { HWLOC_FSROOT: root, HWLOC_THISSYSTEM: '0' });
    const topology: unknown[] = [null];
    begin(topology);
    const begun = process.hrtime.bigint();
    const status = read(topology[0]);
    const nanoseconds = Number(process.hrtime.bigint() - begun);
    end(topology[0]);
    if (status !== 0) throw new Error(`hwloc_topology_load: status ${status}`);
    return nanoseconds;
  };
}
