import { native, operands, operands32, Outcome, previousGroup, previousMask, wantedGroup, wantedMask } from '../binding.ts';
import { show, wrongType } from '../errors.ts';
import { maskOf } from '../machine/cpu-list.ts';
import { processGroups, readMachine } from '../machine/group-table.ts';
import { coverUser, keepPrevious, systemActive, uncoverUser } from '../threads/own-thread.ts';
import { isZero, STOR_GROUP_AFFINITY } from './group-affinity.ts';
import { STOR_STATUS_INVALID_PARAMETER, STOR_STATUS_NOT_IMPLEMENTED, STOR_STATUS_SUCCESS, STOR_STATUS_UNSUCCESSFUL } from './status.ts';

const { exchangeGroup } = native;

/** A pointer to the caller's device extension; never looked into. */
export type HwDeviceExtension = object | null;
/** The thread to act on; null means the calling thread, and only that can be acted on. */
export type ThreadContext = object | null;

const isGroup = (group: number): boolean => Number.isInteger(group) && group >= 0 && group <= 0xffff;

/**
 * The value that the first Set over the user affinity stored, while no other Set came between: a structure copied from
 * the one it was stored in, field by field, then still says where to go back to.
 */
let stored: { mask: bigint; group: number } | undefined;

function statusOf(outcome: Outcome): number {
  switch (outcome) {
    case Outcome.done:
    case Outcome.trimmed:
      return STOR_STATUS_SUCCESS;
    case Outcome.noneRunning:
    case Outcome.notAProcessor:
      return STOR_STATUS_INVALID_PARAMETER;
    case Outcome.unsupported:
      return STOR_STATUS_NOT_IMPLEMENTED;
    default:
      return STOR_STATUS_UNSUCCESSFUL;
  }
}

function exchange(mask: bigint, group: number): Outcome {
  operands[wantedMask] = mask;
  operands32[wantedGroup] = group;
  const outcome = exchangeGroup();
  if (outcome !== Outcome.noGroups) return outcome;
  processGroups();
  return exchangeGroup();
}

/** False for NULL. What is neither an object nor NULL a C compiler would not take for a pointer. */
function isPointer(value: unknown, parameter: string): boolean {
  if (value === null) return false;
  if (typeof value === 'object' || typeof value === 'function') return true;
  throw wrongType(`${parameter} is an object or null, not ${show(value)}`);
}

/** The acceptance rule of Set, without setting anything. */
function isAcceptable(mask: bigint, group: number): boolean {
  const machine = readMachine('/');
  const bits = processGroups(machine).table[group];
  if (bits === undefined) return false;
  const existing = bits.flatMap((cpu, bit) => (cpu === undefined ? [] : [{ bit, online: ((machine.online >> BigInt(cpu)) & 1n) === 1n }]));
  const maximum = maskOf(existing.map(({ bit }) => bit));
  const active = maskOf(existing.flatMap(({ bit, online }) => (online ? [bit] : [])));
  return (mask & ~maximum) === 0n && (mask & active) !== 0n;
}

function zeroed(PreviousAffinity: STOR_GROUP_AFFINITY | null, status: number): number {
  if (PreviousAffinity !== null) STOR_GROUP_AFFINITY.fill(PreviousAffinity, 0n, 0, false);
  return status;
}

/**
 * Gives the calling thread a system affinity: processors of one group. When the call returns the thread runs on one of
 * them ("StorPortSetSystemGroupAffinityThread").
 *
 * Processors that are not active are left out, and seen to be so in the next PreviousAffinity.
 *
 * @param PreviousAffinity receives the affinity that was in force; zero in all fields where the call fails.
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER where the group or a processor does not exist, none is
 * active, a field of Reserved is not zero, or a pointer is wrong; STOR_STATUS_UNSUCCESSFUL where the operating system
 * refuses; STOR_STATUS_NOT_IMPLEMENTED where it has no such call. Unless it succeeds the thread is as it was.
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function StorPortSetSystemGroupAffinityThread(
  HwDeviceExtension: HwDeviceExtension,
  ThreadContext: ThreadContext,
  Affinity: STOR_GROUP_AFFINITY | null,
  PreviousAffinity: STOR_GROUP_AFFINITY | null,
): number {
  if (PreviousAffinity !== null) STOR_GROUP_AFFINITY.check(PreviousAffinity, 'PreviousAffinity');
  if (Affinity !== null) STOR_GROUP_AFFINITY.check(Affinity, 'Affinity');
  if (!isPointer(HwDeviceExtension, 'HwDeviceExtension') || Affinity === null || isPointer(ThreadContext, 'ThreadContext'))
    return zeroed(PreviousAffinity, STOR_STATUS_INVALID_PARAMETER);
  const { Mask, Group } = Affinity;
  if (!isGroup(Group) || !isZero(Affinity.Reserved) || BigInt.asUintN(64, Mask) !== Mask)
    return zeroed(PreviousAffinity, STOR_STATUS_INVALID_PARAMETER);

  const outcome = exchange(Mask, Group);
  if (outcome > Outcome.trimmed) return zeroed(PreviousAffinity, statusOf(outcome));
  const overUser = !systemActive();
  if (overUser) coverUser(keepPrevious());
  if (PreviousAffinity !== null || overUser) {
    const mask = operands[previousMask] as bigint;
    const group = operands32[previousGroup] as number;
    if (PreviousAffinity !== null) STOR_GROUP_AFFINITY.fill(PreviousAffinity, mask, group, overUser);
    stored = overUser ? { mask, group } : undefined;
  } else stored = undefined;
  return STOR_STATUS_SUCCESS;
}

/**
 * Ends the calling thread's system affinity, or goes back to an outer one, by what a Set stored in PreviousAffinity
 * ("StorPortRevertToUserGroupAffinityThread"). Handed what the first Set stored, or a zero Mask, it brings back the user
 * affinity exactly, whatever groups that spans, as it is by now.
 *
 * Without a system affinity in force it has no effect and succeeds.
 *
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER for a wrong pointer, or an affinity that Set would refuse;
 * STOR_STATUS_UNSUCCESSFUL where the operating system refuses; STOR_STATUS_NOT_IMPLEMENTED where it has no such call.
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function StorPortRevertToUserGroupAffinityThread(
  HwDeviceExtension: HwDeviceExtension,
  ThreadContext: ThreadContext,
  PreviousAffinity: STOR_GROUP_AFFINITY | null,
): number {
  if (PreviousAffinity !== null) STOR_GROUP_AFFINITY.check(PreviousAffinity, 'PreviousAffinity');
  if (!isPointer(HwDeviceExtension, 'HwDeviceExtension') || PreviousAffinity === null || isPointer(ThreadContext, 'ThreadContext'))
    return STOR_STATUS_INVALID_PARAMETER;
  if (!isZero(PreviousAffinity.Reserved)) return STOR_STATUS_INVALID_PARAMETER;
  const { Mask, Group } = PreviousAffinity;
  const toUser =
    Mask === 0n ||
    STOR_GROUP_AFFINITY.isOverUser(PreviousAffinity) ||
    (stored !== undefined && stored.mask === Mask && stored.group === Group);
  if (toUser) {
    if (!systemActive()) return native.support().affinity ? STOR_STATUS_SUCCESS : STOR_STATUS_NOT_IMPLEMENTED;
    const status = statusOf(uncoverUser());
    if (status === STOR_STATUS_SUCCESS) stored = undefined;
    return status;
  }
  if (!isGroup(Group) || BigInt.asUintN(64, Mask) !== Mask) return STOR_STATUS_INVALID_PARAMETER;
  if (!systemActive()) {
    if (!native.support().affinity) return STOR_STATUS_NOT_IMPLEMENTED;
    return isAcceptable(Mask, Group) ? STOR_STATUS_SUCCESS : STOR_STATUS_INVALID_PARAMETER;
  }
  const status = statusOf(exchange(Mask, Group));
  if (status === STOR_STATUS_SUCCESS) stored = undefined;
  return status;
}
