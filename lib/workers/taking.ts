/** What a worker does before its own code runs. Small, because every worker's start waits for it. */
import { native, Outcome } from '../binding.ts';
import { AffinityError, osDetails, show } from '../errors.ts';

/** Tells a worker which plan of its process is meant: the process's id and the plan's number. */
export const planVariable = 'GROUPAFFINITY_PLAN';

/** What a worker knows of its seat. */
export interface TakenSeat {
  readonly seat: number;
  readonly sharers: number;
  /** The plan, as its maker described it. */
  readonly description: string;
}

// Found by every copy of this module in the thread: the preload's, the package's, another installation's.
const key = Symbol.for('groupaffinity.seat');
const here = globalThis as { [key]?: TakenSeat };

/** The seat that this thread took; undefined where it took none. */
export function takenSeat(): TakenSeat | undefined {
  return here[key];
}

/** Nobody took the calling thread's seat for it: it sits here. */
export function sitOn(taken: TakenSeat): void {
  here[key] = taken;
}

/**
 * Sits the calling thread down on a plan of its process.
 * @throws {AffinityError}
 */
export function sitDown(plan: number, named = String(plan)): void {
  const { outcome, osError, seat, sharers } = native.takeSeat(plan);
  if (outcome === Outcome.gone) throw noPlan(named);
  if (outcome > Outcome.trimmed)
    throw new AffinityError(
      outcome === Outcome.noneRunning
        ? 'ERR_AFFINITY_OFFLINE'
        : outcome === Outcome.notAllowed
          ? 'ERR_AFFINITY_NOT_ALLOWED'
          : 'ERR_AFFINITY_REFUSED',
      'no seat of the plan is to be had: the CPUs of each are offline or withheld from this process by now',
      osDetails(native.support().platform, osError),
    );
  sitOn({ seat, sharers, description: native.planDescription(plan) });
}

const noPlan = (named: string): AffinityError =>
  new AffinityError('ERR_AFFINITY_NO_PLAN', `this process has no plan ${show(named)} to seat a worker by`);

/** Sits the calling worker down, as its environment says; a worker without a plan stays as it is. */
export function takeSeat(): void {
  const variable = process.env[planVariable];
  if (variable === undefined || here[key] !== undefined) return;
  // A worker's own workers and child processes are no part of the plan.
  delete process.env[planVariable];
  const [, pid, plan] = /^(\d+):(\d{1,9})$/.exec(variable) ?? [];
  if (Number(pid) !== process.pid) throw noPlan(variable);
  sitDown(Number(plan), variable);
}
