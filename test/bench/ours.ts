/** The library's own calls as works of a benchmark, each as a careful user would write it. */
import { CpuSet, pin, topology } from 'groupaffinity';
import { STOR_GROUP_AFFINITY, StorPortRevertToUserGroupAffinityThread, StorPortSetSystemGroupAffinityThread } from 'groupaffinity/storport';
import { timed, type Work } from './rounds.ts';

/** What is set in turn. Before each batch `second` is in force, so that every call but those of `same` changes the set. */
export interface Mode {
  readonly name: 'same' | 'other' | 'move';
  readonly about: string;
  readonly first: CpuSet;
  readonly second: CpuSet;
  readonly batch: number;
  /** The thread keeps its CPU: a batch in which it lost it does not count. */
  readonly settled: boolean;
}

/** Builds the work of one mode; a peer that can't do this one throws `Unavailable`. */
export type Peer = (mode: Mode) => Work;

export function modesHere(): Mode[] {
  const { groups, cpus } = topology();
  const usable = (group: { online: CpuSet }): CpuSet => group.online.intersect(cpus.allowed);
  const group = groups.find((each) => usable(each).size > 1) ?? groups.find((each) => usable(each).size > 0);
  const [one, other] = group === undefined ? [] : usable(group).toArray();
  if (one === undefined) throw new Error('this process may use no CPU that any group has');
  const alone = CpuSet.of([one]);
  const same: Mode = { name: 'same', about: 'the set it has', first: alone, second: alone, batch: 200, settled: true };
  if (other === undefined) return [same];
  const pair = CpuSet.of([one, other]);
  return [
    same,
    { name: 'other', about: 'another set, no move', first: alone, second: pair, batch: 100, settled: true },
    { name: 'move', about: 'a forced move', first: alone, second: CpuSet.of([other]), batch: 8, settled: false },
  ];
}

export const failed = (what: string, status: number): Error => new Error(`${what}: status ${status}`);

export function affinities({ first, second }: Mode): [bigint, bigint, number] {
  const [[one], [other]] = [first.toGroups(), second.toGroups()];
  if (one === undefined || other === undefined) throw new Error('a set in no group');
  return [one.mask, other.mask, one.group];
}

const extension = {};

/** As a driver would write it: a new Affinity for each call, and what was there before read as a number. */
export const set: Peer = (mode) => {
  const [first, second, group] = affinities(mode);
  const previous = new STOR_GROUP_AFFINITY();
  let before = 0n;
  const loop = timed((count) => {
    for (let i = 0; i < count; i += 1) {
      const affinity = new STOR_GROUP_AFFINITY({ Mask: i % 2 === 0 ? first : second, Group: group });
      const status = StorPortSetSystemGroupAffinityThread(extension, null, affinity, previous);
      if (status !== 0) throw failed('StorPortSetSystemGroupAffinityThread', status);
      before = previous.Mask;
    }
  });
  return (count) => {
    // A system affinity that is new counts once for a thread, not once for a call.
    const under = new STOR_GROUP_AFFINITY();
    StorPortSetSystemGroupAffinityThread(extension, null, new STOR_GROUP_AFFINITY({ Mask: second, Group: group }), under);
    const nanoseconds = loop(count);
    StorPortRevertToUserGroupAffinityThread(extension, null, under);
    if (before === 0n) throw new Error('the previous affinity is empty');
    return nanoseconds;
  };
};

/** Two calls count as two of the floor. */
export const setAndRevert: Peer = (mode) => {
  const [first, , group] = affinities(mode);
  const previous = new STOR_GROUP_AFFINITY();
  return timed((count) => {
    for (let i = 0; i < count; i += 2) {
      const affinity = new STOR_GROUP_AFFINITY({ Mask: first, Group: group });
      const status = StorPortSetSystemGroupAffinityThread(extension, null, affinity, previous);
      if (status !== 0) throw failed('StorPortSetSystemGroupAffinityThread', status);
      const reverted = StorPortRevertToUserGroupAffinityThread(extension, null, previous);
      if (reverted !== 0) throw failed('StorPortRevertToUserGroupAffinityThread', reverted);
    }
  });
};

export const pinAndRestore: Peer = ({ first }) =>
  timed((count) => {
    for (let i = 0; i < count; i += 2) pin(first).restore();
  });
