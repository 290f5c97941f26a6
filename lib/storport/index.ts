export * from './status.ts';
export { STOR_GROUP_AFFINITY } from './group-affinity.ts';
export { StorPortRevertToUserGroupAffinityThread, StorPortSetSystemGroupAffinityThread } from './affinity.ts';
export { StorPortGetCurrentIrql } from './irql.ts';
export {
  PROCESSOR_NUMBER,
  StorPortGetActiveGroupCount,
  StorPortGetCurrentProcessorNumber,
  StorPortGetGroupAffinity,
  StorPortGetNodeAffinity,
} from './queries.ts';
export {
  STOR_THREAD_PRIORITY,
  StorPortCreateSystemThread,
  StorPortSetPriorityThread,
  StorPortTerminateSystemThread,
  StorPortWaitForSingleObject,
} from './threads.ts';
export type { ThreadContext } from './contexts.ts';
export type { HwDeviceExtension, Out } from './parameters.ts';
