/**
 * Fuzzes the decoders that are TypeScript: lists of CPUs and the texts that say where. Guided by the coverage that V8
 * counts: an input that reaches a stretch of code for the first time is kept and grown on.
 * `node decoders.mjs SECONDS SEED CORPUS`, seconds of a processor, prints a Fuzzed; the corpus is a file of a JSON string a line.
 */
import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { AffinityError } from '../../../lib/errors.ts';
import { cpusOf, formatCpuList, maskOf, maxCpus, parseCpuList } from '../../../lib/machine/cpu-list.ts';
import { CpuSet } from '../../../lib/machine/cpu-set.ts';
import { describe as describeMachine } from '../../../lib/machine/topology.ts';
import { resolve, type Known } from '../../../lib/machine/where.ts';
import type { Fuzzed } from '../fuzz-protocol.ts';

const set = (list: string): bigint => CpuSet.parse(list).toMask();

/** Two packages of 40 CPUs, siblings n and n + 40, nodes 0 and 2, CPU 79 offline; groups of 40. */
const table = [0, 20].map((first) => [...Array(20).keys()].flatMap((cpu) => [cpu + first, cpu + first + 40]));
const halves = [set('0-19,40-59'), set('20-39,60-78')] as const;
const topology = describeMachine(
  {
    possible: set('0-79'),
    present: set('0-79'),
    online: set('0-78'),
    settable: set('0-78'),
    allowed: set('0-78'),
    isolated: 0n,
    packages: [
      { id: 0, cpus: halves[0] },
      { id: null, cpus: halves[1] },
    ],
    cores: [...Array(40).keys()].map((core) => ({
      package: core < 20 ? 0 : 3,
      id: core % 20,
      cpus: set(core === 39 ? '39' : `${core},${core + 40}`),
    })),
    numaNodes: [
      { id: 0, cpus: halves[0], capacity: halves[0], distances: [10, 21] },
      { id: 2, cpus: halves[1], capacity: set('20-39,60-79'), distances: [21, 10] },
    ],
    caches: [
      { level: 1, type: 'instruction', bytes: 0, cpus: set('0,40') },
      { level: 3, type: 'unified', bytes: 0, cpus: halves[0] },
    ],
    kinds: [],
    quota: null,
    groups: [],
  },
  table,
  'linux',
);
const machine: Known = { table, known: set('0-79'), topology: () => topology };

function holds(truth: boolean, what: string): void {
  if (!truth) throw new Error(`not true: ${what}`);
}

/** The grammar of lists once more, as plain as can be; undefined for what is no list. */
function plainList(text: string): Set<number> | undefined {
  const cpus = new Set<number>();
  let span = 0;
  if (text.trim() === '') return cpus;
  for (const part of text.split(',')) {
    const [numbers = '', ...strides] = part.trim().split(':');
    const [from = '', ...to] = numbers.split('-');
    const all = [from, ...to, ...strides];
    if (to.length > 1 || strides.length > 1 || (strides.length === 1 && to.length === 0)) return undefined;
    if (all.some((digits) => digits === '' || digits.replaceAll(/[0-9]/g, '') !== '')) return undefined;
    const [first = 0, last = first, stride = 1] = all.map(Number);
    if (last < first || stride === 0 || Math.max(first, last, stride) >= maxCpus || all.some((digits) => digits.length > 9))
      return undefined;
    span += last - first + 1;
    if (span > maxCpus) return undefined;
    for (let cpu = first; cpu <= last; cpu += stride) cpus.add(cpu);
  }
  return cpus;
}

/** The value of a decoder; undefined where it refuses as it should. */
function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    const code = error instanceof AffinityError ? error.code : error instanceof RangeError ? 'range' : 'other';
    holds(code !== 'other', `a refusal is an AffinityError or a RangeError, not ${String(error)}`);
    return undefined;
  }
}

function attempt(text: string): void {
  const mask = decoded(() => parseCpuList(text));
  const plain = plainList(text);
  holds((mask === undefined) === (plain === undefined), 'both readers take the same lists');
  if (mask !== undefined && plain !== undefined) {
    const cpus = cpusOf(mask);
    holds(cpus.length === plain.size && cpus.every((cpu) => plain.has(cpu)), 'both readers read the same CPUs');
    holds(parseCpuList(formatCpuList(cpus)) === mask && maskOf(cpus) === mask, 'what is printed is read back');
    const words = new BigUint64Array(((cpus.at(-1) ?? 0) >> 6) + 1);
    holds(CpuSet.fromMask(mask).writeTo(words) && CpuSet.fromWords(words).toMask() === mask, 'words carry every set');
  }
  const where = decoded(() => resolve(text, machine));
  if (where !== undefined) {
    holds(where.size > 0 && (where.toMask() & ~machine.known) === 0n, 'what is found exists');
    if (mask !== undefined) holds(where.toMask() === mask, 'a list is a list everywhere');
    holds(resolve(String(where), machine).equals(where), 'what is found is found again');
  } else if (mask !== undefined) {
    holds(mask === 0n || (mask & ~machine.known) !== 0n, 'only an empty list and CPUs that do not exist are refused');
  }
}

const tokens = ['0', '1', '9', '39', '40', '63', '64', '79', '80', '65535', '65536', '4294967296', '999999999', '0x', '0xff', 'f', ' ', '\n', '\0', '-', ':', ',', '/', '.', '१',
  'group:', 'numa:', 'core:', 'package:', 'l1:', 'l3:', '0-3', '0-10:2', '1:0x3', '0-65535']; // prettier-ignore

let state = Number(process.argv[3]) >>> 0;
/** A whole number below a bound: mulberry32. */
function below(bound: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
}

function mutated(corpus: readonly string[]): string {
  const any = (): string => corpus[below(corpus.length)] ?? '';
  let text = any();
  for (let times = 1 + below(4); times > 0; times -= 1) {
    const [at, length] = [below(text.length + 1), below(4)];
    const [head, tail] = [text.slice(0, at), text.slice(at)];
    switch (below(5)) {
      case 0:
        text = head + tail.slice(length);
        break;
      case 1:
        text = head + tokens[below(tokens.length)] + tail.slice(length);
        break;
      case 2:
        text = head + String.fromCharCode(below(256)) + tail;
        break;
      case 3:
        text = `${head},${any()}`;
        break;
      default:
        text = head + any().slice(below(text.length + 1)) + tail;
    }
  }
  return text.slice(0, 200);
}

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/** The stretches of this file that ran since the last time. */
async function stretches(): Promise<string[]> {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  return result
    .filter(({ url }) => url === import.meta.url)
    .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
    .filter(({ count }) => count > 0)
    .map(({ startOffset, endOffset }) => `${startOffset}-${endOffset}`);
}

const failures = new Set<string>();
let executions = 0;
function run(texts: readonly string[]): void {
  for (const text of texts) {
    executions += 1;
    try {
      attempt(text);
    } catch (error) {
      if (failures.size < 10) failures.add(`${JSON.stringify(text)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

const covered = new Set<string>();
const corpus: string[] = [];
/** Runs inputs and keeps, of those that reach something new together, the ones that do. */
async function explore(texts: readonly string[]): Promise<void> {
  run(texts);
  const ran = await stretches();
  if (ran.every((stretch) => covered.has(stretch))) return;
  if (texts.length > 1) {
    const half = texts.length >> 1;
    await explore(texts.slice(0, half));
    await explore(texts.slice(half));
    return;
  }
  for (const stretch of ran) covered.add(stretch);
  corpus.push(...texts);
}

const budget = Number(process.argv[2]) * 1e6;
const spent = (): number => process.cpuUsage().user + process.cpuUsage().system;
run(['']);
for (const stretch of await stretches()) covered.add(stretch);
corpus.push('');
await explore(readFileSync(process.argv[4] ?? '', 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as string)); // prettier-ignore
while (spent() < budget) await explore(Array.from({ length: 256 }, () => mutated(corpus)));

const fuzzed: Fuzzed = { executions, covered: covered.size, corpus, failures: [...failures] };
console.log(JSON.stringify(fuzzed));
