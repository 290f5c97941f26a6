import { outOfRange, show, wrongType } from '../errors.ts';
import { cpusOf, formatCpuList, maskOf, maxCpus, parseCpuList } from './cpu-list.ts';
import { processGroups } from './group-table.ts';

/** @internal `inspect.custom` of node:util, which takes long to load. */
export const inspected: unique symbol = Symbol.for('nodejs.util.inspect.custom');

function checked(cpu: unknown): number {
  if (typeof cpu !== 'number') throw wrongType(`a CPU is a number, not ${show(cpu)}`);
  if (!Number.isInteger(cpu) || cpu < 0 || cpu >= maxCpus)
    throw outOfRange(`a CPU is a whole number from 0 to ${maxCpus - 1}, not ${show(cpu)}`);
  return cpu;
}

function otherSet(value: unknown): CpuSet {
  if (value instanceof CpuSet) return value;
  throw wrongType(`a CpuSet is needed here, not ${show(value)}; CpuSet.parse('0-3') and CpuSet.of([0, 1]) make one`);
}

/**
 * An immutable set of CPUs, of any size. CPUs go by the operating system's numbers. To send one to another thread post
 * `String(set)`, and there `CpuSet.parse` it: the copy that messages make has nothing in it.
 *
 * @example
 * const set = CpuSet.parse('0-3,8');
 * set.has(8); // true
 * [...set.minus(CpuSet.of([0]))]; // [1, 2, 3, 8]
 * `${set}`; // '0-3,8'
 */
export class CpuSet implements Iterable<number> {
  static readonly empty: CpuSet = new CpuSet(0n);

  readonly #mask: bigint;
  #words: BigUint64Array | undefined;
  #cpus: readonly number[] | undefined;

  private constructor(mask: bigint) {
    this.#mask = mask;
  }

  /** CPU numbers, each a whole number from 0 to 65,535, in any order. */
  static of(cpus: Iterable<number>): CpuSet {
    if (typeof cpus !== 'object' || cpus === null || typeof cpus[Symbol.iterator] !== 'function')
      throw wrongType(`CpuSet.of takes the numbers of CPUs, as [0, 1], not ${show(cpus)}`);
    return new CpuSet(maskOf(Array.from(cpus, checked)));
  }

  /**
   * Reads the kernel's list format: `0-3,8`, with a stride after a range, `0-10:2` (cpuset(7), "List format").
   * @throws {AffinityError} `ERR_AFFINITY_SYNTAX`
   */
  static parse(list: string): CpuSet {
    if (typeof list !== 'string') throw wrongType(`CpuSet.parse takes a text such as '0-3,8', not ${show(list)}`);
    return new CpuSet(parseCpuList(list));
  }

  /** Bit n is CPU n; from 0n to 2n ** 65_536n - 1n. */
  static fromMask(mask: bigint): CpuSet {
    if (typeof mask !== 'bigint') throw wrongType(`a mask is a bigint, as 0x3n, not ${show(mask)}`);
    if (mask < 0n || mask >> BigInt(maxCpus) !== 0n) throw outOfRange(`a mask holds CPUs 0 to ${maxCpus - 1}`);
    return new CpuSet(mask);
  }

  /** @internal `words` little end first, as the operating system has them. */
  static fromWords(words: BigUint64Array): CpuSet {
    if (words.length === 1) return new CpuSet(words[0] as bigint);
    let hex = '0x';
    for (let i = words.length - 1; i >= 0; i -= 1) hex += (words[i] as bigint).toString(16).padStart(16, '0');
    return new CpuSet(BigInt(hex));
  }

  /** @internal Writes the set into an operand. False where it has a CPU beyond the operand's words. */
  writeTo(words: BigUint64Array): boolean {
    if (words.length === 1) {
      words[0] = this.#mask;
      return this.#mask === words[0];
    }
    if (this.#words?.length !== words.length) {
      const hex = this.#mask.toString(16);
      if (hex.length > words.length * 16) return false;
      this.#words = new BigUint64Array(words.length);
      for (let i = 0, end = hex.length; end > 0; i += 1, end -= 16) this.#words[i] = BigInt(`0x${hex.slice(Math.max(0, end - 16), end)}`);
    }
    words.set(this.#words);
    return true;
  }

  get size(): number {
    return this.toArray().length;
  }

  has(cpu: number): boolean {
    return typeof cpu === 'number' && Number.isInteger(cpu) && cpu >= 0 && cpu < maxCpus && ((this.#mask >> BigInt(cpu)) & 1n) === 1n;
  }

  union(other: CpuSet): CpuSet {
    return new CpuSet(this.#mask | otherSet(other).#mask);
  }

  intersect(other: CpuSet): CpuSet {
    return new CpuSet(this.#mask & otherSet(other).#mask);
  }

  minus(other: CpuSet): CpuSet {
    return new CpuSet(this.#mask & ~otherSet(other).#mask);
  }

  equals(other: CpuSet): boolean {
    return this.#mask === otherSet(other).#mask;
  }

  isSubsetOf(other: CpuSet): boolean {
    return (this.#mask & ~otherSet(other).#mask) === 0n;
  }

  /** The lowest CPU; undefined for the empty set. */
  get first(): number | undefined {
    return this.toArray()[0];
  }

  /** Ascending. */
  toArray(): readonly number[] {
    return (this.#cpus ??= Object.freeze(cpusOf(this.#mask)));
  }

  [Symbol.iterator](): IterableIterator<number> {
    return this.toArray()[Symbol.iterator]();
  }

  /** The kernel's list format, which `parse` reads back. */
  toString(): string {
    return formatCpuList(this.toArray());
  }

  toJSON(): string {
    return this.toString();
  }

  /** Bit n is CPU n. */
  toMask(): bigint {
    return this.#mask;
  }

  /** Hexadecimal with `0x`: bit n is CPU n. */
  toHex(): string {
    return `0x${this.#mask.toString(16)}`;
  }

  /**
   * The set in the terms of processor groups, ascending, groups without a CPU of the set left out. CPUs that this
   * machine does not have are in no group.
   */
  toGroups(): { group: number; mask: bigint }[] {
    return processGroups().table.flatMap((cpus, group) => {
      const bits = cpus.flatMap((cpu, bit) => (cpu !== undefined && this.has(cpu) ? [bit] : []));
      return bits.length === 0 ? [] : [{ group, mask: maskOf(bits) }];
    });
  }

  /** @internal */
  [inspected](): string {
    return `CpuSet(${this.toString()})`;
  }
}
