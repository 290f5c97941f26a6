// What a StorPort miniport does, in its own words: each processor group has a thread that completes requests, each on the
// processor that it came from, at DISPATCH_LEVEL.
//   node miniport.mjs [--seconds N]
import { on } from 'node:events';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import { allowedCpus, threads } from 'groupaffinity';
import * as stor from 'groupaffinity/storport';
import { DISPATCH_LEVEL, KeLowerIrql, KeRaiseIrql } from 'groupaffinity/wdm';
import { compare, interleave, machine, seconds, withRange } from './measure.mjs';

const HwDeviceExtension = {};
const channel = new BroadcastChannel('completions');

function check(status) {
  if (status !== stor.STOR_STATUS_SUCCESS) throw new Error(stor.storStatusName(status));
}

/** The start routine of a group's thread. */
export default async function CompletionThread({ Group, Mask, seconds }) {
  const user = new stor.STOR_GROUP_AFFINITY();
  check(stor.StorPortSetSystemGroupAffinityThread(HwDeviceExtension, null, new stor.STOR_GROUP_AFFINITY({ Group, Mask }), user));

  const processor = new stor.PROCESSOR_NUMBER();
  const level = { value: 0 };
  const raised = { value: 0 };
  function complete() {
    KeRaiseIrql(DISPATCH_LEVEL, level);
    check(stor.StorPortGetCurrentProcessorNumber(HwDeviceExtension, processor));
    check(stor.StorPortGetCurrentIrql(HwDeviceExtension, raised));
    KeLowerIrql(level.value);
  }

  const affinity = new stor.STOR_GROUP_AFFINITY({ Group });
  const ofGroup = new stor.STOR_GROUP_AFFINITY();
  function completeOn(number) {
    affinity.Mask = 1n << BigInt(number);
    check(stor.StorPortSetSystemGroupAffinityThread(HwDeviceExtension, null, affinity, ofGroup));
    complete();
    check(stor.StorPortRevertToUserGroupAffinityThread(HwDeviceExtension, null, ofGroup));
  }

  complete();
  const { tid, allowed } = threads().find((thread) => thread.threadId === threadId);
  channel.postMessage({ Group, Mask, tid, allowed: `${allowed}`, user: { Group: user.Group, Mask: user.Mask }, level: raised.value });

  const numbers = Array.from({ length: 64 }, (_, number) => number).filter((number) => (Mask >> BigInt(number)) & 1n);
  /** Requests that come from each processor of the group in turn. */
  const serve = (completeRequest) => (milliseconds) => {
    let [count, there] = [0, 0];
    const begun = performance.now();
    do {
      for (const number of numbers) {
        completeRequest(number);
        count += 1;
        if (processor.Number === number) there += 1;
      }
    } while (performance.now() < begun + milliseconds);
    return { '% on their processor': (100 * there) / count, 'µs a request': ((performance.now() - begun) * 1000) / count };
  };
  const found = await interleave(seconds, {
    steered: serve((number) => completeOn(number)),
    'in place': serve(() => completeOn(processor.Number)),
    free: serve(() => complete()),
  });

  check(stor.StorPortRevertToUserGroupAffinityThread(HwDeviceExtension, null, user));
  channel.postMessage({ Group, found });
}

if (isMainThread) {
  console.log(machine());
  const groups = { value: 0 };
  check(stor.StorPortGetActiveGroupCount(HwDeviceExtension, groups));
  const running = [];
  for (let Group = 0; Group < groups.value; Group += 1) {
    const active = { value: 0n };
    check(stor.StorPortGetGroupAffinity(HwDeviceExtension, Group, active));
    // What a container withholds is active all the same, and a Set that names it is refused.
    const Mask =
      active.value &
      (allowedCpus()
        .toGroups()
        .find(({ group }) => group === Group)?.mask ?? 0n);
    if (Mask === 0n) continue;
    const thread = { value: null };
    check(stor.StorPortCreateSystemThread(HwDeviceExtension, import.meta.url, { Group, Mask, seconds }, null, thread));
    running.push(thread.value);
  }

  let left = running.length;
  for await (const [{ data }] of on(channel, 'message')) {
    const { Group, Mask, tid, allowed, user, level, found } = data;
    if (found === undefined) {
      console.log(`group ${Group}: thread ${tid} has mask 0x${Mask.toString(16)}, by the kernel CPUs ${allowed};`);
      console.log(`  before that it had group ${user.Group}, mask 0x${user.Mask.toString(16)}; it completes requests at IRQL ${level}.\n`);
      continue;
    }
    console.log(`group ${Group}:`);
    compare(found, { '% on their processor': 'more', 'µs a request': null });
    const costs = (way) => withRange(found[way].map((round, at) => round['µs a request'] - found.free[at]['µs a request']));
    console.log(`A Set and its Revert cost ${costs('in place')} µs where the thread stays, ${costs('steered')} µs where the Set moves it.`);
    left -= 1;
    if (left === 0) break;
  }
  for (const thread of running) check(stor.StorPortWaitForSingleObject(HwDeviceExtension, thread, false, null));
  channel.close();
}
