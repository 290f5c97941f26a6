import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { cpus } from './own-process.ts';

// A cpuset made by hand, in whichever hierarchy this machine has: a version 1 one of its own, or the unified one.
const v1 = '/sys/fs/cgroup/cpuset';
const v2 = '/sys/fs/cgroup';

function unifiedHasCpusets(): boolean {
  try {
    return readFileSync(`${v2}/cgroup.controllers`, 'utf8').split(/\s+/).includes('cpuset');
  } catch {
    return false;
  }
}

const root = existsSync(`${v1}/cpuset.cpus`) ? v1 : unifiedHasCpusets() ? v2 : undefined;

function writable(folder: string): boolean {
  try {
    mkdirSync(`${folder}/groupaffinity-probe-${process.pid}`);
    rmdirSync(`${folder}/groupaffinity-probe-${process.pid}`);
    if (folder === v2) writeFileSync(`${v2}/cgroup.subtree_control`, '+cpuset');
    return true;
  } catch {
    return false;
  }
}

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (cpus.length < 2) return 'needs two CPUs';
  if (root === undefined) return 'needs a cgroup hierarchy with cpusets';
  return writable(root) ? undefined : 'the cpuset hierarchy is read-only';
}

/** Why no cpuset can be made here; undefined where it can. */
export const noCpuset: string | undefined = whyNot();

export class Cpuset implements Disposable {
  readonly folder: string;

  constructor(allowed: string) {
    this.folder = `${root}/groupaffinity-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
    mkdirSync(this.folder);
    writeFileSync(`${this.folder}/cpuset.mems`, '0');
    writeFileSync(this.cpusFile, allowed);
  }

  /** Takes a list of CPUs. */
  get cpusFile(): string {
    return `${this.folder}/cpuset.cpus`;
  }

  /** Takes the number of a thread; version 1 only. */
  get tasksFile(): string {
    return `${this.folder}/tasks`;
  }

  /** A command that starts another one in the cpuset. */
  get under(): string[] {
    return ['sh', '-c', `echo $$ > ${this.folder}/cgroup.procs; exec "$@"`, 'sh'];
  }

  [Symbol.dispose](): void {
    rmdirSync(this.folder);
  }
}

/** Why threads of one process can't be in cpusets of their own here; undefined where they can. */
export const noThreadCpuset: string | undefined =
  noCpuset ?? (root === v1 ? undefined : 'needs a version 1 hierarchy, where a thread can be moved alone');
