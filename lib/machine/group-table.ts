/** Which CPU is which bit of which group: on this machine, for as long as the process lives. */
import { native, Outcome, type NativeCpus, type NativeMachine } from '../binding.ts';
import { AffinityError, osDetails } from '../errors.ts';
import { cpusOf, maskOf } from './cpu-list.ts';
import { formGroups, groupSize, type GroupRules } from './groups.ts';

/** Says where a CPU belongs that is present but offline: Linux takes its topology away with it. */
interface Siblings {
  /** The lowest CPU of the core. */
  core: (cpu: number) => number;
  /** The lowest CPU of the package. */
  pack: (cpu: number) => number;
}

function lowestOf(sets: readonly { cpus: bigint }[]): Map<number, number> {
  const lowest = new Map<number, number>();
  for (const set of sets) {
    const cpus = cpusOf(set.cpus);
    for (const cpu of cpus) if (!lowest.has(cpu)) lowest.set(cpu, cpus[0] as number);
  }
  return lowest;
}

/** Siblings are a fixed number of CPUs apart on most machines (1, or half of all): then offline ones are known as well. */
function coreByStride(known: Map<number, number>): ((cpu: number) => number) | undefined {
  let threads = 1;
  let stride = 0;
  const sizes = new Map<number, number>();
  for (const [cpu, first] of known) {
    const size = (sizes.get(first) ?? 0) + 1;
    sizes.set(first, size);
    threads = Math.max(threads, size);
    if (cpu !== first && (stride === 0 || cpu - first < stride)) stride = cpu - first;
  }
  if (stride === 0) return undefined;
  const core = (cpu: number): number => cpu - stride * (Math.floor(cpu / stride) % threads);
  const firstOf = new Map<number, number>();
  for (const [cpu, first] of known) {
    const rule = core(cpu);
    if ((firstOf.get(rule) ?? first) !== first) return undefined;
    firstOf.set(rule, first);
  }
  return firstOf.size === new Set(known.values()).size ? core : undefined;
}

function siblings(machine: NativeMachine, present: readonly number[]): Siblings {
  const cores = lowestOf(machine.cores);
  const packages = lowestOf(machine.packages);
  const rule = coreByStride(cores);
  const coreOf = (cpu: number): number => rule?.(cpu) ?? cores.get(cpu) ?? cpu;

  const count = new Set(packages.values()).size;
  const byResidue = new Map<number, number>();
  let interleaved = count > 1;
  for (const [cpu, pack] of packages) {
    const residue = coreOf(cpu) % count;
    if ((byResidue.get(residue) ?? pack) !== pack) interleaved = false;
    byResidue.set(residue, pack);
  }
  const byCore = new Map<number, number>();
  for (const [cpu, pack] of packages) byCore.set(coreOf(cpu), pack);

  const packOf = new Map<number, number>();
  const firstOf = new Map<number, number>();
  let before = present[0] ?? 0;
  for (const cpu of present) {
    const pack = packages.get(cpu) ?? byCore.get(coreOf(cpu)) ?? (interleaved ? byResidue.get(coreOf(cpu) % count) : undefined) ?? before;
    before = pack;
    packOf.set(cpu, pack);
    if (!firstOf.has(pack)) firstOf.set(pack, cpu);
  }
  return { core: coreOf, pack: (cpu) => firstOf.get(packOf.get(cpu) ?? cpu) ?? cpu };
}

/**
 * The CPUs that exist on each NUMA node that has any, in the order in which groups take them: the node of CPU 0 first,
 * then by node id; in a node by package, core and SMT sibling, each by its lowest CPU. CPUs that no node claims go
 * with their lower neighbour; a CPU that several claim belongs to the first.
 */
export function nodeLists(machine: NativeMachine): number[][] {
  const present = cpusOf(machine.present);
  const nodeOf = new Map<number, number>();
  machine.numaNodes.forEach((node, index) => {
    for (const cpu of cpusOf((node.capacity | node.cpus) & machine.present)) if (!nodeOf.has(cpu)) nodeOf.set(cpu, index);
  });
  const lists = new Map<number, number[]>();
  let before = nodeOf.values().next().value ?? 0;
  for (const cpu of present) {
    const node = nodeOf.get(cpu) ?? before;
    before = node;
    const list = lists.get(node);
    if (list === undefined) lists.set(node, [cpu]);
    else list.push(cpu);
  }
  const { core, pack } = siblings(machine, present);
  const boot = lists.entries().next().value?.[0];
  return [...lists.entries()]
    .sort(([a], [b]) => Number(b === boot) - Number(a === boot) || a - b)
    .map(([, list]) =>
      list
        .map((cpu) => ({ cpu, core: core(cpu), pack: pack(cpu) }))
        .sort((a, b) => a.pack - b.pack || a.core - b.core || a.cpu - b.cpu)
        .map(({ cpu }) => cpu),
    );
}

/** The CPUs of each group, indexed by bit. A bit without a CPU is undefined. */
export type GroupTable = readonly (readonly (number | undefined)[])[];

/** The operating system's own groups where it has some, else groups formed from the topology. */
export function groupsOf(machine: NativeMachine, rules?: GroupRules): GroupTable {
  if (machine.groups.length === 0) return formGroups(nodeLists(machine), rules);
  let cpu = 0;
  return machine.groups.map(({ maximum }) => {
    const cpus: (number | undefined)[] = [];
    for (const bit of cpusOf(maximum)) cpus[bit] = cpu++;
    return cpus;
  });
}

const none = 0xffff_ffff;

function flatten(table: GroupTable): Uint32Array {
  const flat = new Uint32Array(table.length * groupSize).fill(none);
  table.forEach((cpus, group) => cpus.forEach((cpu, bit) => (flat[group * groupSize + bit] = cpu ?? none)));
  return flat;
}

function unflatten(flat: Uint32Array): GroupTable {
  const table: (number | undefined)[][] = [];
  for (let at = 0; at < flat.length; at += groupSize) {
    const cpus: (number | undefined)[] = [];
    flat.subarray(at, at + groupSize).forEach((cpu, bit) => {
      if (cpu !== none) cpus[bit] = cpu;
    });
    table.push(cpus);
  }
  return table;
}

function told<T>(sysroot: string, answer: { outcome: Outcome; osError: number } & Partial<T>): T {
  const { outcome, osError, ...found } = answer;
  if (outcome === Outcome.done) return found as T;
  const { platform } = native.support();
  if (outcome === Outcome.unsupported)
    throw new AffinityError(
      'ERR_AFFINITY_UNSUPPORTED',
      `the topology ${sysroot === '/' ? 'of this machine' : `below ${sysroot}`} can't be read on ${platform}`,
    );
  throw new AffinityError('ERR_AFFINITY_REFUSED', `no online CPU is described below ${sysroot}`, osDetails(platform, osError));
}

/** Reads the machine below `sysroot`; '/' is this one. */
export const readMachine = (sysroot: string): NativeMachine => told<NativeMachine>(sysroot, native.readMachine(sysroot));

/** Which CPUs this machine has, runs, and lets this process use: cheap, however large it is. */
export const readCpus = (): NativeCpus => told<NativeCpus>('/', native.readCpus());

export interface ProcessGroups {
  readonly table: GroupTable;
  /** Every CPU of every group. */
  readonly known: bigint;
  /** Group and bit of a CPU. */
  readonly locate: (cpu: number) => { group: number; number: number } | undefined;
}

let mine: ProcessGroups | undefined;

/** The groups of this process: formed once, by the first thread that asks, the same for all of its threads. */
export function processGroups(machine?: NativeMachine): ProcessGroups {
  if (mine !== undefined) return mine;
  const table = unflatten(native.groups() ?? native.formGroups(flatten(groupsOf(machine ?? readMachine('/')))));
  const places = new Map<number, { group: number; number: number }>();
  table.forEach((cpus, group) =>
    cpus.forEach((cpu, number) => {
      if (cpu !== undefined) places.set(cpu, { group, number });
    }),
  );
  mine = { table, known: maskOf(places.keys()), locate: (cpu) => places.get(cpu) };
  return mine;
}
