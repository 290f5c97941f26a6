import { wrongType, show } from '../errors.ts';

/** What a routine wrote into a structure over a user affinity. */
interface OverUser {
  mask: bigint;
  group: number;
}

/** No mask: of nothing over a user affinity. */
const none = -1n;

const nothing = 0;

/**
 * STOR_GROUP_AFFINITY: one processor group and the processors meant in it ("STOR_GROUP_AFFINITY structure").
 *
 * Any values can be stored; the routines judge them and answer with a status.
 */
export class STOR_GROUP_AFFINITY {
  /** Bit n is the group's processor n; 0n to 2n ** 64n - 1n. */
  declare Mask: bigint;
  /** USHORT */
  declare Group: number;
  /** Must be zero. */
  declare Reserved: [number, number, number];
  /** Made when it is needed: a caller makes a structure for each call, and small ones are fast. */
  #overUser: OverUser | undefined;

  constructor({ Mask = 0n, Group = 0 }: { Mask?: bigint; Group?: number } = {}) {
    this.Mask = Mask;
    this.Group = Group;
    // A literal of numbers would be copied from one that compiled code can't look into, for checks that this passes.
    this.Reserved = [nothing, nothing, nothing];
  }

  /** @internal Not what merely looks like one. */
  static isMade(this: void, value: unknown): value is STOR_GROUP_AFFINITY {
    try {
      return #overUser in (value as object);
    } catch {
      // No object at all. To ask that first would keep compiled code from seeing what it has in hand, and so from making
      // no object of a structure that its caller makes for one call.
      return false;
    }
  }

  /** @internal All fields zero. */
  static zero(this: void, to: STOR_GROUP_AFFINITY): void {
    STOR_GROUP_AFFINITY.store(to, 0n, 0);
  }

  /** @internal These and nothing else: no user affinity. */
  static store(this: void, to: STOR_GROUP_AFFINITY, mask: bigint, group: number): void {
    to.Mask = mask;
    to.Group = group;
    if (!isZero(to.Reserved)) to.Reserved = [0, 0, 0];
    const over = to.#overUser;
    if (over !== undefined) over.mask = none;
  }

  /** @internal The same for what was in force as the user affinity. */
  static storeOverUser(this: void, to: STOR_GROUP_AFFINITY, mask: bigint, group: number): void {
    to.Mask = mask;
    to.Group = group;
    const over = (to.#overUser ??= { mask, group });
    over.mask = mask;
    over.group = group;
  }

  /** @internal True for a structure as a routine wrote it over a user affinity, unchanged since. */
  static isOverUser(this: void, of: STOR_GROUP_AFFINITY): boolean {
    const over = of.#overUser;
    return over !== undefined && over.mask === of.Mask && over.group === of.Group;
  }
}

const { isMade } = STOR_GROUP_AFFINITY;

/** What the C compiler would refuse for a PSTOR_GROUP_AFFINITY that the routine writes (_Out_). */
export const checkOut: (value: unknown, parameter: string) => asserts value is STOR_GROUP_AFFINITY = (value, parameter) => {
  if (!isMade(value)) throw wrong(value, parameter);
};

/** The same for one that it reads (_In_). */
export const checkIn: (value: unknown, parameter: string) => asserts value is STOR_GROUP_AFFINITY = (value, parameter) => {
  if (!isMade(value) || typeof value.Mask !== 'bigint' || typeof value.Group !== 'number') throw wrong(value, parameter);
};

/** True for a Reserved as the document wants it: three zeros, whatever holds them. */
export const isZero = (reserved: readonly unknown[]): boolean => {
  try {
    return reserved.length === 3 && reserved[0] === 0 && reserved[1] === 0 && reserved[2] === 0;
  } catch {
    // Nothing that has elements.
    return false;
  }
};

// What is thrown is made apart: small functions are compiled into their callers.
function wrong(value: unknown, parameter: string): TypeError {
  if (!isMade(value))
    return wrongType(`${parameter} is null or a structure that new STOR_GROUP_AFFINITY({ Group, Mask }) made, not ${show(value)}`);
  return typeof value.Mask === 'bigint'
    ? wrongType(`${parameter}.Group is a number, not ${show(value.Group)}`)
    : wrongType(`${parameter}.Mask is a bigint, as 0xffn, not ${show(value.Mask)}`);
}
