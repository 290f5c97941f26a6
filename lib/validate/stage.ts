/** Where the claims are checked: the calling thread, and the machine as it found it. */
import { release } from 'node:os';
import { loadError, native, type NativeSupport } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups, readCpus } from '../machine/group-table.ts';
import { topology } from '../machine/topology.ts';
import { inherit, readOwn, userExact, type Exact } from '../threads/own-thread.ts';
import { exactly, where } from './look.ts';

/** A processor that exists and is offline, and one of its group that is not. */
export interface Resting {
  readonly cpu: number;
  readonly active: number;
}

export interface Stage {
  readonly can: NativeSupport;
  readonly isRoot: boolean;
  /** The operating system's version, where it leaves offline CPUs out of every set that it is given. */
  readonly forgetful: string | undefined;
  /** CPUs may be taken offline. */
  readonly hotplug: boolean;
  /** Forced moves to each CPU. */
  readonly moves: number;
  /** Another thread of the process, which nothing here may change. */
  readonly bystander: number;
  /** CPUs of every group that this process may use. */
  readonly cpus: readonly number[];
  readonly groups: readonly { readonly maximum: bigint; readonly active: bigint }[];
  /** Two of `cpus`, in one group if any group has two; the same one twice where there is only one. */
  readonly one: number;
  readonly other: number;
  /** They are two, and in one group. */
  readonly mates: boolean;
  /** `where()` and `exactly()` before the first claim. */
  readonly start: string;
  readonly bits: string;
  /** The thread's set then, and what brings it back. */
  readonly set: CpuSet;
  readonly user: Exact | undefined;
  /** CPUs that run and that the operating system does not grant this process. */
  readonly withheld: readonly number[];
  readonly resting: Resting | undefined;
  /** A group and a bit of which it has no processor. */
  readonly foreign: { readonly group: number; readonly bit: bigint } | undefined;
  /** Told what part of a long claim is done, from 0 to 1. */
  readonly progress: (part: number) => void;
}

export type StageOptions = Pick<Stage, 'hotplug' | 'moves' | 'bystander' | 'progress'>;

/** Since 6.2 Linux remembers what was asked for ("sched: Always preserve the user requested cpumask"). */
function forgetfulKernel(platform: string): string | undefined {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return platform === 'linux' && (major < 6 || (major === 6 && minor < 2)) ? `Linux ${release()}` : undefined;
}

export function setStage(options: StageOptions): Stage {
  const can = native.support();
  const bare: Stage = {
    ...options,
    can,
    isRoot: process.getuid?.() === 0,
    forgetful: forgetfulKernel(can.platform),
    cpus: [],
    groups: [],
    one: 0,
    other: 0,
    mates: false,
    start: '',
    bits: '',
    set: CpuSet.empty,
    user: can.affinity ? userExact() : undefined,
    withheld: [],
    resting: undefined,
    foreign: undefined,
  };
  if (loadError !== undefined || !can.affinity || !can.topology) return bare;
  // What such a kernel will forget at the first claim is not to be looked for after it; nor are the other groups of a
  // thread that Windows 11 tells by its part in one.
  if ((bare.forgetful !== undefined || !can.spansGroups) && bare.user !== undefined) inherit(bare.user);
  const { groups, cpus } = topology();
  const pairs = groups.map(({ online }) => online.intersect(cpus.allowed).toArray()).filter(({ length }) => length > 0);
  const home = pairs.find(({ length }) => length > 1) ?? pairs[0] ?? [];
  const rest = groups.flatMap((group) => {
    const active = group.online.intersect(cpus.allowed).first;
    const cpu = CpuSet.of(group.cpus).minus(cpus.online).first;
    return active === undefined || cpu === undefined ? [] : [{ cpu, active }];
  });
  const spare = processGroups().table.findIndex((bits) => bits.length < 64);
  return {
    ...bare,
    cpus: cpus.allowed.toArray(),
    groups: groups.map(({ maximumMask, activeMask }) => ({ maximum: maximumMask, active: activeMask })),
    one: home[0] ?? 0,
    other: (home.length > 1 ? home : pairs.flat()).at(-1) ?? 0,
    mates: home.length > 1,
    start: where(),
    bits: exactly(),
    set: readOwn(),
    withheld: CpuSet.of(groups.flatMap((group) => group.cpus))
      .intersect(cpus.online)
      .minus(CpuSet.fromMask(readCpus().settable))
      .toArray(),
    resting: rest[0],
    foreign: spare < 0 ? undefined : { group: spare, bit: 1n << BigInt(processGroups().table[spare]?.length ?? 0) },
  };
}
