import { randomBytes } from 'node:crypto';
import { AffinityError } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { readCpus } from '../machine/group-table.ts';
import { topology, type Topology } from '../machine/topology.ts';
import { resolve } from '../machine/where.ts';
import { foresee } from '../threads/own-thread.ts';
import { overQuota, planOn, type SpreadOptions } from '../workers/plan.ts';
import { parsePlan, type PlanText } from '../workers/plan-text.ts';
import { preload } from './environment.ts';
import type { Order, SeatOrder } from './order.ts';

/** What a command line says, word for word. */
export interface Wishes {
  readonly main?: string | undefined;
  readonly workers?: string | undefined;
  readonly libuv?: string | undefined;
  readonly v8?: string | undefined;
  /** A plan, or `share`. */
  readonly processes?: string | undefined;
  readonly report?: string | undefined;
}

/** CPUs that exist, are offline, and were left out; by the option that named them. */
export type Dropped = Map<string, CpuSet>;

export interface MadeOrder {
  readonly order: Order;
  readonly dropped: Dropped;
  /** What else is to be said. */
  readonly warnings: readonly string[];
}

function seat(cpus: CpuSet, { numaNodes }: Topology): SeatOrder {
  const [group, ...others] = cpus.toGroups();
  const node = numaNodes.find((one) => cpus.isSubsetOf(one.cpus));
  return [String(cpus), others.length === 0 ? (group?.group ?? null) : null, node?.id ?? null];
}

/**
 * Makes of words what every process can carry out alike. Everything is checked here, on this machine, before anything is
 * started.
 *
 * @throws {AffinityError | RangeError} A text makes no sense, or names CPUs that don't exist, are offline or withheld.
 */
export function makeOrder(wishes: Wishes): MadeOrder {
  const machine = topology();
  const dropped: Dropped = new Map();
  const cpusOf = (option: string, where: string): CpuSet => {
    const named = resolve(where);
    const cpus = foresee(named);
    if (!cpus.equals(named)) dropped.set(option, (dropped.get(option) ?? CpuSet.empty).union(named.minus(cpus)));
    return cpus;
  };
  const place = (option: 'main' | 'libuv' | 'v8'): { [name in typeof option]?: string } => {
    const where = wishes[option];
    return where === undefined ? {} : { [option]: String(cpusOf(option, where)) };
  };
  const granted = CpuSet.fromMask(readCpus().settable);
  const planned = (plan: SpreadOptions): CpuSet[] => planOn(plan, machine, granted).seats.map(({ cpus }) => cpus);
  const seats = (option: string, plan: PlanText): CpuSet[] => ('by' in plan ? planned(plan) : plan.map((where) => cpusOf(option, where)));
  /** The seats of a plan that lie in a share: by units there, or those of its own that are whole. */
  const inShare = (plan: PlanText, share: CpuSet): CpuSet[] => {
    if ('by' in plan) {
      const within = plan.within === undefined ? share : resolve(plan.within).intersect(share);
      if (within.size === 0)
        throw new AffinityError('ERR_AFFINITY_EMPTY', `workers: the share ${share} has no CPU of those within which they are to be`);
      return planned({ ...plan, within });
    }
    const own = plan.map((where) => cpusOf('workers', where).intersect(share)).filter(({ size }) => size > 0);
    return own.length === 0 ? [share] : own;
  };
  const described = (list: readonly CpuSet[]): SeatOrder[] => list.map((cpus) => seat(cpus, machine));

  const workers = wishes.workers === undefined ? undefined : parsePlan(wishes.workers);
  const dealt = wishes.processes === 'share';
  const shares = wishes.processes === undefined || dealt ? undefined : seats('processes', parsePlan(wishes.processes));
  const order: Order = {
    by: preload,
    id: randomBytes(8).toString('hex'),
    launcher: process.pid,
    stays: true,
    ...place('main'),
    ...place('libuv'),
    ...place('v8'),
    ...(workers === undefined || shares !== undefined ? {} : { workers: described(seats('workers', workers)) }),
    ...(dealt ? { dealt } : {}),
    ...(shares === undefined
      ? {}
      : {
          shares: shares.map((share) => ({
            cpus: String(share),
            ...(workers === undefined ? {} : { workers: described(inShare(workers, share)) }),
          })),
        }),
    ...(wishes.report === undefined ? {} : { report: wishes.report }),
  };
  const warning = overQuota({ seats: order.shares ?? order.workers ?? [], quota: machine.quota });
  return { order, dropped, warnings: warning === undefined ? [] : [warning] };
}
