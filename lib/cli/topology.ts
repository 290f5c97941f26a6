import { statSync } from 'node:fs';
import { readTopology, topology } from '../machine/topology.ts';
import { picture } from '../machine/picture.ts';
import { exitStatus, parse, UsageError } from './usage.ts';

export const usage = `Usage: groupaffinity topology [--json] [--sysroot DIR]

  --json          one JSON document on standard output, and nothing else
  --sysroot DIR   a recorded machine: DIR holds its sys/ and proc/ folders`;

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

export function run(args: string[]): number {
  const { json, sysroot } = parse(args, { json: { type: 'boolean' }, sysroot: { type: 'string' } }, usage);
  if (sysroot !== undefined && !isFolder(sysroot)) throw new UsageError(`--sysroot: ${sysroot} is no folder`, usage);
  const machine = sysroot === undefined ? topology() : readTopology(sysroot);
  console.log(json === true ? JSON.stringify(machine, null, 2) : picture(machine, process.stdout.columns || 100));
  return exitStatus.good;
}
