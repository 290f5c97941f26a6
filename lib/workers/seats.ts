import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { addonFile, native, packageRoot } from '../binding.ts';
import { show, wrongType } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { overQuota, type Plan, type PlannedSeat } from './plan.ts';
import { registerSeats, type Description } from './seat-table.ts';
import { planVariable, seatKey, type Seated } from './taking.ts';

const preload = join(packageRoot, 'dist', 'preload.cjs');

const registered = new WeakMap<Plan, number>();

export function isPlan(value: unknown): value is Plan {
  if (typeof value !== 'object' || value === null || !('seats' in value)) return false;
  return (
    Array.isArray(value.seats) &&
    value.seats.length > 0 &&
    value.seats.every(
      (seat: unknown) => typeof seat === 'object' && seat !== null && 'cpus' in seat && seat.cpus instanceof CpuSet && seat.cpus.size > 0,
    )
  );
}

/** The plan's number to the addon. */
export function register(plan: Plan): number {
  const known = registered.get(plan);
  if (known !== undefined) return known;
  const number = registerSeats(plan.seats);
  registered.set(plan, number);
  const warning = overQuota(plan);
  if (warning !== undefined) process.emitWarning(warning, { code: 'GROUPAFFINITY_QUOTA' });
  return number;
}

/** What `new Worker` and worker pools take to seat their threads. */
export interface WorkerPlacement {
  /** This process's own flags, and the one that seats the worker. Flags of yours go beside them. */
  execArgv: string[];
  /**
   * This process's environment as it is now, and the variable that names the plan. Variables of yours go beside them:
   * `{ ...workerOptions(plan), env: { ...workerOptions(plan).env, MODE: 'fast' } }`. A worker without it takes no seat.
   */
  env: NodeJS.ProcessEnv;
}

/**
 * This process's own flags, without those that a worker refuses: options of the whole process and of V8. Node says
 * which these are when it is asked for a worker that has them, and one more that nobody has.
 */
function inheritedFlags(): string[] {
  const nobodys = '--groupaffinity-asks';
  const flags = [...process.execArgv];
  for (let round = process.execArgv.length; round > 0; round -= 1) {
    let refused: string[] = [];
    try {
      new Worker('', { eval: true, execArgv: [...flags, nobodys] }).unref();
    } catch (error) {
      refused = (error as Error).message
        .replace(/^.*?: /, '')
        .split(', ')
        .filter((flag) => flag !== nobodys);
    }
    const at = flags.findIndex((flag) => refused.includes(flag));
    if (at < 0) return flags;
    // A flag without "=" may have its value behind it.
    const hasValue = !(flags[at] ?? '').includes('=') && flags[at + 1]?.startsWith('-') === false;
    flags.splice(at, hasValue ? 2 : 1);
  }
  return flags;
}

/**
 * The options that make each worker take the next free seat of a plan before its code runs, and give it back when it
 * ends in any way. Workers beyond the seats share them evenly; a seat whose CPUs are offline or withheld by now is passed
 * over. The plan holds in this process only; workers that a seated worker makes stay on its seat on Linux.
 *
 * A worker without these `execArgv`, or whose `env` lacks what is in this one, is not seated.
 *
 * @example
 * const plan = spread({ by: 'core' });
 * new Worker('./job.js', workerOptions(plan));
 * new Piscina({ filename: './job.js', ...workerOptions(plan) });
 */
export function workerOptions(plan: Plan): WorkerPlacement {
  if (!isPlan(plan)) throw wrongType(`workerOptions takes a plan that spread() made, not ${show(plan)}`);
  return {
    execArgv: [...inheritedFlags(), '--require', preload],
    env: { ...process.env, [planVariable]: `${process.pid}:${register(plan)}:${addonFile}` },
  };
}

/** How many threads sit on each seat of a plan now. */
export function sitters(plan: Plan): number[] {
  if (!isPlan(plan)) throw wrongType(`sitters takes a plan that spread() made, not ${show(plan)}`);
  return native.seatSitters(register(plan));
}

/** Where a worker sits. */
export interface Seat extends PlannedSeat {
  /** Seats in the plan. */
  readonly of: number;
  /** Threads on this seat when the worker took it, itself included. */
  readonly sharers: number;
}

/**
 * Inside a worker: the seat it took when it started. Null on a thread that no plan seated. To post it to another thread
 * write `String(cpus)` for its set: a CpuSet does not survive the copy.
 */
export function seat(): Seat | null {
  const taken = (globalThis as Seated)[seatKey];
  if (taken === undefined) return null;
  const { seats } = JSON.parse(taken.description) as Description;
  const { cpus, group, node } = seats[taken.seat] as Description['seats'][number];
  return Object.freeze({ seat: taken.seat, of: seats.length, cpus: CpuSet.parse(cpus), group, node, sharers: taken.sharers });
}
