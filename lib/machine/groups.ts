/**
 * Processor groups where the operating system has none: formed as Windows forms them from the same hardware
 * (Microsoft, "Processor Groups" and "NUMA Support"; layouts seen on real machines are the tests of this file).
 */

/** The most CPUs in one group: the bits of one mask. */
export const groupSize = 64;

export interface GroupRules {
  /** CPUs a group may have: 64, or what `bcdedit /set groupsize` allows, a power of two from 1 to 64. */
  groupSize?: number;
  /** `bcdedit /set maxgroup on`: spread the nodes over as many groups as there are. */
  maxGroup?: boolean;
}

function split(nodes: readonly (readonly number[])[], size: number): number[][] {
  return nodes.flatMap((node) => {
    const pieces: number[][] = [];
    for (let at = 0; at < node.length; at += size) pieces.push(node.slice(at, at + size));
    return pieces;
  });
}

/** First fit in walking order: a full piece opens a group of its own, a smaller one joins the first with room below `limit`. */
function pack(pieces: readonly number[][], size: number, limit: number): number[][] {
  const groups: { cpus: number[]; full: boolean }[] = [];
  for (const piece of pieces) {
    const full = piece.length === size;
    const home = full ? undefined : groups.find((group) => !group.full && group.cpus.length + piece.length <= limit);
    if (home === undefined) groups.push({ cpus: [...piece], full });
    else home.cpus.push(...piece);
  }
  return groups.map((group) => group.cpus);
}

/**
 * The CPUs of each group in bit order, from the CPUs of each NUMA node. The node that holds CPU 0 comes first; within
 * a node the order says which CPUs belong together (siblings of a core, cores of a package).
 *
 * Machines that fit into one group get one. A node larger than a group is cut into full groups and a remainder;
 * remainders and whole nodes share groups, no fewer than needed and evenly filled.
 */
export function formGroups(nodes: readonly (readonly number[])[], rules: GroupRules = {}): number[][] {
  const size = rules.groupSize ?? groupSize;
  const filled = nodes.filter((node) => node.length > 0);
  const total = filled.reduce((sum, node) => sum + node.length, 0);
  if (total === 0) return [];
  if (rules.maxGroup === true) return split(filled, size);
  if (total <= size) return [filled.flat()];

  const pieces = split(filled, size);
  const small = pieces.filter((piece) => piece.length < size);
  const groups = pack(pieces, size, size);
  const shared = groups.length - (pieces.length - small.length);
  if (shared < 2) return groups;
  const sum = small.reduce((cpus, piece) => cpus + piece.length, 0);
  const largest = Math.max(...small.map((piece) => piece.length));
  for (let limit = Math.max(Math.ceil(sum / shared), largest); limit < size; limit += 1) {
    const balanced = pack(pieces, size, limit);
    if (balanced.length <= groups.length) return balanced;
  }
  return groups;
}
