import { native, type NativeMachine } from '../binding.ts';
import { show, wrongType } from '../errors.ts';
import { formatCpuList, maskOf } from './cpu-list.ts';
import { CpuSet } from './cpu-set.ts';
import { groupsOf, processGroups, readMachine, type GroupTable } from './group-table.ts';

/** At most 64 processors. Group and bit of a CPU stay the same while the process lives. */
export interface ProcessorGroup {
  readonly group: number;
  /** Bit n: the group's processor n exists. */
  readonly maximumMask: bigint;
  /** Bit n: the group's processor n is running. */
  readonly activeMask: bigint;
  /** The CPUs of the group in bit order. */
  readonly cpus: readonly number[];
  readonly online: CpuSet;
}

export interface Package {
  /** The operating system's id; null where it has none. Not unique on every machine. */
  readonly id: number | null;
  readonly cpus: CpuSet;
}

export interface Core {
  readonly package: number | null;
  /** The operating system's id; not unique. `core:N` counts in the order of this list instead. */
  readonly id: number | null;
  readonly cpus: CpuSet;
}

export interface NumaNode {
  readonly id: number;
  /** Empty: a node of memory only. */
  readonly cpus: CpuSet;
  /** To each node in the order of this list; 10 is local. Empty where the operating system does not tell. */
  readonly distances: readonly number[];
}

export interface Cache {
  readonly level: number;
  readonly type: 'data' | 'instruction' | 'unified';
  /** Bytes; 0 where unknown. */
  readonly size: number;
  readonly cpus: CpuSet;
}

export interface Kind {
  /** 0 is the most efficient and slowest; higher classes are faster. */
  readonly efficiencyClass: number;
  readonly cpus: CpuSet;
}

export interface Cpus {
  /** What the kernel has room for; overstated on virtual machines. */
  readonly possible: CpuSet;
  /** What is plugged in, running or not. */
  readonly present: CpuSet;
  readonly online: CpuSet;
  /** What this process may use: its cpuset, container or job. */
  readonly allowed: CpuSet;
  /** What the scheduler's balancing leaves alone (isolcpus=). */
  readonly isolated: CpuSet;
}

/**
 * A machine at one moment. In packages, cores, NUMA nodes, caches and kinds the sets hold online CPUs only.
 * `JSON.stringify` gives what `groupaffinity topology --json` prints.
 */
export interface Topology {
  readonly platform: string;
  readonly cpus: Cpus;
  readonly groups: readonly ProcessorGroup[];
  readonly packages: readonly Package[];
  readonly cores: readonly Core[];
  readonly numaNodes: readonly NumaNode[];
  readonly caches: readonly Cache[];
  readonly kinds: readonly Kind[];
  /**
   * CPUs' worth of time that this process may use, as 2.5: the least of what its cgroup and those above it allow (cpu.max,
   * cpu.cfs_quota_us), as far as a container sees them; on Windows what its job does. Null where nothing limits it.
   */
  readonly quota: number | null;
  toJSON(): object;
}

function bitOrder(cpus: readonly number[]): string {
  const run = cpus.every((cpu, at) => at === 0 || cpu === (cpus[at - 1] as number) + 1);
  return run ? formatCpuList(cpus) : cpus.join(',');
}

function asJson(topology: Topology): object {
  const { platform, cpus, groups, packages, cores, numaNodes, caches, kinds, quota } = topology;
  return {
    platform,
    cpus,
    groups: groups.map((group) => ({
      group: group.group,
      maximumMask: `0x${group.maximumMask.toString(16)}`,
      activeMask: `0x${group.activeMask.toString(16)}`,
      cpus: bitOrder(group.cpus),
      online: group.online,
    })),
    packages,
    cores,
    numaNodes,
    caches: caches.map((cache) => ({ level: cache.level, type: cache.type, cpus: cache.cpus })),
    kinds,
    quota,
  };
}

/** Turns what the operating system told into sets and groups. */
export function describe(machine: NativeMachine, table: GroupTable, platform: string): Topology {
  const set = (mask: bigint): CpuSet => CpuSet.fromMask(mask);
  const groups = table.map((bits, group) => {
    let maximumMask = 0n;
    let activeMask = 0n;
    const cpus: number[] = [];
    bits.forEach((cpu, bit) => {
      if (cpu === undefined) return;
      cpus.push(cpu);
      maximumMask |= 1n << BigInt(bit);
      if (((machine.online >> BigInt(cpu)) & 1n) === 1n) activeMask |= 1n << BigInt(bit);
    });
    return { group, maximumMask, activeMask, cpus, online: set(maskOf(cpus) & machine.online) };
  });
  const topology: Topology = {
    platform,
    cpus: {
      possible: set(machine.possible),
      present: set(machine.present),
      online: set(machine.online),
      allowed: set(machine.allowed),
      isolated: set(machine.isolated),
    },
    groups,
    packages: machine.packages.map(({ id, cpus }) => ({ id, cpus: set(cpus) })),
    cores: machine.cores.map(({ package: pack, id, cpus }) => ({ package: pack, id, cpus: set(cpus) })),
    numaNodes: machine.numaNodes.map(({ id, cpus, distances }) => ({ id, cpus: set(cpus), distances })),
    caches: machine.caches.map(({ level, type, bytes, cpus }) => ({ level, type, size: bytes, cpus: set(cpus) })),
    kinds: machine.kinds.map(({ efficiencyClass, cpus }) => ({ efficiencyClass, cpus: set(cpus) })),
    quota: machine.quota,
    toJSON: () => asJson(topology),
  };
  return topology;
}

/**
 * This machine, read anew: what is online and allowed may change, groups do not.
 *
 * @example
 * const { groups, cores } = topology();
 * console.log(`${cores.length} cores in ${groups.length} processor groups`);
 * @throws {AffinityError} `ERR_AFFINITY_UNSUPPORTED`
 */
export function topology(): Topology {
  const machine = readMachine('/');
  return describe(machine, processGroups(machine).table, native.support().platform);
}

/** A recorded machine: `sysroot` holds its sys/ and proc/ folders. Its groups are formed from what is there. */
export function readTopology(sysroot: string): Topology {
  if (typeof sysroot !== 'string' || sysroot === '') throw wrongType(`a sysroot is the path of a folder, not ${show(sysroot)}`);
  const machine = readMachine(sysroot);
  return describe(machine, groupsOf(machine), native.support().platform);
}
