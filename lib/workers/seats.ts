import { join } from 'node:path';
import { native, Outcome, packageRoot } from '../binding.ts';
import { AffinityError, show, wrongType } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { failure } from '../threads/own-thread.ts';
import type { Plan, PlannedSeat } from './plan.ts';

/** Tells a worker which plan of its process is meant. */
export const planVariable = 'GROUPAFFINITY_PLAN';

const preload = join(packageRoot, 'dist', 'workers', 'preload.js');

interface Description {
  seats: { cpus: string; group: number | null; node: number | null }[];
}

const registered = new WeakMap<Plan, number>();

function isPlan(value: unknown): value is Plan {
  if (typeof value !== 'object' || value === null || !('seats' in value)) return false;
  return (
    Array.isArray(value.seats) &&
    value.seats.length > 0 &&
    value.seats.every(
      (seat: unknown) => typeof seat === 'object' && seat !== null && 'cpus' in seat && seat.cpus instanceof CpuSet && seat.cpus.size > 0,
    )
  );
}

function register(plan: Plan): number {
  const known = registered.get(plan);
  if (known !== undefined) return known;
  const words = new BigUint64Array(plan.seats.length * native.maskWords);
  plan.seats.forEach(({ seat, cpus }) => {
    const part = words.subarray(seat * native.maskWords, (seat + 1) * native.maskWords);
    if (!cpus.writeTo(part)) throw new AffinityError('ERR_AFFINITY_UNKNOWN_CPU', `this system has no CPUs ${cpus}`);
  });
  const description: Description = { seats: plan.seats.map(({ cpus, group, node }) => ({ cpus: String(cpus), group, node })) };
  const number = native.addPlan(words, JSON.stringify(description));
  registered.set(plan, number);
  return number;
}

/** What `new Worker` and worker pools take to seat their threads. */
export interface WorkerPlacement {
  execArgv: string[];
  env: NodeJS.ProcessEnv;
}

// A worker refuses the options of the whole process and of V8 in its own execArgv; these it takes.
const workerFlag =
  /^(?:-r|-C|--(?:require|import|loader|experimental-loader|conditions|enable-source-maps|no-warnings|no-deprecation|trace-warnings|trace-deprecation|trace-uncaught|throw-deprecation|unhandled-rejections|experimental-strip-types|experimental-transform-types|experimental-vm-modules|experimental-wasm-modules|experimental-import-meta-resolve|preserve-symlinks)\b.*)/;
const withValue = /^(?:-r|-C|--(?:require|import|loader|experimental-loader|conditions|unhandled-rejections))$/;

function inheritedFlags(): string[] {
  const flags: string[] = [];
  for (let at = 0; at < process.execArgv.length; at += 1) {
    const flag = process.execArgv[at] as string;
    if (!workerFlag.test(flag)) continue;
    flags.push(flag);
    if (withValue.test(flag)) {
      at += 1;
      flags.push(process.execArgv[at] ?? '');
    }
  }
  return flags;
}

/**
 * The options that make each worker take the next free seat of a plan before its code runs, and give it back when it
 * ends in any way. Workers beyond the seats share them evenly. The plan holds in this process only; workers that a
 * seated worker makes stay on its seat on Linux.
 *
 * @example
 * const plan = spread({ by: 'core' });
 * new Worker(file, workerOptions(plan));
 * new Piscina({ filename, ...workerOptions(plan) });
 */
export function workerOptions(plan: Plan): WorkerPlacement {
  if (!isPlan(plan)) throw wrongType(`workerOptions takes a plan that spread() made, not ${show(plan)}`);
  return {
    execArgv: [...inheritedFlags(), '--require', preload],
    env: { ...process.env, [planVariable]: String(register(plan)) },
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

// Kept where two copies of this module in one thread (source and build, say) both find it.
const key = Symbol.for('groupaffinity.seat');
const here = globalThis as { [key]?: { plan: number; seat: number; sharers: number } };

/** Sits the calling worker down; called by the preload. */
export function takeSeat(): void {
  const plan = process.env[planVariable];
  if (plan === undefined || here[key] !== undefined) return;
  // A worker's own workers and child processes are no part of the plan.
  delete process.env[planVariable];
  const { outcome, osError, seat, sharers } = native.takeSeat(Number(plan));
  if (outcome === Outcome.gone)
    throw new AffinityError('ERR_AFFINITY_NO_PLAN', `this process has no plan ${show(plan)} to seat a worker by`);
  const placed = planned(Number(plan), seat);
  if (outcome !== Outcome.done && outcome !== Outcome.trimmed) throw failure(outcome, placed.cpus, osError);
  here[key] = { plan: Number(plan), seat, sharers };
}

function planned(plan: number, seat: number): PlannedSeat & { of: number } {
  const { seats } = JSON.parse(native.planDescription(plan)) as Description;
  const { cpus, group, node } = seats[seat] as Description['seats'][number];
  return { seat, of: seats.length, cpus: CpuSet.parse(cpus), group, node };
}

/** Inside a worker: the seat it took when it started. Null on a thread that no plan seated. */
export function seat(): Seat | null {
  const taken = here[key];
  return taken === undefined ? null : Object.freeze({ ...planned(taken.plan, taken.seat), sharers: taken.sharers });
}
