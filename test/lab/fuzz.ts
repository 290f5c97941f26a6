/**
 * A coverage-guided fuzzer on every decoder: libFuzzer on those of native/, V8's coverage on those of lib/. Each starts
 * from test/lab/corpus/NAME.txt, a JSON string a line, its characters the bytes of an input. What it found there and
 * since, as few inputs as reach the same code, lies in build/lab/fuzz/NAME.txt: the corpus of the next commit.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { basename, join } from 'node:path';
import type { Fuzzed } from './fuzz-protocol.ts';
import { agents, bench, checkout, must, needs, run, Unavailable, type Found, type Machine } from './lab.ts';
import { strict } from './native.ts';

const folder = join(bench, 'fuzz');
const committed = (name: string): string => join(checkout, 'test', 'lab', 'corpus', `${name}.txt`);
const grown = (name: string): string => join(folder, `${name}.txt`);

const read = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as string);
const write = (file: string, inputs: readonly string[]): void =>
  writeFileSync(file, [...inputs].sort().map((input) => `${JSON.stringify(input)}\n`).join('')); // prettier-ignore

interface Target {
  /** Of test/lab/fuzz/NAME.cc. */
  readonly name: string;
  /** Seconds of one processor: in all targets, five minutes. */
  readonly seconds: number;
  /** Bytes of the longest input. */
  readonly longest: number;
  /** What it fuzzes. */
  readonly decoders: readonly string[];
  readonly sources: readonly string[];
  /** Put before the decoders' own sources. */
  readonly before?: string;
}

const texts = join('native', 'linux', 'sysfs_text.cc');
const targets: readonly Target[] = [
  {
    name: 'tree',
    seconds: 90,
    longest: 2500,
    decoders: ['processors.cc', 'cgroup.cc'].map((file) => join('native', 'linux', file)),
    sources: [texts],
    before: 'fake_files.h',
  },
  { name: 'texts', seconds: 60, longest: 600, decoders: [texts], sources: [] },
  { name: 'cpulist', seconds: 60, longest: 120, decoders: [texts], sources: [] },
  { name: 'records', seconds: 60, longest: 480, decoders: [join('native', 'windows', 'processor_records.cc')], sources: [] },
];
const secondsOfWhere = 30;

const flags = [...strict, '-O2', '-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all'];

async function compile({ name, decoders, sources, before }: Target): Promise<string> {
  const home = join('test', 'lab', 'fuzz');
  const program = join(folder, name);
  const objects = decoders.map((decoder) => join(folder, `${name}-${basename(decoder, '.cc')}.o`));
  for (const [at, decoder] of decoders.entries())
    await must('clang++', [
      ...flags,
      ...(before === undefined ? [] : ['-include', join(home, before)]),
      '-c',
      decoder,
      '-o',
      objects[at] as string,
    ]);
  await must('clang++', [...flags, join(home, `${name}.cc`), ...objects, ...sources, '-o', program]);
  return program;
}

/** An empty folder of this name. */
function fresh(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}

/** Of a shell's children, user and system, as its `times` prints them in the second line: `1m2.50s 0m1.00s`. */
function processorTime(times: string): number {
  const [user, system] = [...(times.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds)); // prettier-ignore
  if (user === undefined || system === undefined) throw new Error(`no processor time in ${JSON.stringify(times)}`);
  return user + system;
}

async function fuzzNative(target: Target): Promise<string> {
  const { name, seconds, longest } = target;
  const program = await compile(target);
  const [seeds, inputs, few] = ['seeds', 'inputs', 'few'].map((part) => fresh(join(folder, name + '.' + part))) as [string, string, string]; // prettier-ignore
  for (const [at, input] of read(committed(name)).entries()) writeFileSync(join(seeds, String(at)), input, 'latin1');

  const limits = [`-max_len=${longest}`, '-timeout=10', '-rss_limit_mb=2048', `-artifact_prefix=${join(folder, `${name}.`)}`];
  // The fuzzer's clock is on the wall: on a busy machine it is started again until it has had its processor time.
  let [spent, executions, last] = [0, 0, ''];
  while (spent < seconds - 1) {
    const fuzzing = [program, `-max_total_time=${Math.ceil(seconds - spent)}`, '-print_final_stats=1', ...limits, inputs, seeds];
    const { status, stdout, stderr } = await run('sh', ['-c', '"$@" && times', 'sh', ...fuzzing]);
    if (status !== 0) throw new Error(stderr.slice(-6000));
    spent += processorTime(stdout);
    executions += Number(/number_of_executed_units: (\d+)/.exec(stderr)?.[1]);
    last = stderr;
  }
  const number = (pattern: RegExp): string => [...last.matchAll(pattern)].at(-1)?.[1] ?? '?';

  await must(program, ['-merge=1', '-use_counters=0', ...limits, few, seeds, inputs]);
  write(grown(name), readdirSync(few).map((file) => readFileSync(join(few, file), 'latin1'))); // prettier-ignore
  return [
    `${executions} executions in ${spent.toFixed(0)} s of a processor`,
    `${number(/cov: (\d+)/g)} of ${number(/\((\d+) inline 8-bit counters\)/g)} edges`,
    `${number(/ ft: (\d+)/g)} features`,
    `${readdirSync(few).length} inputs reach them`,
  ].join(', ');
}

async function fuzzWhere(): Promise<string> {
  const output = await must(process.execPath, [join(agents, 'decoders.mjs'), String(secondsOfWhere), '1', committed('where')]);
  const { executions, covered, corpus, failures } = JSON.parse(output) as Fuzzed;
  if (failures.length > 0) throw new Error(failures.join('\n'));
  write(grown('where'), corpus);
  return `${executions} executions in ${secondsOfWhere} s of a processor, ${covered} stretches of code, ${corpus.length} inputs reach them`;
}

async function fuzz(found: Found): Promise<void> {
  await needs('clang++', 'clang');
  mkdirSync(folder, { recursive: true });
  const probe = join(folder, 'probe.cc');
  writeFileSync(probe, 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n');
  const { status, stderr } = await run('clang++', ['-fsanitize=fuzzer,address,undefined', probe, '-o', join(folder, 'probe')]);
  if (status !== 0)
    throw new Unavailable(`needs libFuzzer: on Debian, apt-get install libclang-rt-14-dev (${stderr.trim().split('\n').at(-1) ?? ''})`);
  found.system = `Linux ${release()}`;
  found.node = process.version;
  found.cpus = String(cpus().length);

  const jobs: [string, () => Promise<string>][] = [
    ...targets.map((target): [string, () => Promise<string>] => [target.name, () => fuzzNative(target)]),
    ['where', fuzzWhere],
  ];
  const lane = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await found.check(...job);
  };
  await Promise.all([lane(), lane()]);
}

export const fuzzers: Machine[] = [
  { name: 'fuzz', about: 'every decoder under a coverage-guided fuzzer, five minutes of a processor', searches: true, run: fuzz },
];
