import { StorPortGetCurrentIrql, StorPortRevertToUserGroupAffinityThread } from '../storport/index.ts';
import { APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL, KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql, PASSIVE_LEVEL } from '../storport/wdm.ts';
import { affinity, pages, settled, twoCpus, twoMates, type Claim } from './claim.ts';
import { alike, at, exactly, extension, fields, junk, on, revert, set, structure, thrown, told, where, word } from './look.ts';
import { refusable } from './set.ts';

/** What is told at a level; the level is what it was afterwards. */
function atLevel(level: number, tell: () => string): string {
  const old = { value: PASSIVE_LEVEL };
  KeRaiseIrql(level, old);
  try {
    return tell();
  } finally {
    KeLowerIrql(old.value);
  }
}

function irql(): string {
  const level = { value: -1 };
  return `${word(StorPortGetCurrentIrql(extension, level))} ${level.value} ${KeGetCurrentIrql()}`;
}

export const irqlClaims: readonly Claim[] = [
  {
    id: 'irql.passive',
    sentence: 'A thread runs at PASSIVE_LEVEL, and StorPort and the kernel tell the same level.',
    source: `${pages.irql}, Irql`,
    needs: [],
    expected: 'SUCCESS 0 0',
    observe: irql,
  },
  {
    id: 'irql.raise-lower',
    sentence: 'Raising stores the level that was; lowering to it brings it back; both routines tell each level.',
    source: 'KeRaiseIrql and KeLowerIrql, Remarks',
    needs: [],
    expected: 'SUCCESS 1 1 over 0, SUCCESS 2 2 over 1, SUCCESS 1 1, SUCCESS 0 0',
    observe: () => {
      const [first, second] = [{ value: -1 }, { value: -1 }];
      KeRaiseIrql(APC_LEVEL, first);
      const one = `${irql()} over ${first.value}`;
      KeRaiseIrql(DISPATCH_LEVEL, second);
      const two = `${irql()} over ${second.value}`;
      KeLowerIrql(second.value);
      const back = irql();
      KeLowerIrql(first.value);
      return told(one, two, back, irql());
    },
  },
  {
    id: 'irql.wrong-way',
    sentence: 'Raising to a lower level and lowering to a higher one are refused; the level stays.',
    source: 'KeRaiseIrql and KeLowerIrql, Remarks (Windows stops there)',
    needs: [],
    expected: 'RangeError, RangeError, SUCCESS 1 1',
    observe: () =>
      atLevel(APC_LEVEL, () =>
        told(
          thrown(() => KeRaiseIrql(PASSIVE_LEVEL, { value: 0 })),
          thrown(() => KeLowerIrql(DISPATCH_LEVEL)),
          irql(),
        ),
      ),
  },
  {
    id: 'irql.null',
    sentence: 'StorPortGetCurrentIrql refuses an Irql of NULL.',
    source: `${pages.irql}, Return value`,
    needs: [],
    expected: 'INVALID_PARAMETER',
    observe: () => word(StorPortGetCurrentIrql(extension, null)),
  },
  {
    id: 'irql.apc-at-once',
    sentence: 'Up to APC_LEVEL a set and a revert are in force when they return.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity],
    expected: ({ other, start }) => told('SUCCESS', on(other), 'SUCCESS', start),
    observe: ({ other }) =>
      atLevel(APC_LEVEL, () => {
        const before = structure();
        return told(set(at(other), before), where(), revert(before), where());
      }),
  },
  {
    id: 'irql.dispatch-set',
    sentence: 'At DISPATCH_LEVEL a set succeeds, and the thread moves when the level falls below.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity],
    expected: ({ other, start }) => told('SUCCESS', start, on(other), 'SUCCESS', start),
    observe: ({ other }) => {
      const before = structure();
      const raised = atLevel(DISPATCH_LEVEL, () => told(set(at(other), before), where()));
      return told(raised, where(), revert(before), where());
    },
  },
  {
    id: 'irql.dispatch-revert',
    sentence: 'At DISPATCH_LEVEL a revert succeeds, and the thread moves when the level falls below.',
    source: `${pages.keRevert}, Remarks`,
    needs: [affinity],
    expected: ({ other, start, bits }) => told('SUCCESS', on(other), start, bits),
    observe: ({ other }) => {
      const before = structure();
      set(at(other), before);
      const raised = atLevel(DISPATCH_LEVEL, () => told(revert(before), where()));
      return told(raised, where(), exactly());
    },
  },
  {
    id: 'irql.dispatch-last-wins',
    sentence: 'Of several sets at DISPATCH_LEVEL the last is the one in force below it.',
    source: `${pages.keSet}; order settled by groupaffinity`,
    needs: [affinity, twoMates],
    expected: ({ one, other, start }) => told('SUCCESS', on(one), on(other), 'SUCCESS', start),
    observe: ({ one, other }) => {
      const before = structure();
      set(at(one), before);
      const raised = atLevel(DISPATCH_LEVEL, () => told(alike([set(at(one, other)), set(at(one)), set(at(other))]), where()));
      return told(raised, where(), revert(before), where());
    },
  },
  {
    id: 'irql.dispatch-previous',
    sentence: 'At DISPATCH_LEVEL PreviousAffinity tells what will be in force, not where the thread still is.',
    source: `${pages.keSet}; settled by groupaffinity`,
    needs: [affinity, twoCpus],
    expected: ({ one, other, start }) => told(fields(at(other)), fields(at(one)), 'SUCCESS', start),
    observe: ({ one, other }) => {
      const before = structure();
      const seen = atLevel(DISPATCH_LEVEL, () => {
        const [first, second] = [junk(), junk()];
        set(at(other), before);
        set(at(one), first);
        set(at(other), second);
        return told(fields(first), fields(second));
      });
      return told(seen, revert(before), where());
    },
  },
  {
    id: 'irql.dispatch-set-revert',
    sentence: 'A set and its revert at DISPATCH_LEVEL leave the thread as it was.',
    source: `${pages.keSet} and ${pages.keRevert}, Remarks`,
    needs: [affinity],
    expected: ({ start, bits }) => told('SUCCESS', 'SUCCESS', start, bits),
    observe: ({ other }) => {
      const before = structure();
      const raised = atLevel(DISPATCH_LEVEL, () => told(set(at(other), before), revert(before)));
      return told(raised, where(), exactly());
    },
  },
  {
    id: 'irql.dispatch-refusal',
    sentence: 'At DISPATCH_LEVEL what must be refused is refused at once, with zeros in PreviousAffinity.',
    source: `${pages.set}, Return value`,
    needs: [affinity],
    expected: ({ start, bits }) => told('INVALID_PARAMETER 0:0x0', start, bits),
    observe: (stage) => {
      const raised = atLevel(DISPATCH_LEVEL, () =>
        alike(
          refusable(stage).map((wrong) => {
            const previous = junk();
            return `${set(wrong, previous)} ${fields(previous)}`;
          }),
        ),
      );
      return told(raised, where(), exactly());
    },
  },
  {
    id: 'irql.above-dispatch-set',
    sentence: 'Above DISPATCH_LEVEL a set is refused with UNSUCCESSFUL, its page having no code for the level.',
    source: `${pages.set}, IRQL; the code is settled by groupaffinity`,
    needs: [affinity],
    expected: ({ start }) => told('UNSUCCESSFUL 0:0x0', start),
    observe: ({ other }) => {
      const tries = [DISPATCH_LEVEL + 1, HIGH_LEVEL].map((level) =>
        atLevel(level, () => {
          const previous = junk();
          return `${set(at(other), previous)} ${fields(previous)}`;
        }),
      );
      return told(alike(tries), where());
    },
  },
  {
    id: 'irql.above-dispatch-revert',
    sentence: 'Above DISPATCH_LEVEL a revert is refused with INVALID_IRQL, and the system affinity stays.',
    source: `${pages.revert}, Return value`,
    needs: [affinity],
    expected: ({ other, start }) => told('INVALID_IRQL', on(other), 'SUCCESS', start),
    observe: ({ other }) => {
      const before = structure();
      set(at(other), before);
      const tries = [DISPATCH_LEVEL + 1, HIGH_LEVEL].map((level) => atLevel(level, () => revert(before)));
      return told(alike(tries), where(), revert(before), where());
    },
  },
  {
    id: 'irql.pointers-first',
    sentence: 'Wrong pointers are told as such at any level.',
    source: settled(pages.revert),
    needs: [affinity],
    expected: 'INVALID_PARAMETER, INVALID_PARAMETER, INVALID_PARAMETER',
    observe: ({ other }) =>
      atLevel(HIGH_LEVEL, () => told(set(null), revert(null), word(StorPortRevertToUserGroupAffinityThread(null, null, at(other))))),
  },
];
