import { wrongType, show } from '../errors.ts';

/**
 * STOR_GROUP_AFFINITY: one processor group and the processors meant in it ("STOR_GROUP_AFFINITY structure").
 *
 * Any values can be stored; the routines judge them and answer with a status.
 */
export class STOR_GROUP_AFFINITY {
  /** Bit n is the group's processor n; 0n to 2n ** 64n - 1n. */
  Mask: bigint;
  /** USHORT */
  Group: number;
  /** Must be zero. */
  Reserved: [number, number, number];

  /** Where a routine wrote this structure over a user affinity: the mask and group that it wrote. */
  #overUser: bigint | undefined;
  #overUserGroup = 0;

  constructor({ Mask = 0n, Group = 0 }: { Mask?: bigint; Group?: number } = {}) {
    this.Mask = Mask;
    this.Group = Group;
    this.Reserved = [0, 0, 0];
  }

  /** @internal What the C compiler would refuse for a PSTOR_GROUP_AFFINITY. */
  static check(value: unknown, parameter: string): asserts value is STOR_GROUP_AFFINITY {
    if (typeof value !== 'object' || value === null || !(#overUser in value)) throw wrongStructure(value, parameter);
    if (typeof value.Mask !== 'bigint' || typeof value.Group !== 'number') throw wrongField(value, parameter);
  }

  /** @internal All fields zero. */
  static zero(to: STOR_GROUP_AFFINITY): void {
    to.Mask = 0n;
    to.Group = 0;
    if (!isZero(to.Reserved)) to.Reserved = [0, 0, 0];
    to.#overUser = undefined;
  }

  /** @internal Into a structure that is zero. */
  static store(to: STOR_GROUP_AFFINITY, mask: bigint, group: number, overUser: boolean): void {
    to.Mask = mask;
    to.Group = group;
    if (!overUser) return;
    to.#overUser = mask;
    to.#overUserGroup = group;
  }

  /** @internal True for a structure as a routine wrote it over a user affinity, unchanged since. */
  static isOverUser(of: STOR_GROUP_AFFINITY): boolean {
    return of.#overUser !== undefined && of.#overUser === of.Mask && of.#overUserGroup === of.Group;
  }
}

// What is thrown is made apart: small functions are compiled into their callers.

function wrongStructure(value: unknown, parameter: string): TypeError {
  return wrongType(`${parameter} is null or a structure that new STOR_GROUP_AFFINITY({ Group, Mask }) made, not ${show(value)}`);
}

function wrongField({ Mask, Group }: STOR_GROUP_AFFINITY, parameter: string): TypeError {
  return typeof Mask === 'bigint'
    ? wrongType(`${parameter}.Group is a number, not ${show(Group)}`)
    : wrongType(`${parameter}.Mask is a bigint, as 0xffn, not ${show(Mask)}`);
}

/** True for a Reserved as the document wants it. */
export function isZero(reserved: readonly unknown[]): boolean {
  return Array.isArray(reserved) && reserved.length === 3 && reserved[0] === 0 && reserved[1] === 0 && reserved[2] === 0;
}
