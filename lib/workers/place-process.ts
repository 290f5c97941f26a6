import { show, wrongType } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { resolve, type Where } from '../machine/where.ts';
import { placeRoles, type PlacedThread } from '../threads/placing.ts';
import { spread, type Plan, type SpreadOptions } from './plan.ts';

/** Where the threads of each role are to be; roles left out stay where they are. */
export interface ProcessPlaces {
  main?: Where;
  /** CPUs for all of them; or a seat for each in turn, by a plan or what `spread` makes one of. */
  workers?: Where | Plan | SpreadOptions;
  libuv?: Where;
  v8?: Where;
  inspector?: Where;
  other?: Where;
}

const roles = ['main', 'workers', 'libuv', 'v8', 'inspector', 'other'] as const;

function seatsOf(workers: Where | Plan | SpreadOptions): CpuSet | Plan {
  if (typeof workers !== 'object' || workers === null || !('by' in workers)) return resolve(workers);
  if (!('seats' in workers)) return spread(workers);
  const { seats } = workers;
  if (
    !Array.isArray(seats) ||
    seats.length === 0 ||
    !seats.every((seat: unknown) => typeof seat === 'object' && seat !== null && 'cpus' in seat && seat.cpus instanceof CpuSet)
  )
    throw wrongType(`workers takes a plan that spread() made, not ${show(workers)}`);
  for (const { cpus } of seats) resolve(cpus);
  return workers;
}

/**
 * Places all threads of this process by what they do, whichever thread calls: all of them or, after an error, none.
 * Workers sit down in the order of their threadId; workers made later start where their maker may run, on Linux, unless
 * `workerOptions(plan)` seats them. libuv's pool is started, if it does not run. A role that no thread has is no error.
 * For pins and system affinities in force see `setThreadAffinity`.
 *
 * @example
 * placeProcess({ main: '0', workers: { by: 'core' }, libuv: '1', v8: '1' });
 * @returns what was done, a thread each.
 * @throws {TypeError | RangeError} a role that there is not, or no way to say which CPUs; no thread is touched.
 * @throws {AffinityError} as `setThreadAffinity` and `spread`.
 */
export function placeProcess(places: ProcessPlaces): PlacedThread[] {
  if (typeof places !== 'object' || places === null || Array.isArray(places) || places instanceof CpuSet)
    throw wrongType(`placeProcess takes places by role, as { main: '0', libuv: '1' }, not ${show(places)}`);
  const wrong = Object.keys(places).find((key) => !(roles as readonly string[]).includes(key));
  if (wrong !== undefined) throw wrongType(`a role is one of ${roles.map((role) => `'${role}'`).join(', ')}, not ${show(wrong)}`);
  const set = (where: Where | undefined): CpuSet | undefined => (where === undefined ? undefined : resolve(where));
  const { main, workers, libuv, v8, inspector, other } = places;
  return placeRoles({
    main: set(main),
    workers: workers === undefined ? undefined : seatsOf(workers),
    libuv: set(libuv),
    v8: set(v8),
    inspector: set(inspector),
    other: set(other),
  });
}
