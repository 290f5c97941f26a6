/**
 * The calling thread's system affinity: what is in force, what waits for the IRQL to fall, and what a Set stored where.
 * The kernel routines and StorPort's stand on this; neither looks into it ("KeSetSystemGroupAffinityThread",
 * "KeRevertToUserGroupAffinityThread").
 */
import { native, operands, operands32, Outcome, previousGroup, previousMask, wantedGroup, wantedMask } from '../binding.ts';
import { cpusOf, maskOf } from '../machine/cpu-list.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups, readCpus } from '../machine/group-table.ts';
import { coverUser, keepPrevious, readOwn, systemActive, uncoverUser, userSet } from '../threads/own-thread.ts';
import { isZero, STOR_GROUP_AFFINITY } from './group-affinity.ts';
import { currentIrql, DISPATCH_LEVEL, onceBelowDispatch } from './irql.ts';

const { exchangeGroup } = native;
/** The operands as constants of this file, which compiled code need not look up. */
const words = operands;
const words32 = operands32;

interface GroupMask {
  readonly group: number;
  readonly mask: bigint;
}

/** What the thread becomes when the IRQL falls: a system affinity, or its user affinity again. */
let pending: GroupMask | 'user' | undefined;

/**
 * The value that the Set over the user affinity stored: a structure copied from the one it was stored in, field by
 * field, then still says where to go back to. Forgotten when a nested Set stores the same value, which then means that.
 */
let stored: bigint | undefined;
let storedGroup = 0;
/** The first 32 bits of `stored`: almost always enough to see that another value is another. */
let storedLow = 0;

/** Whether a system affinity is in force, or will be when the IRQL falls. */
function isSet(): boolean {
  return pending === undefined ? systemActive() : pending !== 'user';
}

const isGroup = (group: number): boolean => (group & 0xffff) === group;

function exchange(mask: bigint, group: number): Outcome {
  words[wantedMask] = mask;
  words32[wantedGroup] = group;
  let outcome = exchangeGroup();
  if (outcome === Outcome.noGroups) {
    processGroups();
    outcome = exchangeGroup();
  }
  return outcome ?? Outcome.done;
}

/** The acceptance rule without the operating system: the processors of the request that are active, or why there are none. */
function judge({ mask, group }: GroupMask): { outcome: Outcome; active: bigint } {
  const { affinity } = native.support();
  if (!affinity) return { outcome: Outcome.unsupported, active: 0n };
  const machine = readCpus();
  const cpus = processGroups().table[group];
  const bits = cpusOf(mask);
  if (cpus === undefined || bits.length === 0 || bits.some((bit) => cpus[bit] === undefined))
    return { outcome: Outcome.notAProcessor, active: 0n };
  const has = (set: bigint, bit: number): boolean => ((set >> BigInt(cpus[bit] as number)) & 1n) === 1n;
  const running = bits.filter((bit) => has(machine.online, bit));
  if (running.length === 0) return { outcome: Outcome.noneRunning, active: 0n };
  if (running.some((bit) => !has(machine.settable, bit))) return { outcome: Outcome.notAllowed, active: 0n };
  return { outcome: Outcome.done, active: maskOf(running) };
}

/** The part of a set in the group that the thread runs in; of the first group that has a part, where that has none. */
function slice(set: CpuSet): GroupMask {
  const parts = set.toGroups();
  const home = processGroups().locate(native.currentCpu())?.group;
  return parts.find(({ group }) => group === home) ?? parts[0] ?? { group: 0, mask: 0n };
}

/** Whether a system affinity was in force in the operating system when the first of the waiting moves came. */
let wasSystem = false;

/** At DISPATCH_LEVEL: the books change now, the thread moves when the level falls. */
function defer(to: GroupMask | 'user'): void {
  pending = to;
  onceBelowDispatch(() => {
    const move = pending;
    pending = undefined;
    if (move === undefined) return;
    const outcome = move === 'user' ? uncoverUser() : exchange(move.mask, move.group);
    if (outcome <= Outcome.trimmed) return;
    // Nobody can be told by a status any more. Where no system affinity was in force, none is.
    if (!wasSystem) uncoverUser();
    process.emitWarning('The operating system refused the affinity that was set at DISPATCH_LEVEL; the thread stays where it is.', {
      code: 'GROUPAFFINITY_DEFERRED',
    });
  });
}

function setDeferred(mask: bigint, group: number, previous: STOR_GROUP_AFFINITY | null, zeroOverUser: boolean): Outcome {
  const { outcome, active } = judge({ mask, group });
  if (outcome !== Outcome.done) return outcome;
  const overUser = !isSet();
  if (pending === undefined) wasSystem = systemActive();
  let before: GroupMask;
  if (pending !== undefined && pending !== 'user') before = { group: pending.group, mask: judge(pending).active };
  else if (systemActive()) before = slice(overUser ? userSet() : readOwn());
  else {
    before = slice(readOwn());
    coverUser(keepPrevious());
  }
  remember(before.mask, before.group, previous, overUser, zeroOverUser);
  defer({ mask: active, group });
  return Outcome.done;
}

function remember(mask: bigint, group: number, previous: STOR_GROUP_AFFINITY | null, overUser: boolean, zeroOverUser: boolean): void {
  if (overUser) {
    stored = previous === null || zeroOverUser ? undefined : mask;
    storedGroup = group;
    storedLow = Number(BigInt.asUintN(32, mask));
  } else if (previous !== null && isStored(mask, group)) stored = undefined;
  if (previous === null || (overUser && zeroOverUser)) return;
  STOR_GROUP_AFFINITY.store(previous, mask, group, overUser);
}

const isStored = (mask: bigint, group: number): boolean => stored !== undefined && storedGroup === group && stored === mask;

/**
 * Sets the system affinity, at or below DISPATCH_LEVEL. `mask` has at most 64 bits, `group` is a USHORT. `previous` is
 * zeroed first, and then receives what was in force; over a user affinity it stays zero where `zeroOverUser`.
 */
export function setSystem(mask: bigint, group: number, previous: STOR_GROUP_AFFINITY | null, zeroOverUser: boolean): Outcome {
  // Whatever is wrong with the structure shows here, before the thread moves.
  if (previous !== null) STOR_GROUP_AFFINITY.zero(previous);
  if (currentIrql() >= DISPATCH_LEVEL) return setDeferred(mask, group, previous, zeroOverUser);
  // What follows the system call runs cold: as little as can be.
  const overUser = !systemActive();
  words[wantedMask] = mask;
  words32[wantedGroup] = group;
  const outcome = exchangeGroup();
  if (outcome !== undefined || overUser) return settle(outcome ?? Outcome.done, mask, group, previous, overUser, zeroOverUser);
  if (previous === null) return Outcome.done;
  const before = words[previousMask] as bigint;
  const beforeGroup = words32[previousGroup] as number;
  if (stored !== undefined && words32[previousMask * 2] === storedLow && isStored(before, beforeGroup)) stored = undefined;
  STOR_GROUP_AFFINITY.store(previous, before, beforeGroup, false);
  return Outcome.done;
}

/** What is left of a Set that came over a user affinity, or that was not simply done. */
function settle(
  first: Outcome,
  mask: bigint,
  group: number,
  previous: STOR_GROUP_AFFINITY | null,
  overUser: boolean,
  zeroOverUser: boolean,
): Outcome {
  const outcome = first === Outcome.noGroups ? exchange(mask, group) : first;
  if (outcome > Outcome.trimmed) return outcome;
  if (overUser) coverUser(keepPrevious());
  remember(words[previousMask] as bigint, words32[previousGroup] as number, previous, overUser, zeroOverUser);
  return Outcome.done;
}

/** Goes back to what `from` says, at or below DISPATCH_LEVEL: the user affinity, or an outer system affinity. */
export function revert(from: STOR_GROUP_AFFINITY): Outcome {
  const { Mask: mask, Group: group } = from;
  const toUser = mask === 0n || STOR_GROUP_AFFINITY.isOverUser(from) || isStored(mask, group);
  if (!isSet()) {
    if (toUser) return native.support().affinity ? Outcome.done : Outcome.unsupported;
    const { outcome } = isWellFormed(from) ? judge({ mask, group }) : { outcome: Outcome.notAProcessor };
    return outcome === Outcome.notAllowed ? Outcome.done : outcome;
  }
  const deferred = currentIrql() >= DISPATCH_LEVEL;
  if (deferred && pending === undefined) wasSystem = systemActive();
  if (toUser) {
    if (!deferred) return uncoverUser();
    defer('user');
    return Outcome.done;
  }
  if (!isWellFormed(from)) return Outcome.notAProcessor;
  if (!deferred) return exchange(mask, group);
  const { outcome, active } = judge({ mask, group });
  if (outcome === Outcome.done) defer({ mask: active, group });
  return outcome;
}

/** Whether the routines would take this structure's Group, Mask and Reserved as far as they can tell without a machine. */
export function isWellFormed({ Mask, Group, Reserved }: STOR_GROUP_AFFINITY): boolean {
  return isGroup(Group) && isZero(Reserved) && BigInt.asUintN(64, Mask) === Mask;
}
