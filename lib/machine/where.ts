import { AffinityError, outOfRange, show, wrongType, type AffinityErrorCode } from '../errors.ts';
import { cpusOf, formatCpuList, maskOf, parseCpuList } from './cpu-list.ts';
import { CpuSet } from './cpu-set.ts';
import { groupSize } from './groups.ts';
import { processGroups, type GroupTable } from './group-table.ts';
import { topology, type Topology } from './topology.ts';

/** One group's processors: bit n of the mask is the group's processor n. */
export interface GroupMask {
  readonly group: number;
  readonly mask: bigint;
}

/**
 * How to say which CPUs:
 *
 * - `'0-3,8'`, `'0-10:2'`: CPUs by number, with a stride after a range
 * - `'1:0xff'`, `{ group: 1, mask: 0xffn }`: processors of one group
 * - `'group:1'`, `'numa:0'`, `'package:0'`: by the operating system's ids
 * - `'core:2'`, `'l3:1'` (also `l1`, `l2`, `l4`): by place in the lists of `topology()`, counted from 0
 * - `'kind:1'`: by efficiency class, 0 the slowest (`topology().kinds`)
 * - each of these with a list: `'core:0-3'`, `'numa:0,2'`
 * - `'isolated'`: the CPUs that the scheduler's balancing leaves alone
 * - a `CpuSet`, or CPU numbers: `[0, 1]`
 *
 * A CPU that does not exist is an error; one that exists but is offline is left out and reported; a set of which
 * nothing is left is an error.
 */
export type Where = string | CpuSet | GroupMask | readonly number[];

/** What `resolve` needs to know of a machine. */
export interface Known {
  readonly table: GroupTable;
  /** Every CPU of every group. */
  readonly known: bigint;
  topology(): Topology;
}

const thisMachine: Known = {
  get table() {
    return processGroups().table;
  },
  get known() {
    return processGroups().known;
  },
  topology,
};

/** What a machine's own description knows. */
export function knownOf(machine: Topology): Known {
  const table = machine.groups.map(({ maximumMask, cpus }) => {
    const bits: (number | undefined)[] = [];
    cpusOf(maximumMask).forEach((bit, at) => (bits[bit] = cpus[at]));
    return bits;
  });
  return { table, known: maskOf(machine.groups.flatMap(({ cpus }) => cpus)), topology: () => machine };
}

const named = /^(group|numa|core|package|kind|l[1-4]):(.*)$/;
const places =
  "is no place: those with a number are group:, numa:, package:, core:, l1: to l4: and kind:, as core:0; the one without is 'isolated'";
const groupMask = /^(\d+):(.*)$/;

function unknown(code: AffinityErrorCode, what: string, ids: readonly number[], has: readonly number[], group?: number): AffinityError {
  const known = [...new Set(has)].sort((a, b) => a - b);
  const missing = `${what}${ids.length === 1 ? '' : 's'} ${formatCpuList(ids)}${group === undefined ? '' : ` of group ${group}`} ${ids.length === 1 ? 'does' : 'do'} not exist`;
  return new AffinityError(
    code,
    `${missing}; ${group === undefined ? 'this machine' : 'the group'} has ${known.length === 0 ? 'none' : formatCpuList(known)}`,
  );
}

/** What there is of a kind, by its ids. */
interface Places {
  readonly code: AffinityErrorCode;
  readonly what: string;
  readonly items: readonly { readonly id: number | null; readonly mask: bigint }[];
}

function placesOf(kind: string, machine: Known): Places {
  if (kind === 'group') {
    const items = machine.table.map((cpus, id) => ({ id, mask: maskOf(cpus.filter((cpu) => cpu !== undefined)) }));
    return { code: 'ERR_AFFINITY_UNKNOWN_GROUP', what: 'group', items };
  }
  const { numaNodes, cores, packages, caches, kinds } = machine.topology();
  const byId = (items: readonly { id: number | null; cpus: CpuSet }[]) => items.map(({ id, cpus }) => ({ id, mask: cpus.toMask() }));
  const inOrder = (items: readonly { cpus: CpuSet }[]) => items.map(({ cpus }, id) => ({ id, mask: cpus.toMask() }));
  switch (kind) {
    case 'numa':
      return { code: 'ERR_AFFINITY_UNKNOWN_NODE', what: 'NUMA node', items: byId(numaNodes) };
    case 'package':
      return { code: 'ERR_AFFINITY_UNKNOWN_PACKAGE', what: 'package', items: byId(packages) };
    case 'core':
      return { code: 'ERR_AFFINITY_UNKNOWN_CORE', what: 'core', items: inOrder(cores) };
    case 'kind': {
      const items = byId(kinds.map(({ efficiencyClass, cpus }) => ({ id: efficiencyClass, cpus })));
      return { code: 'ERR_AFFINITY_UNKNOWN_KIND', what: 'kind', items };
    }
    default: {
      const level = Number(kind.slice(1));
      const items = inOrder(caches.filter((cache) => cache.level === level && cache.type !== 'instruction'));
      return { code: 'ERR_AFFINITY_UNKNOWN_CACHE', what: `${kind} cache`, items };
    }
  }
}

function place(kind: string, list: string, machine: Known): bigint {
  const absent = (ids: readonly number[]): AffinityError => {
    const { code, what, items } = placesOf(kind, machine);
    return unknown(
      code,
      what,
      ids,
      items.flatMap(({ id }) => id ?? []),
    );
  };
  const ids = cpusOf(parseCpuList(list, (digits) => absent([Number(digits)])));
  if (ids.length === 0) throw new AffinityError('ERR_AFFINITY_SYNTAX', `'${kind}:' needs a number, as ${kind}:0`);
  const { items } = placesOf(kind, machine);
  const missing = ids.filter((id) => !items.some((item) => item.id === id));
  if (missing.length > 0) throw absent(missing);
  return items.reduce((mask, item) => (item.id !== null && ids.includes(item.id) ? mask | item.mask : mask), 0n);
}

function inGroup({ group, mask }: GroupMask, machine: Known): bigint {
  if (typeof mask !== 'bigint') throw wrongType(`a group's mask is a bigint, as 0xffn, not ${show(mask)}`);
  if (typeof group !== 'number') throw wrongType(`a group is a number, not ${show(group)}`);
  if (!Number.isInteger(group) || group < 0) throw outOfRange(`a group is a whole number from 0, not ${show(group)}`);
  const cpus = machine.table[group];
  if (cpus === undefined) throw unknown('ERR_AFFINITY_UNKNOWN_GROUP', 'group', [group], [...machine.table.keys()]);
  if (mask < 0n || mask >> BigInt(groupSize) !== 0n)
    throw outOfRange(`a group's mask has ${groupSize} bits, 0x${(mask < 0n ? -mask : mask).toString(16)} does not fit`);
  const bits = cpusOf(mask);
  const missing = bits.filter((bit) => cpus[bit] === undefined);
  if (missing.length > 0) throw unknown('ERR_AFFINITY_UNKNOWN_CPU', 'processor', missing, Object.keys(cpus).map(Number), group);
  return maskOf(bits.map((bit) => cpus[bit] as number));
}

function fromText(text: string, machine: Known): bigint {
  const trimmed = text.trim();
  if (trimmed === 'isolated') return machine.topology().cpus.isolated.toMask();
  const byName = named.exec(trimmed);
  if (byName !== null) return place(byName[1] as string, byName[2] as string, machine);
  const byMask = groupMask.exec(trimmed);
  if (byMask === null) {
    if (/^0x/i.test(trimmed)) throw new AffinityError('ERR_AFFINITY_SYNTAX', `${show(text)}: a mask is of one group, as 0:${trimmed}`);
    if (/^[a-z]/i.test(trimmed)) throw new AffinityError('ERR_AFFINITY_SYNTAX', `${show(text)} ${places}`);
    return parseCpuList(trimmed);
  }
  const hex = byMask[2] as string;
  if (!/^0x[0-9a-f]+$/i.test(hex))
    throw new AffinityError(
      'ERR_AFFINITY_SYNTAX',
      `${show(text)}: a group's mask is written in hexadecimal, as ${byMask[1]}:0x3; a stride needs a range, as 0-10:2`,
    );
  return inGroup({ group: Number(byMask[1]), mask: BigInt(hex) }, machine);
}

/** The CPUs that `where` names, online or not; every one of them exists. */
export function resolve(where: Where, machine: Known = thisMachine): CpuSet {
  let set: CpuSet;
  if (where instanceof CpuSet) set = where;
  else if (typeof where === 'string') set = CpuSet.fromMask(fromText(where, machine));
  else if (Array.isArray(where)) set = CpuSet.of(where as readonly number[]);
  else if (typeof where === 'object' && where !== null && 'group' in where && 'mask' in where)
    set = CpuSet.fromMask(inGroup(where, machine));
  else if (Number.isSafeInteger(where) && Number(where) >= 0)
    throw wrongType(
      `${show(where)} is ambiguous: write '${show(where)}' or [${show(where)}] for CPU ${show(where)}, CpuSet.fromMask(${show(where)}n) for a mask of CPUs`,
    );
  else if (typeof where === 'bigint')
    throw wrongType(
      `${show(where)} is ambiguous: write CpuSet.fromMask(${show(where)}) for a mask of CPUs, { group: 0, mask: ${show(where)} } for processors of a group`,
    );
  else throw wrongType(`where is a text such as '0-3' or 'numa:0', a CpuSet, { group, mask } or CPU numbers, not ${show(where)}`);

  const mask = set.toMask();
  if (mask === 0n) throw new AffinityError('ERR_AFFINITY_EMPTY', `${show(typeof where === 'string' ? where : String(set))} names no CPU`);
  const beyond = mask & ~machine.known;
  if (beyond !== 0n) throw unknown('ERR_AFFINITY_UNKNOWN_CPU', 'CPU', cpusOf(beyond), cpusOf(machine.known));
  return set;
}
