import { readFileSync } from 'node:fs';
import { cpus as processors, release } from 'node:os';
import { join } from 'node:path';
import { native, packageRoot } from '../binding.ts';
import { topology } from '../machine/topology.ts';

/** What every document says of the machine that it comes from. */
export interface MachineInWords {
  readonly platform: string;
  readonly release: string;
  readonly arch: string;
  readonly node: string;
  readonly version: string;
  /** Empty where the operating system does not tell. */
  readonly cpuModel: string;
  readonly cpus: string;
  readonly allowed: string;
  readonly groups: number;
}

export function thisMachine(): MachineInWords {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  const { platform, topology: known } = native.support();
  const cpuModel = processors()[0]?.model.trim() ?? '';
  const machine = { platform, release: release(), arch: process.arch, node: process.versions.node, version, cpuModel };
  if (!known) return { ...machine, cpus: '', allowed: '', groups: 0 };
  const { cpus, groups } = topology();
  return { ...machine, cpus: String(cpus.online), allowed: String(cpus.allowed), groups: groups.length };
}
