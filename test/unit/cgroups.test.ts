/** What a process's cgroups grant it, in the places where systemd, Docker and Kubernetes put them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { picture } from '../../lib/machine/picture.ts';
import { readTopology, type Topology } from '../../lib/machine/topology.ts';
import { planOn } from '../../lib/workers/plan.ts';
import { compose, scratchFolder } from '../fixtures/compose.ts';

const folder = scratchFolder('cgroups');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Grants {
  /** /proc/self/cgroup */
  own: string;
  /** Root, directory, type and options of each mount, as /proc/self/mountinfo has them. */
  mounts: [root: string, directory: string, type: string, options: string][];
  /** What lies there. */
  files: Record<string, string>;
  /** A recording from before /proc/self/mountinfo was kept. */
  roots?: false;
}

let machines = 0;

/** Eight cores in these cgroups. */
function inside({ own, mounts, files, roots }: Grants): Topology {
  const { root } = compose({ cores: 8 }, join(folder, String((machines += 1))));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  };
  write('proc/self/cgroup', own);
  write('proc/mounts', mounts.map(([, directory, type, options]) => `x ${directory} ${type} ${options} 0 0`).join('\n'));
  if (roots !== false)
    write(
      'proc/self/mountinfo',
      [
        '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw',
        ...mounts.map(
          ([from, directory, type, options], at) =>
            `${30 + at} 22 0:${at} ${from} ${directory} rw,nosuid${at % 2 === 0 ? ' shared:9 master:1' : ''} - ${type} x ${options}`,
        ),
      ].join('\n'),
    );
  for (const [path, text] of Object.entries(files)) write(path, text);
  return readTopology(root);
}

const unified: Grants['mounts'] = [['/', '/sys/fs/cgroup', 'cgroup2', 'rw,nsdelegate']];
const separate: Grants['mounts'] = [
  ['/', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'],
  ['/', '/sys/fs/cgroup/cpuset', 'cgroup', 'rw,cpuset'],
  ['/', '/sys/fs/cgroup/unified', 'cgroup2', 'rw'],
];
const v2 = 'sys/fs/cgroup';
const cpu = 'sys/fs/cgroup/cpu,cpuacct';
const cfs = (path: string, quota: string, period = '100000'): Record<string, string> => ({
  [`${path}/cpu.cfs_quota_us`]: quota,
  [`${path}/cpu.cfs_period_us`]: period,
});

describe('the quota', () => {
  it.each<[string, Grants, number | null]>([
    ['of no limit is none', { own: '0::/a', mounts: unified, files: { [`${v2}/a/cpu.max`]: 'max 100000' } }, null],
    ['is a number of CPUs', { own: '0::/a', mounts: unified, files: { [`${v2}/a/cpu.max`]: '250000 100000' } }, 2.5],
    ['may be a part of one', { own: '0::/a', mounts: unified, files: { [`${v2}/a/cpu.max`]: '5000 100000' } }, 0.05],
    [
      "is the least of the cgroup's own and of those above it",
      {
        own: '0::/kubepods.slice/pod1/container',
        mounts: unified,
        files: {
          [`${v2}/kubepods.slice/pod1/container/cpu.max`]: '400000 100000',
          [`${v2}/kubepods.slice/pod1/cpu.max`]: '150000 50000',
          [`${v2}/kubepods.slice/cpu.max`]: 'max 100000',
        },
      },
      3,
    ],
    [
      'may be set where the controller is on, above the own cgroup',
      { own: '0::/system.slice/app.service', mounts: unified, files: { [`${v2}/system.slice/cpu.max`]: '100000 100000' } },
      1,
    ],
    [
      'of a container with a namespace of its own is at its root',
      { own: '0::/', mounts: unified, files: { [`${v2}/cpu.max`]: '200000 100000' } },
      2,
    ],
    [
      "of a container that is told the host's path is where that is mounted",
      {
        own: '4:cpu,cpuacct:/docker/0123\n0::/docker/0123',
        mounts: [['/docker/0123', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct']],
        files: cfs(cpu, '150000'),
      },
      1.5,
    ],
    [
      'of a cgroup made inside of such a container counts as well',
      {
        own: '4:cpu,cpuacct:/docker/0123/job/step',
        mounts: [['/docker/0123', '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct']],
        files: { ...cfs(cpu, '400000'), ...cfs(`${cpu}/job`, '100000', '50000'), ...cfs(`${cpu}/job/step`, '-1') },
      },
      2,
    ],
    [
      'is not that of another container with a longer name',
      {
        own: '4:cpu:/docker/01234',
        mounts: [
          ['/docker/0123', '/other', 'cgroup', 'rw,cpu'],
          ['/docker/01234', '/mine', 'cgroup', 'rw,cpu'],
        ],
        files: { ...cfs('other', '100000'), ...cfs('mine', '300000') },
      },
      3,
    ],
    [
      'is found beyond a namespace from its edge inwards',
      { own: '0::/../other', mounts: unified, files: { [`${v2}/cpu.max`]: '700000 100000', [`${v2}/other/cpu.max`]: '100000 100000' } },
      7,
    ],
    ['of version 1 without a limit is none', { own: '4:cpu,cpuacct:/a', mounts: separate, files: cfs(`${cpu}/a`, '-1') }, null],
    [
      'is found in either version where both are mounted, and the least counts',
      {
        own: '4:cpu,cpuacct:/a\n3:cpuset:/\n0::/b',
        mounts: separate,
        files: { ...cfs(`${cpu}/a`, '300000'), 'sys/fs/cgroup/unified/b/cpu.max': '250000 100000' },
      },
      2.5,
    ],
    [
      'is found in a recording without mountinfo, its mount point with a blank',
      { own: '2:cpu:/a/b', mounts: [['/', '/mnt/c\\040pu', 'cgroup', 'rw,cpu']], files: cfs('mnt/c pu/a', '50000'), roots: false },
      0.5,
    ],
    [
      'that is damaged is none',
      { own: '0::/a', mounts: unified, files: { [`${v2}/a/cpu.max`]: '1e5 100000', [`${v2}/cpu.max`]: '0 0' } },
      null,
    ],
    ['without its period is none', { own: '2:cpu:/', mounts: separate, files: { [`${cpu}/cpu.cfs_quota_us`]: '50000' } }, null],
    ['that nothing is mounted for is none', { own: '2:cpu:/a\n0::/a', mounts: [], files: { [`${v2}/a/cpu.max`]: '100000 100000' } }, null],
  ])('%s', (_, grants, quota) => {
    const machine = inside(grants);
    expect(machine.quota).toBe(quota);
    expect(JSON.parse(JSON.stringify(machine))).toHaveProperty('quota', quota);
  });

  it('is a line of the picture', () => {
    const of = (max: string): string => picture(inside({ own: '0::/', mounts: unified, files: { [`${v2}/cpu.max`]: max } }), 100);
    expect(of('250000 100000')).toContain('\nquota: the time of 2.5 CPUs');
    expect(of('100000 100000')).toContain('\nquota: the time of 1 CPU');
    expect(of('100000 300000')).toContain('\nquota: the time of 0.333 CPUs');
    expect(of('max 100000')).not.toContain('quota');
  });
});

describe('the cpuset', () => {
  it.each<[string, Grants, string]>([
    [
      'of a cgroup made inside of a container that is told the host path',
      {
        own: '3:cpuset:/docker/0123/job',
        mounts: [['/docker/0123', '/sys/fs/cgroup/cpuset', 'cgroup', 'rw,cpuset']],
        files: { 'sys/fs/cgroup/cpuset/cpuset.cpus': '0-6', 'sys/fs/cgroup/cpuset/job/cpuset.cpus': '3,5' },
      },
      '3,5',
    ],
    [
      'of version 1 is what was asked for',
      {
        own: '3:cpuset:/job',
        mounts: [['/', '/sys/fs/cgroup/cpuset', 'cgroup', 'rw,cpuset']],
        files: { 'sys/fs/cgroup/cpuset/job/cpuset.cpus': '2-5', 'sys/fs/cgroup/cpuset/job/cpuset.effective_cpus': '3,5' },
      },
      '2-5',
    ],
    [
      'of version 1 in the ways of version 2 is what was granted of that',
      {
        own: '3:cpuset:/job',
        mounts: [['/', '/sys/fs/cgroup/cpuset', 'cgroup', 'rw,cpuset,cpuset_v2_mode']],
        files: { 'sys/fs/cgroup/cpuset/job/cpuset.cpus': '2-5', 'sys/fs/cgroup/cpuset/job/cpuset.effective_cpus': '3,5' },
      },
      '3,5',
    ],
    [
      'of such a one without prefix as well',
      {
        own: '3:cpuset:/job',
        mounts: [['/', '/dev/cpuset', 'cgroup', 'rw,cpuset,noprefix,cpuset_v2_mode']],
        files: { 'dev/cpuset/job/cpus': '', 'dev/cpuset/job/effective_cpus': '3,5', 'dev/cpuset/cpus': '0-7' },
      },
      '3,5',
    ],
    [
      'of such a one is what was asked for where nothing else is told',
      {
        own: '3:cpuset:/job',
        mounts: [['/', '/sys/fs/cgroup/cpuset', 'cgroup', 'rw,cpuset,cpuset_v2_mode']],
        files: { 'sys/fs/cgroup/cpuset/job/cpuset.cpus': '2-5' },
      },
      '2-5',
    ],
    [
      'of a pod: what the static CPU manager left of the node',
      {
        own: '0::/',
        mounts: [['/', '/sys/fs/cgroup', 'cgroup2', 'ro,nosuid']],
        files: { [`${v2}/cpuset.cpus.effective`]: '2-3,6', [`${v2}/cpu.max`]: '300000 100000' },
      },
      '2-3,6',
    ],
  ])('%s', (_, grants, allowed) => {
    expect(String(inside(grants).cpus.allowed)).toBe(allowed);
  });
});

describe('a plan under a quota', () => {
  const under = (max: string, cpus = '0-7'): Topology =>
    inside({ own: '0::/', mounts: unified, files: { [`${v2}/cpu.max`]: max, [`${v2}/cpuset.cpus.effective`]: cpus } });
  const seats = (machine: Topology, by: 'core' | 'numa' = 'core'): number => planOn({ by, count: 'quota' }, machine).seats.length;

  it("has with count: 'quota' as many seats as the quota keeps busy, at least one, at most the units", () => {
    expect(seats(under('299999 100000'))).toBe(2);
    expect(seats(under('300000 100000'))).toBe(3);
    expect(seats(under('10000 100000'))).toBe(1);
    expect(seats(under('1600000 100000'))).toBe(8);
    expect(seats(under('600000 100000', '1-2'))).toBe(2);
    expect(seats(under('max 100000'))).toBe(8);
    expect(seats(under('300000 100000'), 'numa')).toBe(1);
  });

  it('says so, with the figures, when it has more', () => {
    const machine = under('250000 100000');
    const said = "A plan of 3 seats: this process's quota is the time of 2.5 CPUs, which keeps 2 workers busy.";
    expect(
      String(planOn({ by: 'core', count: 3 }, machine))
        .split('\n')
        .at(-1),
    ).toBe(said);
    expect(String(planOn({ by: 'core', count: 2 }, machine))).not.toContain('A plan of');
    expect(String(planOn({ by: 'core', count: 'quota' }, under('10000 100000')))).not.toContain('A plan of');
    expect(planOn({ by: 'core' }, machine).quota).toBe(2.5);
  });

  it('refuses a count that is neither', () => {
    expect(() => planOn({ by: 'core', count: 'max' as never }, under('250000 100000'))).toThrow(
      "count is a number of seats or 'quota', not 'max'",
    );
  });
});
