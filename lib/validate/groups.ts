import { cpus as nodeCpus } from 'node:os';
import { native } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups } from '../machine/group-table.ts';
import { topology } from '../machine/topology.ts';
import {
  PROCESSOR_NUMBER,
  StorPortGetActiveGroupCount,
  StorPortGetCurrentProcessorNumber,
  StorPortGetGroupAffinity,
  StorPortGetNodeAffinity,
} from '../storport/index.ts';
import {
  ALL_PROCESSOR_GROUPS,
  KeGetCurrentProcessorNumberEx,
  KeQueryActiveGroupCount,
  KeQueryActiveProcessorCountEx,
  KeQueryMaximumGroupCount,
  KeQueryMaximumProcessorCountEx,
} from '../storport/wdm.ts';
import { currentCpu, withAffinity } from '../threads/pin.ts';
import { affinity, machine, type Claim } from './claim.ts';
import { alike, extension, fields, structure, told, word } from './look.ts';
import type { Stage } from './stage.ts';

const size = (mask: bigint): number => CpuSet.fromMask(mask).size;
const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

function groupAffinity(group: number): string {
  const mask = { value: -1n };
  const status = word(StorPortGetGroupAffinity(extension, group, mask));
  return mask.value < 0n ? status : `${status} 0x${mask.value.toString(16)}`;
}

function activeGroups(): string {
  const count = { value: -1 };
  return `${word(StorPortGetActiveGroupCount(extension, count))} ${count.value}`;
}

/** What is told on each CPU in turn, if it is not what should be. */
function onEach({ cpus }: Stage, tell: (cpu: number) => string, should: (cpu: number) => string): string {
  const wrong = cpus.flatMap((cpu) => {
    const seen = withAffinity([cpu], () => tell(cpu));
    return seen === should(cpu) ? [] : [`${seen} instead of ${should(cpu)} on CPU ${cpu}`];
  });
  return wrong.length === 0 ? 'right on every CPU' : told(...wrong.slice(0, 3));
}

export const groupClaims: readonly Claim[] = [
  {
    id: 'groups.active-count',
    sentence: 'StorPort and the kernel tell the same number of groups with active processors.',
    source: 'StorPortGetActiveGroupCount, NumberGroups',
    needs: [machine],
    expected: ({ groups }) => {
      const count = groups.filter(({ active }) => active !== 0n).length;
      return told(`SUCCESS ${count}`, String(count));
    },
    observe: () => told(activeGroups(), String(KeQueryActiveGroupCount())),
  },
  {
    id: 'groups.affinity',
    sentence: 'The affinity of a group is the mask of its active processors.',
    source: 'StorPortGetGroupAffinity, GroupAffinityMask',
    needs: [machine],
    expected: ({ groups }) => told(...groups.map(({ active }) => (active === 0n ? 'UNSUCCESSFUL' : `SUCCESS 0x${active.toString(16)}`))),
    observe: ({ groups }) => told(...groups.map((_, group) => groupAffinity(group))),
  },
  {
    id: 'groups.affinity-beyond',
    sentence: 'For a group beyond the active ones UNSUCCESSFUL is told, and nothing is stored.',
    source: 'StorPortGetGroupAffinity, Return value',
    needs: [machine],
    expected: 'UNSUCCESSFUL',
    observe: ({ groups }) => alike([groups.length, 77, 0xffff].map(groupAffinity)),
  },
  {
    id: 'groups.null',
    sentence: 'The queries refuse to store through NULL.',
    source: 'StorPortGetGroupAffinity, Return value',
    needs: [machine],
    expected: 'INVALID_PARAMETER',
    observe: () =>
      alike(
        [
          StorPortGetGroupAffinity(extension, 0, null),
          StorPortGetActiveGroupCount(extension, null),
          StorPortGetNodeAffinity(extension, 0, null),
          StorPortGetCurrentProcessorNumber(extension, null),
          StorPortGetGroupAffinity(null, 0, { value: 0n }),
        ].map(word),
      ),
  },
  {
    id: 'groups.counts',
    sentence: 'Counts of processors are those of the masks, for each group and for all; no group has none.',
    source: 'KeQueryActiveProcessorCountEx and KeQueryMaximumProcessorCountEx, Return value',
    needs: [machine],
    expected: ({ groups }) => {
      const counts = groups.map(({ active, maximum }) => `${size(active)}/${size(maximum)}`);
      return told(
        ...counts,
        `all ${sum(groups.map(({ active }) => size(active)))}/${sum(groups.map(({ maximum }) => size(maximum)))}`,
        'none 0/0',
      );
    },
    observe: ({ groups }) => {
      const both = (group: number): string => `${KeQueryActiveProcessorCountEx(group)}/${KeQueryMaximumProcessorCountEx(group)}`;
      return told(...groups.map((_, group) => both(group)), `all ${both(ALL_PROCESSOR_GROUPS)}`, `none ${both(groups.length)}`);
    },
  },
  {
    id: 'groups.all-cpus',
    sentence: 'The active processors of all groups are as many as Node counts CPUs.',
    source: 'KeQueryActiveProcessorCountEx, Return value',
    needs: [
      machine,
      ({ can, groups }) => (can.platform === 'windows' && groups.length > 1 ? 'Node counts the CPUs of one group only' : undefined),
    ],
    expected: () => `${nodeCpus().length}`,
    observe: () => `${KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS)}`,
  },
  {
    id: 'groups.maximum',
    sentence: 'There are at least as many groups as active ones, and at most 64 processors in each.',
    source: 'Processor Groups; KeQueryMaximumGroupCount, Remarks',
    needs: [machine],
    expected: ({ groups }) => told(`${groups.length} groups`, 'no fewer than active', 'none above 64'),
    observe: () =>
      told(
        `${KeQueryMaximumGroupCount()} groups`,
        KeQueryMaximumGroupCount() >= KeQueryActiveGroupCount() ? 'no fewer than active' : 'fewer than active',
        topology().groups.every(({ maximumMask }) => maximumMask >> 64n === 0n && size(maximumMask) <= 64)
          ? 'none above 64'
          : 'some above 64',
      ),
  },
  {
    id: 'groups.partition',
    sentence: 'Every CPU is one processor of one group, and CPU 0 is processor 0 of group 0.',
    source: 'Processor Groups',
    needs: [machine],
    expected: 'each CPU once, CPU 0 at 0:0',
    observe: () => {
      const { groups, cpus } = topology();
      const all = groups.flatMap((group) => group.cpus);
      const place = processGroups().locate(0);
      const once = new Set(all).size === all.length && cpus.online.isSubsetOf(CpuSet.of(all));
      return told(once ? 'each CPU once' : `CPUs ${all.join()}`, `CPU 0 at ${place?.group}:${place?.number}`);
    },
  },
  {
    id: 'groups.stable',
    sentence: 'Group and number of a CPU are the same each time they are asked for.',
    source: 'Processor Groups',
    needs: [machine],
    expected: 'the same',
    observe: () => {
      const layout = (): string => JSON.stringify(topology().groups.map(({ cpus }) => cpus));
      const first = layout();
      const flat = native.groups() ?? new Uint32Array();
      const kept = processGroups().table.every((bits, group) =>
        bits.every((cpu, bit) => cpu === undefined || flat[group * 64 + bit] === cpu),
      );
      return layout() === first && kept ? 'the same' : 'changed';
    },
  },
  {
    id: 'groups.current',
    sentence: 'A thread on a processor is told that group and number, by StorPort and by the kernel.',
    source: 'StorPortGetCurrentProcessorNumber, ProcNumber',
    needs: [affinity, machine],
    expected: 'right on every CPU',
    observe: (stage) =>
      onEach(
        stage,
        () => {
          const [mine, kernels] = [new PROCESSOR_NUMBER(), new PROCESSOR_NUMBER()];
          const status = word(StorPortGetCurrentProcessorNumber(extension, mine));
          KeGetCurrentProcessorNumberEx(kernels);
          return `${status} ${mine.Group}:${mine.Number} ${kernels.Group}:${kernels.Number}`;
        },
        (cpu) => {
          const place = processGroups().locate(cpu);
          return `SUCCESS ${place?.group}:${place?.number} ${place?.group}:${place?.number}`;
        },
      ),
  },
  {
    id: 'groups.current-index',
    sentence: 'The number over all groups counts through the groups in order.',
    source: 'KeGetCurrentProcessorNumberEx, Return value',
    needs: [affinity, machine],
    expected: 'right on every CPU',
    observe: (stage) =>
      onEach(
        stage,
        () => `${KeGetCurrentProcessorNumberEx(null)}`,
        (cpu) => {
          const place = processGroups().locate(cpu) ?? { group: 0, number: -1 };
          return `${sum(stage.groups.slice(0, place.group).map(({ maximum }) => size(maximum))) + place.number}`;
        },
      ),
  },
  {
    id: 'groups.current-node',
    sentence: "A thread on a processor is told that processor's NUMA node.",
    source: 'NUMA Support',
    needs: [affinity, machine],
    expected: 'right on every CPU',
    observe: (stage) => {
      const { numaNodes } = topology();
      return onEach(
        stage,
        () => `${currentCpu().node}`,
        (cpu) => `${numaNodes.find(({ cpus }) => cpus.has(cpu))?.id ?? 0}`,
      );
    },
  },
  {
    id: 'groups.node-affinity',
    sentence: "A NUMA node's affinity is its active processors in one group.",
    source: 'StorPortGetNodeAffinity, NodeAffinity',
    needs: [machine],
    expected: 'right for every node',
    observe: () => {
      const wrong = topology().numaNodes.filter(({ id, cpus }) => {
        const to = structure();
        const status = StorPortGetNodeAffinity(extension, id, to);
        const parts = cpus.toGroups().map(({ group, mask }) => fields(structure(mask, group)));
        return status !== 0 || !(cpus.size === 0 ? to.Mask === 0n : parts.includes(fields(to)));
      });
      return wrong.length === 0 ? 'right for every node' : `wrong for node ${wrong.map(({ id }) => id).join()}`;
    },
  },
  {
    id: 'groups.node-beyond',
    sentence: 'For a NUMA node that the machine does not have INVALID_PARAMETER is told, and nothing is stored.',
    source: 'StorPortGetNodeAffinity, Return value',
    needs: [machine],
    expected: 'INVALID_PARAMETER 0:0x0',
    observe: () => {
      const to = structure();
      return `${word(StorPortGetNodeAffinity(extension, 60_000, to))} ${fields(to)}`;
    },
  },
];
