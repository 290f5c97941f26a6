/** The types behind `groupaffinity/workers`. */
import { Worker } from 'node:worker_threads';
import { CpuSet, pin, type Pin, type Where } from 'groupaffinity';
import {
  guard,
  seat,
  sitters,
  spread,
  workerOptions,
  type Drift,
  type Guard,
  type GuardOptions,
  type Plan,
  type PlannedSeat,
  type Seat,
  type SpreadOptions,
  type Unit,
  type WorkerPlacement,
} from 'groupaffinity/workers';
import { Piscina } from 'piscina';
import { same, signature } from './same.ts';

signature<typeof spread, [options: SpreadOptions], Plan>(true);
signature<typeof workerOptions, [plan: Plan], WorkerPlacement>(true);
signature<typeof sitters, [plan: Plan], number[]>(true);
signature<typeof seat, [], Seat | null>(true);

same<Unit, 'cpu' | 'core' | 'l3' | 'numa' | 'group' | 'package'>(true);
same<
  SpreadOptions,
  {
    by: Unit;
    count?: number | 'quota';
    within?: Where;
    exclude?: Where | readonly Where[];
    prefer?: 'performance' | 'efficiency';
    pack?: boolean;
  }
>(true);
const plan = spread({ by: 'core', count: 2, within: 'numa:0' });
spread({ by: 'cpu', within: CpuSet.of([0]) });
spread({ by: 'l3', within: { group: 0, mask: 1n } });
spread({ by: 'core', count: 'quota', exclude: ['0', { group: 0, mask: 2n }], prefer: 'efficiency', pack: true });
// @ts-expect-error
spread({ by: 'core', count: 'all' });
// @ts-expect-error
spread({ by: 'core', prefer: 'fast' });
// @ts-expect-error
spread({ by: 'core', exclude: 3 });
// @ts-expect-error each worker gets something
spread({});
// @ts-expect-error
spread();
// @ts-expect-error no such unit
spread({ by: 'socket' });
// @ts-expect-error
spread('core');
// @ts-expect-error
spread({ by: 'core', count: '2' });
// @ts-expect-error
spread({ by: 'core', within: 3 });
// @ts-expect-error misspelled
spread({ by: 'core', cout: 2 });

same<keyof Plan, 'by' | 'seats' | 'quota' | 'toString'>(true);
same<Pick<Plan, 'by' | 'seats' | 'quota'>, { readonly by: Unit; readonly seats: readonly PlannedSeat[]; readonly quota?: number | null }>(
  true,
);
same<PlannedSeat, { readonly seat: number; readonly cpus: CpuSet; readonly group: number | null; readonly node: number | null }>(true);
// @ts-expect-error
plan.seats.pop();

// What a worker takes, and what a pool takes.
same<WorkerPlacement, { execArgv: string[]; env: NodeJS.ProcessEnv }>(true);
new Worker('job.js', workerOptions(plan));
new Worker('job.js', { workerData: 1, ...workerOptions(plan) });
new Piscina({ filename: 'job.js', ...workerOptions(plan) });
// @ts-expect-error a plan, not what it was made from
workerOptions({ by: 'core' });
// @ts-expect-error
workerOptions();
// @ts-expect-error
sitters(plan.seats);

const here = seat();
if (here !== null) {
  const planned: PlannedSeat = here;
  same<typeof here.of, number>(true);
  same<typeof here.sharers, number>(true);
  same<typeof planned.cpus, CpuSet>(true);
}
// @ts-expect-error null on a thread that no plan seated
seat().cpus;
// @ts-expect-error
seat(0);

// ---- guards ----------------------------------------------------------------------------------------------------------

signature<typeof guard, [what: Pin | Plan, options?: GuardOptions], Guard>(true);
{
  using watch = guard(pin('0'), { onDrift: ({ what, cause }) => void `${what} ${cause}`, check: 100 });
  same<typeof watch.active, boolean>(true);
  watch.stop();
}
guard(plan);
same<
  Drift,
  {
    readonly what: 'narrowed' | 'widened' | 'moved' | 'mended';
    readonly cause: 'offline' | 'withheld' | 'unknown';
    readonly thread: number;
    readonly seat: number | null;
    readonly wanted: CpuSet;
    readonly found: CpuSet;
  }
>(true);
same<GuardOptions, { onDrift?: (drift: Drift) => void; check?: number }>(true);
// @ts-expect-error a pin or a plan, not where
guard('0');
// @ts-expect-error milliseconds
guard(plan, { check: '1s' });
// @ts-expect-error
guard(plan, { onDrift: (drift: string) => drift });
// @ts-expect-error misspelled
guard(plan, { ondrift: () => {} });
