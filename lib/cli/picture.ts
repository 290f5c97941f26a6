import type { Cache, ProcessorGroup, Topology } from '../machine/topology.ts';

const count = (n: number, one: string, many = `${one}s`): string => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

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

/** Cores in brackets, wrapped to the width. */
function wrap(cells: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const cell of cells) {
    if (line !== '' && line.length + 1 + cell.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? cell : `${line} ${cell}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}

function groupLines(group: ProcessorGroup, machine: Topology, where: Lookup, width: number): string[] {
  const { online, allowed, isolated } = machine.cpus;
  const digits = String(Math.max(...group.cpus)).length;
  const label = (cpu: number): string => {
    const mark = !online.has(cpu) ? 'x' : !allowed.has(cpu) ? '!' : isolated.has(cpu) ? '~' : '';
    return `${cpu}`.padStart(digits) + mark;
  };
  const lines: string[] = [];
  let title: string | undefined;
  let cells: string[] = [];
  let core: number | undefined;
  const flush = (): void => {
    if (title !== undefined) lines.push(title, ...wrap(cells, width - 2).map((line) => `  ${line}`));
    cells = [];
  };
  for (const cpu of group.cpus) {
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
    if (own !== undefined && own === core) cells[cells.length - 1] = `${(cells[cells.length - 1] ?? '').slice(0, -1)} ${label(cpu)}]`;
    else cells.push(known ? `[${label(cpu)}]` : ` ${label(cpu)} `);
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

/** Draws a machine: a box a group, `columns` wide unless a title needs more, cores in brackets, CPUs in bit order. */
export function picture(machine: Topology, columns: number): string {
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
        groupLines(group, machine, where, width - 4),
        width,
      );
    }),
  ];
  const legend = ["[ ] a core, its CPUs in the order of the mask's bits"];
  if (offline.size > 0) legend.push('x offline');
  if (withheld.size > 0) legend.push('! not allowed to this process');
  if (cpus.isolated.size > 0) legend.push('~ isolated');
  lines.push(legend.join(' · '));
  lines.push(
    `allowed ${cpus.allowed.size === 0 ? 'none' : cpus.allowed}${offline.size > 0 ? ` · offline ${offline}` : ''}${cpus.isolated.size > 0 ? ` · isolated ${cpus.isolated}` : ''}`,
  );
  if (kinds.length > 1)
    lines.push(`efficiency classes, slowest first: ${kinds.map((kind) => `${kind.efficiencyClass}: ${kind.cpus}`).join(' · ')}`);
  lines.push(...distanceTable(machine));
  return lines.join('\n');
}
