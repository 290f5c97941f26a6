/** The native code under the sanitizers of the compiler: in Node, and in a program of threads without Node. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import { bench, checkout, installed, must, needs, run, Unavailable, type Found, type Machine } from './lab.ts';
import { sources, strict } from './native.ts';

interface Sanitizer {
  readonly name: string;
  readonly about: string;
  /** As the compiler takes it. */
  readonly sanitize: string;
  /** Libraries to load before Node, which is built without. */
  readonly runtime: readonly string[];
  /** The environment variable of its options, and these. */
  readonly variable: string;
  readonly options: readonly string[];
}

/** Seconds for the program, workers in Node. */
const seconds = 15;
const workers = 300;

const kinds: readonly Sanitizer[] = [
  {
    name: 'asan',
    about: 'the native code under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer',
    sanitize: 'address,undefined',
    // Without the C++ library the runtime finds no __cxa_throw to watch, and gives up at the first exception.
    runtime: ['libasan.so', 'libstdc++.so'],
    variable: 'ASAN_OPTIONS',
    options: ['detect_leaks=1', 'malloc_context_size=12'],
  },
  {
    name: 'tsan',
    about: 'the native code under ThreadSanitizer',
    sanitize: 'thread',
    runtime: ['libtsan.so'],
    variable: 'TSAN_OPTIONS',
    // Node itself is not watched; its locks and threads are.
    options: ['ignore_noninstrumented_modules=1'],
  },
];

async function libraries(names: readonly string[]): Promise<string> {
  const paths = await Promise.all(names.map(async (name) => (await must('g++', [`-print-file-name=${name}`])).trim()));
  const missing = paths.find((path) => !isAbsolute(path));
  if (missing !== undefined) throw new Unavailable(`the compiler has no ${missing}: on Debian, apt-get install g++`);
  return paths.join(':');
}

/** The sanitizers' shadows want their own addresses; not every container lets a process choose. */
async function fixedAddresses(): Promise<string[]> {
  return (await run('setarch', ['-R', 'true'])).status === 0 ? ['setarch', '-R'] : [];
}

/** The package with an addon that is built by cmake-js, beside it the agent. */
async function packageWith(addon: string, folder: string): Promise<string> {
  const home = join(folder, 'groupaffinity');
  rmSync(home, { recursive: true, force: true });
  await must('cp', ['-r', await installed(), home]);
  rmSync(join(home, 'prebuilds'), { recursive: true });
  mkdirSync(join(home, 'build', 'Release'), { recursive: true });
  copyFileSync(addon, join(home, 'build', 'Release', basename(addon)));
  return home;
}

async function underSanitizer(found: Found, { name, sanitize, runtime, variable, options }: Sanitizer): Promise<void> {
  await needs('g++', 'g++');
  await needs('cmake', 'cmake');
  const preload = await libraries(runtime);
  const prefix = await fixedAddresses();
  found.system = `Linux ${release()}`;
  found.node = process.version;
  found.cpus = String(cpus().length);

  const folder = join(bench, name);
  const reports = join(folder, 'reports');
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const begin = (log: string, command: readonly string[], env = {}) => {
    const [file = '', ...args] = [...prefix, ...command];
    return run(file, args, { env: { ...env, [variable]: [`log_path=${join(reports, log)}`, ...options].join(':') } });
  };
  // Node's own leaks at exit are Node's.
  const reported = (log: string, from: string): string =>
    readdirSync(reports)
      .filter((file) => file.startsWith(log))
      .flatMap((file) => readFileSync(join(reports, file), 'utf8').split(/\n(?=\n|=+\n)/))
      .filter((report) => report.includes(from))
      .join('\n');

  const program = join(folder, 'storm');
  const watched = ['-O1', '-fno-omit-frame-pointer', '-pthread', `-fsanitize=${sanitize}`, '-fno-sanitize-recover=undefined'];
  const parts = [...sources('.').filter((file) => basename(file) !== 'addon.cc'), ...sources('linux')];
  await must('g++', [...strict, ...watched, join('test', 'lab', 'storm.cc'), ...parts, '-o', program]);
  await found.check('threads of a program without Node', async () => {
    const { status, stdout, stderr } = await begin('program', [program, String(seconds), '1']);
    const report = reported('program', '');
    if (status !== 0 || report !== '') throw new Error(`status ${status}\n${report}\n${stderr}`.trim());
    return stdout.trim();
  });

  const compile = join(checkout, 'node_modules', '.bin', 'cmake-js');
  await must(process.execPath, [compile, 'compile', '--out', join(folder, 'build'), `--CDsanitize=${sanitize}`]);
  const home = await packageWith(join(folder, 'build', 'Release', 'groupaffinity.node'), folder);
  await found.check('workers of Node', async () => {
    const command = [process.execPath, join(home, 'agents', 'storm.mjs'), String(workers), '1'];
    const { status, stdout, stderr } = await begin('node', command, { LD_PRELOAD: preload });
    const report = reported('node', status === 0 ? 'groupaffinity.node' : '');
    if (status !== 0 || report !== '') throw new Error(`status ${status}\n${report}\n${stderr}`.trim());
    const { did, sitters, libraries: loaded } = JSON.parse(stdout) as { did: unknown; sitters: number[][]; libraries: string[] };
    if (!loaded.includes(`lib${name}`)) throw new Error(`not watched: the process has ${loaded.join(', ')}`);
    if (sitters.flat().some((count) => count !== 0)) throw new Error(`seats are taken for ever: ${JSON.stringify(sitters)}`);
    return `${workers} workers that ended by ${JSON.stringify(did)}`;
  });
}

export const sanitizers: Machine[] = kinds.map((kind) => ({
  name: kind.name,
  about: kind.about,
  searches: true,
  run: (found) => underSanitizer(found, kind),
}));
