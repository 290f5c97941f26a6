import { CpuSet } from '../machine/cpu-set.ts';
import { topology } from '../machine/topology.ts';
import { StorPortSetSystemGroupAffinityThread, type STOR_GROUP_AFFINITY } from '../storport/index.ts';
import { affinity, CannotCheck, pages, settled, spareBit, twoGroups, twoMates, type Claim } from './claim.ts';
import { alike, at, exactly, fields, junk, on, recorded, revert, set, structure, told, where, word } from './look.ts';
import type { Stage } from './stage.ts';

/** Every affinity that a set must refuse. */
export function refusable({ groups, one, foreign }: Stage): STOR_GROUP_AFFINITY[] {
  const [mask, group] = [at(one).Mask, at(one).Group];
  const wrong = [groups.length, 77, 0xffff].map((number) => structure(mask, number));
  wrong.push(structure(0n, group), structure(0n, 77));
  if (foreign !== undefined) wrong.push(structure(foreign.bit, foreign.group), structure(foreign.bit | 1n, foreign.group));
  const reserved = at(one);
  reserved.Reserved[1] = 1;
  return [...wrong, reserved];
}

/** What is left of `cpus` in each group, as a PreviousAffinity shows it. */
const slices = (cpus: CpuSet): string[] => cpus.toGroups().map(({ group, mask }) => `${group}:0x${mask.toString(16)}`);

export const setClaims: readonly Claim[] = [
  {
    id: 'set.confines',
    sentence: 'A set confines the calling thread to the processor that it names.',
    source: `${pages.set}, Remarks`,
    needs: [affinity],
    expected: ({ one, other, start }) => told('SUCCESS', on(one), 'SUCCESS', on(other), 'SUCCESS', start),
    observe: ({ one, other }) => {
      const before = structure();
      return told(set(at(one), before), where(), set(at(other)), where(), revert(before), where());
    },
  },
  {
    id: 'set.several',
    sentence: 'A mask of several processors allows every one of them, and no other.',
    source: `${pages.set}, Affinity`,
    needs: [affinity, twoMates],
    expected: ({ one, other, start }) => told('SUCCESS', on(one), 'SUCCESS', on(one, other), 'SUCCESS', start),
    observe: ({ one, other }) => {
      const before = structure();
      return told(set(at(one), before), where(), set(at(one, other)), where(), revert(before), where());
    },
  },
  {
    id: 'set.whole-group',
    sentence: 'All processors of a group may be named at once, of every group in turn.',
    source: `${pages.set}, Affinity`,
    needs: [affinity],
    expected: ({ cpus, start }) => {
      const parts = CpuSet.of(cpus).toGroups();
      return told(
        ...parts.map(({ group }) => `SUCCESS on ${topology().groups[group]?.online.intersect(CpuSet.of(cpus)) ?? ''}`),
        'SUCCESS',
        start,
      );
    },
    observe: ({ cpus }) => {
      const before = structure();
      const seen = CpuSet.of(cpus)
        .toGroups()
        .map(({ group, mask }, turn) => `${set(structure(mask, group), turn === 0 ? before : null)} ${where()}`);
      return told(...seen, revert(before), where());
    },
  },
  {
    id: 'set.calling-thread-only',
    sentence: 'A set changes the calling thread and no other thread of the process.',
    source: `${pages.set}, Remarks`,
    needs: [affinity],
    expected: 'SUCCESS, the other thread as it was, SUCCESS',
    observe: ({ one, bystander }) => {
      const [before, then] = [structure(), recorded(bystander)];
      const done = set(at(one), before);
      const same = recorded(bystander) === then;
      return told(done, `the other thread ${same ? 'as it was' : `changed to ${recorded(bystander)?.toString(16)}`}`, revert(before));
    },
  },
  {
    id: 'set.previous-in-force',
    sentence: 'The first set stores the group and the processors of it that were in force.',
    source: `${pages.set}, PreviousAffinity`,
    needs: [affinity],
    expected: 'SUCCESS, a group of the set that was in force, SUCCESS',
    observe: ({ one, set: all }) => {
      const before = junk();
      const done = set(at(one), before);
      const known = slices(all).includes(fields(before));
      return told(done, known ? 'a group of the set that was in force' : fields(before), revert(before));
    },
  },
  {
    id: 'set.across-groups',
    sentence: 'A set may lead into another group; PreviousAffinity then names the group that the thread came from.',
    source: `${pages.set}, Remarks`,
    needs: [affinity, twoGroups],
    expected: ({ cpus, start }) => {
      const [first, second] = CpuSet.of(cpus)
        .toGroups()
        .map(({ group, mask }) => structure(mask, group));
      if (first === undefined || second === undefined) throw new CannotCheck('this process may use CPUs of one group only');
      return told('SUCCESS', fields(first), 'SUCCESS', fields(second), 'SUCCESS', start);
    },
    observe: ({ cpus }) => {
      const [first, second] = CpuSet.of(cpus)
        .toGroups()
        .map(({ group, mask }) => structure(mask, group));
      const [before, there, back] = [structure(), junk(), junk()];
      set(first ?? null, before);
      return told(set(second ?? null, there), fields(there), set(first ?? null, back), fields(back), revert(before), where());
    },
  },
  {
    id: 'set.previous-null',
    sentence: 'PreviousAffinity may be NULL.',
    source: `${pages.set}, PreviousAffinity`,
    needs: [affinity],
    expected: ({ other, start }) => told('SUCCESS', on(other), 'SUCCESS', start),
    observe: ({ other }) => told(set(at(other), null), where(), revert(structure()), where()),
  },
  {
    id: 'set.nested-previous',
    sentence: 'Over a system affinity, a set stores that system affinity.',
    source: `${pages.set}, PreviousAffinity`,
    needs: [affinity, twoMates],
    expected: ({ one, other }) => told('SUCCESS', fields(at(one)), 'SUCCESS', fields(at(other)), 'SUCCESS'),
    observe: ({ one, other }) => {
      const [before, first, second] = [structure(), junk(), junk()];
      set(at(one), before);
      return told(set(at(other), first), fields(first), set(at(one, other), second), fields(second), revert(before));
    },
  },
  {
    id: 'set.later-null',
    sentence: 'After several sets, one revert with what the first stored goes back, whatever the later ones were given.',
    source: `${pages.set}, Remarks`,
    needs: [affinity],
    expected: ({ bits, start }) => told('SUCCESS', 'SUCCESS', 'SUCCESS', 'SUCCESS', start, bits),
    observe: ({ one, other }) => {
      const before = structure();
      return told(set(at(one), before), set(at(other)), set(at(one)), revert(before), where(), exactly());
    },
  },
  {
    id: 'set.invalid-group',
    sentence: 'A group number that the machine does not have is refused.',
    source: `${pages.set}, Return value`,
    needs: [affinity],
    expected: ({ start }) => told('INVALID_PARAMETER', start),
    observe: ({ groups, one }) =>
      told(alike([groups.length, groups.length + 1, 77, 0xfffe, 0xffff].map((group) => set(structure(at(one).Mask, group)))), where()),
  },
  {
    id: 'set.foreign-processor',
    sentence: 'A bit that stands for no processor of the group is refused, also beside bits that do.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity, spareBit],
    expected: ({ start }) => told('INVALID_PARAMETER', start),
    observe: ({ foreign, groups }) => {
      const { group, bit } = foreign ?? { group: 0, bit: 0n };
      const maximum = groups[group]?.maximum ?? 0n;
      const every = 0xffff_ffff_ffff_ffffn;
      return told(alike([bit, bit | 1n, bit | maximum, every].map((mask) => set(structure(mask, group)))), where());
    },
  },
  {
    id: 'set.zero-mask',
    sentence: 'A mask without a processor is refused.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity],
    expected: ({ start }) => told('INVALID_PARAMETER', start),
    observe: ({ groups }) => told(alike(groups.map((_, group) => set(structure(0n, group)))), where()),
  },
  {
    id: 'set.failure-zeroes-previous',
    sentence: 'A set that is refused stores zeros in PreviousAffinity.',
    source: `${pages.set}, PreviousAffinity`,
    needs: [affinity],
    expected: 'INVALID_PARAMETER 0:0x0',
    observe: (stage) =>
      alike(
        refusable(stage).map((wrong) => {
          const previous = junk();
          return `${set(wrong, previous)} ${fields(previous)}`;
        }),
      ),
  },
  {
    id: 'set.failure-changes-nothing',
    sentence: 'A set that is refused leaves the thread where it was, bit for bit.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity],
    expected: ({ start, bits }) => told(`INVALID_PARAMETER ${start}`, bits),
    observe: (stage) => told(alike(refusable(stage).map((wrong) => `${set(wrong)} ${where()}`)), exactly()),
  },
  {
    id: 'set.failure-keeps-system',
    sentence: 'A set that is refused leaves the system affinity in force that was there.',
    source: `${pages.keSet}, Remarks`,
    needs: [affinity],
    expected: ({ other, start }) => told('SUCCESS', `INVALID_PARAMETER ${on(other)}`, fields(at(other)), 'SUCCESS', start),
    observe: (stage) => {
      const { other } = stage;
      const [before, still] = [structure(), junk()];
      const done = set(at(other), before);
      const refused = alike(refusable(stage).map((wrong) => `${set(wrong)} ${where()}`));
      set(at(other), still);
      return told(done, refused, fields(still), revert(before), where());
    },
  },
  {
    id: 'set.reserved',
    sentence: 'The three reserved fields must be zero.',
    source: `${pages.structure}, Reserved; the refusal is settled by groupaffinity`,
    needs: [affinity],
    expected: ({ start }) => told('INVALID_PARAMETER 0:0x0', start),
    observe: ({ other }) =>
      told(
        alike(
          [0, 1, 2].map((field) => {
            const [wrong, previous] = [at(other), junk()];
            wrong.Reserved[field] = 1;
            return `${set(wrong, previous)} ${fields(previous)}`;
          }),
        ),
        where(),
      ),
  },
  {
    id: 'set.affinity-null',
    sentence: 'An Affinity of NULL is refused.',
    source: settled(pages.set),
    needs: [affinity],
    expected: ({ start }) => told('INVALID_PARAMETER', '0:0x0', start),
    observe: () => {
      const previous = junk();
      return told(set(null, previous), fields(previous), where());
    },
  },
  {
    id: 'set.extension-null',
    sentence: 'A device extension of NULL is refused.',
    source: settled(pages.set),
    needs: [affinity],
    expected: ({ start }) => told('INVALID_PARAMETER', '0:0x0', start),
    observe: ({ other }) => {
      const previous = junk();
      return told(word(StorPortSetSystemGroupAffinityThread(null, null, at(other), previous)), fields(previous), where());
    },
  },
  {
    id: 'set.same-structure',
    sentence: 'Affinity and PreviousAffinity may be the same structure: it is read before it is written.',
    source: settled(pages.set),
    needs: [affinity],
    expected: ({ other, bits }) =>
      told('SUCCESS', on(other), 'a group of the set that was in force', 'SUCCESS', bits, 'INVALID_PARAMETER', '0:0x0'),
    observe: ({ other, set: all }) => {
      const both = at(other);
      const [done, place] = [set(both, both), where()];
      const known = slices(all).includes(fields(both)) ? 'a group of the set that was in force' : fields(both);
      const back = told(revert(both), exactly());
      const wrong = structure(1n, 77);
      return told(done, place, known, back, set(wrong, wrong), fields(wrong));
    },
  },
  {
    id: 'set.withheld',
    sentence: 'Processors that the operating system withholds are refused with UNSUCCESSFUL, and nothing changes.',
    source: `${pages.set}, Return value`,
    needs: [affinity, ({ withheld }) => (withheld.length === 0 ? 'the operating system withholds no CPU from this process' : undefined)],
    expected: ({ start, bits }) => told('UNSUCCESSFUL 0:0x0', start, bits),
    observe: ({ one, withheld }) => {
      const mates = withheld.filter((cpu) => at(cpu).Group === at(one).Group);
      const wanted = [...withheld.map((cpu) => [cpu]), ...mates.map((cpu) => [one, cpu])];
      const seen = wanted.map((cpus) => {
        const previous = junk();
        return `${set(at(...cpus), previous)} ${fields(previous)}`;
      });
      return told(alike(seen), where(), exactly());
    },
  },
];
