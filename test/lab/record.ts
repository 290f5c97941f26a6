/**
 * What the Linux kernel tells of this process's threads in /proc, past every call under test. A program under Wine sees
 * it too, on drive Z: its threads are threads of that kernel.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path/posix';
import { CpuSet } from 'groupaffinity';
import { forgetful } from '../machine/kernel.ts';

/** The folder of this process; undefined where no Linux kernel tells, or nobody said which process this is there. */
function ownFolder(): string | undefined {
  if (process.platform === 'linux') return '/proc/self';
  const number = process.env['LAB_LINUX_PROCESS'];
  return number === undefined ? undefined : `Z:/proc/${number}`;
}

const online = (): CpuSet => CpuSet.parse(readFileSync('/sys/devices/system/cpu/online', 'utf8').trim());

function field(status: string, name: string): string {
  const found = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  if (found === undefined) throw new Error(`the kernel's record has no ${name}`);
  return found;
}

/** What is recorded of one thread. */
export interface Recorded {
  /** Offline CPUs of its set included. */
  readonly allowed: CpuSet;
  /** The same as the kernel writes it: every bit. Of a kernel that forgets offline CPUs, those that are online. */
  readonly bits: string;
  readonly lastCpu: number;
  /** Nice value, or the real-time policy and its priority. */
  readonly priority: string;
}

function read(folder: string): Recorded {
  const status = readFileSync(`${folder}/status`, 'utf8');
  // After the name, which may hold anything but ends at the last parenthesis, comes field 3 of proc(5).
  const stat = (readFileSync(`${folder}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ');
  const [nice, lastCpu, realTime, policy] = [19, 39, 40, 41].map((number) => Number(stat[number - 3]));
  const allowed = CpuSet.parse(field(status, 'Cpus_allowed_list'));
  return {
    allowed,
    bits: forgetful ? String(allowed.intersect(online())) : field(status, 'Cpus_allowed'),
    lastCpu: lastCpu ?? -1,
    priority: policy === 0 ? `nice ${nice}` : `policy ${policy} priority ${realTime}`,
  };
}

/** The kernel's number of the calling thread; undefined where threads can't be told apart by it. */
export function ownThread(): number | undefined {
  return process.platform === 'linux' ? Number(readlinkSync('/proc/thread-self').split('/').at(-1)) : undefined;
}

/** A thread of this process; undefined where the kernel does not tell. */
export function recorded(thread: number | undefined = ownThread()): Recorded | undefined {
  const folder = ownFolder();
  return folder === undefined || thread === undefined ? undefined : read(`${folder}/task/${thread}`);
}

/** Every thread of this process; empty where the kernel does not tell. */
export function allRecorded(): readonly Recorded[] {
  const folder = ownFolder();
  return folder === undefined ? [] : readdirSync(`${folder}/task`).map((thread) => read(`${folder}/task/${thread}`));
}

/** The online CPUs of this process's cpuset (cpuset(7)); undefined where it is in none that can be read. */
export function cpuset(): CpuSet | undefined {
  if (process.platform !== 'linux') return undefined;
  const groups = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  for (const [line, mount, file] of [
    [/^\d+:cpuset:(.*)$/, '/sys/fs/cgroup/cpuset', 'cpuset.effective_cpus'],
    [/^0::(.*)$/, '/sys/fs/cgroup', 'cpuset.cpus.effective'],
  ] as const) {
    // Where a group does not have the controller, the one above it counts.
    for (let path = groups.map((text) => line.exec(text)?.[1]).find((found) => found !== undefined); path !== undefined; path = above(path))
      if (existsSync(`${mount}${path}/${file}`)) return CpuSet.parse(readFileSync(`${mount}${path}/${file}`, 'utf8').trim());
  }
  return undefined;
}

const above = (path: string): string | undefined => (path === '/' || path === '' ? undefined : dirname(path));
