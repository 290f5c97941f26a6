/**
 * The StorPort vectors: what docs/semantics.md says, as programs of calls with what each call answers, for any machine.
 * After every step the thread is looked at: by its own call, by the kernel's record where there is one, and by the
 * processor that it runs on. Writes JSON to standard output: `[{ name, verdict, observed }]`.
 */
import { affinity, currentCpu, CpuSet, pin, topology, type Pin } from 'groupaffinity';
import * as storport from 'groupaffinity/storport';
import {
  APC_LEVEL,
  DISPATCH_LEVEL,
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
  ALL_PROCESSOR_GROUPS,
  PASSIVE_LEVEL,
} from 'groupaffinity/wdm';
import { Found } from '../lab.ts';
import { cpuset, recorded } from '../record.ts';

const {
  PROCESSOR_NUMBER,
  STOR_GROUP_AFFINITY,
  STOR_THREAD_PRIORITY,
  storStatusName,
  StorPortGetActiveGroupCount,
  StorPortGetCurrentIrql,
  StorPortGetCurrentProcessorNumber,
  StorPortGetGroupAffinity,
  StorPortGetNodeAffinity,
  StorPortRevertToUserGroupAffinityThread,
  StorPortSetSystemGroupAffinityThread,
} = storport;

type Affinity = InstanceType<typeof STOR_GROUP_AFFINITY>;

/** The status codes of storport.h. */
const statusCodes = {
  STOR_STATUS_SUCCESS: 0x00000000,
  STOR_STATUS_UNSUCCESSFUL: 0xc1000001,
  STOR_STATUS_NOT_IMPLEMENTED: 0xc1000002,
  STOR_STATUS_INSUFFICIENT_RESOURCES: 0xc1000003,
  STOR_STATUS_BUFFER_TOO_SMALL: 0xc1000004,
  STOR_STATUS_ACCESS_DENIED: 0xc1000005,
  STOR_STATUS_INVALID_PARAMETER: 0xc1000006,
  STOR_STATUS_INVALID_DEVICE_REQUEST: 0xc1000007,
  STOR_STATUS_INVALID_IRQL: 0xc1000008,
  STOR_STATUS_INVALID_DEVICE_STATE: 0xc1000009,
  STOR_STATUS_INVALID_BUFFER_SIZE: 0xc100000a,
  STOR_STATUS_UNSUPPORTED_VERSION: 0xc100000b,
  STOR_STATUS_BUSY: 0xc100000c,
} as const;

/** The status codes that the vectors meet, as they write them. */
type Status = 'SUCCESS' | 'UNSUCCESSFUL' | 'INVALID_PARAMETER' | 'INVALID_IRQL';

/** Processors of one group, by what they are on this machine. */
type Place =
  /** Two processors of one group, and both. */
  | 'A'
  | 'B'
  | 'A+B'
  /** A processor of another group. */
  | 'C'
  /** One that exists and is not active, in the group of A. */
  | 'inactive'
  | 'A+inactive'
  /** Active, and withheld from this process. */
  | 'withheld'
  | 'A+withheld'
  /** What no machine has. */
  | 'foreign bit'
  | 'A+foreign bit'
  | 'bit 64'
  | 'negative mask'
  | 'no bit'
  | 'group beyond the last'
  | 'group 65535'
  | 'group 65536'
  | 'group -1'
  | 'group 0.5'
  | 'group NaN'
  | 'Reserved not zero';

/** Structures that routines write into. At first they hold rubbish. */
type Slot = 'p' | 'q' | 'r';

type Given = Place | Slot | 'zero' | 'zero in group 5' | 'copy of p' | 'copy of q' | 'NULL';

/** Where the thread may run: a place, or its user affinity as it was at the start. */
type Held = Place | 'user';

type Step =
  | readonly ['set', Given, Slot | 'NULL', Status]
  | readonly ['revert', Given, Status]
  | readonly ['ke set', Given, Slot | 'NULL']
  | readonly ['ke revert', Given]
  /** What a slot holds: a place, the user affinity's part in a group, or zeros in all fields. */
  | readonly ['holds', Slot, Held | 'zero']
  | readonly ['on', Held]
  | readonly ['raise' | 'lower', number]
  | readonly ['pin', Place]
  | readonly ['unpin']
  /** Anything else: what it answers, and what it should. */
  | readonly ['see', () => unknown, unknown];

interface Vector {
  readonly name: string;
  readonly steps: readonly Step[];
}

const extension = {};

// The machine as the vectors know it.

const machine = topology();
const known = new Map<number, { group: number; bit: bigint }>();
for (const { group, cpus, maximumMask } of machine.groups) {
  let bit = 0n;
  for (const cpu of cpus) {
    while (((maximumMask >> bit) & 1n) === 0n) bit += 1n;
    known.set(cpu, { group, bit: 1n << bit });
    bit += 1n;
  }
}

const start = affinity();
/** The thread's set as exactly as it can be told. */
const bits = (): string => recorded()?.bits ?? String(affinity());
const startBits = bits();
const free = machine.groups.map(({ online }) => online.intersect(start).toArray());
const home = Math.max(
  0,
  free.findIndex((cpus) => cpus.length === Math.max(...free.map(({ length }) => length))),
);
const [a = 0] = free[home] ?? [];
const b = (free[home] ?? []).at(-1) ?? a;
const c = free.find((cpus, group) => group !== home && cpus.length > 0)?.[0];
const homeGroup = machine.groups[home];
if (homeGroup === undefined) throw new Error('this machine has no processor group');
const resting = homeGroup.cpus.find((cpu) => !machine.cpus.online.has(cpu));
const withheld = homeGroup.online.minus(cpuset() ?? homeGroup.online).first;
const foreign = Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)).find((bit) => (homeGroup.maximumMask & bit) === 0n);
const bitOf = (cpu: number): bigint => known.get(cpu)?.bit ?? 0n;

type Processors = { readonly mask: bigint; readonly group: number };
const mask = (mask: bigint, group = home): Processors => ({ mask, group });
const noInactive = 'every processor of the group is active';
const noWithheld = 'no active processor of the group is withheld from this process';
const noForeign = 'the group has 64 processors: no bit is left over';

/** What each place is here, or why there is none. */
const places: Readonly<Record<Place, Processors | string>> = {
  A: mask(bitOf(a)),
  B: a === b ? 'needs two processors of one group that this process may use' : mask(bitOf(b)),
  'A+B': a === b ? 'needs two processors of one group that this process may use' : mask(bitOf(a) | bitOf(b)),
  C: c === undefined ? 'needs a second processor group' : mask(bitOf(c), known.get(c)?.group),
  inactive: resting === undefined ? noInactive : mask(bitOf(resting)),
  'A+inactive': resting === undefined ? noInactive : mask(bitOf(a) | bitOf(resting)),
  withheld: withheld === undefined ? noWithheld : mask(bitOf(withheld)),
  'A+withheld': withheld === undefined ? noWithheld : mask(bitOf(a) | bitOf(withheld)),
  'foreign bit': foreign === undefined ? noForeign : mask(foreign),
  'A+foreign bit': foreign === undefined ? noForeign : mask(bitOf(a) | foreign),
  'bit 64': mask(1n << 64n),
  'negative mask': mask(-1n),
  'no bit': mask(0n),
  'group beyond the last': mask(1n, machine.groups.length),
  'group 65535': mask(1n, 65_535),
  'group 65536': mask(1n, 65_536),
  'group -1': mask(1n, -1),
  'group 0.5': mask(1n, 0.5),
  'group NaN': mask(1n, Number.NaN),
  'Reserved not zero': mask(bitOf(a)),
};

function at(place: Place): Processors {
  const found = places[place];
  if (typeof found === 'string') throw new Error(found);
  return found;
}

function structure({ mask, group }: Processors): Affinity {
  return new STOR_GROUP_AFFINITY({ Mask: mask, Group: group });
}

function fields({ Mask, Group, Reserved }: Affinity): string {
  return `${Group}:0x${Mask.toString(16)}${Reserved.every((field) => field === 0) ? '' : ` reserved ${Reserved.join(' ')}`}`;
}

const holder = (held: Held): CpuSet => {
  if (held === 'user') return start;
  const { group, mask } = at(held);
  return CpuSet.of([...known].filter(([, cpu]) => cpu.group === group && (cpu.bit & mask) !== 0n).map(([cpu]) => cpu));
};

/** Where the thread may run by its own call; what the kernel or the processor says beside that, where it differs. */
function look(): string {
  const own = affinity();
  const record = recorded();
  const allowed = record?.allowed.intersect(machine.cpus.online) ?? own;
  const strays = [currentCpu().cpu, record?.lastCpu ?? -1].filter((cpu) => cpu >= 0 && !own.has(cpu));
  return [
    `on ${own}`,
    ...(String(allowed) === String(own) ? [] : [`by the kernel on ${allowed}`]),
    ...strays.map((cpu) => `seen on ${cpu}`),
  ].join(', ');
}

// One vector on the calling thread.

class Program {
  readonly #slots = new Map<Slot, Affinity>();
  readonly #pins: Pin[] = [];

  #slot(name: Slot): Affinity {
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      slot = structure({ mask: 0x5a5an, group: 77 });
      slot.Reserved = [1, 2, 3];
      this.#slots.set(name, slot);
    }
    return slot;
  }

  #given(name: Given): Affinity | null {
    switch (name) {
      case 'NULL':
        return null;
      case 'p':
      case 'q':
      case 'r':
        return this.#slot(name);
      case 'zero':
        return structure({ mask: 0n, group: 0 });
      case 'zero in group 5':
        return structure({ mask: 0n, group: 5 });
      case 'copy of p':
      case 'copy of q': {
        const { Mask, Group } = this.#slot(name === 'copy of p' ? 'p' : 'q');
        return structure({ mask: Mask, group: Group });
      }
      default: {
        const made = structure(at(name));
        if (name === 'Reserved not zero') made.Reserved = [0, 1, 0];
        return made;
      }
    }
  }

  #into(name: Slot | 'NULL'): Affinity | null {
    return name === 'NULL' ? null : this.#slot(name);
  }

  /** What one step answers, and what it should. */
  #step(step: Step): { seen: string; wanted: string } {
    switch (step[0]) {
      case 'set':
        return {
          seen: storStatusName(StorPortSetSystemGroupAffinityThread(extension, null, this.#given(step[1]), this.#into(step[2]))),
          wanted: `STOR_STATUS_${step[3]}`,
        };
      case 'revert':
        return {
          seen: storStatusName(StorPortRevertToUserGroupAffinityThread(extension, null, this.#given(step[1]))),
          wanted: `STOR_STATUS_${step[2]}`,
        };
      case 'ke set':
        return { seen: String(KeSetSystemGroupAffinityThread(this.#given(step[1]), this.#into(step[2]))), wanted: 'undefined' };
      case 'ke revert':
        return { seen: String(KeRevertToUserGroupAffinityThread(this.#given(step[1]))), wanted: 'undefined' };
      case 'holds': {
        const slot = this.#slot(step[1]);
        if (step[2] === 'zero') return { seen: fields(slot), wanted: '0:0x0' };
        if (step[2] !== 'user') return { seen: fields(slot), wanted: fields(structure(at(step[2]))) };
        // Of a set that spans groups, its part in the group where the thread ran.
        const part = start.toGroups().find(({ group }) => group === slot.Group) ?? start.toGroups()[0];
        return { seen: fields(slot), wanted: part === undefined ? 'a group' : fields(structure(part)) };
      }
      case 'on':
        return { seen: look(), wanted: `on ${holder(step[1])}` };
      case 'raise': {
        const before = KeGetCurrentIrql();
        const old = { value: -1 };
        KeRaiseIrql(step[1], old);
        return { seen: `${old.value} to ${KeGetCurrentIrql()}`, wanted: `${before} to ${step[1]}` };
      }
      case 'lower':
        KeLowerIrql(step[1]);
        return { seen: `to ${KeGetCurrentIrql()}`, wanted: `to ${step[1]}` };
      case 'pin': {
        const { group, mask } = at(step[1]);
        const pinned = pin({ group, mask });
        this.#pins.push(pinned);
        return { seen: String(pinned.cpus), wanted: String(holder(step[1])) };
      }
      case 'unpin':
        return { seen: String(this.#pins.pop()?.restore()), wanted: 'undefined' };
      case 'see':
        return { seen: String(step[1]()), wanted: String(step[2]) };
    }
  }

  /** Throws at the first step that answers otherwise than it should. */
  run(steps: readonly Step[]): string {
    try {
      return steps
        .map((step, number) => {
          const { seen, wanted } = this.#step(step);
          const told = `${step.filter((word) => typeof word === 'string' || typeof word === 'number').join(' ')}: ${seen}`;
          if (seen !== wanted) throw new Error(`step ${number + 1}, ${told}, not ${wanted}`);
          return told;
        })
        .join('; ');
    } finally {
      if (KeGetCurrentIrql() > PASSIVE_LEVEL) KeLowerIrql(PASSIVE_LEVEL);
      StorPortRevertToUserGroupAffinityThread(extension, null, structure({ mask: 0n, group: 0 }));
      for (const pinned of this.#pins.splice(0).reverse()) pinned.restore();
    }
  }
}

// The vectors.

/** What Set refuses, and Revert as well unless it says nothing but "user affinity". */
const refusals: readonly Place[] = [
  'group beyond the last',
  'group 65535',
  'group 65536',
  'group -1',
  'group 0.5',
  'group NaN',
  'foreign bit',
  'A+foreign bit',
  'bit 64',
  'negative mask',
  'no bit',
  'inactive',
  'Reserved not zero',
];

const set = (context: unknown, into: Affinity | null, hardware: object | null = extension): string =>
  storStatusName(StorPortSetSystemGroupAffinityThread(hardware, context as storport.ThreadContext | null, structure(at('A')), into));
const revert = (context: unknown, hardware: object | null = extension): string =>
  storStatusName(
    StorPortRevertToUserGroupAffinityThread(hardware, context as storport.ThreadContext | null, structure({ mask: 0n, group: 0 })),
  );

function thrown(call: () => unknown): string {
  try {
    return String(call());
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

const contexts: readonly [string, unknown][] = [
  ['an object that is no context', {}],
  ['a context that was never given out', { StorPortThread: 4_000_000_000 }],
  ['a context below zero', { StorPortThread: -1 }],
];

/** What C's compiler would refuse. */
const wrongTypes: readonly [string, () => unknown][] = [
  [
    'Set of a plain object',
    () => StorPortSetSystemGroupAffinityThread(extension, null, { Mask: 1n, Group: 0, Reserved: [0, 0, 0] } as unknown as Affinity, null),
  ],
  [
    'Set of a Mask that is a number',
    () => StorPortSetSystemGroupAffinityThread(extension, null, Object.assign(structure(at('A')), { Mask: 1 }), null),
  ],
  ['Set of undefined', () => StorPortSetSystemGroupAffinityThread(extension, null, undefined as unknown as Affinity, null)],
  ['Set with a device extension that is a number', () => set(null, null, 1 as unknown as object)],
  ['Set with a thread context that is a number', () => set(1, null)],
  ['Revert of a plain object', () => StorPortRevertToUserGroupAffinityThread(extension, null, {} as unknown as Affinity)],
  ['KeSet of a plain object', () => KeSetSystemGroupAffinityThread({} as unknown as Affinity, null)],
];

const vectors: readonly Vector[] = [
  {
    name: 'row 1: a Set over the user affinity stores what was in force, and its Revert brings that back',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['holds', 'p', 'user'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: "row 1: the kernel's Set stores zeros there",
    steps: [
      ['ke set', 'A', 'p'],
      ['holds', 'p', 'zero'],
      ['on', 'A'],
      ['ke revert', 'p'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 2: nested Sets store the outer system affinity, and Reverts lead back one by one',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['holds', 'q', 'A'],
      ['on', 'B'],
      ['set', 'A+B', 'r', 'SUCCESS'],
      ['holds', 'r', 'B'],
      ['on', 'A+B'],
      ['revert', 'r', 'SUCCESS'],
      ['on', 'B'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: "row 2: the kernel's nested Sets",
    steps: [
      ['ke set', 'A', 'p'],
      ['ke set', 'B', 'q'],
      ['holds', 'q', 'A'],
      ['on', 'B'],
      ['ke revert', 'q'],
      ['on', 'A'],
      ['ke revert', 'p'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 2: Sets across groups, and back',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'C', 'q', 'SUCCESS'],
      ['holds', 'q', 'A'],
      ['on', 'C'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'A'],
      ['set', 'C', 'NULL', 'SUCCESS'],
      ['on', 'C'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 3: later Sets without PreviousAffinity, and one Revert of the first value',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'NULL', 'SUCCESS'],
      ['on', 'B'],
      ['set', 'A+B', 'NULL', 'SUCCESS'],
      ['on', 'A+B'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'a routine that sets and reverts inside need not know whether its caller has set',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'A'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['on', 'B'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 4: inactive processors are left out, which the next PreviousAffinity shows',
    steps: [
      ['set', 'A+inactive', 'p', 'SUCCESS'],
      ['holds', 'p', 'user'],
      ['on', 'A'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['holds', 'q', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  ...refusals.flatMap((place): Vector[] => [
    {
      name: `row 5: Set refuses ${place} over the user affinity`,
      steps: [
        ['set', place, 'p', 'INVALID_PARAMETER'],
        ['holds', 'p', 'zero'],
        ['set', place, 'NULL', 'INVALID_PARAMETER'],
        ['ke set', place, 'q'],
        ['holds', 'q', 'zero'],
        ['on', 'user'],
      ],
    },
    {
      name: `row 5: Set refuses ${place} over a system affinity`,
      steps: [
        ['set', 'A', 'p', 'SUCCESS'],
        ['set', place, 'q', 'INVALID_PARAMETER'],
        ['holds', 'q', 'zero'],
        ['ke set', place, 'r'],
        ['holds', 'r', 'zero'],
        ['on', 'A'],
        ['revert', 'p', 'SUCCESS'],
        ['on', 'user'],
      ],
    },
    ...(place === 'no bit'
      ? []
      : [
          {
            name: `rows 9 and 14: Revert refuses ${place}`,
            steps: [
              ['revert', place, 'INVALID_PARAMETER'],
              ['on', 'user'],
              ['set', 'A', 'p', 'SUCCESS'],
              ['revert', place, 'INVALID_PARAMETER'],
              ['ke revert', place],
              ['on', 'A'],
              ['revert', 'p', 'SUCCESS'],
              ['on', 'user'],
            ],
          } satisfies Vector,
        ]),
  ]),
  {
    name: 'row 6: Revert to what Set would take, over a system affinity, makes that the system affinity',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['revert', 'B', 'SUCCESS'],
      ['on', 'B'],
      ['set', 'A+B', 'q', 'SUCCESS'],
      ['holds', 'q', 'B'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 6: Revert to the affinity that is in force leaves it a system affinity',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['revert', 'A', 'SUCCESS'],
      ['on', 'A'],
      ['revert', 'zero', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 7: Revert to Mask 0 ends the system affinity, an outer one as well',
    steps: [
      ['set', 'A', 'NULL', 'SUCCESS'],
      ['set', 'B', 'NULL', 'SUCCESS'],
      ['revert', 'zero', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 7: of a Mask 0 with a Group, the Mask decides',
    steps: [
      ['set', 'A', 'NULL', 'SUCCESS'],
      ['revert', 'zero in group 5', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'rows 8 and 10: Revert without a system affinity has no effect',
    steps: [
      ['revert', 'zero', 'SUCCESS'],
      ['on', 'user'],
      ['revert', 'A', 'SUCCESS'],
      ['on', 'user'],
      ['ke revert', 'A'],
      ['on', 'user'],
      ['set', 'A', 'p', 'SUCCESS'],
      ['holds', 'p', 'user'],
      ['revert', 'p', 'SUCCESS'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 11: a pin below a system affinity waits for the Revert',
    steps: [['set', 'A', 'p', 'SUCCESS'], ['pin', 'B'], ['on', 'A'], ['revert', 'p', 'SUCCESS'], ['on', 'B'], ['unpin'], ['on', 'user']],
  },
  {
    name: 'row 11: a pin that ends below a system affinity is gone after the Revert',
    steps: [
      ['pin', 'B'],
      ['set', 'A', 'p', 'SUCCESS'],
      ['holds', 'p', 'B'],
      ['on', 'A'],
      ['unpin'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 12: what a refused inner Set stored ends the outer system affinity as well',
    steps: [
      ['set', 'A', 'NULL', 'SUCCESS'],
      ['set', 'no bit', 'q', 'INVALID_PARAMETER'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 13: at APC_LEVEL a Set and a Revert are in force when they return',
    steps: [
      ['raise', APC_LEVEL],
      ['set', 'A', 'p', 'SUCCESS'],
      ['on', 'A'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['on', 'B'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 14: at DISPATCH_LEVEL a Set succeeds at once, and the thread moves when the level falls below',
    steps: [
      ['raise', DISPATCH_LEVEL],
      ['set', 'A', 'p', 'SUCCESS'],
      ['holds', 'p', 'user'],
      ['on', 'user'],
      ['raise', HIGH_LEVEL],
      ['lower', DISPATCH_LEVEL],
      ['on', 'user'],
      ['lower', APC_LEVEL],
      ['on', 'A'],
      ['lower', PASSIVE_LEVEL],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 14: of several Sets at DISPATCH_LEVEL the last wins, and each stores the one before',
    steps: [
      ['raise', DISPATCH_LEVEL],
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['holds', 'q', 'A'],
      ['on', 'user'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'B'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 14: at DISPATCH_LEVEL a Revert waits as well',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['raise', DISPATCH_LEVEL],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'A'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 14: a Set that is reverted at DISPATCH_LEVEL never moves the thread',
    steps: [
      ['raise', DISPATCH_LEVEL],
      ['set', 'A', 'p', 'SUCCESS'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 14: at DISPATCH_LEVEL a wrong request is refused at once',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['raise', DISPATCH_LEVEL],
      ['set', 'group beyond the last', 'q', 'INVALID_PARAMETER'],
      ['holds', 'q', 'zero'],
      ['revert', 'group beyond the last', 'INVALID_PARAMETER'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 14: at DISPATCH_LEVEL a Set of another group',
    steps: [
      ['raise', DISPATCH_LEVEL],
      ['set', 'C', 'p', 'SUCCESS'],
      ['on', 'user'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'C'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 14: at DISPATCH_LEVEL inactive processors are left out',
    steps: [
      ['raise', DISPATCH_LEVEL],
      ['set', 'inactive', 'p', 'INVALID_PARAMETER'],
      ['set', 'A+inactive', 'p', 'SUCCESS'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['holds', 'q', 'A'],
      ['revert', 'q', 'SUCCESS'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'row 15: above DISPATCH_LEVEL Set is UNSUCCESSFUL and Revert INVALID_IRQL',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['raise', DISPATCH_LEVEL + 1],
      ['set', 'B', 'q', 'UNSUCCESSFUL'],
      ['holds', 'q', 'zero'],
      ['ke set', 'B', 'r'],
      ['holds', 'r', 'zero'],
      ['revert', 'p', 'INVALID_IRQL'],
      ['ke revert', 'p'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'decision 1: a copy by fields of what the first Set stored reverts to the user affinity',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'NULL', 'SUCCESS'],
      ['revert', 'copy of p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'decision 1: a copy stands for the nested Set that stored the same value later',
    steps: [
      ['pin', 'A'],
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['holds', 'q', 'A'],
      ['revert', 'copy of q', 'SUCCESS'],
      ['pin', 'B'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'B'],
      ['unpin'],
      ['unpin'],
      ['on', 'user'],
    ],
  },
  {
    name: 'decision 4: a processor that is withheld from the process is UNSUCCESSFUL, whole or in part',
    steps: [
      ['set', 'withheld', 'p', 'UNSUCCESSFUL'],
      ['holds', 'p', 'zero'],
      ['set', 'A+withheld', 'q', 'UNSUCCESSFUL'],
      ['holds', 'q', 'zero'],
      ['on', 'user'],
    ],
  },
  {
    name: 'decision 5: Affinity NULL, and a PreviousAffinity of NULL for Revert',
    steps: [
      ['set', 'NULL', 'p', 'INVALID_PARAMETER'],
      ['holds', 'p', 'zero'],
      ['set', 'NULL', 'NULL', 'INVALID_PARAMETER'],
      ['revert', 'NULL', 'INVALID_PARAMETER'],
      ['ke set', 'NULL', 'q'],
      ['holds', 'q', 'zero'],
      ['ke revert', 'NULL'],
      ['on', 'user'],
    ],
  },
  {
    name: 'decision 6: a device extension of NULL',
    steps: [
      ['see', () => set(null, null, null), 'STOR_STATUS_INVALID_PARAMETER'],
      ['set', 'A', 'p', 'SUCCESS'],
      ['see', () => revert(null, null), 'STOR_STATUS_INVALID_PARAMETER'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  ...contexts.map(([what, context]): Vector => ({
    name: `decision 8: ${what}`,
    steps: [
      ['see', () => set(context, null), 'STOR_STATUS_INVALID_PARAMETER'],
      ['set', 'A', 'p', 'SUCCESS'],
      ['see', () => revert(context), 'STOR_STATUS_INVALID_PARAMETER'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  })),
  {
    name: 'decision 11: pointers and context are judged first, the IRQL before group and mask',
    steps: [
      ['raise', HIGH_LEVEL],
      ['see', () => set(null, null, null), 'STOR_STATUS_INVALID_PARAMETER'],
      ['see', () => set({}, null), 'STOR_STATUS_INVALID_PARAMETER'],
      ['set', 'NULL', 'p', 'INVALID_PARAMETER'],
      ['set', 'group beyond the last', 'p', 'UNSUCCESSFUL'],
      ['revert', 'NULL', 'INVALID_PARAMETER'],
      ['see', () => revert({}), 'STOR_STATUS_INVALID_PARAMETER'],
      ['revert', 'group beyond the last', 'INVALID_IRQL'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'user'],
    ],
  },
  {
    name: 'decision 16: a second Revert in a row counts while there is a system affinity',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['revert', 'q', 'SUCCESS'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['revert', 'q', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  {
    name: 'decision 19: Affinity and PreviousAffinity may be the same structure',
    steps: [
      ['set', 'A', 'p', 'SUCCESS'],
      ['set', 'B', 'q', 'SUCCESS'],
      ['set', 'q', 'q', 'SUCCESS'],
      ['on', 'A'],
      ['holds', 'q', 'B'],
      ['set', 'q', 'q', 'SUCCESS'],
      ['on', 'B'],
      ['holds', 'q', 'A'],
      ['revert', 'p', 'SUCCESS'],
      ['on', 'user'],
    ],
  },
  ...wrongTypes.map(([what, call]): Vector => ({
    name: `a TypeError: ${what}`,
    steps: [
      ['see', () => thrown(call), 'TypeError'],
      ['on', 'user'],
    ],
  })),
  {
    name: 'the IRQL: told by both routines; never raised downwards nor lowered upwards',
    steps: [
      ['raise', DISPATCH_LEVEL],
      [
        'see',
        () => {
          const irql = { value: -1 };
          return `${storStatusName(StorPortGetCurrentIrql(extension, irql))} ${irql.value}`;
        },
        `STOR_STATUS_SUCCESS ${DISPATCH_LEVEL}`,
      ],
      ['see', () => storStatusName(StorPortGetCurrentIrql(extension, null)), 'STOR_STATUS_INVALID_PARAMETER'],
      ['see', () => thrown(() => KeRaiseIrql(APC_LEVEL, { value: 0 })), 'RangeError'],
      ['see', () => thrown(() => KeLowerIrql(HIGH_LEVEL)), 'RangeError'],
      ['lower', PASSIVE_LEVEL],
      ['on', 'user'],
    ],
  },
  ...machine.groups.map(({ group }): Vector => {
    const cpus = free[group] ?? [];
    const one = (cpu: number): Affinity => structure({ mask: bitOf(cpu), group });
    return {
      name: `group ${group}: each of its processors that this process may use, one by one`,
      steps: [
        [
          'see',
          () => {
            if (cpus.length === 0) return 'none';
            const missed = cpus.filter((cpu) => {
              const number = new PROCESSOR_NUMBER();
              const status = StorPortSetSystemGroupAffinityThread(extension, null, one(cpu), null);
              const told = StorPortGetCurrentProcessorNumber(extension, number);
              return (
                status !== 0 || told !== 0 || look() !== `on ${cpu}` || number.Group !== group || 1n << BigInt(number.Number) !== bitOf(cpu)
              );
            });
            return missed.length === 0 ? 'each' : `not on ${missed.join()}`;
          },
          cpus.length === 0 ? 'none' : 'each',
        ],
        ['revert', 'zero', 'SUCCESS'],
        ['on', 'user'],
      ],
    };
  }),
];

const found = new Found();

const exported: Readonly<Record<string, unknown>> = { ...storport };
for (const [name, code] of Object.entries(statusCodes)) {
  found.same(`status code ${name}`, code, exported[name]);
  found.same(`the name of ${name}`, name, storStatusName(code));
}
found.same('the seven priorities', [0, 1, 2, 3, 4, 5, 6], Object.values(STOR_THREAD_PRIORITY));

for (const { name, steps } of vectors) {
  const missing = steps
    .flat()
    .flatMap((word) => (typeof word === 'string' && Object.hasOwn(places, word) ? [places[word as Place]] : []))
    .find((place) => typeof place === 'string');
  if (missing === undefined)
    await found.check(name, () => {
      const told = new Program().run(steps);
      if (bits() !== startBits) throw new Error(`the thread's set is ${bits()} afterwards, and was ${startBits}`);
      return told;
    });
  else found.add(name, 'skip', missing);
}

// The queries, against the topology.

const answer = (call: (out: { value: never }) => number): unknown => {
  const out: { value: number | bigint | null } = { value: null };
  const status = storStatusName(call(out as { value: never }));
  return out.value === null ? status : [status, String(out.value)];
};
const count = (mask: bigint): number => mask.toString(2).replaceAll('0', '').length;
const active = machine.groups.filter(({ activeMask }) => activeMask !== 0n);
const total = (which: 'activeMask' | 'maximumMask'): number => machine.groups.reduce((sum, group) => sum + count(group[which]), 0);

found.same(
  'StorPortGetActiveGroupCount',
  ['STOR_STATUS_SUCCESS', String(active.length)],
  answer((out) => StorPortGetActiveGroupCount(extension, out)),
);
for (const { group, activeMask, maximumMask } of machine.groups) {
  found.same(
    `StorPortGetGroupAffinity of group ${group}`,
    activeMask === 0n ? 'STOR_STATUS_UNSUCCESSFUL' : ['STOR_STATUS_SUCCESS', String(activeMask)],
    answer((out) => StorPortGetGroupAffinity(extension, group, out)),
  );
  found.same(
    `processors of group ${group}, active and maximum`,
    [count(activeMask), count(maximumMask)],
    [KeQueryActiveProcessorCountEx(group), KeQueryMaximumProcessorCountEx(group)],
  );
}
found.same(
  'StorPortGetGroupAffinity beyond the last group',
  'STOR_STATUS_UNSUCCESSFUL',
  answer((out) => StorPortGetGroupAffinity(extension, machine.groups.length, out)),
);
found.same(
  'the counts of groups and processors',
  [active.length, machine.groups.length, total('activeMask'), total('maximumMask'), 0, 0],
  [
    KeQueryActiveGroupCount(),
    KeQueryMaximumGroupCount(),
    KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS),
    KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS),
    KeQueryActiveProcessorCountEx(machine.groups.length),
    KeQueryMaximumProcessorCountEx(machine.groups.length),
  ],
);
for (const { id, cpus } of machine.numaNodes) {
  const node = structure({ mask: 0x5a5an, group: 77 });
  const status = storStatusName(StorPortGetNodeAffinity(extension, id, node));
  const part = cpus.toGroups().find(({ group }) => group === node.Group)?.mask ?? 0n;
  found.same(
    `StorPortGetNodeAffinity of node ${id}`,
    ['STOR_STATUS_SUCCESS', fields(structure({ mask: part, group: node.Group }))],
    [status, fields(node)],
  );
}
found.same(
  'StorPortGetNodeAffinity of a node that is not there',
  'STOR_STATUS_INVALID_PARAMETER',
  storStatusName(StorPortGetNodeAffinity(extension, 65_535, structure({ mask: 0n, group: 0 }))),
);
const pinned = pin({ group: home, mask: bitOf(a) });
found.same(
  'KeGetCurrentProcessorNumberEx counts over all groups',
  machine.groups.slice(0, home).reduce((sum, { maximumMask }) => sum + count(maximumMask), 0) + count(bitOf(a) - 1n),
  KeGetCurrentProcessorNumberEx(null),
);
pinned.restore();

console.log(JSON.stringify(found.checks));
