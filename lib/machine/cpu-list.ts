import { AffinityError, outOfRange, show } from '../errors.ts';

/** Above any CPU number an operating system has (native/cpu_set.h, `kMaxCpus`). */
export const maxCpus = 65_536;

const range = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/;

const valueOf = (digits: string): number => (digits.length > 9 ? Infinity : Number(digits));

/** What is wrong with a number of a list that no CPU has. */
type Beyond = (digits: string, list: string) => Error;

const beyondCpus: Beyond = (digits, list) => outOfRange(`CPU numbers go up to ${maxCpus - 1}; ${show(list)} names ${digits}`);

/**
 * Reads the kernel's list format: `0-3,8`, with a stride after a range, `0-10:2` (cpuset(7), taskset(1)).
 * The empty text is the empty set.
 */
export function parseCpuList(list: string, beyond: Beyond = beyondCpus): bigint {
  const number = (digits: string): number => {
    const value = valueOf(digits);
    if (value >= maxCpus) throw beyond(digits, list);
    return value;
  };
  let mask = 0n;
  const cpus: number[] = [];
  let left = maxCpus;
  const text = list.trim();
  if (text === '') return mask;
  for (const part of text.split(',')) {
    const match = range.exec(part.trim());
    if (match === null)
      throw new AffinityError('ERR_AFFINITY_SYNTAX', `${show(list)} is not a list of CPUs: write it as 0-3,8 or, with a stride, 0-10:2`);
    const first = number(match[1] ?? '');
    const last = match[2] === undefined ? first : number(match[2]);
    const stride = valueOf(match[3] ?? '1');
    if (last < first) throw new AffinityError('ERR_AFFINITY_SYNTAX', `${show(list)}: the range ${part} runs backwards`);
    if (stride === 0 || stride >= maxCpus)
      throw new AffinityError('ERR_AFFINITY_SYNTAX', `${show(list)}: a stride is from 1 to ${maxCpus - 1}`);
    left -= last - first + 1;
    if (left < 0) throw new AffinityError('ERR_AFFINITY_SYNTAX', `${show(list)}: its ranges span more than ${maxCpus} CPUs together`);
    if (stride === 1 && last > first) mask |= ((1n << BigInt(last - first + 1)) - 1n) << BigInt(first);
    else for (let cpu = first; cpu <= last; cpu += stride) cpus.push(cpu);
  }
  return mask | maskOf(cpus);
}

/** The CPUs of a mask in ascending order. */
export function cpusOf(mask: bigint): number[] {
  const cpus: number[] = [];
  // Words of 32 bits, least significant first: shifting a wide bigint once per CPU is quadratic.
  const hex = mask.toString(16);
  for (let end = hex.length, base = 0; end > 0; end -= 8, base += 32) {
    let word = Number.parseInt(hex.slice(Math.max(0, end - 8), end), 16);
    while (word !== 0) {
      const bit = 31 - Math.clz32(word & -word);
      cpus.push(base + bit);
      word = (word & (word - 1)) >>> 0;
    }
  }
  return cpus;
}

/** The mask of some CPUs, each below `maxCpus`. */
export function maskOf(cpus: Iterable<number>): bigint {
  const words: number[] = [];
  for (const cpu of cpus) {
    const word = cpu >>> 5;
    words[word] = ((words[word] ?? 0) | (1 << (cpu & 31))) >>> 0;
  }
  let hex = '';
  for (let word = words.length - 1; word >= 0; word -= 1) hex += (words[word] ?? 0).toString(16).padStart(8, '0');
  return hex === '' ? 0n : BigInt(`0x${hex}`);
}

/** Prints CPUs, given in ascending order, in the kernel's list format: runs of two and more as `a-b`. */
export function formatCpuList(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < cpus.length;) {
    const first = cpus[at] as number;
    let last = first;
    for (at += 1; at < cpus.length && cpus[at] === last + 1; at += 1) last += 1;
    parts.push(first === last ? `${first}` : `${first}-${last}`);
  }
  return parts.join(',');
}
