/**
 * The calling thread's system affinity: what is in force, what waits for the IRQL to fall, and what a Set stored where.
 * The kernel routines and StorPort's stand on this; neither looks into it ("KeSetSystemGroupAffinityThread",
 * "KeRevertToUserGroupAffinityThread").
 */
import {
  lastGroup,
  native,
  operands,
  operands32,
  Outcome,
  previousGroup,
  previousMask,
  systemInForce,
  userGroup,
  userMask,
  wantedGroup,
  wantedMask,
} from '../binding.ts';
import { cpusOf, maskOf } from '../machine/cpu-list.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups, readCpus } from '../machine/group-table.ts';
import { coverUser, hasCoveredUser, readOwn, systemActive, uncoverUser, userSet } from '../threads/own-thread.ts';
import { isZero, STOR_GROUP_AFFINITY } from './group-affinity.ts';
import { currentIrql, DISPATCH_LEVEL, onceBelowDispatch } from './irql.ts';

// What compiled code need not look up at each call: constants of this file, and fields of one object.
const { exchangeGroup } = native;
const { isOverUser, store, storeOverUser, zero } = STOR_GROUP_AFFINITY;
const words = operands;
const words32 = operands32;

interface GroupMask {
  readonly group: number;
  readonly mask: bigint;
}

const books = {
  /** What the thread becomes when the IRQL falls: a system affinity, or its user affinity again. */
  pending: undefined as GroupMask | 'user' | undefined,
  /** Whether a system affinity was in force in the operating system when the first of the waiting moves came. */
  wasSystem: false,
  /**
   * The value that the Set over the user affinity stored: a structure copied from the one it was stored in, field by
   * field, then still says where to go back to. Forgotten when a nested Set stores the same value, which then means that.
   */
  stored: undefined as bigint | undefined,
  storedGroup: 0,
  /** What the group exchange that was done last wanted: often what the next one finds, and then this is the bigint to tell. */
  last: 0n,
  lastGroup: 0,
  /** Counts the group exchanges: one that a caller's structure brings about while a Set stores into it is seen. */
  turn: 0,
};

/** Whether a system affinity is in force, or will be when the IRQL falls. */
function isSet(): boolean {
  return books.pending === undefined ? systemActive() : books.pending !== 'user';
}

/** Puts group and mask into the operands. False where these can't hold them: no USHORT, or no mask of 64 bits. */
const want = (mask: bigint, group: number): boolean => {
  words[wantedMask] = mask;
  words32[wantedGroup] = group;
  return words[wantedMask] === mask && (group & 0xffff) === group;
};

/** The same of a structure, whose Reserved must be zero. */
const wantAffinity = (from: STOR_GROUP_AFFINITY): boolean => want(from.Mask, from.Group) && isZero(from.Reserved);

/** A group exchange that wanted this is done. What is not noted here, as where the stack overflows before, `exchangeGroup` tells. */
const setLast = (mask: bigint, group: number): void => {
  books.last = mask;
  books.lastGroup = group;
  books.turn = (books.turn + 1) | 0;
  words32[lastGroup] = group;
};

/** Answers nothing where it is done, as all below here. */
function exchange(mask: bigint, group: number): Outcome | undefined {
  want(mask, group);
  let outcome = exchangeGroup();
  if (outcome === Outcome.noGroups) {
    processGroups();
    outcome = exchangeGroup();
  }
  if (outcome === Outcome.trimmed) return undefined;
  if (outcome !== undefined && outcome !== Outcome.done) return outcome;
  setLast(mask, group);
  return undefined;
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

/** At DISPATCH_LEVEL: the books change now, the thread moves when the level falls. */
function defer(to: GroupMask | 'user'): void {
  books.pending = to;
  onceBelowDispatch(() => {
    const move = books.pending;
    books.pending = undefined;
    if (move === undefined) return;
    if ((move === 'user' ? uncoverUser() : exchange(move.mask, move.group)) === undefined) return;
    // Nobody can be told by a status any more. Where no system affinity was in force, none is.
    if (!books.wasSystem) uncoverUser();
    process.emitWarning('The operating system refused the affinity that was set at DISPATCH_LEVEL; the thread stays where it is.', {
      code: 'GROUPAFFINITY_DEFERRED',
    });
  });
}

function setDeferred(mask: bigint, group: number, previous: STOR_GROUP_AFFINITY | null, zeroOverUser: boolean): Outcome | undefined {
  const { outcome, active } = judge({ mask, group });
  if (outcome !== Outcome.done) return outcome;
  const overUser = !isSet();
  if (books.pending === undefined) books.wasSystem = systemActive();
  let before: GroupMask;
  if (books.pending !== undefined && books.pending !== 'user') {
    // What is left of it, or all of it where nothing is.
    const { pending } = books;
    before = { group: pending.group, mask: judge(pending).active || pending.mask };
  } else if (systemActive()) before = slice(overUser ? userSet() : readOwn());
  else {
    before = slice(readOwn());
    coverUser();
  }
  defer({ mask: active, group });
  remember(before.mask, before.group, previous, overUser, zeroOverUser);
  return undefined;
}

/** Keeps what the Set over the user affinity stored, and has `exchangeGroup` tell when a nested one is to store the same. */
function keepStored(mask: bigint | undefined, group: number): void {
  books.stored = mask;
  books.storedGroup = group;
  words[userMask] = mask ?? 0n;
  words32[userGroup] = group;
}

function remember(mask: bigint, group: number, previous: STOR_GROUP_AFFINITY | null, overUser: boolean, zeroOverUser: boolean): void {
  const told = previous !== null && !(overUser && zeroOverUser);
  if (overUser) {
    keepStored(told ? mask : undefined, group);
    if (told) storeOverUser(previous, mask, group);
  } else if (told) {
    if (isStored(mask, group)) keepStored(undefined, 0);
    store(previous, mask, group);
  }
}

/** The previous mask of the operands: the bigint that is at hand where it is what was stored over the user affinity. */
function previousNow(): bigint {
  const { stored } = books;
  return stored !== undefined && words[previousMask] === words[userMask] ? stored : (words[previousMask] as bigint);
}

function isStored(mask: bigint, group: number): boolean {
  return books.stored === mask && books.storedGroup === group;
}

/**
 * Sets the system affinity, at or below DISPATCH_LEVEL. `previous` receives what was in force; it is zero where that fails,
 * and over a user affinity where `zeroOverUser`.
 */
export const setSystem = (to: STOR_GROUP_AFFINITY, previous: STOR_GROUP_AFFINITY | null, zeroOverUser: boolean): Outcome | undefined => {
  const { Mask: mask, Group: group } = to;
  const isSound = isZero(to.Reserved);
  const { turn } = books;
  // What is to be told nearly always. Whatever is wrong with the structure shows here, before the thread moves, and what
  // follows a system call runs cold.
  if (previous !== null) store(previous, books.last, books.lastGroup);
  const isRequest = want(mask, group) && isSound;
  if (!isRequest || currentIrql() >= DISPATCH_LEVEL) return setUnusual(isRequest, mask, group, previous, zeroOverUser);
  const outcome = exchangeGroup();
  if (outcome !== undefined || turn !== books.turn) return settle(outcome ?? Outcome.done, mask, group, previous, zeroOverUser);
  setLast(mask, group);
  return undefined;
};

/** What is no request of this machine, and what waits for the IRQL to fall. */
function setUnusual(
  isRequest: boolean,
  mask: bigint,
  group: number,
  previous: STOR_GROUP_AFFINITY | null,
  zeroOverUser: boolean,
): Outcome | undefined {
  if (previous !== null) zero(previous);
  return isRequest ? setDeferred(mask, group, previous, zeroOverUser) : Outcome.notAProcessor;
}

/** What is left of a Set that came over a user affinity, over somebody else's work, or that was not simply done. */
function settle(
  first: Outcome,
  mask: bigint,
  group: number,
  previous: STOR_GROUP_AFFINITY | null,
  zeroOverUser: boolean,
): Outcome | undefined {
  let outcome: Outcome | undefined = first;
  if (first === Outcome.noGroups) outcome = exchange(mask, group);
  else if (first === Outcome.done) setLast(mask, group);
  const isDone = outcome === undefined || outcome === Outcome.done || outcome === Outcome.trimmed;
  const overUser = isDone && hasCoveredUser();
  const before = previousNow();
  const beforeGroup = words32[previousGroup] as number;
  if (previous !== null) zero(previous);
  if (!isDone) return outcome;
  remember(before, beforeGroup, previous, overUser, zeroOverUser);
  return undefined;
}

/** Goes back to what `from` says, at or below DISPATCH_LEVEL: the user affinity, or an outer system affinity. */
export const revert = (from: STOR_GROUP_AFFINITY): Outcome | undefined =>
  words32[systemInForce] !== 0 && currentIrql() < DISPATCH_LEVEL && isOverUser(from) ? uncoverUser() : revertTo(from);

/** What is left of any other Revert than that of the Set over the user affinity. */
function revertTo(from: STOR_GROUP_AFFINITY): Outcome | undefined {
  const { Mask: mask, Group: group } = from;
  const toUser = mask === 0n || isOverUser(from) || isStored(mask, group);
  if (!isSet()) {
    if (toUser) return native.support().affinity ? Outcome.done : Outcome.unsupported;
    const { outcome } = wantAffinity(from) ? judge({ mask, group }) : { outcome: Outcome.notAProcessor };
    return outcome === Outcome.notAllowed ? Outcome.done : outcome;
  }
  const deferred = currentIrql() >= DISPATCH_LEVEL;
  if (deferred && books.pending === undefined) books.wasSystem = systemActive();
  if (toUser) {
    if (!deferred) return uncoverUser();
    defer('user');
    return undefined;
  }
  if (!wantAffinity(from)) return Outcome.notAProcessor;
  if (!deferred) return exchange(mask, group);
  const { outcome, active } = judge({ mask, group });
  if (outcome === Outcome.done) defer({ mask: active, group });
  return outcome;
}
