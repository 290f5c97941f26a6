/** Calls of the library: each timed alone, and in batches in turn with the bare calls that do the same. */
import { native, type Native } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { STOR_GROUP_AFFINITY, STOR_STATUS_SUCCESS, storStatusName } from '../storport/index.ts';
import { StorPortRevertToUserGroupAffinityThread, StorPortSetSystemGroupAffinityThread } from '../storport/index.ts';
import { readOwn } from '../threads/own-thread.ts';
import { pin } from '../threads/pin.ts';
import { median } from './statistics.ts';
import type { CallsTask, TimesOutcome } from './task.ts';

const { clock, currentCpu } = native;
const extension = {};

/** Exchanges before the first that counts: compiled code is what is timed. */
const warmUp = 10_000;
/** Calls in a row, of the library's and of bare ones; even, so that either leaves the thread with the second set. */
const batch = { stays: 100, moves: 4 } as const;
/** Calls timed alone in a round. */
const singles = { stays: 50, moves: 8 } as const;

/** Rounds, at least: of fewer one that something disturbed would be a pass's figure. */
const fewestRounds = 20;

/** What is timed. */
interface Work {
  /** `count` calls, in a loop of their own: one that others share is slower than a user's. */
  readonly loop: (count: number) => void;
  /** The call number `at`. */
  readonly once: (at: number) => void;
  /** Until then every call is to the first set, and none is a move. */
  readonly aim: () => void;
  /** Bare exchanges that do the same as one call. */
  readonly floors: number;
  /** The set that the thread has after an even number of calls. */
  readonly after: CpuSet;
}

function expectSuccess(status: number): void {
  if (status !== STOR_STATUS_SUCCESS) throw new Error(`a Set or Revert was answered with ${storStatusName(status)}`);
}

/** One group and mask for CPUs, as a caller of the WDK has them. */
function inGroup(cpus: CpuSet): { Mask: bigint; Group: number } {
  const [part, ...others] = cpus.toGroups();
  if (part === undefined || others.length > 0) throw new Error(`CPUs ${cpus} are not in one processor group`);
  return { Mask: part.mask, Group: part.group };
}

function sets({ first, second }: CallsTask): Work {
  const target = inGroup(CpuSet.parse(first));
  const to = [target, target];
  const previous = new STOR_GROUP_AFFINITY();
  // A fresh structure, and what was there before told: as a caller has it.
  const once = (at: number): void =>
    expectSuccess(StorPortSetSystemGroupAffinityThread(extension, null, new STOR_GROUP_AFFINITY(to[at & 1]), previous));
  return {
    once,
    loop: (count) => {
      for (let at = 0; at < count; at += 1) once(at);
    },
    aim: () => {
      to[1] = inGroup(CpuSet.parse(second));
    },
    floors: 1,
    after: CpuSet.parse(second),
  };
}

function reverts({ first }: CallsTask, user: CpuSet): Work {
  const to = inGroup(CpuSet.parse(first));
  const previous = new STOR_GROUP_AFFINITY();
  const once = (): void => {
    expectSuccess(StorPortSetSystemGroupAffinityThread(extension, null, new STOR_GROUP_AFFINITY(to), previous));
    expectSuccess(StorPortRevertToUserGroupAffinityThread(extension, null, previous));
  };
  return {
    once,
    loop: (count) => {
      for (let at = 0; at < count; at += 1) once();
    },
    aim: () => undefined,
    floors: 2,
    after: user,
  };
}

function pins({ first }: CallsTask, user: CpuSet): Work {
  const to = CpuSet.parse(first);
  const once = (): void => pin(to).restore();
  return {
    once,
    loop: (count) => {
      for (let at = 0; at < count; at += 1) once();
    },
    aim: () => undefined,
    floors: 2,
    after: user,
  };
}

function workOf(task: CallsTask, user: CpuSet): Work {
  switch (task.call) {
    case 'set':
      return sets(task);
    case 'revert':
      return reverts(task, user);
    case 'pin':
      return pins(task, user);
  }
}

function wordsOf(cpus: CpuSet): BigUint64Array {
  const words = new BigUint64Array(native.maskWords);
  if (!cpus.writeTo(words)) throw new Error(`this system has no CPUs ${cpus}`);
  return words;
}

function bare(timeBareExchanges: Native['timeBareExchanges'], first: CpuSet, second: CpuSet): (count: number) => number {
  const words = [wordsOf(first), wordsOf(second)] as const;
  return (count) => {
    const { nanoseconds, osError } = timeBareExchanges(words[0], words[1], count);
    if (osError !== 0) throw new Error(`the operating system refuses the bare calls: error ${osError}`);
    return nanoseconds;
  };
}

/** What looking at the clock adds to a time. */
function clockTime(): number {
  const times = new Float64Array(1000);
  for (let i = 0; i < times.length; i += 1) {
    const begun = clock();
    times[i] = clock() - begun;
  }
  return median(times);
}

/** The thread's set by the operating system's record of it, which is not asked of any call that is timed. */
const recorded = (): bigint | undefined => native.readThread(native.currentThread())?.allowed;

/** Compiles what is timed; what it returns takes the samples of a pass. */
export function prepareCalls(task: CallsTask): (milliseconds: number) => TimesOutcome {
  const user = readOwn();
  const work = workOf(task, user);
  const floor = bare(native.timeBareExchanges, CpuSet.parse(task.first), work.after);
  // A thread that had offline CPUs in its set has none from here on, whoever changes it last.
  floor(2);
  const expected = task.call === 'set' ? work.after.toMask() : recorded();
  const isWhole = (): boolean => {
    const now = recorded();
    return now === undefined || now === expected;
  };
  work.loop(warmUp / work.floors);
  work.aim();
  work.loop(batch.moves);

  const kind = task.seats[0] === task.seats[1] ? 'stays' : 'moves';
  return (milliseconds) => {
    const adds = clockTime();
    const samples: number[] = [];
    const floors: number[] = [];
    const ratios: number[] = [];
    let strays = 0;
    const end = clock() + milliseconds * 1e6;
    for (let round = 0; round < fewestRounds || clock() < end; round += 1) {
      // The floor and the library's calls take turns to be first.
      const bareFirst = round % 2 === 0 ? floor(work.floors * batch[kind]) : undefined;
      const begun = clock();
      work.loop(batch[kind]);
      const took = clock() - begun - adds;
      const bareTime = bareFirst ?? floor(work.floors * batch[kind]);

      const kept: number[] = [];
      let here = currentCpu();
      const home = here === task.seats[1];
      for (let at = 0; at < singles[kind]; at += 1) {
        const start = clock();
        work.once(at);
        const time = clock() - start - adds;
        const there = currentCpu();
        // Where it was to be before the call and after it: nothing else has moved it then.
        if (here === task.seats[(1 - (at & 1)) as 0 | 1] && there === task.seats[(at & 1) as 0 | 1]) kept.push(time);
        else strays += 1;
        here = there;
      }
      if (!isWhole()) {
        strays += kept.length;
        continue;
      }
      samples.push(...kept);
      if (!home) continue;
      floors.push(bareTime / batch[kind]);
      ratios.push(took / bareTime);
    }
    return {
      kind: 'times',
      samples: Float64Array.from(samples),
      strays,
      floors: Float64Array.from(floors),
      ratios: Float64Array.from(ratios),
    };
  };
}
