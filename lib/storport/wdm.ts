/** The kernel's own routines, for people who compare: `groupaffinity/wdm`. */
import { native } from '../binding.ts';
import { revert, setSystem } from './books.ts';
import { checkIn, checkOut, isZero, STOR_GROUP_AFFINITY } from './group-affinity.ts';
import { currentIrql, DISPATCH_LEVEL } from './irql.ts';
import { checkNumber } from './parameters.ts';
import { activeGroups, currentProcessor, processors, PROCESSOR_NUMBER } from './queries.ts';
import { orStatus } from './status.ts';

export { STOR_GROUP_AFFINITY as GROUP_AFFINITY } from './group-affinity.ts';
export { APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql, PASSIVE_LEVEL } from './irql.ts';
export { PROCESSOR_NUMBER } from './queries.ts';

/** Means every group, where a group is asked for. */
export const ALL_PROCESSOR_GROUPS = 0xffff;

/**
 * Sets the calling thread's system affinity ("KeSetSystemGroupAffinityThread"). It has no result: what it refuses has no
 * effect. Above DISPATCH_LEVEL, and without an affinity, it has none either.
 *
 * @param PreviousAffinity receives the system affinity that was in force; zeros over a user affinity, and where the
 * call is refused.
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function KeSetSystemGroupAffinityThread(Affinity: STOR_GROUP_AFFINITY | null, PreviousAffinity: STOR_GROUP_AFFINITY | null): void {
  if (PreviousAffinity !== null) checkOut(PreviousAffinity, 'PreviousAffinity');
  if (Affinity !== null) checkIn(Affinity, 'Affinity');
  if (Affinity !== null && currentIrql() <= DISPATCH_LEVEL) orStatus(() => setSystem(Affinity, PreviousAffinity, true));
  else if (PreviousAffinity !== null) STOR_GROUP_AFFINITY.zero(PreviousAffinity);
}

/**
 * Goes back to what KeSetSystemGroupAffinityThread stored: a zero Mask means the user affinity, as it is by now
 * ("KeRevertToUserGroupAffinityThread"). What it refuses has no effect.
 *
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function KeRevertToUserGroupAffinityThread(PreviousAffinity: STOR_GROUP_AFFINITY | null): void {
  if (PreviousAffinity === null) return;
  checkIn(PreviousAffinity, 'PreviousAffinity');
  if (currentIrql() <= DISPATCH_LEVEL && isZero(PreviousAffinity.Reserved)) orStatus(() => revert(PreviousAffinity));
}

/** Groups that have an active processor ("KeQueryActiveGroupCount"). */
export function KeQueryActiveGroupCount(): number {
  return activeGroups();
}

/** Groups that there can be without a restart ("KeQueryMaximumGroupCount"). */
export function KeQueryMaximumGroupCount(): number {
  return processors().length;
}

function count(GroupNumber: number, which: 'active' | 'maximum'): number {
  checkNumber(GroupNumber, 'GroupNumber');
  const groups = processors();
  const asked = GroupNumber === ALL_PROCESSOR_GROUPS ? groups : groups.slice(GroupNumber, GroupNumber + 1);
  if (!Number.isInteger(GroupNumber) || GroupNumber < 0) return 0;
  return asked.reduce((sum, group) => sum + group[which].toString(2).replaceAll('0', '').length, 0);
}

/** Active processors of a group, or of ALL_PROCESSOR_GROUPS; 0 for no group ("KeQueryActiveProcessorCountEx"). */
export function KeQueryActiveProcessorCountEx(GroupNumber: number): number {
  return count(GroupNumber, 'active');
}

/** Processors that a group, or ALL_PROCESSOR_GROUPS, can have; 0 for no group ("KeQueryMaximumProcessorCountEx"). */
export function KeQueryMaximumProcessorCountEx(GroupNumber: number): number {
  return count(GroupNumber, 'maximum');
}

/**
 * The processor that runs the calling thread: returns its number over all groups, and stores group and number where
 * ProcNumber is not null ("KeGetCurrentProcessorNumberEx").
 */
export function KeGetCurrentProcessorNumberEx(ProcNumber: PROCESSOR_NUMBER | null): number {
  if (ProcNumber !== null) PROCESSOR_NUMBER.check(ProcNumber, 'ProcNumber');
  const place = currentProcessor() ?? { group: 0, number: Math.max(0, native.currentCpu()) };
  if (ProcNumber !== null) {
    ProcNumber.Group = place.group;
    ProcNumber.Number = place.number;
    ProcNumber.Reserved = 0;
  }
  const before = processors().slice(0, place.group);
  return before.reduce((sum, { maximum }) => sum + maximum.toString(2).replaceAll('0', '').length, place.number);
}
