import { native } from '../binding.ts';
import { show, wrongType } from '../errors.ts';
import { cpusOf, maskOf } from '../machine/cpu-list.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups, readCpus, readMachine } from '../machine/group-table.ts';
import { checkOut, STOR_GROUP_AFFINITY } from './group-affinity.ts';
import { checkNumber, isPointer, type HwDeviceExtension, type Out } from './parameters.ts';
import {
  orStatus,
  STOR_STATUS_INVALID_PARAMETER,
  STOR_STATUS_NOT_IMPLEMENTED,
  STOR_STATUS_SUCCESS,
  STOR_STATUS_UNSUCCESSFUL,
} from './status.ts';

/** PROCESSOR_NUMBER: a processor by group and bit ("PROCESSOR_NUMBER structure"). */
export class PROCESSOR_NUMBER {
  /** USHORT */
  Group = 0;
  /** UCHAR; the processor's bit in masks of its group. */
  Number = 0;
  /** UCHAR */
  Reserved = 0;

  /** @internal */
  static check(value: unknown, parameter: string): asserts value is PROCESSOR_NUMBER {
    if (!(value instanceof PROCESSOR_NUMBER)) throw wrongType(`${parameter} is a PROCESSOR_NUMBER, not ${show(value)}`);
  }
}

/** Processors of each group: those that exist, and those that run. */
export function processors(): { maximum: bigint; active: bigint }[] {
  const { online } = readCpus();
  const runs = (cpu: number): boolean => ((online >> BigInt(cpu)) & 1n) === 1n;
  return processGroups().table.map((cpus) => {
    const bits = cpus.flatMap((cpu, bit) => (cpu === undefined ? [] : [bit]));
    return { maximum: maskOf(bits), active: maskOf(bits.filter((bit) => runs(cpus[bit] as number))) };
  });
}

/** Groups that have an active processor. */
export function activeGroups(): number {
  return processors().filter(({ active }) => active !== 0n).length;
}

/** Where the calling thread runs, by group and bit; undefined where the system can't tell. */
export function currentProcessor(): { group: number; number: number } | undefined {
  const { locate } = processGroups();
  return locate(native.currentCpu());
}

const canTell = (): boolean => native.support().topology;

/**
 * Stores how many groups have active processors ("StorPortGetActiveGroupCount").
 * @returns STOR_STATUS_SUCCESS, STOR_STATUS_NOT_IMPLEMENTED, or STOR_STATUS_INVALID_PARAMETER where a pointer is NULL.
 */
export function StorPortGetActiveGroupCount(HwDeviceExtension: HwDeviceExtension, NumberGroups: Out<number> | null): number {
  if (!isPointer(HwDeviceExtension, 'HwDeviceExtension') || !isPointer(NumberGroups, 'NumberGroups') || NumberGroups === null)
    return STOR_STATUS_INVALID_PARAMETER;
  if (!canTell()) return STOR_STATUS_NOT_IMPLEMENTED;
  return orStatus(() => {
    NumberGroups.value = activeGroups();
    return STOR_STATUS_SUCCESS;
  });
}

/**
 * Stores the active processors of a group ("StorPortGetGroupAffinity").
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_UNSUCCESSFUL where there are not so many active groups;
 * STOR_STATUS_INVALID_PARAMETER where a pointer is NULL; STOR_STATUS_NOT_IMPLEMENTED.
 */
export function StorPortGetGroupAffinity(
  HwDeviceExtension: HwDeviceExtension,
  GroupNumber: number,
  GroupAffinityMask: Out<bigint> | null,
): number {
  checkNumber(GroupNumber, 'GroupNumber');
  if (
    !isPointer(HwDeviceExtension, 'HwDeviceExtension') ||
    !isPointer(GroupAffinityMask, 'GroupAffinityMask') ||
    GroupAffinityMask === null
  )
    return STOR_STATUS_INVALID_PARAMETER;
  if (!canTell()) return STOR_STATUS_NOT_IMPLEMENTED;
  return orStatus(() => {
    const group = processors()[GroupNumber];
    if (group === undefined || group.active === 0n) return STOR_STATUS_UNSUCCESSFUL;
    GroupAffinityMask.value = group.active;
    return STOR_STATUS_SUCCESS;
  });
}

/**
 * Stores the active processors of a NUMA node; of a node that spans groups, those in the group that has most of them
 * ("StorPortGetNodeAffinity", "KeQueryNodeActiveAffinity"). A node of memory only has the mask 0.
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER where there is no such node or a pointer is NULL;
 * STOR_STATUS_NOT_IMPLEMENTED.
 */
export function StorPortGetNodeAffinity(
  HwDeviceExtension: HwDeviceExtension,
  NodeNumber: number,
  NodeAffinity: STOR_GROUP_AFFINITY | null,
): number {
  checkNumber(NodeNumber, 'NodeNumber');
  if (NodeAffinity !== null) checkOut(NodeAffinity, 'NodeAffinity');
  if (!isPointer(HwDeviceExtension, 'HwDeviceExtension') || NodeAffinity === null) return STOR_STATUS_INVALID_PARAMETER;
  if (!canTell()) return STOR_STATUS_NOT_IMPLEMENTED;
  return orStatus(() => {
    const { numaNodes, online } = readMachine('/');
    const node = numaNodes.find(({ id }) => id === NodeNumber);
    if (node === undefined) return STOR_STATUS_INVALID_PARAMETER;
    // By what exists, so that the group does not change with what is online.
    const parts = CpuSet.fromMask(node.capacity | node.cpus).toGroups();
    const most = Math.max(...parts.map(({ mask }) => cpusOf(mask).length));
    const group = parts.find(({ mask }) => cpusOf(mask).length === most)?.group ?? 0;
    const active = CpuSet.fromMask((node.capacity | node.cpus) & online).toGroups();
    const part = { group, mask: active.find((each) => each.group === group)?.mask ?? 0n };
    STOR_GROUP_AFFINITY.store(NodeAffinity, part.mask, part.group);
    return STOR_STATUS_SUCCESS;
  });
}

/**
 * Stores the processor that runs the calling thread ("StorPortGetCurrentProcessorNumber").
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER where a pointer is NULL; STOR_STATUS_NOT_IMPLEMENTED.
 */
export function StorPortGetCurrentProcessorNumber(HwDeviceExtension: HwDeviceExtension, ProcNumber: PROCESSOR_NUMBER | null): number {
  if (ProcNumber !== null) PROCESSOR_NUMBER.check(ProcNumber, 'ProcNumber');
  if (!isPointer(HwDeviceExtension, 'HwDeviceExtension') || ProcNumber === null) return STOR_STATUS_INVALID_PARAMETER;
  if (!canTell()) return STOR_STATUS_NOT_IMPLEMENTED;
  return orStatus(() => {
    const place = currentProcessor();
    if (place === undefined) return STOR_STATUS_NOT_IMPLEMENTED;
    ProcNumber.Group = place.group;
    ProcNumber.Number = place.number;
    ProcNumber.Reserved = 0;
    return STOR_STATUS_SUCCESS;
  });
}
