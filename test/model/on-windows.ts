/** What programs on the pretended Windows have at hand: the routines on one side, the machine's file on the other. */
import { AffinityError } from 'groupaffinity';
import * as wdk from 'groupaffinity/storport';
import { Win32 } from '../fixtures/win32/win32.ts';
import { printSet } from './programs.ts';

export const win32 = Win32.open(process.env['GROUPAFFINITY_WIN32'] ?? '');
export const extension = {};

const name = (status: number): string => wdk.storStatusName(status).replace('STOR_STATUS_', '');

/** `'1:0xff'` as a structure. */
export function affinityOf(where: string, reserved: [number, number, number] = [0, 0, 0]): wdk.STOR_GROUP_AFFINITY {
  const [group, mask] = where.split(':');
  const made = new wdk.STOR_GROUP_AFFINITY({ Group: Number(group), Mask: BigInt(mask ?? '') });
  made.Reserved = reserved;
  return made;
}

/** A structure as `'1:0xff'`. */
export const show = ({ Group, Mask, Reserved }: wdk.STOR_GROUP_AFFINITY): string =>
  `${Group}:0x${Mask.toString(16)}${Reserved.some((word) => word !== 0) ? `, Reserved ${Reserved.join(' ')}` : ''}`;

export interface Answer {
  readonly previous: wdk.STOR_GROUP_AFFINITY;
  /** Status and PreviousAffinity, as `'SUCCESS 0:0xf'`. */
  readonly said: string;
}

/** StorPortSetSystemGroupAffinityThread, with a PreviousAffinity that holds something else before; another thread's words: what it throws. */
export function set(where: string | wdk.STOR_GROUP_AFFINITY | null, previous = affinityOf('57005:0x5a5a', [1, 2, 3])): Answer {
  const affinity = typeof where === 'string' ? affinityOf(where) : where;
  const said = attempt(() => name(wdk.StorPortSetSystemGroupAffinityThread(extension, null, affinity, previous)));
  return { previous, said: `${said} ${show(previous)}` };
}

export function revert(previous: wdk.STOR_GROUP_AFFINITY | string): string {
  const from = typeof previous === 'string' ? affinityOf(previous) : previous;
  return attempt(() => name(wdk.StorPortRevertToUserGroupAffinityThread(extension, null, from)));
}

/** What a call returns as text, or what it throws. */
export function attempt(call: () => { toString(): string } | void): string {
  try {
    return (call() ?? 'done').toString();
  } catch (error) {
    if (error instanceof AffinityError) return `${error.code}${error.win32 === undefined ? '' : ` ${error.win32}`}`;
    return String(error);
  }
}

/** Where Windows has a thread, by the machine's file; the calling one by default, on a process's first thread. */
export const place = (thread?: number): string => printSet(win32.thread(thread).affinity);

export const statusName = name;
