/** Processors that exist and are not active: as the machine has them, or with one taken offline for a moment. */
import { native, Outcome } from '../binding.ts';
import { topology } from '../machine/topology.ts';
import { StorPortGetGroupAffinity } from '../storport/index.ts';
import {
  ALL_PROCESSOR_GROUPS,
  DISPATCH_LEVEL,
  KeLowerIrql,
  KeQueryActiveProcessorCountEx,
  KeQueryMaximumProcessorCountEx,
  KeRaiseIrql,
} from '../storport/wdm.ts';
import { inherit, systemActive } from '../threads/own-thread.ts';
import { pin } from '../threads/pin.ts';
import { affinity, CannotCheck, hotplug, inactive, memory, pages, type Claim } from './claim.ts';
import { alike, at, exactly, extension, fields, junk, on, revert, set, structure, told, where, word } from './look.ts';
import type { Resting, Stage } from './stage.ts';

function switchCpu(cpu: number, online: boolean): void {
  const { outcome, osError } = native.setOnline(cpu, online);
  if (outcome !== Outcome.done)
    throw new CannotCheck(`the operating system refused to take CPU ${cpu} ${online ? 'online' : 'offline'} (error ${osError})`);
}

/** What is told while `other` is offline; it is online again afterwards. */
function whileOffline({ other, forgetful, user }: Stage, tell: () => string): string {
  switchCpu(other, false);
  try {
    return tell();
  } finally {
    switchCpu(other, true);
    if (forgetful !== undefined && user !== undefined && !systemActive()) inherit(user);
  }
}

function withInactive(stage: Stage, tell: (processors: Resting) => string): string {
  const { resting, one, other } = stage;
  if (resting !== undefined) return tell(resting);
  return whileOffline(stage, () => tell({ cpu: other, active: one }));
}

const activeOf = ({ resting, one }: Stage): number => resting?.active ?? one;

export const inactiveClaims: readonly Claim[] = [
  {
    id: 'inactive.set-trims',
    sentence: 'Inactive processors of a mask are left out without a word; the thread runs on the active ones.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity, inactive],
    expected: (stage) => told('SUCCESS', on(activeOf(stage)), 'SUCCESS'),
    observe: (stage) =>
      withInactive(stage, ({ cpu, active }) => {
        const before = structure();
        return told(set(at(active, cpu), before), where(), revert(before));
      }),
  },
  {
    id: 'inactive.previous-shows',
    sentence: 'The next PreviousAffinity shows that processors were left out.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity, inactive],
    expected: (stage) => told(fields(at(activeOf(stage))), 'SUCCESS'),
    observe: (stage) =>
      withInactive(stage, ({ cpu, active }) => {
        const [before, next] = [structure(), junk()];
        set(at(active, cpu), before);
        set(at(active), next);
        return told(fields(next), revert(before));
      }),
  },
  {
    id: 'inactive.set-none',
    sentence: 'A set that names inactive processors only is refused, and nothing changes.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity, inactive],
    expected: 'INVALID_PARAMETER, 0:0x0, as it was',
    observe: (stage) =>
      withInactive(stage, ({ cpu }) => {
        const [previous, then] = [junk(), where()];
        return told(set(at(cpu), previous), fields(previous), where() === then ? 'as it was' : where());
      }),
  },
  {
    id: 'inactive.revert-trims',
    sentence: 'A revert to an outer system affinity leaves inactive processors out in the same way, and refuses those alone.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity, inactive],
    expected: (stage) => told('INVALID_PARAMETER', 'SUCCESS', on(activeOf(stage)), 'SUCCESS'),
    observe: (stage) =>
      withInactive(stage, ({ cpu, active }) => {
        const before = structure();
        set(at(active), before);
        return told(revert(at(cpu)), revert(at(active, cpu)), where(), revert(before));
      }),
  },
  {
    id: 'inactive.dispatch',
    sentence: 'At DISPATCH_LEVEL the same masks are trimmed and refused as below it.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity, inactive],
    expected: (stage) => told('SUCCESS', 'INVALID_PARAMETER', on(activeOf(stage)), 'SUCCESS'),
    observe: (stage) =>
      withInactive(stage, ({ cpu, active }) => {
        const [before, old] = [structure(), { value: 0 }];
        KeRaiseIrql(DISPATCH_LEVEL, old);
        const raised = told(set(at(active, cpu), before), set(at(cpu)));
        KeLowerIrql(old.value);
        return told(raised, where(), revert(before));
      }),
  },
  {
    id: 'inactive.group-affinity',
    sentence: "A group's affinity leaves inactive processors out; its maximum counts them.",
    source: 'StorPortGetGroupAffinity, GroupAffinityMask',
    needs: [affinity, inactive],
    expected: 'SUCCESS, left out, counted',
    observe: (stage) =>
      withInactive(stage, ({ cpu }) => {
        const [{ Mask, Group }, mask] = [at(cpu), { value: 0n }];
        const status = word(StorPortGetGroupAffinity(extension, Group, mask));
        const maximum = topology().groups[Group]?.maximumMask ?? 0n;
        return told(status, (mask.value & Mask) === 0n ? 'left out' : 'in it', (maximum & Mask) === Mask ? 'counted' : 'missing');
      }),
  },
  {
    id: 'inactive.pin-drops',
    sentence: 'A pin leaves offline CPUs out and tells which.',
    source: 'groupaffinity, pin',
    needs: [affinity, inactive],
    expected: (stage) => told(on(activeOf(stage)), 'dropped it'),
    observe: (stage) =>
      withInactive(stage, ({ cpu, active }) => {
        const here = pin([active, cpu]);
        const seen = told(where(), String(here.dropped) === String(cpu) ? 'dropped it' : `dropped ${here.dropped}`);
        here.restore();
        return seen;
      }),
  },
  {
    id: 'hotplug.numbering',
    sentence: 'Groups and numbers stay when a processor goes and comes; only the active ones change.',
    source: 'Processor Groups',
    needs: [affinity, hotplug],
    expected: ({ groups }) => {
      const all = groups.reduce((sum, { active }) => sum + active.toString(2).replaceAll('0', '').length, 0);
      return told('the same groups', 'the same maximum', `${all} active, ${all - 1}, ${all}`);
    },
    observe: (stage) => {
      const layout = (): string => JSON.stringify(topology().groups.map(({ cpus }) => cpus));
      const look = () => ({ layout: layout(), maximum: KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS) });
      const active = (): number => KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS);
      const looks = [look()];
      const counts = [active()];
      whileOffline(stage, () => {
        looks.push(look());
        counts.push(active());
        return '';
      });
      looks.push(look());
      counts.push(active());
      const same = (key: 'layout' | 'maximum'): boolean => looks.every((seen) => seen[key] === looks[0]?.[key]);
      return told(
        same('layout') ? 'the same groups' : 'other groups',
        same('maximum') ? 'the same maximum' : 'another maximum',
        `${counts[0]} active, ${counts[1]}, ${counts[2]}`,
      );
    },
  },
  {
    id: 'hotplug.stays-trimmed',
    sentence: 'A processor that was left out of a set does not join it when it becomes active.',
    source: `${pages.keSet}, Remarks; settled by groupaffinity`,
    needs: [affinity, hotplug],
    expected: ({ one, start, bits }) => told(on(one), on(one), 'SUCCESS', start, bits),
    observe: (stage) => {
      const { one, other } = stage;
      const before = structure();
      const away = whileOffline(stage, () => {
        set(at(one, other), before);
        return where();
      });
      return told(away, where(), revert(before), where(), exactly());
    },
  },
  {
    id: 'hotplug.revert-exact',
    sentence: 'A revert while a processor of the old set is inactive brings it back with the rest when it returns.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity, hotplug, memory],
    expected: ({ start, bits }) => told('SUCCESS', 'SUCCESS', start, bits),
    observe: (stage) => {
      const before = structure();
      const done = set(at(stage.one), before);
      const back = whileOffline(stage, () => revert(before));
      return told(done, back, where(), exactly());
    },
  },
  {
    id: 'hotplug.refusal-then-set',
    sentence: 'A processor that was refused while inactive is taken when it is active.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity, hotplug],
    expected: ({ other, start }) => told('INVALID_PARAMETER', 'SUCCESS', on(other), 'SUCCESS', start),
    observe: (stage) => {
      const { other } = stage;
      const before = structure();
      const away = whileOffline(stage, () => alike([set(at(other)), set(at(other))]));
      return told(away, set(at(other), before), where(), revert(before), where());
    },
  },
];
