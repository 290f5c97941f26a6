import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formGroups } from '../../lib/machine/groups.ts';

/** Nodes of these sizes, CPUs numbered through. */
function nodes(...sizes: number[]): number[][] {
  let next = 0;
  return sizes.map((size) => Array.from({ length: size }, () => next++));
}
const sizes = (groups: readonly (readonly number[])[]): number[] => groups.map((group) => group.length);
const range = (first: number, length: number): number[] => Array.from({ length }, (_, at) => first + at);

describe('groups are formed as Windows was seen to form them', () => {
  it.each([
    ['2 nodes of 36', [36, 36], [36, 36]],
    ['2 nodes of 48', [48, 48], [48, 48]],
    ['2 nodes of 52', [52, 52], [52, 52]],
    ['1 node of 88', [88], [64, 24]],
    ['1 node of 80', [80], [64, 16]],
    ['1 node of 128', [128], [64, 64]],
    ['2 nodes of 72', [72, 72], [64, 16, 64]],
    ['2 nodes of 80', [80, 80], [64, 32, 64]],
    ['4 nodes of 20, balanced', [20, 20, 20, 20], [40, 40]],
    ['4 nodes of 48', [48, 48, 48, 48], [48, 48, 48, 48]],
    ['4 nodes of 24', [24, 24, 24, 24], [48, 48]],
    ['2 nodes of 96', [96, 96], [64, 64, 64]],
    ['4 nodes of 18', [18, 18, 18, 18], [36, 36]],
    ['2 nodes of 192', [192, 192], [64, 64, 64, 64, 64, 64]],
    ['8 nodes of 8, exactly one group', [8, 8, 8, 8, 8, 8, 8, 8], [64]],
    ['1 CPU', [1], [1]],
    ['65 CPUs', [65], [64, 1]],
    ['no CPU', [], []],
    ['memory-only nodes beside', [0, 36, 0, 36], [36, 36]],
  ])('%s', (_, from, to) => {
    expect(sizes(formGroups(nodes(...from)))).toEqual(to);
  });

  it('2 nodes of 72: the group in the middle holds 8 of each node, node 0 in bits 0 to 7', () => {
    const groups = formGroups(nodes(72, 72));
    expect(groups[1]).toEqual([...range(64, 8), ...range(136, 8)]);
    expect(groups[0]).toEqual(range(0, 64));
    expect(groups[2]).toEqual(range(72, 64));
  });

  it('2 nodes of 80: the group in the middle holds 16 of each node', () => {
    expect(formGroups(nodes(80, 80))[1]).toEqual([...range(64, 16), ...range(144, 16)]);
  });

  it('groupsize 4 on two 6-core sockets straddles them: 4, 4, 4', () => {
    const groups = formGroups(nodes(6, 6), { groupSize: 4 });
    expect(sizes(groups)).toEqual([4, 4, 4]);
    expect(groups[1]).toEqual([4, 5, 10, 11]);
  });

  it('groupsize 2 on one node of 8: 4 groups of 2', () => {
    expect(sizes(formGroups(nodes(8), { groupSize: 2 }))).toEqual([2, 2, 2, 2]);
  });

  it('maxgroup on 2 nodes of 4: 4 and 4; on one node no effect', () => {
    expect(sizes(formGroups(nodes(4, 4), { maxGroup: true }))).toEqual([4, 4]);
    expect(sizes(formGroups(nodes(8), { maxGroup: true }))).toEqual([8]);
  });

  it('every CPU is in one group, CPU 0 is processor 0 of group 0, no group is too large, no group too many', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 200 }), { minLength: 1, maxLength: 12 }),
        fc.constantFrom(1, 2, 4, 8, 16, 32, 64),
        (from, groupSize) => {
          const all = nodes(...from);
          const groups = formGroups(all, { groupSize });
          const total = all.flat().length;
          expect(groups.flat().sort((a, b) => a - b)).toEqual(range(0, total));
          if (total > 0) expect(groups[0]?.[0]).toBe(0);
          expect(Math.max(0, ...sizes(groups))).toBeLessThanOrEqual(groupSize);
          expect(groups.every((group) => group.length > 0)).toBe(true);
          expect(groups.length).toBeGreaterThanOrEqual(Math.ceil(total / groupSize));
          const pieces = from.reduce((sum, size) => sum + Math.ceil(size / groupSize), 0);
          expect(groups.length).toBeLessThanOrEqual(pieces);
          expect(formGroups(all, { groupSize })).toEqual(groups);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
