export { AffinityError, type AffinityErrorCode, type AffinityErrorDetails } from './errors.ts';
export { CpuSet } from './machine/cpu-set.ts';
export { support, type Support } from './machine/support.ts';
export {
  topology,
  type Cache,
  type Core,
  type Cpus,
  type Kind,
  type NumaNode,
  type Package,
  type ProcessorGroup,
  type Topology,
} from './machine/topology.ts';
export type { GroupMask, Where } from './machine/where.ts';
export { affinity, allowedCpus, currentCpu, pin, withAffinity, type CurrentCpu, type Pin } from './threads/pin.ts';
export { setThreadAffinity, type PlacedThread } from './threads/placing.ts';
export { getThreadPriority, setThreadPriority, type PrioritizedThread, type ThreadPriority } from './threads/priority.ts';
export type { Certainty, ThreadRole } from './threads/roles.ts';
export { threads, type NiceOrRealtime, type ThreadInfo } from './threads/threads.ts';
export type { RoleName, Who } from './threads/who.ts';
export { placeProcess, type ProcessPlaces } from './workers/place-process.ts';
