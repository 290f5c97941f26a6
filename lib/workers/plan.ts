import { AffinityError, checkOptions, outOfRange, show, wrongType } from '../errors.ts';
import { CpuSet, inspected } from '../machine/cpu-set.ts';
import { readCpus } from '../machine/group-table.ts';
import { count as counted, picture, quotaText } from '../machine/picture.ts';
import { topology, type Topology } from '../machine/topology.ts';
import { knownOf, resolve, type Where } from '../machine/where.ts';

/** What one seat is: a CPU, or all usable CPUs of a core, a level 3 cache, a NUMA node, a group or a package. */
export type Unit = 'cpu' | 'core' | 'l3' | 'numa' | 'group' | 'package';

export interface SpreadOptions {
  /** What each worker gets for itself. */
  by: Unit;
  /**
   * Seats; as many as there are units if left out, at most as many as there are CPUs. `'quota'`: as many as there are
   * units, but no more than the process's CPU quota keeps busy: its whole CPUs, at least one.
   */
  count?: number | 'quota';
  /**
   * Take only CPUs from here; all that the process may use if left out. Isolated CPUs, which the kernel leaves out of
   * what a process starts with, are to be had by naming nothing else: `'isolated'`, or a list of such.
   */
  within?: Where;
  /** Take none of these: one way to say which CPUs, or several. That none is isolated is no error. */
  exclude?: Where | readonly Where[];
  /** Take the fastest kind of CPUs first, or the most efficient. Nothing changes where all are alike. */
  prefer?: 'performance' | 'efficiency';
  /**
   * Neighbouring seats lie close together: the same level 3 cache, node and package as long as they have room, the one
   * with the most room first, then the nearest. Far apart if left out.
   */
  pack?: boolean;
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
  /**
   * `topology().quota` when the plan was made; left out where nobody looked. A plan with more seats than that keeps busy
   * says so where it draws itself, and by a process warning, `GROUPAFFINITY_QUOTA`, when it is first put to use.
   */
  readonly quota?: number | null;
  /** The machine with the number of its seat under each CPU, 100 columns wide; inspecting a plan shows the same. */
  toString(): string;
}

/**
 * How many busy workers a quota feeds. Rounded down: one more would have all of them stopped for a part of each period,
 * wherever they sit; what is left over feeds the main thread, libuv's pool and V8's threads.
 */
const fedBy = (quota: number): number => Math.max(1, Math.floor(quota));

/** What is to be said of a plan that has more seats than its process's quota keeps busy. */
export function overQuota({ seats, quota }: { seats: readonly unknown[]; quota?: number | null }): string | undefined {
  if (typeof quota !== 'number' || seats.length <= fedBy(quota)) return undefined;
  return `A plan of ${counted(seats.length, 'seat')}: this process's quota is the time of ${quotaText(quota)}, which keeps ${counted(fedBy(quota), 'worker')} busy.`;
}

class MadePlan implements Plan {
  readonly by: Unit;
  readonly seats: readonly PlannedSeat[];
  readonly quota: number | null;
  readonly #machine: Topology;

  constructor(by: Unit, seats: readonly PlannedSeat[], machine: Topology) {
    this.by = by;
    this.seats = Object.freeze(seats);
    this.quota = machine.quota;
    this.#machine = machine;
    Object.freeze(this);
  }

  toString(): string {
    const tags = new Map<number, string>();
    for (const { seat, cpus } of this.seats)
      for (const cpu of cpus) {
        const tag = tags.get(cpu);
        tags.set(cpu, tag === undefined ? `${seat}` : tag.endsWith('+') ? tag : `${tag}+`);
      }
    const shared = [...tags.values()].some((tag) => tag.endsWith('+'));
    const legend = `under a CPU its seat${shared ? ', + the first of several' : ''}`;
    const lines = [
      `${counted(this.seats.length, 'seat')} by ${this.by}`,
      picture(this.#machine, 100, { of: (cpu) => tags.get(cpu) ?? '·', legend }),
    ];
    const warning = overQuota(this);
    return [...lines, ...(warning === undefined ? [] : [warning])].join('\n');
  }

  [inspected](): string {
    return this.toString();
  }
}

/** @internal */
export const units: readonly Unit[] = ['cpu', 'core', 'l3', 'numa', 'group', 'package'];

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

/** Which set of a list each CPU is in: the first, where there are several. */
function indexes(sets: readonly CpuSet[]): Map<number, number> {
  const index = new Map<number, number>();
  sets.forEach((set, at) => {
    for (const cpu of set) if (!index.has(cpu)) index.set(cpu, at);
  });
  return index;
}

/** A unit, and where it lies. */
interface Placed {
  readonly cpus: CpuSet;
  /** Of its package, node and level 3 cache, in their lists; -1 for none. */
  readonly within: readonly number[];
}

function byKey<T>(items: readonly T[], key: (item: T) => number): [number, T[]][] {
  const found = new Map<number, T[]>();
  for (const item of items) {
    const those = found.get(key(item));
    if (those === undefined) found.set(key(item), [item]);
    else those.push(item);
  }
  return [...found].sort(([a], [b]) => a - b);
}

/** What the domains of one level hold; those without one come last. */
const hands = (from: readonly Placed[], level: number): Placed[][] =>
  byKey(from, ({ within }) => (within[level] as number) >>> 0).map(([, hand]) => hand);

const levels = ['package', 'numa', 'l3'] as const;

/** Neighbours in the order are far from each other: one of each domain, then the next of each. */
function deal(from: readonly Placed[], level = 0): readonly Placed[] {
  if (level === levels.length || from.length < 2) return from;
  const dealt = hands(from, level).map((hand) => deal(hand, level + 1));
  const longest = Math.max(...dealt.map((hand) => hand.length));
  return Array.from({ length: longest }, (_, turn) => dealt.flatMap((hand) => hand.slice(turn, turn + 1))).flat();
}

/** Neighbours in the order are close to each other: all of a domain, then all of the next, the fullest first. */
function gather(from: readonly Placed[], level = 0): readonly Placed[] {
  if (level === levels.length || from.length < 2) return from;
  return hands(from, level)
    .sort((a, b) => b.length - a.length)
    .flatMap((hand) => gather(hand, level + 1));
}

/** Starts at `home`, a node's place in the list; what is as far stays in order. */
function nearestFirst(from: readonly Placed[], machine: Topology, home: number): readonly Placed[] {
  const distances = machine.numaNodes[home]?.distances ?? [];
  const distance = ({ within: [, node = -1] }: Placed): number => distances[node] ?? 0;
  return from.toSorted((a, b) => distance(a) - distance(b));
}

type Order = Required<Pick<SpreadOptions, 'pack'>> & Pick<SpreadOptions, 'prefer'>;

/**
 * The units in the order in which workers get them. Whatever is preferred or packed, no core gets a second worker
 * while another has none.
 */
function arrange(found: readonly CpuSet[], machine: Topology, usable: CpuSet, { pack, prefer }: Order): CpuSet[] {
  const places = levels.map((level) => indexes(domains(level, machine)));
  const first = (cpus: CpuSet): number => cpus.first as number;
  const all = found.map((cpus) => ({ cpus, within: places.map((place) => place.get(first(cpus)) ?? -1) }));

  const sibling = new Map<number, number>();
  for (const { cpus } of machine.cores)
    cpus
      .intersect(usable)
      .toArray()
      .forEach((cpu, at) => sibling.set(cpu, at));
  const turn = ({ cpus }: Placed): number => (cpus.size === 1 ? (sibling.get(first(cpus)) ?? 0) : 0);

  const kinds = indexes(machine.kinds.map(({ cpus }) => cpus));
  const classOf = (cpu: number): number => machine.kinds[kinds.get(cpu) ?? -1]?.efficiencyClass ?? 0;
  const rank = ({ cpus }: Placed): number => {
    if (prefer === undefined) return 0;
    const classes = cpus.toArray().map(classOf);
    return prefer === 'efficiency' ? Math.min(...classes) : -Math.max(...classes);
  };

  const order: Placed[] = [];
  for (const [, alike] of byKey(all, turn))
    for (const [, equals] of byKey(alike, rank)) {
      const next = pack ? gather(equals) : deal(equals);
      order.push(...(pack ? nearestFirst(next, machine, (order[0] ?? next[0])?.within[1] ?? -1) : next));
    }
  return order.map(({ cpus }) => cpus);
}

/** One seat a unit; then the units that have a CPU for one more, until there are enough. */
function deals(order: readonly CpuSet[], seats: number): CpuSet[] {
  const dealt: CpuSet[] = [];
  for (let round = 0; dealt.length < seats; round += 1) dealt.push(...order.filter(({ size }) => size > round));
  return dealt.slice(0, seats);
}

function checkedCount(count: unknown, most: number): number {
  if (typeof count !== 'number') throw wrongType(`count is a number of seats or 'quota', not ${show(count)}`);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw outOfRange(`count is a whole number from 1 to ${most}, the CPUs there are, not ${show(count)}`);
  return count;
}

function checkedOrder({ pack = false, prefer }: SpreadOptions): Order {
  if (typeof pack !== 'boolean') throw wrongType(`pack is true or false, not ${show(pack)}`);
  if (prefer !== undefined && prefer !== 'performance' && prefer !== 'efficiency')
    throw wrongType(`prefer is 'performance' or 'efficiency', not ${show(prefer)}`);
  return prefer === undefined ? { pack } : { pack, prefer };
}

/** An array of numbers is one set of CPUs. */
function isSeveral(where: Where | readonly Where[]): where is readonly Where[] {
  return Array.isArray(where) && !where.some((item) => typeof item === 'number');
}

/** What `within` and `exclude` leave of the CPUs that are running and granted. */
function chosen({ within, exclude = [] }: SpreadOptions, machine: Topology, granted: CpuSet): CpuSet {
  const known = knownOf(machine);
  const { allowed, isolated, online } = machine.cpus;
  let usable = allowed;
  if (within !== undefined) {
    const named = resolve(within, known);
    usable = named.intersect(named.isSubsetOf(isolated) ? granted : allowed);
  }
  for (const where of isSeveral(exclude) ? exclude : [exclude])
    usable = usable.minus(where === 'isolated' ? isolated : resolve(where, known));
  return usable.intersect(online);
}

/**
 * Plans a seat for each worker of this process, on CPUs that it may use and that are online. Neighbouring seats lie
 * far apart: on different packages, NUMA nodes, level 3 caches and cores as long as there are some; with `pack` close
 * together. SMT siblings are the last resort: by 'cpu', no core gets a second worker while another has none. With more
 * seats than units, units are shared evenly, none by more workers than it has CPUs.
 *
 * Isolated CPUs (`isolcpus=`) are used where the process was started on them.
 *
 * @example
 * const plan = spread({ by: 'core', prefer: 'performance' });
 * console.log(`${plan}`); // the machine, with the number of its seat under each CPU
 * const worker = new Worker('./job.js', workerOptions(plan));
 * @throws {TypeError | RangeError} an option has the wrong type or range.
 * @throws {AffinityError} `within` or `exclude` names what does not exist; `ERR_AFFINITY_EMPTY`: no unit has a CPU that
 *   may be used.
 */
export function spread(options: SpreadOptions): Plan {
  return planOn(options, topology(), CpuSet.fromMask(readCpus().settable));
}

/** @internal The plan for any machine. `granted`: what the operating system would let a thread be confined to. */
export function planOn(options: SpreadOptions, machine: Topology, granted: CpuSet = machine.cpus.allowed): Plan {
  if (typeof options !== 'object' || options === null) throw wrongType(`spread takes { by: 'core' }, not ${show(options)}`);
  checkOptions('spread', options, ['by', 'count', 'within', 'exclude', 'prefer', 'pack']);
  const { by, count } = options;
  if (!units.includes(by)) throw wrongType(`by is one of ${units.map((unit) => `'${unit}'`).join(', ')}, not ${show(by)}`);
  const wanted = checkedOrder(options);
  const usable = chosen(options, machine, granted);
  const found = domains(by, machine)
    .map((domain) => domain.intersect(usable))
    .filter((domain) => domain.size > 0);
  if (found.length === 0) {
    const anywhere = options.within === undefined && options.exclude === undefined;
    throw new AffinityError('ERR_AFFINITY_EMPTY', `no ${by} has a CPU that this process may use${anywhere ? '' : ' there'}`);
  }
  const order = arrange(found, machine, usable, wanted);
  const room = order.reduce((sum, { size }) => sum + size, 0);
  const most = count === 'quota' && machine.quota !== null ? Math.min(order.length, fedBy(machine.quota)) : order.length;
  const seats = deals(order, count === undefined || count === 'quota' ? most : checkedCount(count, room));
  const groups = indexes(machine.groups.map(({ online }) => online));
  const nodes = indexes(machine.numaNodes.map(({ cpus }) => cpus));
  const holder = (index: Map<number, number>, cpus: CpuSet): number | undefined => {
    const [own, ...others] = new Set(cpus.toArray().map((cpu) => index.get(cpu)));
    return others.length === 0 ? own : undefined;
  };
  return new MadePlan(
    by,
    seats.map((cpus, seat) => {
      const node = holder(nodes, cpus);
      return Object.freeze({ seat, cpus, group: holder(groups, cpus) ?? null, node: machine.numaNodes[node ?? -1]?.id ?? null });
    }),
    machine,
  );
}
