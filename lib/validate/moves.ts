/** "Already running on a processor of the set when the call returns": every CPU, many times, seen by three witnesses. */
import { native } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { pin, type Pin } from '../threads/pin.ts';
import { affinity, CannotCheck, pages, type Claim, type Need } from './claim.ts';
import { HardwareIds } from './hardware-ids.ts';
import { at, revert, set, structure } from './look.ts';
import type { Stage } from './stage.ts';

type Way = 'set' | 'revert' | 'pin';
type Witness = 'os' | 'hardware' | 'record';

const witnesses = {
  os: "the operating system's current CPU",
  hardware: "the processor's own id",
  record: "the kernel's record of the thread",
} satisfies Record<Witness, string>;

const ways = {
  set: 'When a set returns, the thread runs on the processor that it named',
  revert: 'When a revert to an outer system affinity returns, the thread runs on its processor',
  pin: 'When pin() returns, the thread runs on the CPU that it named',
} satisfies Record<Way, string>;

const sources: Record<Way, string> = {
  set: `${pages.set}, Remarks`,
  revert: `${pages.keRevert}, Remarks`,
  pin: 'groupaffinity, pin',
};

interface Journey {
  /** Why the processors' ids prove nothing. */
  readonly doubt: string | undefined;
  /** Looks that found the thread elsewhere, and the first of them. */
  readonly elsewhere: Record<Witness, { count: number; first: string }>;
  /** What the calls answered that did not succeed. */
  readonly refused: { count: number; first: string };
  /** Moves between CPUs that the kernel counted; null where it does not. */
  readonly counted: number | null;
}

function journey(way: Way, { cpus, moves, progress }: Stage): Journey {
  const ids = new HardwareIds();
  const thread = native.currentThread();
  const seesHardware = native.hardwareId() !== null;
  const elsewhere = { os: { count: 0, first: '' }, hardware: { count: 0, first: '' }, record: { count: 0, first: '' } };
  const refused = { count: 0, first: '' };
  const note = (at: { count: number; first: string }, text: string): void => {
    at.count += 1;
    at.first ||= text;
  };
  const look = (cpu: number): void => {
    const os = native.currentCpu();
    const seen = {
      os,
      hardware: seesHardware ? ids.cpu(cpu, os) : cpu,
      record: native.readThread(thread)?.lastCpu ?? cpu,
    };
    for (const witness of ['os', 'hardware', 'record'] as const)
      if (seen[witness] !== cpu) note(elsewhere[witness], `sent to ${cpu}, on ${seen[witness] < 0 ? 'no known CPU' : seen[witness]}`);
  };
  const accept = (cpu: number, status: string): void => {
    if (status !== 'SUCCESS') note(refused, `CPU ${cpu}: ${status}`);
  };

  const places = cpus.map((cpu) => at(cpu));
  const sets = cpus.map((cpu) => CpuSet.of([cpu]));
  const user = structure();
  const outer = structure();
  let here: Pin | undefined;
  const first = places[0];
  if (way !== 'pin' && first !== undefined) set(first, user);
  const before = native.readThread(thread)?.migrations ?? null;
  for (let turn = 0; turn < moves; turn += 1) {
    // In a ring of two and more, each call finds the thread on another CPU.
    for (let place = 0; place < cpus.length; place += 1) {
      const cpu = cpus[place] as number;
      if (way === 'set') accept(cpu, set(places[place] ?? null));
      if (way === 'revert') {
        set(places[place] ?? null);
        set(places[(place + 1) % cpus.length] ?? null, outer);
        accept(cpu, revert(outer));
      }
      if (way === 'pin') {
        const next = pin(sets[place] as CpuSet);
        here?.restore();
        here = next;
      }
      look(cpu);
    }
    progress((turn + 1) / moves);
  }
  const after = native.readThread(thread)?.migrations ?? null;
  here?.restore();
  if (way !== 'pin') revert(user);
  return { doubt: ids.doubt, elsewhere, refused, counted: before === null || after === null ? null : after - before };
}

/** One journey serves the three witnesses. */
const made = new Map<Way, Journey>();

function journeyOf(way: Way, stage: Stage): Journey {
  const journeyed = made.get(way) ?? journey(way, stage);
  made.set(way, journeyed);
  return journeyed;
}

const twoAnywhere: Need = ({ cpus }) => (cpus.length > 1 ? undefined : 'needs a second CPU that this process may use');
const hardware: Need = () => (native.hardwareId() === null ? `programs cannot read a processor's id on ${process.arch}` : undefined);
const hasRecord: Need = () =>
  (native.readThread(native.currentThread())?.lastCpu ?? null) === null ? 'the operating system keeps no such record' : undefined;

function summary({ cpus, moves }: Stage, elsewhere: number, first: string, refused: Journey['refused']): string {
  const sent = `${cpus.length} CPUs, ${moves} moves to each`;
  if (refused.count > 0) return `${sent}, ${refused.count} refused (${refused.first})`;
  return elsewhere === 0 ? `${sent}, each there on return` : `${sent}, ${elsewhere} elsewhere on return (${first})`;
}

export const moveClaims: readonly Claim[] = [
  ...(['set', 'revert', 'pin'] as const).flatMap((way) =>
    (['os', 'hardware', 'record'] as const).map((witness): Claim => {
      const needs: Need[] = [affinity, twoAnywhere];
      if (witness === 'hardware') needs.push(hardware);
      if (witness === 'record') needs.push(hasRecord);
      return {
        id: `moves.${way}-${witness}`,
        sentence: `${ways[way]}, by ${witnesses[witness]}.`,
        source: sources[way],
        needs,
        expected: (stage) => summary(stage, 0, '', { count: 0, first: '' }),
        observe: (stage) => {
          const { doubt, elsewhere, refused } = journeyOf(way, stage);
          if (witness === 'hardware' && doubt !== undefined) throw new CannotCheck(doubt);
          return summary(stage, elsewhere[witness].count, elsewhere[witness].first, refused);
        },
      };
    }),
  ),
  {
    id: 'moves.counted',
    sentence: 'The kernel counts a migration of the thread for every move.',
    source: 'groupaffinity, pin',
    needs: [
      affinity,
      twoAnywhere,
      () =>
        (native.readThread(native.currentThread())?.migrations ?? null) === null ? 'this kernel does not count migrations' : undefined,
    ],
    expected: 'at least as many migrations as moves',
    observe: (stage) => {
      const { counted } = journeyOf('set', stage);
      // The first move of all may find the thread there already.
      const sent = stage.cpus.length * stage.moves - 1;
      return (counted ?? 0) >= sent ? 'at least as many migrations as moves' : `${counted} migrations in ${sent} moves`;
    },
  },
  {
    id: 'moves.several',
    sentence: 'When a set of several processors returns, the thread runs on one of them.',
    source: `${pages.set}, Remarks`,
    needs: [
      affinity,
      ({ cpus, one }) => (cpus.filter((cpu) => at(cpu).Group === at(one).Group).length > 2 ? undefined : 'needs three CPUs in a group'),
    ],
    expected: ({ moves }) => `${moves} moves, each inside on return`,
    observe: ({ cpus, one, moves }) => {
      const mates = cpus.filter((cpu) => at(cpu).Group === at(one).Group);
      const halves = [mates.slice(0, mates.length >> 1), mates.slice(mates.length >> 1)].map((half) => ({
        to: at(...half),
        inside: CpuSet.of(half),
      }));
      const ids = new HardwareIds();
      const user = structure();
      let outside = 0;
      let outsideByHardware = 0;
      for (let turn = 0; turn < moves; turn += 1) {
        const half = halves[turn & 1] as (typeof halves)[number];
        set(half.to, turn === 0 ? user : null);
        const hardware = ids.known();
        if (!half.inside.has(native.currentCpu())) outside += 1;
        else if (hardware !== undefined && !half.inside.has(hardware)) outsideByHardware += 1;
      }
      if (ids.doubt === undefined) outside += outsideByHardware;
      revert(user);
      return outside === 0 ? `${moves} moves, each inside on return` : `${moves} moves, ${outside} outside on return`;
    },
  },
];
