/**
 * The calling thread's system affinity: what is in force, what waits for the IRQL to fall, and what a Set stored where.
 * The kernel routines and StorPort's stand on this; neither looks into it ("KeSetSystemGroupAffinityThread",
 * "KeRevertToUserGroupAffinityThread").
 */
import { native, operands, operands32, Outcome, previousGroup, previousMask, wantedGroup, wantedMask } from '../binding.ts';
import { cpusOf, maskOf } from '../machine/cpu-list.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups, readMachine } from '../machine/group-table.ts';
import { coverUser, keepPrevious, readOwn, systemActive, uncoverUser, userSet } from '../threads/own-thread.ts';
import { isZero, STOR_GROUP_AFFINITY } from './group-affinity.ts';
import { currentIrql, DISPATCH_LEVEL, onceBelowDispatch } from './irql.ts';

const { exchangeGroup } = native;

interface GroupMask {
  readonly group: number;
  readonly mask: bigint;
}

/** What the thread becomes when the IRQL falls: a system affinity, or its user affinity again. */
let pending: GroupMask | 'user' | undefined;

/**
 * The value that the first Set over the user affinity stored, while no other Set came between: a structure copied from
 * the one it was stored in, field by field, then still says where to go back to.
 */
let stored: GroupMask | undefined;

/** Whether a system affinity is in force, or will be when the IRQL falls. */
function isSet(): boolean {
  return pending === undefined ? systemActive() : pending !== 'user';
}

export const isGroup = (group: number): boolean => Number.isInteger(group) && group >= 0 && group <= 0xffff;

function exchange(mask: bigint, group: number): Outcome {
  operands[wantedMask] = mask;
  operands32[wantedGroup] = group;
  const outcome = exchangeGroup();
  if (outcome !== Outcome.noGroups) return outcome;
  processGroups();
  return exchangeGroup();
}

/** The acceptance rule without the operating system: the processors of the request that are active, or why there are none. */
function judge({ mask, group }: GroupMask): { outcome: Outcome; active: bigint } {
  const { affinity } = native.support();
  if (!affinity) return { outcome: Outcome.unsupported, active: 0n };
  const machine = readMachine('/');
  const cpus = processGroups(machine).table[group];
  const bits = cpusOf(mask);
  if (cpus === undefined || bits.length === 0 || bits.some((bit) => cpus[bit] === undefined))
    return { outcome: Outcome.notAProcessor, active: 0n };
  const has = (set: bigint, bit: number): boolean => ((set >> BigInt(cpus[bit] as number)) & 1n) === 1n;
  const running = bits.filter((bit) => has(machine.online, bit));
  if (running.length === 0) return { outcome: Outcome.noneRunning, active: 0n };
  if (running.some((bit) => !has(machine.allowed, bit))) return { outcome: Outcome.notAllowed, active: 0n };
  return { outcome: Outcome.done, active: maskOf(running) };
}

/** The part of a set in the group that the thread runs in; of the first group that has a part, where that has none. */
function slice(set: CpuSet): GroupMask {
  const parts = set.toGroups();
  const home = processGroups().locate(native.currentCpu())?.group;
  return parts.find(({ group }) => group === home) ?? parts[0] ?? { group: 0, mask: 0n };
}

/** At DISPATCH_LEVEL: the books change now, the thread moves when the level falls. */
function defer(to: GroupMask | 'user'): void {
  pending = to;
  onceBelowDispatch(() => {
    const move = pending;
    pending = undefined;
    if (move === undefined) return;
    const outcome = move === 'user' ? uncoverUser() : exchange(move.mask, move.group);
    if (outcome > Outcome.trimmed)
      process.emitWarning('The operating system refused the affinity that was set at DISPATCH_LEVEL; the thread stays where it is.', {
        code: 'GROUPAFFINITY_DEFERRED',
      });
  });
}

function setDeferred(wanted: GroupMask, previous: STOR_GROUP_AFFINITY | null, zeroOverUser: boolean): Outcome {
  const { outcome, active } = judge(wanted);
  if (outcome !== Outcome.done) return outcome;
  const overUser = !isSet();
  let before: GroupMask;
  if (pending !== undefined && pending !== 'user') before = pending;
  else if (systemActive()) before = slice(overUser ? userSet() : readOwn());
  else {
    before = slice(readOwn());
    coverUser(keepPrevious());
  }
  remember(before, previous, overUser, zeroOverUser);
  defer({ mask: active, group: wanted.group });
  return Outcome.done;
}

function remember(before: GroupMask, previous: STOR_GROUP_AFFINITY | null, overUser: boolean, zeroOverUser: boolean): void {
  stored = overUser && !zeroOverUser ? before : undefined;
  if (previous === null) return;
  if (overUser && zeroOverUser) STOR_GROUP_AFFINITY.fill(previous, 0n, 0, false);
  else STOR_GROUP_AFFINITY.fill(previous, before.mask, before.group, overUser);
}

/**
 * Sets the system affinity, at or below DISPATCH_LEVEL. `mask` has at most 64 bits, `group` is a USHORT. `previous` is
 * written on success only: with what was in force, or, over a user affinity and where `zeroOverUser`, with zeros.
 */
export function setSystem(mask: bigint, group: number, previous: STOR_GROUP_AFFINITY | null, zeroOverUser: boolean): Outcome {
  if (currentIrql() >= DISPATCH_LEVEL) return setDeferred({ mask, group }, previous, zeroOverUser);
  const outcome = exchange(mask, group);
  if (outcome > Outcome.trimmed) return outcome;
  if (systemActive()) {
    stored = undefined;
    if (previous !== null) STOR_GROUP_AFFINITY.fill(previous, operands[previousMask] as bigint, operands32[previousGroup] as number, false);
  } else {
    coverUser(keepPrevious());
    remember({ mask: operands[previousMask] as bigint, group: operands32[previousGroup] as number }, previous, true, zeroOverUser);
  }
  return Outcome.done;
}

/** Goes back to what `from` says, at or below DISPATCH_LEVEL: the user affinity, or an outer system affinity. */
export function revert(from: STOR_GROUP_AFFINITY): Outcome {
  const { Mask: mask, Group: group } = from;
  const toUser =
    mask === 0n || STOR_GROUP_AFFINITY.isOverUser(from) || (stored !== undefined && stored.mask === mask && stored.group === group);
  const deferred = currentIrql() >= DISPATCH_LEVEL;
  if (!isSet()) {
    if (!toUser) return !isGroup(group) || BigInt.asUintN(64, mask) !== mask ? Outcome.notAProcessor : judge({ mask, group }).outcome;
    return native.support().affinity ? Outcome.done : Outcome.unsupported;
  }
  if (toUser) {
    if (deferred) defer('user');
    else {
      const outcome = uncoverUser();
      if (outcome !== Outcome.done) return outcome;
    }
  } else {
    if (!isGroup(group) || BigInt.asUintN(64, mask) !== mask) return Outcome.notAProcessor;
    if (deferred) {
      const { outcome, active } = judge({ mask, group });
      if (outcome !== Outcome.done) return outcome;
      defer({ mask: active, group });
    } else {
      const outcome = exchange(mask, group);
      if (outcome > Outcome.trimmed) return outcome;
    }
  }
  stored = undefined;
  return Outcome.done;
}

/** Whether the routines would take this structure's Group, Mask and Reserved as far as they can tell without a machine. */
export function isWellFormed({ Mask, Group, Reserved }: STOR_GROUP_AFFINITY): boolean {
  return isGroup(Group) && isZero(Reserved) && BigInt.asUintN(64, Mask) === Mask;
}
