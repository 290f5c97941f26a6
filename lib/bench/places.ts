/** Which CPUs of a machine show what: only such as the process may use. */
import { CpuSet } from '../machine/cpu-set.ts';
import type { Topology } from '../machine/topology.ts';
import { planOn } from '../workers/plan.ts';

/** How two CPUs lie to each other, the nearest first. */
export type Relation = 'same-core' | 'same-l3' | 'other-l3' | 'other-package' | 'other-node' | 'other-group';

export type Pair = readonly [number, number];

/** Where a CPU lies, by places in the lists of the topology; undefined where that does not tell. */
interface Address {
  readonly cpu: number;
  readonly core: number;
  readonly l3: number | undefined;
  readonly pack: number | undefined;
  readonly node: number | undefined;
  readonly group: number | undefined;
  readonly kind: number | undefined;
}

const l3Caches = (machine: Topology): readonly CpuSet[] =>
  machine.caches.filter(({ level, type }) => level === 3 && type !== 'instruction').map(({ cpus }) => cpus);

export const usable = (machine: Topology): CpuSet => machine.cpus.allowed.intersect(machine.cpus.online);

/** Of each usable CPU, the highest first: interrupts and other programs like the low ones. */
function addresses(machine: Topology): Address[] {
  const lookup = (sets: readonly CpuSet[]): Map<number, number> => {
    const found = new Map<number, number>();
    sets.forEach((set, at) => set.toArray().forEach((cpu) => found.set(cpu, found.get(cpu) ?? at)));
    return found;
  };
  const cores = lookup(machine.cores.map(({ cpus }) => cpus));
  const l3 = lookup(l3Caches(machine));
  const packages = lookup(machine.packages.map(({ cpus }) => cpus));
  const nodes = lookup(machine.numaNodes.map(({ cpus }) => cpus));
  const groups = lookup(machine.groups.map(({ online }) => online));
  const kinds = lookup(machine.kinds.map(({ cpus }) => cpus));
  return [...usable(machine)].reverse().map((cpu) => ({
    cpu,
    // A CPU in no core is one of its own.
    core: cores.get(cpu) ?? machine.cores.length + cpu,
    l3: l3.get(cpu),
    pack: packages.get(cpu),
    node: nodes.get(cpu),
    group: groups.get(cpu),
    kind: kinds.get(cpu),
  }));
}

const surroundings = ['l3', 'pack', 'node', 'group', 'kind'] as const;

/** In how many ways two CPUs of different cores are apart. */
const apart = (a: Address, b: Address): number => surroundings.filter((way) => a[way] !== b[way]).length;

const differ = (a: number | undefined, b: number | undefined): boolean => a !== undefined && b !== undefined && a !== b;

const relations: Readonly<Record<Exclude<Relation, 'same-core'>, (a: Address, b: Address) => boolean>> = {
  'same-l3': (a, b) => a.l3 !== undefined && a.l3 === b.l3,
  'other-l3': (a, b) => differ(a.l3, b.l3) && a.pack === b.pack,
  'other-package': (a, b) => differ(a.pack, b.pack),
  'other-node': (a, b) => differ(a.node, b.node),
  'other-group': (a, b) => differ(a.group, b.group),
};

const ordered = (a: number, b: number): Pair => [Math.min(a, b), Math.max(a, b)];

/** A machine's CPUs by how they lie to each other. */
export class Neighbours {
  readonly #addresses: readonly Address[];
  readonly #machine: Topology;

  constructor(machine: Topology) {
    this.#machine = machine;
    this.#addresses = addresses(machine);
  }

  get cpus(): readonly number[] {
    return this.#addresses.map(({ cpu }) => cpu);
  }

  /** Two CPUs that lie so, and as near to each other as may be in every other way; or why there are none. */
  pair(relation: Relation): Pair | string {
    if (relation === 'same-core') return this.#siblings() ?? 'needs a core of two threads that this process may use';
    // Two cores stand for all that have the same surroundings.
    const cores = new Map<string, Address[]>();
    for (const address of this.#addresses) {
      const key = surroundings.map((way) => address[way] ?? '-').join('/');
      const known = cores.get(key) ?? [];
      if (known.length < 2 && known.every(({ core }) => core !== address.core)) cores.set(key, [...known, address]);
    }
    const all = [...cores.values()].flat();
    const lies = relations[relation];
    let best: { pair: Pair; far: number } | undefined;
    for (const [at, a] of all.entries())
      for (const b of all.slice(at + 1)) {
        if (a.core === b.core || !lies(a, b)) continue;
        const far = apart(a, b);
        if (best === undefined || far < best.far) best = { pair: ordered(a.cpu, b.cpu), far };
      }
    return best?.pair ?? this.#why(relation);
  }

  /** Two CPUs of one processor group. */
  mates(): Pair | undefined {
    for (const a of this.#addresses) {
      const b = this.#addresses.find(({ cpu, group }) => cpu < a.cpu && group === a.group);
      if (b !== undefined) return ordered(a.cpu, b.cpu);
    }
    return undefined;
  }

  #siblings(): Pair | undefined {
    const seen = new Map<number, number>();
    for (const { core, cpu } of this.#addresses) {
      const other = seen.get(core);
      if (other !== undefined) return ordered(cpu, other);
      seen.set(core, cpu);
    }
    return undefined;
  }

  #why(relation: Exclude<Relation, 'same-core'>): string {
    const known = l3Caches(this.#machine).length > 0;
    switch (relation) {
      case 'same-l3':
        return known ? 'needs two cores below one level 3 cache that this process may use' : 'this machine tells no level 3 cache';
      case 'other-l3':
        return known ? 'needs a package with two level 3 caches that this process may use' : 'this machine tells no level 3 cache';
      case 'other-package':
        return 'needs a second package that this process may use';
      case 'other-node':
        return 'needs a second NUMA node with CPUs that this process may use';
      case 'other-group':
        return 'needs a second processor group that this process may use';
    }
  }
}

/** The usable CPUs of each core, neighbours in the list far apart on the machine. */
export function spreadCores(machine: Topology): readonly CpuSet[] {
  const all = usable(machine);
  if (!machine.cores.some(({ cpus }) => cpus.intersect(all).size > 0)) return [];
  return planOn({ by: 'core' }, machine).seats.map(({ cpus }) => cpus);
}

/**
 * At most so many CPUs of these cores: whole cores as long as that leaves two of them, so that pairs of every relation are
 * among them.
 */
export function sampleOfCpus(cores: readonly CpuSet[], most: number): number[] {
  const chosen: number[] = [];
  for (const core of cores) {
    const room = most - chosen.length;
    if (room <= 0) break;
    chosen.push(...core.toArray().slice(0, Math.min(room, Math.max(1, most >> 1))));
  }
  return chosen.sort((a, b) => a - b);
}
