/** Runs the calls of a program on the library, and says what happened in the model's words. */
import type { CpuSet as CpuSetClass } from '../../lib/machine/cpu-set.ts';
import type { affinity as affinityFunction, pin as pinFunction, Pin } from '../../lib/threads/pin.ts';
import type * as Storport from '../../lib/storport/index.ts';
import type * as Wdm from '../../lib/storport/wdm.ts';
import { slots, stale, type Argument, type Call, type Context, type CpuSet, type Query, type Reserved, type Value } from './reference.ts';

type Structure = Storport.STOR_GROUP_AFFINITY;

/** The library as one thread has it. */
export interface Doors {
  readonly storport: typeof Storport;
  readonly wdm: typeof Wdm;
  readonly pin: typeof pinFunction;
  readonly affinity: typeof affinityFunction;
  readonly CpuSet: typeof CpuSetClass;
}

/** What the runner knows of the machine. */
export interface Ground {
  /** The operating system's CPUs of a set whose processors all exist. */
  flat(set: CpuSet): bigint;
  maximum(group: number): bigint;
  /** The ThreadContext of a thread; an object that is none where it has none. */
  context(thread: number): object | null;
}

export type Happened = { kind: 'status'; status: number } | { kind: 'returned' } | { kind: 'throws'; error: string };

export interface Done {
  outcome: Happened;
  value: number | bigint | Value | null;
}

const adapters = [{}, {}];

function thrown(error: unknown): Happened {
  const name = error instanceof Error ? error.name : 'something else';
  return { kind: 'throws', error: name };
}

export class FacadeThread {
  readonly doors: Doors;
  readonly structures: Structure[];
  readonly pins: Pin[] = [];
  readonly #ground: Ground;

  constructor(doors: Doors, ground: Ground) {
    this.doors = doors;
    this.#ground = ground;
    this.structures = Array.from({ length: slots }, () => this.#make(stale));
  }

  #make({ Mask, Group, Reserved: reserved }: Value): Structure {
    const made = new this.doors.storport.STOR_GROUP_AFFINITY({ Mask, Group });
    made.Reserved = [...reserved];
    return made;
  }

  #argument(argument: Argument): Structure | null {
    if (argument === null) return null;
    if ('slot' in argument) return this.structures[argument.slot] ?? null;
    if (!('mistyped' in argument)) return this.#make(argument);
    const made = this.#make({ Mask: 1n, Group: 0, Reserved: [0, 0, 0] });
    switch (argument.mistyped) {
      case 'Mask is a number':
        return Object.assign(made, { Mask: 1 as never });
      case 'Group is a string':
        return Object.assign(made, { Group: '0' as never });
      case 'not a structure':
        return { Mask: 1n, Group: 0, Reserved: [0, 0, 0] } as never;
    }
  }

  #context(context: Context): never {
    if (context === null) return null as never;
    return (context === 'garbage' ? { StorPortThread: 4_000_000_000 } : this.#ground.context(context)) as never;
  }

  #extension(extension: number | null): object | null {
    return extension === null ? null : (adapters[extension] ?? null);
  }

  /** The call, and what it answered. */
  run(call: Exclude<Call, { call: 'hotplug' }>): Done {
    let value: Done['value'] = null;
    const status = (code: number): Happened => ({ kind: 'status', status: code });
    const nothing = (): Happened => ({ kind: 'returned' });
    const { storport, wdm } = this.doors;
    const act = (): Happened => {
      switch (call.call) {
        case 'set': {
          const previous = call.previous === null ? null : (this.structures[call.previous] ?? null);
          const affinity = this.#argument(call.affinity);
          if (!call.ke)
            return status(
              storport.StorPortSetSystemGroupAffinityThread(
                this.#extension(call.extension),
                this.#context(call.context),
                affinity,
                previous,
              ),
            );
          wdm.KeSetSystemGroupAffinityThread(affinity, previous);
          return nothing();
        }
        case 'revert': {
          const previous = this.#argument(call.previous);
          if (!call.ke)
            return status(
              storport.StorPortRevertToUserGroupAffinityThread(this.#extension(call.extension), this.#context(call.context), previous),
            );
          wdm.KeRevertToUserGroupAffinityThread(previous);
          return nothing();
        }
        case 'raise': {
          const old = { value: -1 };
          wdm.KeRaiseIrql(call.level, old);
          value = old.value;
          return nothing();
        }
        case 'lower':
          wdm.KeLowerIrql(call.level);
          return nothing();
        case 'pin':
          this.pins.push(this.#pin(call.where));
          return nothing();
        case 'restore':
          this.pins.pop()?.restore();
          return nothing();
        case 'priority':
          return status(storport.StorPortSetPriorityThread(this.#extension(call.extension), this.#context(call.context), call.priority));
        case 'terminate':
          storport.StorPortTerminateSystemThread(this.#extension(call.extension), this.#context(call.context));
          return nothing();
        case 'create': {
          const context = { value: null };
          const priority = call.priority === null ? null : { value: call.priority };
          return status(
            storport.StorPortCreateSystemThread(
              this.#extension(call.extension),
              call.routine ? 'routine.mjs' : null,
              null,
              priority,
              context,
            ),
          );
        }
        case 'copy':
          throw new Error('the runner copies: a structure may come from another thread');
        case 'write':
          Object.assign(this.structures[call.slot] as Structure, copied(call.fields));
          return nothing();
        case 'query': {
          const { outcome, answer } = this.#ask(call.query);
          value = answer;
          return outcome;
        }
      }
    };
    try {
      return { outcome: act(), value };
    } catch (error) {
      if (error instanceof ThreadEnds) throw error;
      return { outcome: thrown(error), value: null };
    }
  }

  #pin(where: CpuSet): Pin {
    const beyond = where.findIndex((mask, group) => (mask & ~this.#ground.maximum(group)) !== 0n);
    if (beyond >= 0) return this.doors.pin({ group: beyond, mask: where[beyond] ?? 0n });
    return this.doors.pin(this.doors.CpuSet.fromMask(this.#ground.flat(where)));
  }

  /** A new structure in the slot, with the fields of another. */
  copy(slot: number, { Mask, Group, Reserved: reserved }: Value): void {
    this.structures[slot] = this.#make({ Mask, Group, Reserved: reserved });
  }

  #ask(query: Query): { outcome: Happened; answer: Done['value'] } {
    const { storport, wdm } = this.doors;
    const plain = (answer: number): { outcome: Happened; answer: number } => ({ outcome: { kind: 'returned' }, answer });
    const out = { value: 0 as never };
    const told = (code: number): { outcome: Happened; answer: Done['value'] } => ({
      outcome: { kind: 'status', status: code },
      answer: code === 0 ? out.value : null,
    });
    switch (query.name) {
      case 'StorPortGetActiveGroupCount':
        return told(storport.StorPortGetActiveGroupCount(this.#extension(query.extension), query.out ? out : null));
      case 'StorPortGetGroupAffinity':
        return told(storport.StorPortGetGroupAffinity(this.#extension(query.extension), query.group, query.out ? out : null));
      case 'StorPortGetNodeAffinity': {
        const structure = new storport.STOR_GROUP_AFFINITY();
        const code = storport.StorPortGetNodeAffinity(this.#extension(query.extension), query.node, query.out ? structure : null);
        return { outcome: { kind: 'status', status: code }, answer: code === 0 ? fieldsOf(structure) : null };
      }
      case 'StorPortGetCurrentIrql':
        return told(storport.StorPortGetCurrentIrql(this.#extension(query.extension), query.out ? out : null));
      case 'KeGetCurrentIrql':
        return plain(wdm.KeGetCurrentIrql());
      case 'KeQueryActiveGroupCount':
        return plain(wdm.KeQueryActiveGroupCount());
      case 'KeQueryMaximumGroupCount':
        return plain(wdm.KeQueryMaximumGroupCount());
      case 'KeQueryActiveProcessorCountEx':
        return plain(wdm.KeQueryActiveProcessorCountEx(query.group));
      case 'KeQueryMaximumProcessorCountEx':
        return plain(wdm.KeQueryMaximumProcessorCountEx(query.group));
    }
  }

  /** Leaves the thread as a new one is: no pin, no system affinity, PASSIVE_LEVEL. */
  clear(): void {
    const { storport, wdm, affinity } = this.doors;
    wdm.KeLowerIrql(wdm.PASSIVE_LEVEL);
    storport.StorPortRevertToUserGroupAffinityThread({}, null, new storport.STOR_GROUP_AFFINITY());
    // What a Set stored is remembered until the next one that stores something else, or nothing.
    for (const part of affinity().toGroups())
      wdm.KeSetSystemGroupAffinityThread(this.#make({ Mask: part.mask, Group: part.group, Reserved: [0, 0, 0] }), null);
    storport.StorPortRevertToUserGroupAffinityThread({}, null, new storport.STOR_GROUP_AFFINITY());
    while (this.pins.length > 0) this.pins.pop()?.restore();
    this.structures.forEach((_, slot) => {
      this.structures[slot] = this.#make(stale);
    });
  }
}

/** What process.exit() becomes in a test: the system thread has ended. */
export class ThreadEnds extends Error {}

function copied(fields: Partial<Value>): object {
  return fields.Reserved === undefined ? fields : { ...fields, Reserved: [...fields.Reserved] };
}

/** The three fields, as plain values. */
export function fieldsOf({ Mask, Group, Reserved: reserved }: Structure): Value {
  return { Mask, Group, Reserved: [...reserved] as unknown as Reserved };
}

/** How a call's result differs from what the model expects, in words; undefined where it does not. */
export function differs(expected: { outcome: { kind: string }; value: Done['value'] }, happened: Done): string | undefined {
  const { outcome } = expected;
  if (outcome.kind === 'contract' || outcome.kind === 'unknown') return undefined;
  const text = (of: unknown): string =>
    JSON.stringify(of, (_, each: unknown) => (typeof each === 'bigint' ? `0x${each.toString(16)}` : each));
  if (text(outcome) !== text(happened.outcome)) return `it should have been ${text(outcome)}, and was ${text(happened.outcome)}`;
  if (expected.value !== null && text(expected.value) !== text(happened.value))
    return `the answer should have been ${text(expected.value)}, and was ${text(happened.value)}`;
  return undefined;
}
