import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { cpus } from './own-process.ts';

// A cpuset made by hand, in the hierarchy that this machine has.
const v1 = '/sys/fs/cgroup/cpuset';
const isRoot = process.getuid?.() === 0;

function writable(root: string): boolean {
  const folder = `${root}/groupaffinity-probe-${process.pid}`;
  try {
    mkdirSync(folder);
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

/** Why no cpuset can be made here; undefined where it can. */
export const noCpuset: string | undefined = !isRoot
  ? 'needs root'
  : cpus.length < 2
    ? 'needs two CPUs'
    : !existsSync(`${v1}/cpuset.cpus`)
      ? 'needs a cgroup v1 cpuset hierarchy'
      : writable(v1)
        ? undefined
        : 'the cpuset hierarchy is read-only';

export class Cpuset implements Disposable {
  readonly folder: string;

  constructor(allowed: string) {
    this.folder = `${v1}/groupaffinity-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
    mkdirSync(this.folder);
    writeFileSync(`${this.folder}/cpuset.mems`, '0');
    this.allow(allowed);
  }

  allow(cpus: string): void {
    writeFileSync(`${this.folder}/cpuset.cpus`, cpus);
  }

  add(pid: number): void {
    writeFileSync(`${this.folder}/cgroup.procs`, String(pid));
  }

  [Symbol.dispose](): void {
    rmdirSync(this.folder);
  }
}
