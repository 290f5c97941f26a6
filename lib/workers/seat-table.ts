/** The seats of this process, as its threads share them natively. */
import { native } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import type { PlannedSeat } from './plan.ts';

/** What workers are told of their plan. */
export interface Description {
  seats: { cpus: string; group: number | null; node: number | null }[];
}

/** The plan's number in this process. */
export function registerSeats(seats: readonly Omit<PlannedSeat, 'seat'>[]): number {
  const words = new BigUint64Array(seats.length * native.maskWords);
  seats.forEach(({ cpus }, at) => {
    const part = words.subarray(at * native.maskWords, (at + 1) * native.maskWords);
    if (!cpus.writeTo(part)) throw new AffinityError('ERR_AFFINITY_UNKNOWN_CPU', `this system has no CPUs ${cpus}`);
  });
  const description: Description = { seats: seats.map(({ cpus, group, node }) => ({ cpus: String(cpus), group, node })) };
  return native.addPlan(words, JSON.stringify(description));
}
