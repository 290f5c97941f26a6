/** What the routines of this folder take, and what a C compiler would not let them take. */
import { show, wrongType } from '../errors.ts';

/** A pointer to the caller's device extension; never looked into. NULL is refused. */
export type HwDeviceExtension = object | null;

/** A pointer to a scalar that a routine writes. */
export interface Out<T> {
  value: T;
}

/** False for NULL; a TypeError for what is no pointer. */
export const isPointer = (value: unknown, parameter: string): boolean => {
  if (value === null) return false;
  return typeof value === 'object' || typeof value === 'function' || refuse(value, parameter);
};

function refuse(value: unknown, parameter: string): never {
  throw wrongType(`${parameter} is an object or null, not ${show(value)}`);
}

/** A TypeError for what is no number. */
export function checkNumber(value: unknown, parameter: string): asserts value is number {
  if (typeof value !== 'number') throw wrongType(`${parameter} is a number, not ${show(value)}`);
}

/** True for a number that an unsigned C type of so many bits holds. */
export function fits(value: number, bits: 8 | 16 | 32): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** bits;
}
