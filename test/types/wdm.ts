/** The types behind `groupaffinity/wdm`. */
import { STOR_GROUP_AFFINITY, type Out } from 'groupaffinity/storport';
import {
  ALL_PROCESSOR_GROUPS,
  APC_LEVEL,
  DISPATCH_LEVEL,
  GROUP_AFFINITY,
  HIGH_LEVEL,
  KeGetCurrentIrql,
  KeGetCurrentProcessorNumberEx,
  KeLowerIrql,
  KeQueryActiveGroupCount,
  KeQueryActiveProcessorCountEx,
  KeQueryMaximumGroupCount,
  KeQueryMaximumProcessorCountEx,
  KeRaiseIrql,
  KeRevertToUserGroupAffinityThread,
  KeSetSystemGroupAffinityThread,
  PASSIVE_LEVEL,
  PROCESSOR_NUMBER,
} from 'groupaffinity/wdm';
import { same, signature } from './same.ts';

signature<typeof KeSetSystemGroupAffinityThread, [Affinity: GROUP_AFFINITY | null, PreviousAffinity: GROUP_AFFINITY | null], void>(true);
signature<typeof KeRevertToUserGroupAffinityThread, [PreviousAffinity: GROUP_AFFINITY | null], void>(true);
signature<typeof KeRaiseIrql, [NewIrql: number, OldIrql: Out<number>], void>(true);
signature<typeof KeLowerIrql, [NewIrql: number], void>(true);
signature<typeof KeGetCurrentIrql, [], number>(true);
signature<typeof KeQueryActiveGroupCount, [], number>(true);
signature<typeof KeQueryMaximumGroupCount, [], number>(true);
signature<typeof KeQueryActiveProcessorCountEx, [GroupNumber: number], number>(true);
signature<typeof KeQueryMaximumProcessorCountEx, [GroupNumber: number], number>(true);
signature<typeof KeGetCurrentProcessorNumberEx, [ProcNumber: PROCESSOR_NUMBER | null], number>(true);
same<[typeof PASSIVE_LEVEL, typeof APC_LEVEL, typeof DISPATCH_LEVEL, typeof HIGH_LEVEL], [0, 1, 2, 15]>(true);
same<typeof ALL_PROCESSOR_GROUPS, 0xffff>(true);

// One structure under two names.
same<GROUP_AFFINITY, STOR_GROUP_AFFINITY>(true);
KeSetSystemGroupAffinityThread(new STOR_GROUP_AFFINITY({ Mask: 1n }), new GROUP_AFFINITY());
KeRaiseIrql(DISPATCH_LEVEL, { value: 0 });
// @ts-expect-error the old level has to go somewhere
KeRaiseIrql(DISPATCH_LEVEL, null);
// @ts-expect-error
KeRaiseIrql('DISPATCH_LEVEL', { value: 0 });
// @ts-expect-error
KeSetSystemGroupAffinityThread({ Mask: 1n, Group: 0 }, null);
// @ts-expect-error
KeRevertToUserGroupAffinityThread();
// @ts-expect-error
KeQueryActiveProcessorCountEx();
// @ts-expect-error
KeGetCurrentProcessorNumberEx({ Group: 0 });
