import { outOfRange } from '../errors.ts';
import { checkNumber, fits, isPointer, type HwDeviceExtension, type Out } from './parameters.ts';
import { STOR_STATUS_INVALID_PARAMETER, STOR_STATUS_SUCCESS } from './status.ts';

/** Levels of wdm.h for x64. Threads run at PASSIVE_LEVEL, whatever their priority. */
export const PASSIVE_LEVEL = 0;
export const APC_LEVEL = 1;
export const DISPATCH_LEVEL = 2;
export const HIGH_LEVEL = 15;

const irql: { level: number; work: (() => void) | undefined } = { level: PASSIVE_LEVEL, work: undefined };

/** The calling thread's level. */
export const currentIrql = (): number => irql.level;

/** Runs `move` when the level falls below DISPATCH_LEVEL, instead of what was to run then; undefined takes that back. */
export function onceBelowDispatch(move: (() => void) | undefined): void {
  irql.work = move;
}

function checked(level: number, parameter: string): number {
  checkNumber(level, parameter);
  if (!fits(level, 8) || level > HIGH_LEVEL) throw outOfRange(`${parameter} is an IRQL from 0 to ${HIGH_LEVEL}, not ${level}`);
  return level;
}

/**
 * Raises the calling thread's level ("KeRaiseIrql"). A level below the current one would stop Windows with
 * IRQL_NOT_GREATER_OR_EQUAL; here it is refused.
 *
 * @param OldIrql receives the level that was; for KeLowerIrql.
 * @throws {RangeError} the level is lower than the current one, or no level. It stays what it was.
 */
export function KeRaiseIrql(NewIrql: number, OldIrql: Out<number>): void {
  if (!isPointer(OldIrql, 'OldIrql')) throw new TypeError('OldIrql is an object that receives the old level, not null');
  const wanted = checked(NewIrql, 'NewIrql');
  const { level } = irql;
  if (wanted < level) throw outOfRange(`KeRaiseIrql: level ${wanted} is below the current ${level} (IRQL_NOT_GREATER_OR_EQUAL)`);
  OldIrql.value = level;
  irql.level = wanted;
}

/**
 * Lowers the calling thread's level ("KeLowerIrql"). When it falls below DISPATCH_LEVEL the thread moves to where sets
 * and reverts have sent it meanwhile. A level above the current one would stop Windows with IRQL_NOT_LESS_OR_EQUAL.
 *
 * @throws {RangeError} the level is higher than the current one, or no level. It stays what it was.
 */
export function KeLowerIrql(NewIrql: number): void {
  const wanted = checked(NewIrql, 'NewIrql');
  const { level, work } = irql;
  if (wanted > level) throw outOfRange(`KeLowerIrql: level ${wanted} is above the current ${level} (IRQL_NOT_LESS_OR_EQUAL)`);
  irql.level = wanted;
  if (wanted >= DISPATCH_LEVEL || work === undefined) return;
  irql.work = undefined;
  work();
}

/** The calling thread's level ("KeGetCurrentIrql"). */
export function KeGetCurrentIrql(): number {
  return irql.level;
}

/**
 * Stores the calling thread's level ("StorPortGetCurrentIrql").
 * @returns STOR_STATUS_SUCCESS; STOR_STATUS_INVALID_PARAMETER where a pointer is NULL.
 */
export function StorPortGetCurrentIrql(HwDeviceExtension: HwDeviceExtension, Irql: Out<number> | null): number {
  if (!isPointer(HwDeviceExtension, 'HwDeviceExtension') || !isPointer(Irql, 'Irql') || Irql === null) return STOR_STATUS_INVALID_PARAMETER;
  Irql.value = irql.level;
  return STOR_STATUS_SUCCESS;
}
