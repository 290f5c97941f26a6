/** One thread's way to a seat that all processes of a run share. */
import { AffinityError } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { native } from '../binding.ts';
import { confine } from '../threads/own-thread.ts';
import type { Description } from '../workers/seat-table.ts';
import { seatKey, type Seated } from '../workers/taking.ts';
import type { Order } from './order.ts';
import { takeShare, type Taken } from './shares.ts';

export const seatsOf = (order: Order): { cpus: CpuSet; group: number | null; node: number | null }[] =>
  (order.workers ?? []).map(([cpus, group, node]) => ({ cpus: CpuSet.parse(cpus), group, node }));

/**
 * Takes the share with the fewest holders that `use` can use; one that it can't is passed over.
 *
 * @throws {AffinityError} None can be used, as the last attempt said; or the system has no names to share by.
 */
export function takeUsable(of: string, count: number, use: (at: number) => void): Taken {
  const tried = new Set<number>();
  let refusal = new AffinityError('ERR_AFFINITY_UNSUPPORTED', 'this system tells the processes of a run nothing of each other');
  for (;;) {
    const taken = takeShare(of, count, tried);
    if (taken === undefined || taken === null) throw refusal;
    try {
      use(taken.at);
      return taken;
    } catch (error) {
      native.letGo();
      if (!(error instanceof AffinityError)) throw error;
      refusal = error;
      tried.add(taken.at);
    }
  }
}

/** Sits the calling thread down on the seat that the fewest threads of all processes sit on. */
export function sitAmongAll(order: Order): void {
  const seats = seatsOf(order);
  const { at, sharers } = takeUsable(`groupaffinity/${order.id}/seat`, seats.length, (seat) =>
    confine((seats[seat] as { cpus: CpuSet }).cpus),
  );
  const description: Description = { seats: seats.map(({ cpus, group, node }) => ({ cpus: String(cpus), group, node })) };
  (globalThis as Seated)[seatKey] = { seat: at, sharers, description: JSON.stringify(description) };
}
