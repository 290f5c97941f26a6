import type { Stage } from './stage.ts';

/** Says why a claim can't be checked here; undefined where it can. */
export type Need = (stage: Stage) => string | undefined;

/** One thing that the documents promise, and how to see whether it is so. */
export interface Claim {
  /** subject.name; does not change. */
  readonly id: string;
  /** The promise, in our words. */
  readonly sentence: string;
  /** The page of Microsoft's documentation and its section, or where the page is silent, who decided. */
  readonly source: string;
  readonly needs: readonly Need[];
  /** What `observe` answers where the promise is kept. */
  readonly expected: string | ((stage: Stage) => string);
  /** Does it and says what was seen. The thread is to be left as it was found. */
  readonly observe: (stage: Stage) => string;
}

/** Thrown by `observe` where it turns out only then that there is nothing to see here. */
export class CannotCheck extends Error {
  override readonly name = 'CannotCheck';
}

/** What several claims come from. */
export const pages = {
  set: 'StorPortSetSystemGroupAffinityThread',
  revert: 'StorPortRevertToUserGroupAffinityThread',
  structure: 'STOR_GROUP_AFFINITY structure',
  keSet: 'KeSetSystemGroupAffinityThread',
  keRevert: 'KeRevertToUserGroupAffinityThread',
  create: 'StorPortCreateSystemThread',
  terminate: 'StorPortTerminateSystemThread',
  priority: 'StorPortSetPriorityThread',
  wait: 'StorPortWaitForSingleObject',
  irql: 'StorPortGetCurrentIrql',
} as const;

/** A rule that the page leaves open and this library has settled. */
export const settled = (page: string): string => `${page} is silent; settled by groupaffinity`;

export const affinity: Need = ({ can }) => (can.affinity ? undefined : 'this platform cannot confine threads to CPUs');
export const machine: Need = ({ can }) => (can.topology ? undefined : 'this platform does not tell its processors');
export const twoCpus: Need = ({ one, other }) => (one === other ? 'needs a second CPU that this process may use' : undefined);
export const twoMates: Need = ({ mates }) => (mates ? undefined : 'needs two CPUs of one group that this process may use');
export const twoGroups: Need = ({ groups }) => (groups.length > 1 ? undefined : 'needs a second processor group');
export const spareBit: Need = ({ foreign }) => (foreign === undefined ? 'every group has 64 processors: no bit is left over' : undefined);
export const hotplug: Need = ({ can, hotplug, isRoot, mates }) => {
  if (can.platform !== 'linux') return 'only Linux takes CPUs offline';
  if (!hotplug) return 'needs --hotplug, which takes a CPU of this machine offline for a moment';
  if (!isRoot) return 'taking a CPU offline needs root';
  return mates ? undefined : 'needs a second CPU in a group, to be taken offline';
};
/** A set keeps the CPUs that are offline when it is given. */
export const memory: Need = ({ forgetful }) =>
  forgetful === undefined
    ? undefined
    : `${forgetful} leaves offline CPUs out of every set that a thread is given; Linux 6.2 was the first not to`;
/** A processor that exists and is not active: one that is so anyway, or one that may be made so. */
export const inactive: Need = (stage) => {
  if (stage.resting !== undefined) return undefined;
  return stage.hotplug || stage.can.platform !== 'linux'
    ? hotplug(stage)
    : 'every processor is active; --hotplug, as root, takes one offline';
};
