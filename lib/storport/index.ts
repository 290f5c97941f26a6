export {
  STOR_STATUS_SUCCESS,
  STOR_STATUS_UNSUCCESSFUL,
  STOR_STATUS_NOT_IMPLEMENTED,
  STOR_STATUS_INSUFFICIENT_RESOURCES,
  STOR_STATUS_BUFFER_TOO_SMALL,
  STOR_STATUS_ACCESS_DENIED,
  STOR_STATUS_INVALID_PARAMETER,
  STOR_STATUS_INVALID_DEVICE_REQUEST,
  STOR_STATUS_INVALID_IRQL,
  STOR_STATUS_INVALID_DEVICE_STATE,
  STOR_STATUS_INVALID_BUFFER_SIZE,
  STOR_STATUS_UNSUPPORTED_VERSION,
  STOR_STATUS_BUSY,
  storStatusName,
} from './status.ts';
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
