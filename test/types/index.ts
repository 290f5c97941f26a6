/** The types behind `groupaffinity`, as the package carries them: what is accepted and what is refused. */
import {
  affinity,
  AffinityError,
  allowedCpus,
  CpuSet,
  currentCpu,
  getThreadPriority,
  pin,
  placeProcess,
  setThreadAffinity,
  setThreadPriority,
  support,
  threads,
  topology,
  withAffinity,
  type AffinityErrorCode,
  type AffinityErrorDetails,
  type Cache,
  type Certainty,
  type Core,
  type Cpus,
  type CurrentCpu,
  type GroupMask,
  type Kind,
  type NiceOrRealtime,
  type NumaNode,
  type Package,
  type Pin,
  type PlacedThread,
  type PrioritizedThread,
  type ProcessorGroup,
  type ProcessPlaces,
  type RoleName,
  type Support,
  type ThreadInfo,
  type ThreadPriority,
  type ThreadRole,
  type Topology,
  type Where,
  type Who,
} from 'groupaffinity';
import type { Plan, SpreadOptions } from 'groupaffinity/workers';
import { same, signature } from './same.ts';

signature<typeof affinity, [], CpuSet>(true);
signature<typeof allowedCpus, [], CpuSet>(true);
signature<typeof currentCpu, [], CurrentCpu>(true);
signature<typeof pin, [where: Where], Pin>(true);
signature<typeof support, [], Support>(true);
signature<typeof topology, [], Topology>(true);

// ---- where -----------------------------------------------------------------------------------------------------------

pin('0-3,8');
pin('1:0xff');
pin([0, 1] as const);
pin(CpuSet.of([0]));
pin({ group: 1, mask: 0xffn });
// @ts-expect-error a number is not a mask, and not a CPU
pin(3);
// @ts-expect-error nor is a bigint
pin(3n);
// @ts-expect-error masks are bigint
pin({ group: 1, mask: 0xff });
// @ts-expect-error a mask of no group
pin({ mask: 0xffn });
// @ts-expect-error numbers, not texts
pin(['0']);
// @ts-expect-error
pin();
// @ts-expect-error
pin(null);
// @ts-expect-error one place
pin('0', '1');

same<Where, string | CpuSet | GroupMask | readonly number[]>(true);
same<GroupMask, { readonly group: number; readonly mask: bigint }>(true);

// ---- pins ------------------------------------------------------------------------------------------------------------

{
  using here = pin('0');
  same<typeof here, Pin>(true);
  same<typeof here.cpus, CpuSet>(true);
  same<typeof here.dropped, CpuSet>(true);
  const { restore } = here;
  signature<typeof restore, [], void>(true);
  // @ts-expect-error
  here.cpus = CpuSet.empty;
}
const disposable: Disposable = pin('0');
disposable[Symbol.dispose]();
// @ts-expect-error only pin() makes one
type Constructed = new () => InstanceType<typeof Pin>;

same<ReturnType<typeof withAffinity<number>>, number>(true);
const sum = withAffinity([0], () => 6);
same<typeof sum, number>(true);
const later = withAffinity('0', async () => 'x');
same<typeof later, Promise<string>>(true);
// @ts-expect-error fn takes nothing
withAffinity('0', (cpu: number) => cpu);
// @ts-expect-error
withAffinity('0');
// @ts-expect-error
withAffinity('0', 6);

// ---- CpuSet ----------------------------------------------------------------------------------------------------------

const set = CpuSet.parse('0-3,8');
same<typeof set, CpuSet>(true);
signature<typeof CpuSet.of, [cpus: Iterable<number>], CpuSet>(true);
signature<typeof CpuSet.parse, [list: string], CpuSet>(true);
signature<typeof CpuSet.fromMask, [mask: bigint], CpuSet>(true);
same<typeof CpuSet.empty, CpuSet>(true);
same<typeof set.size, number>(true);
same<typeof set.first, number | undefined>(true);
same<ReturnType<typeof set.has>, boolean>(true);
for (const combine of ['union', 'intersect', 'minus'] as const) same<ReturnType<(typeof set)[typeof combine]>, CpuSet>(true);
same<ReturnType<typeof set.equals>, boolean>(true);
same<ReturnType<typeof set.isSubsetOf>, boolean>(true);
same<ReturnType<typeof set.toArray>, readonly number[]>(true);
same<ReturnType<typeof set.toMask>, bigint>(true);
same<ReturnType<typeof set.toHex>, string>(true);
same<ReturnType<typeof set.toJSON>, string>(true);
same<ReturnType<typeof set.toGroups>, { group: number; mask: bigint }[]>(true);
for (const cpu of set) same<typeof cpu, number>(true);
const text: string = `${set}`;
CpuSet.of(new Set([0, 1]));
// @ts-expect-error there is no public constructor
new CpuSet();
// @ts-expect-error
CpuSet.of(0);
// @ts-expect-error
CpuSet.fromMask(3);
// @ts-expect-error
CpuSet.parse([0]);
// @ts-expect-error sets combine with sets
set.union([0]);
// @ts-expect-error immutable
set.size = 3;
// @ts-expect-error what looks like one is none
set.equals({ size: 1, has: () => true });
// @ts-expect-error the library's own
CpuSet.fromWords(new BigUint64Array(1));

// ---- what is told ----------------------------------------------------------------------------------------------------

same<CurrentCpu, { readonly cpu: number; readonly group: number; readonly number: number; readonly node: number }>(true);

const can = support();
same<typeof can.error, AffinityError | undefined>(true);
same<keyof Support, 'platform' | 'affinity' | 'spansGroups' | 'topology' | 'sysroot' | 'hardwareGroups' | 'error'>(true);

const machine = topology();
same<keyof Topology, 'platform' | 'cpus' | 'groups' | 'packages' | 'cores' | 'numaNodes' | 'caches' | 'kinds' | 'quota' | 'toJSON'>(true);
same<typeof machine.quota, number | null>(true);
same<typeof machine.cpus, Cpus>(true);
same<Cpus[keyof Cpus], CpuSet>(true);
same<keyof Cpus, 'possible' | 'present' | 'online' | 'allowed' | 'isolated'>(true);
same<typeof machine.groups, readonly ProcessorGroup[]>(true);
same<
  ProcessorGroup,
  {
    readonly group: number;
    readonly maximumMask: bigint;
    readonly activeMask: bigint;
    readonly cpus: readonly number[];
    readonly online: CpuSet;
  }
>(true);
same<typeof machine.packages, readonly Package[]>(true);
same<Package, { readonly id: number | null; readonly cpus: CpuSet }>(true);
same<typeof machine.cores, readonly Core[]>(true);
same<Core, { readonly package: number | null; readonly id: number | null; readonly cpus: CpuSet }>(true);
same<typeof machine.numaNodes, readonly NumaNode[]>(true);
same<NumaNode, { readonly id: number; readonly cpus: CpuSet; readonly distances: readonly number[] }>(true);
same<typeof machine.caches, readonly Cache[]>(true);
same<Cache['type'], 'data' | 'instruction' | 'unified'>(true);
same<Pick<Cache, 'level' | 'size' | 'cpus'>, { readonly level: number; readonly size: number; readonly cpus: CpuSet }>(true);
same<typeof machine.kinds, readonly Kind[]>(true);
same<Kind, { readonly efficiencyClass: number; readonly cpus: CpuSet }>(true);
// @ts-expect-error another machine is for the command
topology('/');
// @ts-expect-error
machine.groups.push(machine.groups[0]);

// ---- every thread ----------------------------------------------------------------------------------------------------

signature<typeof threads, [], ThreadInfo[]>(true);
signature<typeof setThreadAffinity, [who: Who, where: Where], PlacedThread[]>(true);
signature<typeof setThreadPriority, [who: Who, priority: ThreadPriority], PrioritizedThread[]>(true);
signature<typeof getThreadPriority, [tid?: number], NiceOrRealtime>(true);
signature<typeof placeProcess, [places: ProcessPlaces], PlacedThread[]>(true);
same<ThreadRole, 'main' | 'worker' | 'libuv' | 'v8' | 'inspector' | 'other'>(true);
same<RoleName, ThreadRole | 'workers'>(true);
same<Certainty, 'known' | 'named' | 'inferred' | 'unsure'>(true);
same<NiceOrRealtime, number | 'realtime'>(true);
same<ThreadPriority, number | 'idle' | 'low' | 'normal' | 'high' | 'realtime'>(true);
same<Who, number | RoleName | Pick<ThreadInfo, 'tid'> | Iterable<number | Pick<ThreadInfo, 'tid'>>>(true);
setThreadAffinity('libuv', 'numa:0');
setThreadAffinity(
  threads().filter(({ role }) => role === 'v8'),
  [2, 3],
);
setThreadAffinity(new Set([1, 2]), CpuSet.of([0]));
const [placed] = setThreadAffinity({ tid: 1 }, '0');
if (placed) {
  same<[typeof placed.before, typeof placed.after, typeof placed.dropped], [CpuSet, CpuSet, CpuSet]>(true);
  same<typeof placed.pending, boolean>(true);
  same<Pick<typeof placed, 'tid' | 'role'>, { readonly tid: number; readonly role: ThreadRole }>(true);
}
const [prioritized] = setThreadPriority('workers', 'low');
if (prioritized) same<[typeof prioritized.before, typeof prioritized.after], [NiceOrRealtime, NiceOrRealtime]>(true);
// @ts-expect-error there is no such role
setThreadAffinity('pool', '0');
// @ts-expect-error a thread has a number
setThreadAffinity(1n, '0');
// @ts-expect-error CPUs of what?
setThreadAffinity('libuv');
// @ts-expect-error a mask is no number
setThreadAffinity('libuv', 3);
// @ts-expect-error there is no such priority
setThreadPriority('libuv', 'lowest');
// @ts-expect-error one thread
getThreadPriority('libuv');
// @ts-expect-error all of them
threads('libuv');

same<ProcessPlaces['workers'], Where | Plan | SpreadOptions | undefined>(true);
same<ProcessPlaces[Exclude<keyof ProcessPlaces, 'workers'>], Where | undefined>(true);
placeProcess({ main: '0', workers: { by: 'core', within: '2-7' }, libuv: [1], v8: '1' });
// @ts-expect-error there is no such role
placeProcess({ pool: '0' });
// @ts-expect-error a plan is for workers
placeProcess({ libuv: { by: 'core' } });
// @ts-expect-error
placeProcess();

// ---- errors ----------------------------------------------------------------------------------------------------------

try {
  pin('0');
} catch (error) {
  if (error instanceof AffinityError) {
    same<typeof error.code, AffinityErrorCode>(true);
    same<typeof error.status, number>(true);
    same<typeof error.errno, number | undefined>(true);
    same<typeof error.win32, number | undefined>(true);
    same<typeof error.tid, number | undefined>(true);
    if (error.code === 'ERR_AFFINITY_NOT_ALLOWED') throw new AffinityError('ERR_AFFINITY_REFUSED', text, { errno: 1, cause: error });
    // @ts-expect-error there is no such code
    if (error.code === 'ERR_AFFINITY_BUSY') throw error;
    // @ts-expect-error
    error.code = 'ERR_AFFINITY_EMPTY';
  }
}
same<AffinityErrorDetails, { errno?: number; win32?: number; tid?: number; cause?: unknown }>(true);
// @ts-expect-error
new AffinityError('EINVAL', text);
