import { Outcome } from '../binding.ts';
import { revert, setSystem } from './books.ts';
import { isOwnContext, type ThreadContext } from './contexts.ts';
import { checkIn, checkOut, isZero, STOR_GROUP_AFFINITY } from './group-affinity.ts';
import { currentIrql, DISPATCH_LEVEL } from './irql.ts';
import { isPointer, type HwDeviceExtension } from './parameters.ts';
import {
  statusOfError,
  STOR_STATUS_INVALID_IRQL,
  STOR_STATUS_INVALID_PARAMETER,
  STOR_STATUS_NOT_IMPLEMENTED,
  STOR_STATUS_SUCCESS,
  STOR_STATUS_UNSUCCESSFUL,
} from './status.ts';

// Constants of this file, which compiled code need not look up at each call.
const { zero } = STOR_GROUP_AFFINITY;

/** The page of Set lists no INVALID_IRQL; this is what it lists. */
const SET_ABOVE_DISPATCH = STOR_STATUS_UNSUCCESSFUL;

/** The status that tells an outcome. */
export function statusOf(outcome: Outcome): number {
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

function refused(PreviousAffinity: STOR_GROUP_AFFINITY | null, status: number): number {
  if (PreviousAffinity !== null) zero(PreviousAffinity);
  return status;
}

/**
 * Gives the calling thread a system affinity: processors of one group. When the call returns the thread runs on one of
 * them ("StorPortSetSystemGroupAffinityThread"); at DISPATCH_LEVEL, when the level falls below it.
 *
 * Processors that are not active are left out, and seen to be so in the next PreviousAffinity.
 *
 * @param ThreadContext null or the calling thread's own context; no other thread can be meant.
 * @param PreviousAffinity receives the affinity that was in force; zero in all fields where the call fails.
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER where the group or a processor does not exist, none is
 * active, a field of Reserved is not zero, or a pointer is wrong; STOR_STATUS_UNSUCCESSFUL where the operating system
 * refuses, and above DISPATCH_LEVEL; STOR_STATUS_NOT_IMPLEMENTED where the system has no such call. Unless it succeeds
 * the thread is as it was.
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function StorPortSetSystemGroupAffinityThread(
  HwDeviceExtension: HwDeviceExtension,
  ThreadContext: ThreadContext | null,
  Affinity: STOR_GROUP_AFFINITY | null,
  PreviousAffinity: STOR_GROUP_AFFINITY | null,
): number {
  if (PreviousAffinity !== null) checkOut(PreviousAffinity, 'PreviousAffinity');
  if (Affinity !== null) checkIn(Affinity, 'Affinity');
  const hasExtension = isPointer(HwDeviceExtension, 'HwDeviceExtension');
  const isOwn = ThreadContext === null || isOwnContext(ThreadContext);
  if (!isOwn || !hasExtension || Affinity === null) return refused(PreviousAffinity, STOR_STATUS_INVALID_PARAMETER);
  if (currentIrql() > DISPATCH_LEVEL) return refused(PreviousAffinity, SET_ABOVE_DISPATCH);
  try {
    const outcome = setSystem(Affinity, PreviousAffinity, false);
    return outcome === undefined ? STOR_STATUS_SUCCESS : statusOf(outcome);
  } catch (error) {
    return statusOfError(error);
  }
}

/**
 * Ends the calling thread's system affinity, or goes back to an outer one, by what a Set stored in PreviousAffinity
 * ("StorPortRevertToUserGroupAffinityThread"). Handed what the first Set stored, or a zero Mask, it brings back the user
 * affinity exactly, whatever groups that spans, as it is by now. At DISPATCH_LEVEL the thread moves when the level
 * falls below it.
 *
 * Without a system affinity in force it has no effect and succeeds.
 *
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_IRQL above DISPATCH_LEVEL; STOR_STATUS_INVALID_PARAMETER for a wrong
 * pointer, or an affinity that Set would refuse; STOR_STATUS_UNSUCCESSFUL where the operating system refuses;
 * STOR_STATUS_NOT_IMPLEMENTED where it has no such call.
 * @throws {TypeError} for what a C compiler would refuse.
 */
export function StorPortRevertToUserGroupAffinityThread(
  HwDeviceExtension: HwDeviceExtension,
  ThreadContext: ThreadContext | null,
  PreviousAffinity: STOR_GROUP_AFFINITY | null,
): number {
  if (PreviousAffinity !== null) checkIn(PreviousAffinity, 'PreviousAffinity');
  const hasExtension = isPointer(HwDeviceExtension, 'HwDeviceExtension');
  const isOwn = ThreadContext === null || isOwnContext(ThreadContext);
  if (!isOwn || !hasExtension || PreviousAffinity === null) return STOR_STATUS_INVALID_PARAMETER;
  if (currentIrql() > DISPATCH_LEVEL) return STOR_STATUS_INVALID_IRQL;
  if (!isZero(PreviousAffinity.Reserved)) return STOR_STATUS_INVALID_PARAMETER;
  try {
    const outcome = revert(PreviousAffinity);
    return outcome === undefined ? STOR_STATUS_SUCCESS : statusOf(outcome);
  } catch (error) {
    return statusOfError(error);
  }
}
