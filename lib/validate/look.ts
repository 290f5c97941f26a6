/** What a claim does and sees, in words. A place is always looked at along two paths; words that differ say both. */
import { native } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { readCpus } from '../machine/group-table.ts';
import {
  storStatusName,
  StorPortRevertToUserGroupAffinityThread,
  StorPortSetSystemGroupAffinityThread,
  type STOR_GROUP_AFFINITY,
  type ThreadContext,
} from '../storport/index.ts';
import { GROUP_AFFINITY } from '../storport/wdm.ts';
import { readOwn } from '../threads/own-thread.ts';

/** The miniport's device extension. */
export const extension = {};

export const structure = (mask = 0n, group = 0): STOR_GROUP_AFFINITY => new GROUP_AFFINITY({ Mask: mask, Group: group });

/** CPUs of one group. */
export function at(...cpus: readonly number[]): STOR_GROUP_AFFINITY {
  const parts = CpuSet.of(cpus).toGroups();
  const [part] = parts;
  if (part === undefined || parts.length > 1) throw new RangeError(`CPUs ${cpus.join()} are not in one group`);
  return structure(part.mask, part.group);
}

/** A structure that nothing has written yet, with rubbish in every field. */
export function junk(): STOR_GROUP_AFFINITY {
  const rubbish = structure(0x5a5an, 77);
  rubbish.Reserved = [1, 2, 3];
  return rubbish;
}

export const word = (status: number): string => storStatusName(status).replace('STOR_STATUS_', '');

export const set = (
  to: STOR_GROUP_AFFINITY | null,
  previous: STOR_GROUP_AFFINITY | null = null,
  context: ThreadContext | null = null,
): string => word(StorPortSetSystemGroupAffinityThread(extension, context, to, previous));

export const revert = (from: STOR_GROUP_AFFINITY | null, context: ThreadContext | null = null): string =>
  word(StorPortRevertToUserGroupAffinityThread(extension, context, from));

export const told = (...words: readonly string[]): string => words.join(', ');

/** What several tries told: once where they agree. */
export const alike = (words: readonly string[]): string => [...new Set(words)].join(' | ');

export function fields({ Mask, Group, Reserved }: STOR_GROUP_AFFINITY): string {
  const reserved = Reserved.every((field) => field === 0) ? '' : ` reserved ${Reserved.join(' ')}`;
  return `${Group}:0x${Mask.toString(16)}${reserved}`;
}

const text = (mask: bigint): string => String(CpuSet.fromMask(mask));

/** The CPUs that the kernel's record of a thread names, those that are offline included. */
export function recorded(thread = native.currentThread()): bigint | undefined {
  return native.readThread(thread)?.allowed;
}

/** What can't be told from the outside without it: the thread's set with offline CPUs, bit for bit. */
export const exactly = (): string => `0x${(recorded() ?? readOwn().toMask()).toString(16)}`;

/** Where the calling thread may run, and if it is not there, where it runs. */
export function where(): string {
  const own = readOwn();
  const record = native.readThread(native.currentThread());
  const running = native.currentCpu();
  let allowed = record?.allowed ?? own.toMask();
  if (allowed !== own.toMask()) allowed &= readCpus().online;
  const stray = [
    ...(running >= 0 && !own.has(running) ? [` but runs on ${running} by its own call`] : []),
    ...(record !== null && record.lastCpu !== null && !own.has(record.lastCpu) ? [` but runs on ${record.lastCpu} by the record`] : []),
  ];
  const place = allowed === own.toMask() ? `on ${own}` : `on ${own} by its own call, ${text(allowed)} by the record`;
  return place + stray.join('');
}

/** `where()` of a thread that may run on these CPUs. */
export const on = (...cpus: readonly number[]): string => `on ${CpuSet.of(cpus)}`;

/** The name of what a call throws. */
export function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
  return 'nothing thrown';
}
