/**
 * What a set costs against the bare system calls, on a machine of any size. Emulated processors tell no time, but ratios:
 * the bound is the same for 8 CPUs as for 255, so that a cost which grows with them shows.
 * Writes JSON to standard output: `[{ name, verdict, observed }]`.
 */
import { CpuSet, pin, topology } from 'groupaffinity';
import { STOR_GROUP_AFFINITY, StorPortRevertToUserGroupAffinityThread, StorPortSetSystemGroupAffinityThread } from 'groupaffinity/storport';
import { bareExchanges, switches } from '../../bench/floor.ts';
import { shown } from '../../bench/report.ts';
import { compare, timed } from '../../bench/rounds.ts';
import { Found } from '../lab.ts';

/** Times the floor. Compiled code is slower under emulation than the kernel is. */
const bound = 4;

const found = new Found();
const { groups, cpus } = topology();
const group = groups.find(({ online }) => online.intersect(cpus.allowed).size > 1) ?? groups[0];
const [one = 0, other = one] = (group?.online.intersect(cpus.allowed) ?? cpus.allowed).toArray();
const maskOf = (set: CpuSet): bigint => set.toGroups()[0]?.mask ?? 0n;

const alone = CpuSet.of([one]);
const both = CpuSet.of([one, other]);
const extension = {};
const previous = new STOR_GROUP_AFFINITY();
const affinity = new STOR_GROUP_AFFINITY({ Mask: maskOf(alone), Group: group?.group ?? 0 });
const wide = new STOR_GROUP_AFFINITY({ Mask: maskOf(both), Group: group?.group ?? 0 });

function must(status: number): void {
  if (status !== 0) throw new Error(`status 0x${status.toString(16)}`);
}

const set = timed((count) => {
  for (let i = 0; i < count; i += 1) must(StorPortSetSystemGroupAffinityThread(extension, null, i % 2 === 0 ? affinity : wide, previous));
});
const pair = timed((count) => {
  for (let i = 0; i < count; i += 2) {
    must(StorPortSetSystemGroupAffinityThread(extension, null, affinity, previous));
    must(StorPortRevertToUserGroupAffinityThread(extension, null, previous));
  }
});
const pinned = timed((count) => {
  for (let i = 0; i < count; i += 2) pin(alone).restore();
});

const start = bareExchanges(both.toMask());
const { floor, cases } = compare({
  floor: bareExchanges(alone.toMask(), both.toMask()),
  cases: {
    set: (count) => {
      const under = new STOR_GROUP_AFFINITY();
      must(StorPortSetSystemGroupAffinityThread(extension, null, wide, under));
      const nanoseconds = set(count);
      must(StorPortRevertToUserGroupAffinityThread(extension, null, under));
      return nanoseconds;
    },
    'set and revert, a pair against two': (count) => (start(1), pair(count)),
    'pin and restore, a pair against two': (count) => (start(1), pinned(count)),
  },
  batch: 50,
  rounds: 60,
  switches,
});
for (const [name, { ratio }] of cases)
  found.add(
    `cost.ratio-does-not-grow: ${name}`,
    ratio.value <= bound ? 'pass' : 'fail',
    `${shown(ratio)} of the bare calls, ${(floor.value / 1000).toFixed(1)} us, with ${cpus.possible.size} CPUs`,
  );
console.log(JSON.stringify(found.checks));
