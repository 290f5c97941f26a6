/** The types behind `groupaffinity/storport`: pointers are objects or null, as a C compiler would have them. */
import * as wdk from 'groupaffinity/storport';
import type { HwDeviceExtension, Out, ThreadContext } from 'groupaffinity/storport';
import { same, signature } from './same.ts';

same<HwDeviceExtension, object | null>(true);
same<Out<number>, { value: number }>(true);
same<ThreadContext, { readonly StorPortThread: number }>(true);

// ---- structures ------------------------------------------------------------------------------------------------------

const affinity = new wdk.STOR_GROUP_AFFINITY({ Group: 0, Mask: 1n });
same<typeof affinity.Mask, bigint>(true);
same<typeof affinity.Group, number>(true);
same<typeof affinity.Reserved, [number, number, number]>(true);
affinity.Mask = 3n;
affinity.Group = 1;
new wdk.STOR_GROUP_AFFINITY();
new wdk.STOR_GROUP_AFFINITY({ Mask: 1n });
// @ts-expect-error masks are bigint
new wdk.STOR_GROUP_AFFINITY({ Mask: 1 });
// @ts-expect-error
new wdk.STOR_GROUP_AFFINITY({ Group: 0n });
// @ts-expect-error Reserved is zero
new wdk.STOR_GROUP_AFFINITY({ Reserved: [1, 0, 0] });
// @ts-expect-error
new wdk.STOR_GROUP_AFFINITY(0, 1n);
// @ts-expect-error
affinity.Mask = 3;

const processor = new wdk.PROCESSOR_NUMBER();
same<[typeof processor.Group, typeof processor.Number, typeof processor.Reserved], [number, number, number]>(true);

// ---- Set and Revert --------------------------------------------------------------------------------------------------

signature<
  typeof wdk.StorPortSetSystemGroupAffinityThread,
  [
    HwDeviceExtension: HwDeviceExtension,
    ThreadContext: ThreadContext | null,
    Affinity: wdk.STOR_GROUP_AFFINITY | null,
    PreviousAffinity: wdk.STOR_GROUP_AFFINITY | null,
  ],
  number
>(true);
signature<
  typeof wdk.StorPortRevertToUserGroupAffinityThread,
  [HwDeviceExtension: HwDeviceExtension, ThreadContext: ThreadContext | null, PreviousAffinity: wdk.STOR_GROUP_AFFINITY | null],
  number
>(true);
wdk.StorPortSetSystemGroupAffinityThread({}, null, affinity, null);
// @ts-expect-error the structure itself, not its fields
wdk.StorPortSetSystemGroupAffinityThread({}, null, { Mask: 1n, Group: 0, Reserved: [0, 0, 0] }, null);
// @ts-expect-error C has no undefined
wdk.StorPortSetSystemGroupAffinityThread({}, null, affinity, undefined);
// @ts-expect-error
wdk.StorPortSetSystemGroupAffinityThread({}, null, affinity);
// @ts-expect-error an extension is an object
wdk.StorPortSetSystemGroupAffinityThread(1, null, affinity, null);
// @ts-expect-error
wdk.StorPortRevertToUserGroupAffinityThread({}, affinity);

// ---- threads ---------------------------------------------------------------------------------------------------------

signature<
  typeof wdk.StorPortCreateSystemThread,
  [
    HwDeviceExtension: HwDeviceExtension,
    StartRoutine: string | URL | null,
    StartContext: unknown,
    Priority: Out<number> | null,
    ThreadContext: Out<ThreadContext | null> | null,
  ],
  number
>(true);
const created: Out<ThreadContext | null> = { value: null };
const { StorThreadPriorityNormal } = wdk.STOR_THREAD_PRIORITY;
wdk.StorPortCreateSystemThread({}, new URL('file:///routine.js'), { any: 1 }, { value: StorThreadPriorityNormal }, created);
// @ts-expect-error a module, not a function: it runs on another thread
wdk.StorPortCreateSystemThread({}, () => {}, null, null, null);
// @ts-expect-error a pointer to a priority
wdk.StorPortCreateSystemThread({}, 'routine.js', null, StorThreadPriorityNormal, null);
// @ts-expect-error
wdk.StorPortCreateSystemThread({}, 'routine.js', null, null, {});
signature<typeof wdk.StorPortTerminateSystemThread, [HwDeviceExtension: HwDeviceExtension, ThreadContext: ThreadContext | null], void>(
  true,
);
signature<
  typeof wdk.StorPortSetPriorityThread,
  [HwDeviceExtension: HwDeviceExtension, ThreadContext: ThreadContext | null, Priority: number],
  number
>(true);
signature<
  typeof wdk.StorPortWaitForSingleObject,
  [HwDeviceExtension: HwDeviceExtension, Object: ThreadContext | null, Alertable: boolean, Timeout: Out<bigint> | null],
  number
>(true);
// @ts-expect-error a pointer to a LARGE_INTEGER, which is a bigint
wdk.StorPortWaitForSingleObject({}, created.value, false, { value: 100 });
same<
  keyof typeof wdk.STOR_THREAD_PRIORITY,
  `StorThreadPriority${'Background' | 'Normal' | 'Delayed' | 'Critical' | 'SuperCritical' | 'HyperCritical' | 'RealTime'}`
>(true);
// @ts-expect-error
wdk.STOR_THREAD_PRIORITY.StorThreadPriorityNormal = 2;

// ---- queries ---------------------------------------------------------------------------------------------------------

signature<typeof wdk.StorPortGetCurrentIrql, [HwDeviceExtension: HwDeviceExtension, Irql: Out<number> | null], number>(true);
signature<typeof wdk.StorPortGetActiveGroupCount, [HwDeviceExtension: HwDeviceExtension, NumberGroups: Out<number> | null], number>(true);
signature<
  typeof wdk.StorPortGetGroupAffinity,
  [HwDeviceExtension: HwDeviceExtension, GroupNumber: number, GroupAffinityMask: Out<bigint> | null],
  number
>(true);
signature<
  typeof wdk.StorPortGetNodeAffinity,
  [HwDeviceExtension: HwDeviceExtension, NodeNumber: number, NodeAffinity: wdk.STOR_GROUP_AFFINITY | null],
  number
>(true);
signature<
  typeof wdk.StorPortGetCurrentProcessorNumber,
  [HwDeviceExtension: HwDeviceExtension, ProcNumber: wdk.PROCESSOR_NUMBER | null],
  number
>(true);
// @ts-expect-error the mask is a bigint
wdk.StorPortGetGroupAffinity({}, 0, { value: 0 });
// @ts-expect-error
wdk.StorPortGetActiveGroupCount({}, 0);

// ---- status ----------------------------------------------------------------------------------------------------------

signature<typeof wdk.storStatusName, [status: number], string>(true);
same<typeof wdk.STOR_STATUS_SUCCESS, 0>(true);
same<typeof wdk.STOR_STATUS_UNSUCCESSFUL, 0xc1000001>(true);
same<typeof wdk.STOR_STATUS_NOT_IMPLEMENTED, 0xc1000002>(true);
same<typeof wdk.STOR_STATUS_INSUFFICIENT_RESOURCES, 0xc1000003>(true);
same<typeof wdk.STOR_STATUS_BUFFER_TOO_SMALL, 0xc1000004>(true);
same<typeof wdk.STOR_STATUS_ACCESS_DENIED, 0xc1000005>(true);
same<typeof wdk.STOR_STATUS_INVALID_PARAMETER, 0xc1000006>(true);
same<typeof wdk.STOR_STATUS_INVALID_DEVICE_REQUEST, 0xc1000007>(true);
same<typeof wdk.STOR_STATUS_INVALID_IRQL, 0xc1000008>(true);
same<typeof wdk.STOR_STATUS_INVALID_DEVICE_STATE, 0xc1000009>(true);
same<typeof wdk.STOR_STATUS_INVALID_BUFFER_SIZE, 0xc100000a>(true);
same<typeof wdk.STOR_STATUS_UNSUPPORTED_VERSION, 0xc100000b>(true);
same<typeof wdk.STOR_STATUS_BUSY, 0xc100000c>(true);
// @ts-expect-error the library's own
wdk.orStatus(() => 0);
// @ts-expect-error a number, not its name
wdk.storStatusName('STOR_STATUS_BUSY');
