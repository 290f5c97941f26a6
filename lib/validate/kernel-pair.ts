import { KeRevertToUserGroupAffinityThread as Revert, KeSetSystemGroupAffinityThread as Set } from '../storport/wdm.ts';
import { withAffinity } from '../threads/pin.ts';
import { affinity, pages, twoCpus, type Claim } from './claim.ts';
import { alike, at, exactly, fields, junk, on, revert, set, structure, told, where } from './look.ts';
import { refusable } from './set.ts';

export const kernelPairClaims: readonly Claim[] = [
  {
    id: 'ke.zero-over-user',
    sentence: "Over a user affinity the kernel's own routine stores zeros.",
    source: `${pages.keSet}, PreviousAffinity`,
    needs: [affinity],
    expected: ({ other, start }) => told(on(other), '0:0x0', start),
    observe: ({ other }) => {
      const before = junk();
      Set(at(other), before);
      const seen = told(where(), fields(before));
      Revert(before);
      return told(seen, where());
    },
  },
  {
    id: 'ke.nested-previous',
    sentence: "Over a system affinity the kernel's own routine stores that one, and its revert goes back to it.",
    source: `${pages.keSet}, PreviousAffinity`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told(fields(at(one)), on(other), on(one), start),
    observe: ({ one, other }) => {
      const [before, outer] = [junk(), junk()];
      Set(at(one), before);
      Set(at(other), outer);
      const inner = told(fields(outer), where());
      Revert(outer);
      const middle = where();
      Revert(before);
      return told(inner, middle, where());
    },
  },
  {
    id: 'ke.revert-exact',
    sentence: "The kernel's own revert brings the thread's set back bit for bit.",
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity],
    expected: ({ start, bits }) => told(start, bits),
    observe: ({ one, other }) => {
      const before = structure();
      Set(at(one), before);
      Set(at(other), null);
      Revert(before);
      return told(where(), exactly());
    },
  },
  {
    id: 'ke.refusal',
    sentence: "What the kernel's own routine refuses has no effect and stores zeros.",
    source: `${pages.keSet}, Remarks`,
    needs: [affinity],
    expected: ({ other, start }) => told(`0:0x0 ${on(other)}`, start),
    observe: (stage) => {
      const before = structure();
      Set(at(stage.other), before);
      const tries = refusable(stage).map((wrong) => {
        const previous = junk();
        Set(wrong, previous);
        return `${fields(previous)} ${where()}`;
      });
      Revert(before);
      return told(alike(tries), where());
    },
  },
  {
    id: 'ke.revert-refusal',
    sentence: "What the kernel's own revert refuses has no effect.",
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity],
    expected: ({ other, start }) => told(on(other), start),
    observe: (stage) => {
      const before = structure();
      Set(at(stage.other), before);
      const tries = refusable(stage)
        .filter(({ Mask }) => Mask !== 0n)
        .map((wrong) => {
          Revert(wrong);
          return where();
        });
      Revert(before);
      return told(alike(tries), where());
    },
  },
  {
    id: 'ke.latest-user',
    sentence: 'A user affinity that is changed below a system affinity is the one that a revert brings.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told(on(one), on(other), start),
    observe: ({ one, other }) => {
      const before = structure();
      Set(at(one), before);
      const seen = withAffinity([other], () => {
        const covered = where();
        Revert(before);
        return told(covered, where());
      });
      return told(seen, where());
    },
  },
  {
    id: 'ke.same-system-affinity',
    sentence: "StorPort's pair and the kernel's are two names for one system affinity.",
    source: `${pages.set}, Remarks`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told(fields(at(one)), on(other), 'SUCCESS', on(one), start),
    observe: ({ one, other }) => {
      const [before, outer] = [structure(), structure()];
      Set(at(one), before);
      set(at(other), outer);
      const inner = told(fields(outer), where(), revert(outer), where());
      Revert(before);
      return told(inner, where());
    },
  },
];
