import * as storport from '../storport/index.ts';
import { affinity, pages, twoCpus, type Claim } from './claim.ts';
import { alike, at, exactly, extension, fields, junk, on, revert, set, structure, thrown, told, where } from './look.ts';

const { STOR_GROUP_AFFINITY, StorPortRevertToUserGroupAffinityThread: Revert, StorPortSetSystemGroupAffinityThread: Set } = storport;

/** Of storport.h, in the order of their numbers. */
const codes = [
  'UNSUCCESSFUL',
  'NOT_IMPLEMENTED',
  'INSUFFICIENT_RESOURCES',
  'BUFFER_TOO_SMALL',
  'ACCESS_DENIED',
  'INVALID_PARAMETER',
  'INVALID_DEVICE_REQUEST',
  'INVALID_IRQL',
  'INVALID_DEVICE_STATE',
  'INVALID_BUFFER_SIZE',
  'UNSUPPORTED_VERSION',
  'BUSY',
];

export const structureClaims: readonly Claim[] = [
  {
    id: 'structure.fields',
    sentence: 'The structure has a mask, a group and three reserved fields, and a new one is zero.',
    source: `${pages.structure}, Members`,
    needs: [],
    expected: 'Mask 0n, Group 0, Reserved 0,0,0',
    observe: () => told(...Object.entries(new STOR_GROUP_AFFINITY()).map(([key, value]) => `${key} ${value}${key === 'Mask' ? 'n' : ''}`)),
  },
  {
    id: 'structure.mask-bits',
    sentence: 'A mask has 64 bits: no wider one and no negative one is taken.',
    source: `${pages.structure}, Mask`,
    needs: [affinity],
    expected: ({ start }) => told('INVALID_PARAMETER', start),
    observe: ({ one }) => {
      const { Mask, Group } = at(one);
      const wide = [Mask + 2n ** 64n, 2n ** 64n, 2n ** 65n, -1n, -Mask];
      return told(alike(wide.map((mask) => set(structure(mask, Group)))), where());
    },
  },
  {
    id: 'structure.group-ushort',
    sentence: 'A group is a USHORT: nothing else is a group, nor cut down to one.',
    source: `${pages.structure}, Group`,
    needs: [affinity],
    expected: ({ start }) => told('INVALID_PARAMETER', start),
    observe: ({ one }) => {
      const { Mask, Group } = at(one);
      const wrong = [0x1_0000 + Group, -1, -65_536, Group + 0.5, Number.NaN, Infinity, 2 ** 53];
      return told(alike(wrong.map((group) => set(structure(Mask, group)))), where());
    },
  },
  {
    id: 'structure.written-reserved',
    sentence: 'A structure that a set stores has zeros in its reserved fields, whatever was there.',
    source: `${pages.structure}, Reserved`,
    needs: [affinity],
    expected: '0,0,0 after success, 0,0,0 after a refusal',
    observe: ({ one }) => {
      const [stored, zeroed] = [junk(), junk()];
      set(at(one), stored);
      set(structure(), zeroed);
      revert(stored);
      return `${stored.Reserved.join()} after success, ${zeroed.Reserved.join()} after a refusal`;
    },
  },
  {
    id: 'structure.set-again',
    sentence: 'What a set stored over a system affinity can be set again.',
    source: `${pages.set}, PreviousAffinity`,
    needs: [affinity, twoCpus],
    expected: ({ one, start }) => told('SUCCESS', on(one), 'SUCCESS', start),
    observe: ({ one, other }) => {
      const [before, outer] = [structure(), structure()];
      set(at(one), before);
      set(at(other), outer);
      return told(set(outer), where(), revert(before), where());
    },
  },
  {
    id: 'structure.types',
    sentence: 'What a C compiler would not let pass for a pointer to the structure throws, and changes nothing.',
    source: `${pages.set}, Syntax`,
    needs: [affinity],
    expected: ({ start, bits }) => told('TypeError', '77:0x5a5a reserved 1 2 3', start, bits),
    observe: ({ one }) => {
      const previous = junk();
      const wrong: unknown[] = [undefined, 0, 1n, '1', true, {}, [], { Mask: 1n, Group: 0, Reserved: [0, 0, 0] }];
      const calls = wrong.flatMap((value) => {
        const as = value as storport.STOR_GROUP_AFFINITY;
        return [() => Set(extension, null, as, previous), () => Set(extension, null, at(one), as), () => Revert(extension, null, as)];
      });
      return told(alike(calls.map(thrown)), fields(previous), where(), exactly());
    },
  },
  {
    id: 'status.codes',
    sentence: 'The thirteen codes have the numbers of storport.h, unsigned.',
    source: 'storport.h, STOR_STATUS_SUCCESS to STOR_STATUS_BUSY',
    needs: [],
    expected: told('SUCCESS 0', ...codes.map((code, at) => `${code} ${(0xc100_0001 + at).toString(16)}`)),
    observe: () =>
      told(
        ...Object.entries(storport)
          .filter(([key]) => key.startsWith('STOR_STATUS_'))
          .map(([key, value]) => ({ key: key.replace('STOR_STATUS_', ''), value: Number(value) }))
          .sort((a, b) => a.value - b.value)
          .map(({ key, value }) => `${key} ${value.toString(16)}`),
      ),
  },
  {
    id: 'status.names',
    sentence: 'Every code can be told by its name.',
    source: 'storport.h, STOR_STATUS_SUCCESS to STOR_STATUS_BUSY',
    needs: [],
    expected: '13 of 13',
    observe: () => {
      const all = Object.entries(storport).filter(([key]) => key.startsWith('STOR_STATUS_'));
      return `${all.filter(([key, value]) => storport.storStatusName(Number(value)) === key).length} of ${all.length}`;
    },
  },
];
