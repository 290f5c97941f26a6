export * from './status.ts';
export { STOR_GROUP_AFFINITY } from './group-affinity.ts';
export {
  StorPortRevertToUserGroupAffinityThread,
  StorPortSetSystemGroupAffinityThread,
  type HwDeviceExtension,
  type ThreadContext,
} from './affinity.ts';
