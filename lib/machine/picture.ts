import type { Cache, ProcessorGroup, Topology } from './topology.ts';

/** A number with its noun: 1 seat, 2 seats. */
export const count = (n: number, one: string, many = `${one}s`): string => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

export function bytes(size: number): string {
  if (size >= 2 ** 20) return `${+(size / 2 ** 20).toFixed(1)} MiB`;
  return `${+(size / 2 ** 10).toFixed(1)} KiB`;
}

interface Lookup {
  core: Map<number, number>;
  pack: Map<number, string>;
  node: Map<number, number>;
  l3: Map<number, { index: number; cache: Cache }>;
}

function lookup(machine: Topology): Lookup {
  const found: Lookup = { core: new Map(), pack: new Map(), node: new Map(), l3: new Map() };
  machine.cores.forEach(({ cpus }, index) => cpus.toArray().forEach((cpu) => found.core.set(cpu, index)));
  machine.packages.forEach(({ id, cpus }) => cpus.toArray().forEach((cpu) => found.pack.set(cpu, id === null ? '?' : `${id}`)));
  machine.numaNodes.forEach(({ id, cpus }) => cpus.toArray().forEach((cpu) => found.node.set(cpu, found.node.get(cpu) ?? id)));
  machine.caches
    .filter(({ level, type }) => level === 3 && type !== 'instruction')
    .forEach((cache, index) => cache.cpus.toArray().forEach((cpu) => found.l3.set(cpu, { index, cache })));
  return found;
}

/** What stands under each CPU, and what the legend says of it. */
export interface Tags {
  readonly of: (cpu: number) => string;
  readonly legend: string;
}

/** CPUs, and on a line of its own what stands under them; both as wide. */
interface Cell {
  readonly cpus: string;
  readonly tags: string;
}

/** Cores in brackets, wrapped to the width; tags under them. */
function wrap(cells: readonly Cell[], width: number): string[] {
  const lines: string[] = [];
  let line: Cell | undefined;
  const flush = (): void => {
    if (line !== undefined) lines.push(line.cpus, ...(line.tags.trim() === '' ? [] : [line.tags.trimEnd()]));
  };
  for (const { cpus, tags } of cells) {
    const fits = line !== undefined && line.cpus.length + 1 + cpus.length <= width;
    if (line !== undefined && fits) line = { cpus: `${line.cpus} ${cpus}`, tags: `${line.tags} ${tags}` };
    else {
      flush();
      line = { cpus, tags };
    }
  }
  flush();
  return lines;
}

function groupLines(group: ProcessorGroup, machine: Topology, where: Lookup, width: number, tags: Tags | undefined): string[] {
  const { online, allowed, isolated } = machine.cpus;
  const tagged = group.cpus.map((cpu) => tags?.of(cpu) ?? '');
  const digits = Math.max(String(Math.max(...group.cpus)).length, ...tagged.map(({ length }) => length));
  const label = (cpu: number, at: number): Cell => {
    const mark = !online.has(cpu) ? 'x' : !allowed.has(cpu) ? '!' : isolated.has(cpu) ? '~' : '';
    const cpus = `${cpu}`.padStart(digits) + mark;
    return { cpus, tags: (tagged[at] ?? '').padStart(digits).padEnd(cpus.length) };
  };
  const lines: string[] = [];
  let title: string | undefined;
  let cells: Cell[] = [];
  let core: number | undefined;
  const flush = (): void => {
    if (title !== undefined) lines.push(title, ...wrap(cells, width - 2).map((line) => `  ${line}`));
    cells = [];
  };
  for (const [at, cpu] of group.cpus.entries()) {
    // An offline CPU has no place of its own: it is drawn with its neighbour.
    const known = online.has(cpu);
    const l3 = where.l3.get(cpu);
    const parts = [`node ${where.node.get(cpu) ?? '-'}`, `package ${where.pack.get(cpu) ?? '?'}`];
    if (l3 !== undefined) parts.push(`l3:${l3.index}${l3.cache.size > 0 ? ` ${bytes(l3.cache.size)}` : ''}`);
    const here = parts.join(' · ');
    if (title === undefined || (known && here !== title)) {
      flush();
      title = known ? here : 'offline';
      core = undefined;
    }
    const own = where.core.get(cpu);
    const one = label(cpu, at);
    const siblings = own !== undefined && own === core ? cells.pop() : undefined;
    if (siblings !== undefined)
      cells.push({ cpus: `${siblings.cpus.slice(0, -1)} ${one.cpus}]`, tags: `${siblings.tags.slice(0, -1)} ${one.tags} ` });
    else cells.push({ cpus: known ? `[${one.cpus}]` : ` ${one.cpus} `, tags: ` ${one.tags} ` });
    core = own;
  }
  flush();
  return lines;
}

function box(title: string, lines: readonly string[], columns: number): string[] {
  const width = Math.max(columns, title.length + 6, ...lines.map((line) => line.length + 4));
  return [
    `╭─ ${title} ${'─'.repeat(width - title.length - 5)}╮`,
    ...lines.map((line) => `│ ${line.padEnd(width - 4)} │`),
    `╰${'─'.repeat(width - 2)}╯`,
  ];
}

function distanceTable(machine: Topology): string[] {
  const { numaNodes } = machine;
  if (numaNodes.length < 2) return [];
  const memoryOnly = numaNodes.filter(({ cpus }) => cpus.size === 0).map(({ id }) => id);
  const lines: string[] = [];
  if (memoryOnly.length > 0) lines.push(`${memoryOnly.length === 1 ? 'node' : 'nodes'} ${memoryOnly.join(', ')}: memory only`);
  if (numaNodes.every(({ distances }) => distances.length === numaNodes.length)) {
    const width =
      Math.max(...numaNodes.flatMap(({ id, distances }) => [`${id}`.length, ...distances.map((distance) => `${distance}`.length)])) + 1;
    lines.push('NUMA distances', `  node ${numaNodes.map(({ id }) => `${id}`.padStart(width)).join('')}`);
    for (const { id, distances } of numaNodes)
      lines.push(`  ${`${id}`.padStart(4)} ${distances.map((distance) => `${distance}`.padStart(width)).join('')}`);
  }
  return lines;
}

/** As 2.5 CPUs. */
export const quotaText = (quota: number): string => count(+quota.toFixed(3), 'CPU');

/** Draws a machine: a box a group, `columns` wide unless a title needs more, cores in brackets, CPUs in bit order. */
export function picture(machine: Topology, columns: number, tags?: Tags): string {
  const { cpus, groups, packages, cores, numaNodes, kinds } = machine;
  const width = Math.max(40, Math.min(columns, 120));
  const where = lookup(machine);
  const offline = cpus.present.minus(cpus.online);
  const withheld = cpus.online.minus(cpus.allowed);
  const lines = [
    [
      machine.platform,
      `${count(cpus.online.size, 'CPU')} online${offline.size > 0 ? ` of ${cpus.present.size}` : ''}`,
      count(groups.length, 'processor group'),
      count(packages.length, 'package'),
      count(cores.length, 'core'),
      count(numaNodes.length, 'NUMA node'),
    ].join(' · '),
    '',
    ...groups.flatMap((group) => {
      const masks = group.activeMask === group.maximumMask ? 'all active' : `active 0x${group.activeMask.toString(16)}`;
      return box(
        `group ${group.group} · ${count(group.cpus.length, 'processor')} · mask 0x${group.maximumMask.toString(16)} · ${masks}`,
        groupLines(group, machine, where, width - 4, tags),
        width,
      );
    }),
  ];
  const legend = ["[ ] a core, its CPUs in the order of the mask's bits"];
  if (tags !== undefined) legend.push(tags.legend);
  if (offline.size > 0) legend.push('x offline');
  if (withheld.size > 0) legend.push('! not allowed to this process');
  if (cpus.isolated.size > 0) legend.push('~ isolated');
  lines.push(legend.join(' · '));
  lines.push(
    `allowed ${cpus.allowed.size === 0 ? 'none' : cpus.allowed}${offline.size > 0 ? ` · offline ${offline}` : ''}${cpus.isolated.size > 0 ? ` · isolated ${cpus.isolated}` : ''}`,
  );
  if (machine.quota !== null) lines.push(`quota: the time of ${quotaText(machine.quota)}`);
  if (kinds.length > 1)
    lines.push(`efficiency classes, slowest first: ${kinds.map((kind) => `${kind.efficiencyClass}: ${kind.cpus}`).join(' · ')}`);
  lines.push(...distanceTable(machine));
  return lines.join('\n');
}
