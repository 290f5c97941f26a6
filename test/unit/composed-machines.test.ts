import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readTopology } from '../../lib/machine/topology.ts';
import { compose, fromList, scratchFolder, toList, type CacheShape, type Description, type MachineTruth } from '../fixtures/compose.ts';

const kib = 1024;
const caches: CacheShape[] = [
  { level: 1, type: 'data', size: 48 * kib, cores: 1 },
  { level: 1, type: 'instruction', size: 32 * kib, cores: 1 },
  { level: 2, type: 'unified', size: 2048 * kib, cores: 1 },
  { level: 3, type: 'unified', size: 32768 * kib, cores: 4 },
];

const machines: Record<string, Description> = {
  'one CPU': {},
  'one CPU that is not CPU 0': { gaps: '0-6' },
  'one core of two threads': { threads: 2 },
  'a desktop: 8 cores of 2 threads, siblings adjacent, all caches': { cores: 8, threads: 2, caches },
  'siblings half the CPUs apart': { cores: 8, threads: 2, numbering: 'siblings-apart', caches },
  'four threads a core, 16 apart': { cores: 16, threads: 4, numbering: 'siblings-apart' },
  'CPUs dealt over four packages in turn': { packages: 4, cores: 6, threads: 2, numbering: 'round-robin', caches },
  'exactly 64 CPUs are one group': { packages: 2, cores: 16, threads: 2 },
  '65 CPUs are two': { cores: 65 },
  'one node of 88 is 64 and 24': { cores: 44, threads: 2 },
  'one node of 128 is two full groups': { cores: 64, threads: 2, numbering: 'siblings-apart' },
  'two nodes of 36 keep a group each': { packages: 2, cores: 18, threads: 2, numbering: 'siblings-apart' },
  'two nodes of 52 keep a group each': { packages: 2, cores: 26, threads: 2 },
  'two nodes of 72 share a group for what is left over': { packages: 2, cores: 36, threads: 2, numbering: 'siblings-apart' },
  'two nodes of 80 share a group for what is left over': { packages: 2, cores: 40, threads: 2 },
  'four nodes of 20 are balanced': { packages: 4, cores: 20 },
  'four nodes of 24 are balanced': { packages: 4, cores: 12, threads: 2, numbering: 'round-robin' },
  'several nodes in a package': { packages: 2, nodes: 8, cores: 24, threads: 2, numbering: 'siblings-apart', caches },
  'several packages in a node': { packages: 8, nodes: 2, cores: 10 },
  'node ids with gaps': { packages: 4, cores: 4, nodeIds: [0, 1, 16, 17] },
  'CPU 0 on a node that is not the first': { packages: 4, cores: 20, nodeIds: [3, 0, 1, 2] },
  'nodes of memory only': {
    packages: 2,
    cores: 4,
    memoryOnly: [2, 5],
    distances: [
      [10, 21, 17, 28],
      [21, 10, 28, 17],
      [17, 28, 10, 28],
      [28, 17, 28, 10],
    ],
  },
  'a memory node before those with CPUs': { packages: 2, cores: 2, nodeIds: [1, 2], memoryOnly: [0] },
  'no node directory': { cores: 12, nodes: 0 },
  'no distances': { packages: 2, cores: 4, distances: null },
  'nodes known by their links alone': { packages: 2, cores: 6, nodeFiles: ['node-links'] },
  "nodes known by the CPUs' links alone": { packages: 2, cores: 6, nodeFiles: ['cpu-links'], memoryOnly: [7] },
  'nodes known by their lists alone': { packages: 2, cores: 6, numbering: 'round-robin', nodeFiles: ['list'] },
  'node maps that hold CPUs which do not exist': { packages: 2, cores: 4, strayInMaps: '90-95', possible: '0-95' },
  'every node lists every CPU': { packages: 2, nodes: 4, cores: 8, nodesOverlap: true },
  'CPUs in no node': { packages: 2, cores: 4, nodeless: '3' },
  'offline CPUs without topology': { cores: 8, threads: 2, offline: '3,6-7', caches },
  'offline CPUs with a stale topology': { packages: 2, cores: 4, threads: 2, offline: '1,8-9', stale: true, caches },
  'offline CPUs count for the groups': { packages: 4, cores: 48, offline: '64-191' },
  'CPU 0 offline': { cores: 4, threads: 2, offline: '0' },
  'a package all offline': { packages: 2, cores: 4, offline: '4-7' },
  'CPU numbers with gaps': { packages: 2, cores: 4, threads: 2, gaps: '4-7,12,100-200' },
  'far apart CPU numbers': { packages: 2, cores: 2, gaps: '2-1023' },
  'more CPUs possible than present': { cores: 4, possible: '0-239' },
  'no possible, present or online: the directories and their own online files': { cores: 8, threads: 2, offline: '5,9', globalFiles: [] },
  'only online is known': { cores: 4, offline: '2', globalFiles: ['online'] },
  'no word on what is online': { cores: 4, globalFiles: ['possible', 'present'], ownOnlineFile: false },
  'a kernel of 2006': {
    oldKernel: true,
    packages: 4,
    cores: 4,
    threads: 2,
    numbering: 'siblings-apart',
    offline: '5,13',
    distances: null,
    caches,
  },
  'a kernel of 2006, 256 CPUs, masks of 1,024 bits': {
    oldKernel: true,
    packages: 8,
    nodes: 8,
    cores: 8,
    threads: 4,
    maskBits: 1024,
    nodeIds: [0, 1, 4, 5, 8, 9, 12, 13],
    packageIds: 'minus-one',
  },
  'masks whose first word is short': { packages: 2, cores: 22, siblingFiles: 'old-masks', caches },
  'masks of 4,096 bits': { packages: 2, cores: 4, threads: 2, siblingFiles: 'new-masks', maskBits: 4096, caches },
  'old names for lists': { cores: 4, threads: 2, siblingFiles: 'old-lists' },
  'package id -1': { packages: 4, cores: 2, packageIds: 'minus-one' },
  'one package id for all': { packages: 4, cores: 2, packageIds: 'shared', coreIds: 'zero' },
  'no package ids, no core ids': { packages: 2, cores: 2, packageIds: 'missing', coreIds: 'missing' },
  'package ids of six digits, in no order': { packages: 4, cores: 2, packageIds: [131072, 1, 65536, 0] },
  'core ids that repeat in a package': { packages: 2, nodes: 4, cores: 12, coreIds: 'by-node' },
  'threads and nothing else': { cores: 1, threads: 2, nodes: 0, topology: 'threads' },
  'no topology files': { cores: 6, topology: 'none' },
  'cache maps of zeros': { cores: 4, caches, zeroCacheMaps: true, siblingFiles: 'new-masks' },
  'a second level cache of two cores': {
    packages: 2,
    cores: 8,
    threads: 2,
    caches: [
      { level: 2, type: 'unified', size: 1024 * kib, cores: 2 },
      { level: 3, type: 'unified', size: 8192 * kib, cores: 0 },
    ],
  },
  'NUL bytes at the end of every file': {
    packages: 2,
    cores: 4,
    threads: 2,
    offline: '3',
    isolated: '1-2',
    trailer: '\0\0',
    caches,
    cpuset: { from: 'v2', cpus: '0-2,4' },
  },
  'blanks at the end of every file': { cores: 4, trailer: ' \n', isolated: '3' },
  'isolated CPUs, one of them offline': { cores: 8, isolated: '2-5', offline: '4' },
  'a cpuset of cgroups 1': { cores: 8, cpuset: { from: 'v1', cpus: '1-3,7', path: '/batch/job' } },
  'a cpuset without prefix, its mount point with a blank': {
    cores: 8,
    cpuset: { from: 'v1-noprefix', cpus: '0,2', path: '/torque/1.master' },
  },
  'the cpuset file system': { cores: 8, cpuset: { from: 'cpuset-filesystem', cpus: '4-7' } },
  'a cpuset of cgroups 2': { cores: 8, cpuset: { from: 'v2', cpus: '2-5', path: '/user.slice/shell.scope' } },
  'a cpuset set further up': { cores: 8, cpuset: { from: 'v2', cpus: '2-5', path: '/kubepods/pod1/container', heldBy: '/kubepods' } },
  'a cgroup path that the container does not see': { cores: 8, cpuset: { from: 'v1', cpus: '6-7', path: '/docker/0123', heldBy: '/' } },
  'a cpuset that holds an offline CPU': { cores: 8, offline: '5', cpuset: { from: 'v2', cpus: '4-6' } },
  Cpus_allowed: { cores: 40, cpuset: { from: 'status-mask', cpus: '1,33-39' } },
  Cpus_allowed_list: { cores: 4, cpuset: { from: 'status-list', cpus: '1-2' } },
  'a hybrid by capacity, slow cores first': { cores: 8, kinds: { by: 'capacity', cores: [4, 3, 1], values: [250, 871, 1024] } },
  'a hybrid by its monitoring units': { cores: 14, threads: 1, kinds: { by: 'units', cores: [6, 8], values: [2, 1] } },
  'a hybrid of three sorts by its monitoring units': { cores: 16, kinds: { by: 'units', cores: [6, 8, 2], values: [3, 2, 1] } },
  'a hybrid by base frequency': { cores: 8, threads: 2, kinds: { by: 'base-frequency', cores: [2, 6], values: [1900000, 1400000] } },
  'a hybrid by highest frequency': { cores: 6, kinds: { by: 'max-frequency', cores: [2, 4], values: [5100000, 3500000] } },
  'a whole blade centre: 1,024 CPUs': { packages: 8, cores: 64, threads: 2, numbering: 'siblings-apart', offline: '77,900-910' },
  '2,048 CPUs of two threads in 32 nodes, some memory only': { packages: 32, cores: 32, threads: 2, memoryOnly: [40, 41] },
  '4,096 CPUs, not a multiple of a group in a node': {
    packages: 16,
    cores: 96,
    threads: 2,
    gaps: '3072-3079',
    cpuset: { from: 'v2', cpus: '0-99,3000-3100' },
  },
  '8,192 CPUs': { packages: 64, cores: 64, threads: 2, numbering: 'siblings-apart' },
  '8,192 CPUs in one node': { cores: 2048, threads: 4 },
};

function newRoot(): string {
  const root = scratchFolder('composed-machine');
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

describe('composed machines', () => {
  it.each(Object.entries(machines))('%s', { timeout: 60_000 }, (title, description) => {
    const { root, truth } = compose(description, newRoot());
    expect(JSON.parse(JSON.stringify(readTopology(root))), title).toEqual(truth);
  });

  it('second threads switched off before the start: nobody can tell the pairs, and the groups hold the same CPUs', () => {
    const { root, truth } = compose({ packages: 2, cores: 20, threads: 2, numbering: 'siblings-apart', offline: '40-79' }, newRoot());
    const unordered = (groups: MachineTruth['groups']): object[] =>
      groups.map(({ group, maximumMask, cpus, online }) => ({
        group,
        maximumMask,
        online,
        cpus: toList(cpus.split(',').flatMap(fromList)),
      }));
    const found = JSON.parse(JSON.stringify(readTopology(root))) as MachineTruth;
    expect(unordered(found.groups)).toEqual(unordered(truth.groups));
    expect({ ...found, groups: [] }).toEqual({ ...truth, groups: [] });
  });
});

describe('a folder that is no machine', () => {
  it('an empty folder is refused', () => {
    expect(() => readTopology(newRoot())).toThrow(/no online CPU/);
  });

  it('a folder that is not there is refused', () => {
    expect(() => readTopology(join(newRoot(), 'absent'))).toThrow(/no online CPU/);
  });

  it('a machine whose CPUs are all offline is refused', () => {
    const { root } = compose({ cores: 2, offline: '0-1', globalFiles: ['present'] }, newRoot());
    expect(() => readTopology(root)).toThrow(/no online CPU/);
  });
});
