import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxCpus } from '../../lib/machine/cpu-list.ts';
import { CpuSet } from '../../lib/machine/cpu-set.ts';

const cpu = fc.nat({ max: 9000 });
const cpus = fc.uniqueArray(cpu, { maxLength: 200 });
const ascending = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);

describe('CpuSet', () => {
  it('prints what it reads, whatever is in it', () => {
    fc.assert(
      fc.property(cpus, (list) => {
        const set = CpuSet.of(list);
        expect([...set]).toEqual(ascending(list));
        expect(CpuSet.parse(String(set)).equals(set)).toBe(true);
        expect(CpuSet.fromMask(set.toMask()).equals(set)).toBe(true);
        expect(BigInt(set.toHex())).toBe(set.toMask());
      }),
      { numRuns: 2000 },
    );
  });

  it('agrees with plain sets of numbers', () => {
    fc.assert(
      fc.property(cpus, cpus, cpu, (a, b, one) => {
        const [left, right] = [CpuSet.of(a), CpuSet.of(b)];
        expect([...left.union(right)]).toEqual(ascending([...new Set([...a, ...b])]));
        expect([...left.intersect(right)]).toEqual(ascending(a.filter((x) => b.includes(x))));
        expect([...left.minus(right)]).toEqual(ascending(a.filter((x) => !b.includes(x))));
        expect(left.isSubsetOf(right)).toBe(a.every((x) => b.includes(x)));
        expect(left.has(one)).toBe(a.includes(one));
        expect(left.size).toBe(a.length);
        expect(left.first).toBe(ascending(a)[0]);
      }),
      { numRuns: 1000 },
    );
  });

  it('carries sets of any size to the operating system and back', () => {
    fc.assert(
      fc.property(cpus, fc.constantFrom(1, 2, 3, 16, 141, 1024), (list, words) => {
        const set = CpuSet.of(list);
        const memory = new BigUint64Array(words).fill(0xffffn);
        const fits = set.size === 0 || Math.max(...set) < words * 64;
        expect(set.writeTo(memory)).toBe(fits);
        if (fits) expect(CpuSet.fromWords(memory).equals(set)).toBe(true);
      }),
    );
  });

  it.each([
    ['', []],
    ['0', [0]],
    ['0-3,8', [0, 1, 2, 3, 8]],
    ['0-10:2', [0, 2, 4, 6, 8, 10]],
    ['1-10:4', [1, 5, 9]],
    [' 0-1 , 3 \n', [0, 1, 3]],
    ['3,1,2,1', [1, 2, 3]],
    ['63,64,127,128', [63, 64, 127, 128]],
    ['65535', [65535]],
  ])('reads %j', (text, list) => {
    expect([...CpuSet.parse(text)]).toEqual(list);
  });

  it.each([
    [[0, 1], '0-1'],
    [[0, 2], '0,2'],
    [[31, 32, 33], '31-33'],
    [[1023, 1024, 8191], '1023-1024,8191'],
    [[], ''],
  ])('prints %j', (list, text) => {
    expect(String(CpuSet.of(list))).toBe(text);
    expect(JSON.stringify({ set: CpuSet.of(list) })).toBe(JSON.stringify({ set: text }));
  });

  it.each(['x', '1-', '-1', '1--2', '3-1', '0-4:0', '0:2', '1,,2', ',', '0x3', '1.5', '0-3-5', '१'])('refuses %j', (text) => {
    expect(() => CpuSet.parse(text)).toThrow(expect.objectContaining({ code: 'ERR_AFFINITY_SYNTAX' }));
  });

  it('refuses CPU numbers that no system has, without hanging', () => {
    for (const text of ['65536', '0-4294967295', '99999999999999999999'])
      expect(() => CpuSet.parse(text)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(CpuSet.parse(`0-${maxCpus - 1}`).size).toBe(maxCpus);
  });

  it('refuses lists that count up more CPUs than there can be, however often they name one', () => {
    const most = `0-${maxCpus - 2}:2`;
    expect(CpuSet.parse(`${most},1`).size).toBe(maxCpus / 2 + 1);
    for (const text of [
      `${most},1,1`,
      `${most},${most}`,
      Array(maxCpus + 1)
        .fill('0')
        .join(),
    ])
      expect(() => CpuSet.parse(text)).toThrow(expect.objectContaining({ code: 'ERR_AFFINITY_SYNTAX' }));
  });

  it('refuses what is no set', () => {
    for (const wrong of [undefined, null, 3, 3n, Symbol('x'), {}, () => 0]) {
      expect(() => CpuSet.parse(wrong as never)).toThrow(TypeError);
      expect(() => CpuSet.of(wrong as never)).toThrow(TypeError);
      expect(() => CpuSet.empty.union(wrong as never)).toThrow(TypeError);
    }
    for (const wrong of [-1, 1.5, NaN, Infinity, 2 ** 53 + 1, maxCpus]) expect(() => CpuSet.of([wrong])).toThrow(RangeError);
    for (const wrong of ['1', 1n, null]) expect(() => CpuSet.of([wrong as never])).toThrow(TypeError);
    expect(() => CpuSet.of('12' as never)).toThrow(TypeError);
    expect(() => CpuSet.fromMask(3 as never)).toThrow(TypeError);
    expect(() => CpuSet.fromMask(-1n)).toThrow(RangeError);
    expect(() => CpuSet.fromMask(1n << 65536n)).toThrow(RangeError);
    for (const wrong of [-1, 1.5, NaN, '0' as never, undefined as never]) expect(CpuSet.of([0, 1]).has(wrong)).toBe(false);
  });

  it('does not change', () => {
    const set = CpuSet.of([1, 2]);
    expect(() => (set.toArray() as number[]).push(3)).toThrow(TypeError);
    expect([...set]).toEqual([1, 2]);
  });
});
