import { AffinityError, outOfRange, show, wrongType } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { topology, type Topology } from '../machine/topology.ts';
import { resolve, type Where } from '../machine/where.ts';

/** What one seat is: a CPU, or all usable CPUs of a core, a level 3 cache, a NUMA node, a group or a package. */
export type Unit = 'cpu' | 'core' | 'l3' | 'numa' | 'group' | 'package';

export interface SpreadOptions {
  /** What each worker gets for itself. */
  by: Unit;
  /** Seats; as many as there are units if left out, at most as many as there are CPUs. */
  count?: number;
  /** Take only CPUs from here; all that the process may use if left out. */
  within?: Where;
}

/** A worker's place. */
export interface PlannedSeat {
  /** Counts from 0. */
  readonly seat: number;
  readonly cpus: CpuSet;
  /** The processor group that holds all of the CPUs; null where they lie in several. */
  readonly group: number | null;
  /** The NUMA node that holds all of the CPUs; null where they lie in several. */
  readonly node: number | null;
}

export interface Plan {
  readonly by: Unit;
  readonly seats: readonly PlannedSeat[];
}

const units: readonly Unit[] = ['cpu', 'core', 'l3', 'numa', 'group', 'package'];

function domains(unit: Unit, machine: Topology): readonly CpuSet[] {
  switch (unit) {
    case 'cpu':
      return machine.cpus.online.toArray().map((cpu) => CpuSet.of([cpu]));
    case 'core':
      return machine.cores.map(({ cpus }) => cpus);
    case 'l3':
      return machine.caches.filter(({ level, type }) => level === 3 && type !== 'instruction').map(({ cpus }) => cpus);
    case 'numa':
      return machine.numaNodes.map(({ cpus }) => cpus);
    case 'group':
      return machine.groups.map(({ online }) => online);
    case 'package':
      return machine.packages.map(({ cpus }) => cpus);
  }
}

/** Deals units out so that neighbours in the order are far from each other: one of each domain, then the next of each. */
function deal(from: readonly CpuSet[], levels: readonly (readonly CpuSet[])[]): readonly CpuSet[] {
  const [outer, ...inner] = levels;
  if (outer === undefined || from.length < 2) return from;
  const hands = outer
    .map((domain) => from.filter((unit) => unit.first !== undefined && domain.has(unit.first)))
    .filter((hand) => hand.length > 0);
  const dealt = hands.map((hand) => deal(hand, inner));
  const rest = from.filter((unit) => !hands.some((hand) => hand.includes(unit)));
  const longest = Math.max(0, ...dealt.map((hand) => hand.length));
  const order: CpuSet[] = [];
  for (let turn = 0; turn < longest; turn += 1)
    for (const hand of dealt) {
      const unit = hand[turn];
      if (unit !== undefined) order.push(unit);
    }
  return [...order, ...rest];
}

function checkedCount(count: unknown, most: number): number {
  if (typeof count !== 'number') throw wrongType(`count is a number of seats, not ${show(count)}`);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw outOfRange(`count is a whole number from 1 to ${most}, the CPUs there are, not ${show(count)}`);
  return count;
}

/**
 * Plans a seat for each worker of this process, on CPUs that it may use and that are online. Neighbouring seats lie
 * far apart: on different packages, NUMA nodes, level 3 caches and cores as long as there are some.
 * With more seats than units, units are shared evenly.
 *
 * @example
 * const plan = spread({ by: 'core' });
 * const worker = new Worker(file, workerOptions(plan));
 * @throws {TypeError | RangeError} an option has the wrong type or range.
 * @throws {AffinityError} `ERR_AFFINITY_EMPTY`: no unit has a CPU that may be used.
 */
export function spread(options: SpreadOptions): Plan {
  return planOn(options, topology());
}

/** @internal The plan for any machine. */
export function planOn(options: SpreadOptions, machine: Topology): Plan {
  if (typeof options !== 'object' || options === null) throw wrongType(`spread takes { by: 'core' }, not ${show(options)}`);
  const { by, count, within } = options;
  if (!units.includes(by)) throw wrongType(`by is one of ${units.map((unit) => `'${unit}'`).join(', ')}, not ${show(by)}`);
  const { allowed, online } = machine.cpus;
  let usable = allowed.intersect(online);
  if (within !== undefined) usable = usable.intersect(resolve(within));
  const found = domains(by, machine)
    .map((domain) => domain.intersect(usable))
    .filter((domain) => domain.size > 0);
  if (found.length === 0)
    throw new AffinityError('ERR_AFFINITY_EMPTY', `no ${by} has a CPU that this process may use${within === undefined ? '' : ' there'}`);
  const levels = (['package', 'numa', 'l3', 'core'] as const).map((unit) => domains(unit, machine));
  const order = deal(found, levels);
  const seats = count === undefined ? order.length : checkedCount(count, usable.size);
  const holder = (sets: readonly CpuSet[], cpus: CpuSet): number => sets.findIndex((set) => cpus.isSubsetOf(set));
  const groups = machine.groups.map(({ online: running }) => running);
  const nodes = machine.numaNodes.map(({ cpus }) => cpus);
  return Object.freeze({
    by,
    seats: Object.freeze(
      Array.from({ length: seats }, (_, seat) => {
        const cpus = order[seat % order.length] as CpuSet;
        const group = holder(groups, cpus);
        const node = holder(nodes, cpus);
        return Object.freeze({
          seat,
          cpus,
          group: group < 0 ? null : group,
          node: node < 0 ? null : (machine.numaNodes[node]?.id ?? null),
        });
      }),
    ),
  });
}
