/** The bare system calls: from the addon that the package under test loads. */
import { native } from '../../lib/binding.ts';
import type { Work } from './rounds.ts';

/** A set as the addon takes it. */
export function words(mask: bigint): BigUint64Array {
  return BigUint64Array.from({ length: native.maskWords }, (_, word) => BigInt.asUintN(64, mask >> BigInt(64 * word)));
}

/** Get and set of the calling thread's affinity, `first` and `second` in turn, in a loop in C++. */
export function bareExchanges(first: bigint, second: bigint = first): Work {
  const [one, other] = [words(first), words(second)];
  return (count) => {
    const { nanoseconds, osError } = native.timeBareExchanges(one, other, count);
    if (osError !== 0) throw new Error(`the operating system refuses the floor's own calls: error ${osError}`);
    return nanoseconds;
  };
}

/** The same work with a set in force before each batch. */
export function startingFrom(set: bigint, work: Work): Work {
  const begin = bareExchanges(set);
  return (count) => {
    begin(1);
    return work(count);
  };
}

/** How often the calling thread has lost its CPU; for `compare`. */
export function switches(): number {
  const state = native.readThread(native.currentThread());
  return (state?.voluntarySwitches ?? 0) + (state?.involuntarySwitches ?? 0);
}
