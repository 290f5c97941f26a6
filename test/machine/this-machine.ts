/** This machine in the reference model's words. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { CpuSet, topology } from '../../lib/index.ts';
import type { Ground } from '../model/facade.ts';
import type { CpuSet as ByGroup, Machine } from '../model/reference.ts';

export const { groups, cpus } = topology();

const folder = '/sys/devices/system/cpu';
/** By the kernel's links: they stay when a CPU goes offline. */
const nodeOf = (cpu: number): number => Number(/^node(\d+)$/m.exec(readdirSync(`${folder}/cpu${cpu}`).join('\n'))?.[1] ?? 0);
const nodes = new Map(cpus.present.toArray().map((cpu) => [cpu, nodeOf(cpu)]));

/** CPUs as a set by groups. */
export const byGroup = (set: CpuSet): ByGroup =>
  groups.map((group) => group.cpus.reduce((mask, cpu, bit) => (set.has(cpu) ? mask | (1n << BigInt(bit)) : mask), 0n));

/** What the kernel leaves of a wish for everything: asked by another program, it says what this process may use. */
function granted(): CpuSet {
  const status = execFileSync('taskset', ['-c', String(cpus.present), 'cat', '/proc/self/status'], { encoding: 'utf8' });
  return CpuSet.parse(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '');
}

const maximum = groups.map(({ maximumMask }) => maximumMask);
const usable = granted().intersect(cpus.online);

export const machine: Machine = {
  groups: groups.map(({ maximumMask, activeMask }) => ({ maximum: maximumMask, active: activeMask })),
  // Where nothing is withheld, neither is what comes online later.
  allowed: usable.equals(cpus.online) ? maximum : byGroup(usable),
  nodes: Array.from({ length: Math.max(...nodes.values()) + 1 }, (_, node) =>
    byGroup(cpus.present.intersect(CpuSet.of([...nodes].filter(([, of]) => of === node).map(([cpu]) => cpu)))),
  ),
};

const flat = (set: ByGroup): bigint =>
  CpuSet.of(set.flatMap((mask, group) => (groups[group]?.cpus ?? []).filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n))).toMask();

/** What a program that runs here stands on; `context` says which object is whose. */
export const groundHere = (context: (thread: number) => object): Ground => ({
  flat,
  maximum: (group) => groups[group]?.maximumMask ?? 0n,
  context,
});
