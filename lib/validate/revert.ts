import { CpuSet } from '../machine/cpu-set.ts';
import { StorPortRevertToUserGroupAffinityThread } from '../storport/index.ts';
import { withAffinity } from '../threads/pin.ts';
import { affinity, pages, settled, spareBit, twoCpus, twoGroups, twoMates, type Claim } from './claim.ts';
import { alike, at, exactly, fields, junk, on, recorded, revert, set, structure, told, where, word } from './look.ts';
import { refusable } from './set.ts';

export const revertClaims: readonly Claim[] = [
  {
    id: 'revert.restores-user',
    sentence: 'Given what the first set stored, a revert ends the system affinity: the thread has its own set again, bit for bit.',
    source: `${pages.revert}, Remarks`,
    needs: [affinity],
    expected: ({ one, bits, start }) => told('SUCCESS', on(one), 'SUCCESS', start, bits),
    observe: ({ one }) => {
      const before = structure();
      return told(set(at(one), before), where(), revert(before), where(), exactly());
    },
  },
  {
    id: 'revert.copied-fields',
    sentence: 'A structure with the same fields as the one that the set stored reverts as well.',
    source: settled(pages.revert),
    needs: [affinity],
    expected: ({ bits, start }) => told('SUCCESS', 'SUCCESS', start, bits),
    observe: ({ one }) => {
      const before = structure();
      const done = set(at(one), before);
      return told(done, revert(structure(before.Mask, before.Group)), where(), exactly());
    },
  },
  {
    id: 'revert.spans-groups',
    sentence: 'A set that spanned groups, which one group and mask cannot say, comes back whole.',
    source: settled(pages.revert),
    needs: [
      affinity,
      twoGroups,
      ({ can }) => (can.spansGroups ? undefined : 'this operating system keeps a thread inside one group'),
      ({ set: all }) => (all.toGroups().length > 1 ? undefined : 'the thread starts inside one group'),
    ],
    expected: ({ start, bits }) => told('SUCCESS', start, bits),
    observe: ({ cpus }) => {
      const before = structure();
      const statuses = CpuSet.of(cpus)
        .toGroups()
        .flatMap(({ group, mask }) => [set(structure(mask, group), before), revert(before)]);
      return told(alike(statuses), where(), exactly());
    },
  },
  {
    id: 'revert.zero-mask',
    sentence: 'A mask of zero means the affinity that the thread has as a user.',
    source: `${pages.revert}, PreviousAffinity`,
    needs: [affinity],
    expected: ({ start, bits }) => told('SUCCESS', 'SUCCESS', start, bits),
    observe: ({ other }) => told(set(at(other)), revert(structure()), where(), exactly()),
  },
  {
    id: 'revert.zero-mask-any-group',
    sentence: 'With a mask of zero the group does not matter.',
    source: settled(pages.revert),
    needs: [affinity],
    expected: ({ start }) => told('SUCCESS', 'SUCCESS', start),
    observe: ({ other }) => told(set(at(other)), revert(structure(0n, 77)), where()),
  },
  {
    id: 'revert.latest-user',
    sentence: 'The user affinity that a revert goes back to is the one that the thread has by then.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told('SUCCESS', on(one), 'SUCCESS', on(other), start),
    observe: ({ one, other }) => {
      const before = structure();
      const inner = [set(at(one), before), ...withAffinity([other], () => [where(), revert(before), where()])];
      return told(...inner, where());
    },
  },
  {
    id: 'revert.outer',
    sentence: 'Given what a nested set stored, a revert goes back to the outer system affinity.',
    source: `${pages.revert}, Remarks`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told(on(one), on(other), 'SUCCESS', on(one), 'SUCCESS', start),
    observe: ({ one, other }) => {
      const [before, outer] = [structure(), structure()];
      set(at(one), before);
      const first = where();
      set(at(other), outer);
      return told(first, where(), revert(outer), where(), revert(before), where());
    },
  },
  {
    id: 'revert.nested-calls',
    sentence: 'A routine that sets and reverts inside another need not know whether the other has set.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity],
    expected: ({ one, start, bits }) => told(`SUCCESS ${start}`, `SUCCESS ${on(one)}`, `SUCCESS ${start}`, bits),
    observe: ({ one, other }) => {
      const inner = (): string => {
        const before = structure();
        set(at(other), before);
        return `${revert(before)} ${where()}`;
      };
      const bare = inner();
      const before = structure();
      set(at(one), before);
      const below = [inner(), inner()];
      return told(bare, alike(below), `${revert(before)} ${where()}`, exactly());
    },
  },
  {
    id: 'revert.second',
    sentence: 'A second revert without a set between has no effect.',
    source: `${pages.revert}, Remarks`,
    needs: [affinity],
    expected: ({ start, bits }) => told('SUCCESS', 'SUCCESS', start, bits),
    observe: ({ other }) => {
      const before = structure();
      set(at(other), before);
      return told(revert(before), revert(before), where(), exactly());
    },
  },
  {
    id: 'revert.never-set-zero',
    sentence: 'On a thread without a system affinity, a mask of zero has no effect.',
    source: `${pages.revert}, Remarks`,
    needs: [affinity],
    expected: ({ start, bits }) => told('SUCCESS', start, bits),
    observe: () => told(revert(structure()), where(), exactly()),
  },
  {
    id: 'revert.never-set-mask',
    sentence: 'On a thread without a system affinity, a mask of processors has no effect either.',
    source: `${pages.revert}, Remarks`,
    needs: [affinity],
    expected: ({ start, bits }) => told('SUCCESS', start, bits),
    observe: ({ other }) => told(revert(at(other)), where(), exactly()),
  },
  {
    id: 'revert.after-failed-set',
    sentence: 'The zeros that a refused set stored lead back to the user affinity, past any outer system affinity.',
    source: `${pages.keSet} and ${pages.keRevert}, Remarks`,
    needs: [affinity],
    expected: ({ one, start }) => told('SUCCESS', 'INVALID_PARAMETER', on(one), 'SUCCESS', start),
    observe: ({ one, groups }) => {
      const [before, zeroed] = [structure(), junk()];
      return told(set(at(one), before), set(structure(1n, groups.length), zeroed), where(), revert(zeroed), where());
    },
  },
  {
    id: 'revert.invalid-affinity',
    sentence: 'A revert to an affinity that a set would refuse is refused, and the system affinity stays.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity],
    expected: ({ other, start }) => told(`INVALID_PARAMETER ${on(other)}`, 'SUCCESS', start),
    observe: (stage) => {
      const before = structure();
      set(at(stage.other), before);
      const wrong = refusable(stage).filter(({ Mask }) => Mask !== 0n);
      return told(alike(wrong.map((from) => `${revert(from)} ${where()}`)), revert(before), where());
    },
  },
  {
    id: 'revert.foreign-processor',
    sentence: 'A bit that stands for no processor of the group is refused by a revert too.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity, spareBit],
    expected: ({ other, start }) => told('INVALID_PARAMETER', on(other), 'SUCCESS', start),
    observe: ({ other, foreign }) => {
      const before = structure();
      set(at(other), before);
      const { group, bit } = foreign ?? { group: 0, bit: 0n };
      return told(alike([bit, bit | 1n].map((mask) => revert(structure(mask, group)))), where(), revert(before), where());
    },
  },
  {
    id: 'revert.null',
    sentence: 'A PreviousAffinity or a device extension of NULL is refused, and the system affinity stays.',
    source: settled(pages.revert),
    needs: [affinity],
    expected: ({ other, start }) => told('INVALID_PARAMETER', 'INVALID_PARAMETER', on(other), 'SUCCESS', start),
    observe: ({ other }) => {
      const before = structure();
      set(at(other), before);
      const without = word(StorPortRevertToUserGroupAffinityThread(null, null, before));
      return told(revert(null), without, where(), revert(before), where());
    },
  },
  {
    id: 'revert.reads-only',
    sentence: 'A revert reads PreviousAffinity and does not write it.',
    source: `${pages.revert}, PreviousAffinity`,
    needs: [affinity],
    expected: 'SUCCESS, unchanged',
    observe: ({ other }) => {
      const before = structure();
      set(at(other), before);
      const then = fields(before);
      return told(revert(before), fields(before) === then ? 'unchanged' : `${then} became ${fields(before)}`);
    },
  },
  {
    id: 'revert.calling-thread-only',
    sentence: 'A revert changes the calling thread and no other thread of the process.',
    source: `${pages.revert}, Remarks`,
    needs: [affinity],
    expected: 'SUCCESS, the other thread as it was',
    observe: ({ other, bystander }) => {
      const [before, then] = [structure(), recorded(bystander)];
      set(at(other), before);
      return told(revert(before), `the other thread ${recorded(bystander) === then ? 'as it was' : 'changed'}`);
    },
  },
  {
    id: 'revert.reserved',
    sentence: 'A revert wants the reserved fields to be zero, also with a mask of zero.',
    source: `${pages.structure}, Reserved; the refusal is settled by groupaffinity`,
    needs: [affinity],
    expected: ({ other, start }) => told('INVALID_PARAMETER', on(other), 'SUCCESS', start),
    observe: ({ other }) => {
      const before = structure();
      set(at(other), before);
      const wrong = [0, 1, 2].map((field) => {
        const reserved = structure();
        reserved.Reserved[field] = 7;
        return revert(reserved);
      });
      return told(alike(wrong), where(), revert(before), where());
    },
  },
  {
    id: 'revert.trims-nothing',
    sentence: 'A revert to an outer system affinity of several processors allows all of them again.',
    source: `${pages.revert}, Remarks`,
    needs: [affinity, twoMates],
    expected: ({ one, other, start }) => told(on(one), 'SUCCESS', on(one, other), 'SUCCESS', start),
    observe: ({ one, other }) => {
      const [before, outer] = [structure(), structure()];
      set(at(one, other), before);
      set(at(one), outer);
      return told(where(), revert(outer), where(), revert(before), where());
    },
  },
];
