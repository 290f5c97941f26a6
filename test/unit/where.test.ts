import { describe, expect, it } from 'vitest';
import { CpuSet } from '../../lib/machine/cpu-set.ts';
import { describe as describeMachine } from '../../lib/machine/topology.ts';
import { resolve, type Known, type Where } from '../../lib/machine/where.ts';

const set = (list: string): bigint => CpuSet.parse(list).toMask();

/** Two packages of 40 CPUs, siblings n and n + 40, nodes 0 and 2, CPU 79 offline; groups of 40. */
const table = [[...Array(20).keys()].flatMap((cpu) => [cpu, cpu + 40]), [...Array(20).keys()].flatMap((cpu) => [cpu + 20, cpu + 60])];
const machine: Known = {
  table,
  known: set('0-79'),
  topology: () =>
    describeMachine(
      {
        possible: set('0-79'),
        present: set('0-79'),
        online: set('0-78'),
        settable: set('0-78'),
        allowed: set('0-78'),
        isolated: set('4-5'),
        packages: [
          { id: 0, cpus: set('0-19,40-59') },
          { id: 3, cpus: set('20-39,60-78') },
        ],
        cores: [...Array(40).keys()].map((core) => ({
          package: core < 20 ? 0 : 3,
          id: core % 20,
          cpus: set(core === 39 ? '39' : `${core},${core + 40}`),
        })),
        numaNodes: [
          { id: 0, cpus: set('0-19,40-59'), capacity: set('0-19,40-59'), distances: [10, 21] },
          { id: 2, cpus: set('20-39,60-78'), capacity: set('20-39,60-79'), distances: [21, 10] },
        ],
        caches: [
          { level: 1, type: 'instruction', bytes: 0, cpus: set('0,40') },
          { level: 3, type: 'unified', bytes: 0, cpus: set('0-9,40-49') },
          { level: 3, type: 'unified', bytes: 0, cpus: set('10-19,50-59') },
        ],
        kinds: [
          { efficiencyClass: 0, cpus: set('0-9') },
          { efficiencyClass: 1, cpus: set('10-78') },
        ],
        groups: [],
        quota: null,
      },
      table,
      'linux',
    ),
};

const text = (where: Where): string => String(resolve(where, machine));

describe('how to say which CPUs', () => {
  it.each<[Where, string]>([
    ['0-3,8', '0-3,8'],
    ['0-10:5', '0,5,10'],
    ['79', '79'],
    ['0:0x3', '0,40'],
    ['1:0xF', '20-21,60-61'],
    ['0:0x8000000000', '59'],
    [{ group: 1, mask: 1n }, '20'],
    ['group:1', '20-39,60-79'],
    ['group:0-1', '0-79'],
    ['numa:2', '20-39,60-78'],
    ['numa:0,2', '0-78'],
    ['package:3', '20-39,60-78'],
    ['core:39', '39'],
    ['core:0-1', '0-1,40-41'],
    ['l3:1', '10-19,50-59'],
    ['kind:0', '0-9'],
    ['kind:0-1', '0-78'],
    [' isolated ', '4-5'],
    [[5, 3, 5], '3,5'],
    [CpuSet.parse('7'), '7'],
    [' 1 , 2 ', '1-2'],
  ])('%o is %s', (where, cpus) => {
    expect(text(where)).toBe(cpus);
  });

  it.each<[Where, string, string]>([
    ['80', 'ERR_AFFINITY_UNKNOWN_CPU', 'CPU 80 does not exist; this machine has 0-79'],
    ['0-100', 'ERR_AFFINITY_UNKNOWN_CPU', 'CPUs 80-100 do not exist; this machine has 0-79'],
    [[99], 'ERR_AFFINITY_UNKNOWN_CPU', 'CPU 99 does not exist; this machine has 0-79'],
    [CpuSet.parse('65535'), 'ERR_AFFINITY_UNKNOWN_CPU', 'CPU 65535 does not exist; this machine has 0-79'],
    ['2:0x1', 'ERR_AFFINITY_UNKNOWN_GROUP', 'group 2 does not exist; this machine has 0-1'],
    ['group:9', 'ERR_AFFINITY_UNKNOWN_GROUP', 'group 9 does not exist; this machine has 0-1'],
    ['0:0x10000000001', 'ERR_AFFINITY_UNKNOWN_CPU', 'processor 40 of group 0 does not exist; the group has 0-39'],
    ['numa:1', 'ERR_AFFINITY_UNKNOWN_NODE', 'NUMA node 1 does not exist; this machine has 0,2'],
    ['package:1', 'ERR_AFFINITY_UNKNOWN_PACKAGE', 'package 1 does not exist; this machine has 0,3'],
    ['core:40', 'ERR_AFFINITY_UNKNOWN_CORE', 'core 40 does not exist; this machine has 0-39'],
    ['l3:2', 'ERR_AFFINITY_UNKNOWN_CACHE', 'l3 cache 2 does not exist; this machine has 0-1'],
    ['l2:0', 'ERR_AFFINITY_UNKNOWN_CACHE', 'l2 cache 0 does not exist; this machine has none'],
    ['kind:2', 'ERR_AFFINITY_UNKNOWN_KIND', 'kind 2 does not exist; this machine has 0-1'],
    ['group:70000', 'ERR_AFFINITY_UNKNOWN_GROUP', 'group 70000 does not exist; this machine has 0-1'],
    ['numa:0,65536', 'ERR_AFFINITY_UNKNOWN_NODE', 'NUMA node 65536 does not exist; this machine has 0,2'],
    ['package:70000', 'ERR_AFFINITY_UNKNOWN_PACKAGE', 'package 70000 does not exist; this machine has 0,3'],
    ['core:0-4294967296', 'ERR_AFFINITY_UNKNOWN_CORE', 'core 4294967296 does not exist; this machine has 0-39'],
    ['l3:70000', 'ERR_AFFINITY_UNKNOWN_CACHE', 'l3 cache 70000 does not exist; this machine has 0-1'],
    ['kind:70000', 'ERR_AFFINITY_UNKNOWN_KIND', 'kind 70000 does not exist; this machine has 0-1'],
    ['core:0-3:70000', 'ERR_AFFINITY_SYNTAX', "'0-3:70000': a stride is from 1 to 65535"],
    ['', 'ERR_AFFINITY_EMPTY', "'' names no CPU"],
    [[], 'ERR_AFFINITY_EMPTY', "'' names no CPU"],
    ['0:0x0', 'ERR_AFFINITY_EMPTY', "'0:0x0' names no CPU"],
    ['numa:', 'ERR_AFFINITY_SYNTAX', "'numa:' needs a number, as numa:0"],
    ['0:3', 'ERR_AFFINITY_SYNTAX', "'0:3': a group's mask is written in hexadecimal, as 0:0x3; a stride needs a range, as 0-10:2"],
    ['0:0x', 'ERR_AFFINITY_SYNTAX', "'0:0x': a group's mask is written in hexadecimal, as 0:0x3; a stride needs a range, as 0-10:2"],
    [
      'isolated:0',
      'ERR_AFFINITY_SYNTAX',
      "'isolated:0' is no place: those with a number are group:, numa:, package:, core:, l1: to l4: and kind:, as core:0; the one without is 'isolated'",
    ],
    ['0x3', 'ERR_AFFINITY_SYNTAX', "'0x3': a mask is of one group, as 0:0x3"],
    ['3;4', 'ERR_AFFINITY_SYNTAX', "'3;4' is not a list of CPUs: write it as 0-3,8 or, with a stride, 0-10:2"],
    [
      'node:0',
      'ERR_AFFINITY_SYNTAX',
      "'node:0' is no place: those with a number are group:, numa:, package:, core:, l1: to l4: and kind:, as core:0; the one without is 'isolated'",
    ],
  ])('%o is refused, %s', (where, code, message) => {
    expect(() => text(where)).toThrow(expect.objectContaining({ name: 'AffinityError', code, message, status: 0xc1000006 }));
  });

  it('numbers are refused as masks, with what to write instead', () => {
    expect(() => text(3 as never)).toThrow("3 is ambiguous: write '3' or [3] for CPU 3, CpuSet.fromMask(3n) for a mask of CPUs");
    expect(() => text(3n as never)).toThrow(
      '3n is ambiguous: write CpuSet.fromMask(3n) for a mask of CPUs, { group: 0, mask: 3n } for processors of a group',
    );
    for (const number of [3, 3n]) expect(() => text(number as never)).toThrow(TypeError);
  });

  it.each([undefined, null, NaN, -1, 2 ** 53 + 1, 0.5, true, Symbol('x'), {}, () => 0, { group: 0 }, { mask: 1n }, new Map(), /x/])(
    '%o is no way to say it',
    (where) => {
      expect(() => text(where as never)).toThrow(TypeError);
    },
  );

  it('groups and masks have their ranges', () => {
    expect(() => text({ group: 0, mask: 3 as never })).toThrow(TypeError);
    expect(() => text({ group: '0' as never, mask: 3n })).toThrow(TypeError);
    for (const group of [-1, 0.5, NaN]) expect(() => text({ group, mask: 1n })).toThrow(RangeError);
    for (const mask of [-1n, 1n << 64n]) expect(() => text({ group: 0, mask })).toThrow(RangeError);
    for (const list of [[-1], [0.5], [NaN], [2 ** 53 + 1]]) expect(() => text(list)).toThrow(RangeError);
    expect(() => text(['1'] as never)).toThrow(TypeError);
  });
});
