import { cpusOf, parseCpuList } from '../../machine/cpu-list.ts';
import type { Topology } from '../../machine/topology.ts';
import type { MachineLayout } from '../result.ts';
import type { Level } from './data.ts';

export function layoutOf({ packages, numaNodes, caches, cores }: Topology): MachineLayout {
  return {
    packages: packages.map(({ id, cpus }) => ({ id, cpus: String(cpus) })),
    numaNodes: numaNodes.map(({ id, cpus }) => ({ id, cpus: String(cpus) })),
    caches: caches.map(({ level, type, cpus }) => ({ level, type, cpus: String(cpus) })),
    cores: cores.map(({ cpus }) => ({ cpus: String(cpus) })),
  };
}

interface Ordered {
  /** So that CPUs that share something lie together. */
  readonly cpus: number[];
  /** Outermost first. */
  readonly levels: Level[];
}

interface Kind {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly cpus: readonly number[] }[];
}

function kinds({ packages, numaNodes, caches, cores }: MachineLayout): Kind[] {
  const kind = (name: string, sets: readonly { id?: number | null; cpus: string }[]): Kind => ({
    name,
    parts: sets.map(({ id, cpus }, at) => ({ name: `${name} ${id ?? at}`, cpus: cpusOf(parseCpuList(cpus)) })),
  });
  const l3 = caches.filter(({ level, type }) => level === 3 && type !== 'instruction').map(({ cpus }) => ({ cpus }));
  // The ids of cores are not unique: they count through the machine.
  return [
    kind('package', packages),
    kind('node', numaNodes),
    kind('L3', l3),
    kind(
      'core',
      cores.map(({ cpus }) => ({ cpus })),
    ),
  ];
}

const isSame = (one: readonly number[], other: readonly number[]): boolean => one.every((part, at) => part === other[at]);

/** The CPUs of a picture in an order that shows the machine, and the levels that part them; both from its topology where that is known. */
export function arrange(cpus: readonly number[], layout: MachineLayout | null | undefined): Ordered {
  const ascending = [...new Set(cpus)].sort((one, other) => one - other);
  if (layout === null || layout === undefined) return { cpus: ascending, levels: [] };
  // A CPU that a kind knows nothing of is a part of its own.
  const known = kinds(layout).map(({ name, parts }) => {
    const place = new Map<number, number>();
    parts.forEach((part, at) => part.cpus.forEach((cpu) => place.set(cpu, place.get(cpu) ?? at)));
    const of = (cpu: number): number => place.get(cpu) ?? parts.length + cpu;
    return { name, parts, of, size: new Set(ascending.map(of)).size };
  });
  // Stable: of kinds with as many parts, the package comes first.
  known.sort((one, other) => one.size - other.size);
  const ordered = ascending.toSorted((one, other) => {
    for (const { of } of known) if (of(one) !== of(other)) return of(one) - of(other);
    return one - other;
  });
  const levels: Level[] = [];
  for (const { name, parts, of } of known) {
    const numbers = new Map<number, number>();
    for (const cpu of ordered) if (!numbers.has(of(cpu))) numbers.set(of(cpu), numbers.size);
    const level: Level = {
      outer: name,
      inner: name,
      parts: [...numbers.keys()].map((part) => parts[part]?.name ?? `no ${name}`),
      of: ordered.map((cpu) => numbers.get(of(cpu)) ?? 0),
    };
    const outer = levels.at(-1);
    if (outer !== undefined && isSame(outer.of, level.of))
      levels[levels.length - 1] = { ...outer, inner: name, parts: outer.parts.map((part, at) => `${part} · ${level.parts[at]}`) };
    else levels.push(level);
  }
  return { cpus: ordered, levels };
}
