import fc from 'fast-check';
import {
  activePart,
  allGroups,
  count,
  irql,
  isEmpty,
  slots,
  stale,
  start,
  status,
  step,
  type Argument,
  type Call,
  type Context,
  type CpuSet,
  type Machine,
  type Mistyped,
  type Outcome,
  type Query,
  type Reserved,
  type Result,
  type State,
  type Structure,
  type Thread,
  type Value,
} from './reference.ts';

/**
 * A call whose parameters are small indices. What an index means depends on the state it meets, so that a random one is most often
 * interesting ("the second structure that holds something") and 0 is always the plainest: shrinking leads to short plain programs.
 */
export type RawCall = Readonly<Record<string, number>> & { readonly op: number };

export interface Limits {
  /** Threads that run at the same time, the first one included. */
  readonly threads: number;
  /** Whether every processor of U may go offline while a system affinity hides U. Its Revert then fails. */
  readonly strandUser: boolean;
}

export interface Program {
  readonly machine: Machine;
  /** U of the first thread. */
  readonly user: CpuSet;
  readonly limits: Limits;
  readonly calls: readonly RawCall[];
}

export interface Options {
  /** This machine instead of random ones. */
  readonly machine?: Machine;
  /** U of the first thread on `machine`; all that the process may use, by default. */
  readonly user?: CpuSet;
  /** Threads that run at the same time, the first one included; 3 by default. */
  readonly threads?: number;
  /** Whether processors come and go; true by default. */
  readonly hotplug?: boolean;
  readonly strandUser?: boolean;
  /** Whether some calls have arguments that C refuses; true by default. */
  readonly mistyped?: boolean;
  /** Whether some calls are KeSet… and KeRevert…; true by default. */
  readonly kernelNames?: boolean;
  /** Calls in a program at most; 24 by default. */
  readonly calls?: number;
}

const ops = [
  'nothing',
  'query',
  'set',
  'revert',
  'raise',
  'lower',
  'pin',
  'restore',
  'hotplug',
  'create',
  'terminate',
  'priority',
  'copy',
  'write',
] as const;
type Op = (typeof ops)[number];

const full = 0xffff_ffff_ffff_ffffn;
const sizes = [2, 4, 1, 8, 3, 64, 16, 36, 63, 6, 32, 40];
const lowBits = (n: number): bigint => (1n << BigInt(n)) - 1n;
const lowest = (mask: bigint): bigint => mask & -mask;
const highest = (mask: bigint): bigint => (mask === 0n ? 0n : 1n << BigInt(mask.toString(2).length - 1));
const lowerHalf = (mask: bigint): bigint => mask & lowBits(Math.ceil(mask.toString(2).length / 2));
const evenBits = 0x5555_5555_5555_5555n;

/** Bits that look random and are the same for the same index. */
function scatter(index: number): bigint {
  return BigInt.asUintN(64, (BigInt(index) + 1n) * 0x9e37_79b9_7f4a_7c15n) | (1n << BigInt((index * 7) % 64));
}

function at<T>(list: readonly [T, ...T[]], index: number): T;
function at<T>(list: readonly T[], index: number): T | undefined;
function at<T>(list: readonly T[], index: number): T | undefined {
  return list[index % list.length];
}

interface RawMachine {
  readonly groups: readonly { readonly size: number; readonly active: number }[];
  readonly allowed: number;
  readonly user: number;
  readonly nodes: number;
}

function build(raw: RawMachine): { machine: Machine; user: CpuSet } {
  const groups = raw.groups.map(({ size, active }) => {
    const maximum = lowBits(sizes[size % sizes.length] ?? 1);
    return { maximum, active: at([maximum, maximum, lowerHalf(maximum), maximum & evenBits, lowest(maximum), 0n], active) };
  });
  if (groups[0] !== undefined && groups.every(({ active }) => active === 0n)) groups[0].active = groups[0].maximum;
  const all = groups.map(({ maximum }) => maximum);
  const whole: Machine = { groups, allowed: all, nodes: [] };
  const orElse = (set: CpuSet, other: CpuSet): CpuSet => (isEmpty(activePart(whole, set)) ? other : set);
  const allowed = orElse(
    at(
      [
        all,
        all,
        all.map((mask, group) => (group > 0 && group === all.length - 1 ? 0n : mask)),
        all.map((mask, group) => (group === 0 ? mask : 0n)),
        all.map((mask) => mask & evenBits),
        all.map((mask) => mask ^ lowest(mask)),
      ],
      raw.allowed,
    ),
    all,
  );
  const user = orElse(
    at(
      [
        allowed,
        allowed,
        allowed.map((mask, group) => (group === raw.nodes % all.length ? mask : 0n)),
        allowed.map(lowest),
        allowed.map((mask) => mask & ~evenBits),
      ],
      raw.user,
    ),
    allowed,
  );
  const alone = (mask: bigint, group: number): CpuSet => all.map((_, other) => (other === group ? mask : 0n));
  const nodes = at(
    [
      all.map(alone),
      [all],
      all.flatMap((mask, group) =>
        mask === 1n ? [alone(mask, group)] : [alone(lowerHalf(mask), group), alone(mask & ~lowerHalf(mask), group)],
      ),
    ],
    raw.nodes,
  );
  return { machine: { groups, allowed, nodes }, user };
}

const index = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });

/** Machines of 1 to 20 groups, most of them of few, some with inactive processors and with processors that the process may not use. */
export function machines(): fc.Arbitrary<{ machine: Machine; user: CpuSet }> {
  const group = fc.record({ size: index(sizes.length - 1), active: index(5) });
  const groups = fc.oneof(
    { weight: 8, arbitrary: fc.array(group, { minLength: 1, maxLength: 4, size: 'max' }) },
    { weight: 1, arbitrary: fc.array(group, { minLength: 5, maxLength: 20, size: 'max' }) },
  );
  return fc.noBias(fc.record({ groups, allowed: index(5), user: index(4), nodes: index(2) })).map(build);
}

function rawCalls({ hotplug = true, mistyped = true, kernelNames = true }: Options): fc.Arbitrary<RawCall> {
  const fields = { thread: index(11), extension: index(39), context: index(39) };
  const value = { group: index(39), mask: index(55), reserved: index(39) };
  const ke = index(kernelNames ? 9 : 7);
  const argument = index(mistyped ? 49 : 48);
  const of = (
    op: Op,
    weight: number,
    rest: Record<string, fc.Arbitrary<number>>,
  ): { weight: number; arbitrary: fc.Arbitrary<RawCall> } => ({
    weight,
    arbitrary: fc.record({ op: fc.constant(ops.indexOf(op)), ...rest }),
  });
  return fc.oneof(
    // Any call shrinks to the first.
    { withCrossShrink: true },
    of('nothing', 1, {}),
    of('query', 3, { ...fields, query: index(8), out: index(9), number: index(39) }),
    of('set', 32, { ...fields, ...value, ke, argument, slot: index(5), previous: index(7), home: index(3) }),
    of('revert', 24, { ...fields, ...value, ke, argument, slot: index(5) }),
    of('raise', 5, { thread: fields.thread, level: index(15) }),
    of('lower', 8, { thread: fields.thread, level: index(15) }),
    of('pin', 7, { thread: fields.thread, kind: index(11), group: index(19) }),
    of('restore', 5, { thread: fields.thread }),
    of('hotplug', hotplug ? 8 : 0, { group: index(19), bit: index(63) }),
    of('create', 6, { thread: fields.thread, extension: fields.extension, routine: index(14), priority: index(17) }),
    of('terminate', 2, { ...fields }),
    of('priority', 2, { ...fields, priority: index(8) }),
    of('copy', 4, { thread: fields.thread, from: index(11), slot: index(5), to: index(2) }),
    of('write', 3, { thread: fields.thread, slot: index(5), ...value, field: index(5) }),
  );
}

/** Random programs, most of them with about twelve calls. */
export function programs(options: Options = {}): fc.Arbitrary<Program> {
  const { machine, user, threads = 3, strandUser = true, calls = 24 } = options;
  const place = machine === undefined ? machines() : fc.constant({ machine, user: user ?? machine.allowed });
  const raw = fc.noBias(fc.array(rawCalls(options), { minLength: 1, maxLength: calls, size: 'max' }));
  return fc
    .record({ place, calls: raw })
    .map((made): Program => withText({ ...made.place, limits: { threads, strandUser }, calls: made.calls }));
}

/** fast-check shows a failing program by {@link print}. */
function withText(program: Program): Program {
  return Object.defineProperty(program, fc.toStringMethod, { value: () => `\n${print(program)}\n`, enumerable: false });
}

export function begin(program: Program): State {
  return start(program.machine, program.user);
}

function someThread(state: State, which: number): number {
  const live = state.threads.flatMap((thread, id) => (thread.ended ? [] : [id]));
  return at(live, which) ?? 0;
}

/** A structure that something wrote, when there is one; of those, one that names processors, when `masked`. */
function someSlot(thread: Thread, which: number, masked = false): number {
  const written = thread.structures.flatMap((structure, slot) => (structure === stale || (masked && structure.Mask === 0n) ? [] : [slot]));
  return at(written, which) ?? which % slots;
}

function someExtension(which: number): number | null {
  return which === 39 ? null : which % 2;
}

function someContext(state: State, id: number, which: number): Context {
  const made = (ended: boolean): number | undefined =>
    state.threads.findIndex((thread, other) => other !== id && thread.adapter !== null && thread.ended === ended);
  const found = (other: number | undefined): Context => (other === undefined || other < 0 ? 'garbage' : other);
  if (which < 24) return null;
  if (which < 37) return state.threads[id]?.adapter === null ? null : id;
  if (which === 37) return found(made(false));
  if (which === 38) return found(made(true));
  return 'garbage';
}

/** Most often a group with a processor to run on. */
function someGroup({ groups, allowed }: Machine, which: number): number {
  if (which === 38) return groups.length;
  if (which === 39) return allGroups;
  if (which > 34) return which % groups.length;
  const usable = groups.flatMap(({ active }, group) => ((active & (allowed[group] ?? 0n)) === 0n ? [] : [group]));
  return at(usable, which) ?? 0;
}

function someMask(machine: Machine, thread: Thread, group: number, which: number): bigint {
  const { maximum, active } = machine.groups[group] ?? { maximum: 3n, active: 3n };
  const allowed = machine.allowed[group] ?? 0n;
  const inactive = maximum & ~active;
  const beyond = lowest(~maximum & full);
  switch (which) {
    case 0:
      return lowest(active & allowed);
    case 1:
      return active & allowed;
    case 2:
      return highest(active & allowed);
    case 3:
      return maximum;
    case 4:
      return lowest(inactive) | lowest(active & allowed);
    case 5:
      return maximum & allowed;
    case 6:
      return 0n;
    case 7:
      return inactive;
    case 8:
      return beyond;
    case 9:
      return beyond | active;
    case 10:
      return full;
    case 11:
      return 1n << 63n;
    case 12:
      return active & ~allowed;
    case 13:
      return (active & ~allowed) | lowest(active & allowed);
    case 14:
      return thread.system?.Mask ?? thread.user[group] ?? 1n;
    case 15:
      return thread.user[group] ?? 1n;
    case 16:
      return scatter(which);
    default: {
      const some = scatter(which) & maximum & allowed;
      return (some & active) === 0n ? active & allowed : some;
    }
  }
}

function someReserved(which: number): Reserved {
  if (which === 38) return [1, 0, 0];
  if (which === 39) return [0, 0, 0xffff];
  return [0, 0, 0];
}

function someValue(state: State, thread: Thread, raw: RawCall): Value {
  const Group = someGroup(state.machine, raw['group'] ?? 0);
  return { Mask: someMask(state.machine, thread, Group, raw['mask'] ?? 0), Group, Reserved: someReserved(raw['reserved'] ?? 0) };
}

const mistakes = ['Mask is a number', 'Group is a string', 'not a structure'] as const satisfies readonly Mistyped[];

function setArgument(state: State, thread: Thread, raw: RawCall): Argument {
  const which = raw['argument'] ?? 0;
  const slot = raw['slot'] ?? 0;
  const masked = thread.structures.some((structure) => structure !== stale && structure.Mask !== 0n);
  if (which < 40 || (which < 46 && !masked)) return someValue(state, thread, raw);
  if (which < 48) return { slot: someSlot(thread, slot, slot < 4) };
  return which === 48 ? null : { mistyped: at(mistakes, slot) };
}

function revertArgument(state: State, thread: Thread, raw: RawCall): Argument {
  const which = raw['argument'] ?? 0;
  const slot = raw['slot'] ?? 0;
  const written = thread.structures.some((structure) => structure !== stale);
  if (which < 28 && (written || which < 2)) return { slot: someSlot(thread, slot, slot < 4) };
  if (which === 48) return null;
  if (which === 49) return { mistyped: at(mistakes, slot) };
  const value = someValue(state, thread, raw);
  return which % 3 === 0 ? { ...value, Mask: 0n } : value;
}

function someWhere({ groups, allowed }: Machine, thread: Thread, kind: number, group: number): CpuSet {
  const one = group % groups.length;
  const only = (pick: (mask: bigint, which: number) => bigint): CpuSet =>
    allowed.map((mask, other) => (other === one ? pick(mask, other) : 0n));
  const activeIn = (which: number): bigint => (groups[which]?.active ?? 0n) & (allowed[which] ?? 0n);
  switch (kind) {
    case 0:
      return only((_, which) => lowest(activeIn(which)));
    case 1:
      return only((_, which) => activeIn(which));
    case 2:
    case 3:
      return allowed;
    case 4:
      return allowed.map((mask, which) => mask & scatter(which + group));
    case 5:
      return allowed.map((mask, which) => (which === one || which === (one + 1) % groups.length ? mask : 0n));
    case 6:
      return thread.user.map((mask) => mask & evenBits);
    case 7:
      return only((_, which) => highest(activeIn(which)));
    case 8:
      return only((_, which) => groups[which]?.maximum ?? 0n);
    case 9:
      return only((_, which) => (groups[which]?.maximum ?? 0n) | lowest(~(groups[which]?.maximum ?? 0n) & full));
    case 10:
      return groups.map(() => 0n);
    default:
      return allowed.map((mask, which) => (which === one ? activeIn(which) : lowerHalf(mask)));
  }
}

function someQuery(machine: Machine, raw: RawCall): Query {
  const { nodes } = machine;
  const extension = someExtension(raw['extension'] ?? 0);
  const number = raw['number'] ?? 0;
  const group = someGroup(machine, number);
  const out = raw['out'] !== 9;
  switch (raw['query'] ?? 0) {
    case 0:
      return { name: 'KeGetCurrentIrql' };
    case 1:
      return { name: 'StorPortGetCurrentIrql', extension, out };
    case 2:
      return { name: 'StorPortGetActiveGroupCount', extension, out };
    case 3:
      return { name: 'StorPortGetGroupAffinity', extension, group, out };
    case 4: {
      const node = number > 37 ? nodes.length + (number - 38) * 0x10000 : number % nodes.length;
      return { name: 'StorPortGetNodeAffinity', extension, node, out };
    }
    case 5:
      return { name: 'KeQueryActiveGroupCount' };
    case 6:
      return { name: 'KeQueryMaximumGroupCount' };
    case 7:
      return { name: 'KeQueryActiveProcessorCountEx', group };
    default:
      return { name: 'KeQueryMaximumProcessorCountEx', group };
  }
}

function someLevel(op: 'raise' | 'lower', now: number, which: number): number {
  if (op === 'raise') {
    if (which === 14) return now - 1;
    if (which === 15) return irql.HIGH + 1;
    return Math.max(now, at([irql.DISPATCH, irql.DISPATCH, irql.APC, irql.DISPATCH, 3, irql.DISPATCH, irql.HIGH], which));
  }
  if (which === 15) return now + 1;
  return Math.min(now, at([irql.PASSIVE, irql.PASSIVE, irql.APC, irql.PASSIVE, irql.DISPATCH, irql.PASSIVE, irql.PASSIVE], which));
}

/** A processor that exists goes away when it is online and comes when it is not. */
function someProcessor({ groups }: Machine, group: number, bit: number): { group: number; bit: number; online: boolean } {
  const which = group % groups.length;
  const { maximum, active } = groups[which] ?? { maximum: 1n, active: 1n };
  const width = maximum.toString(2).length;
  let chosen = bit % width;
  while ((maximum & (1n << BigInt(chosen))) === 0n) chosen = (chosen + 1) % width;
  return { group: which, bit: chosen, online: (active & (1n << BigInt(chosen))) === 0n };
}

/** No thread may lose its last processor: what Linux does then is not the documents' matter. */
function staysKnown(state: State, call: Call, { strandUser }: Limits): boolean {
  const { state: after } = step(state, call);
  const stranded = (thread: Thread): boolean => thread.lost || (!strandUser && isEmpty(activePart(after.machine, thread.user)));
  return after.threads.every((thread) => thread.ended || !stranded(thread));
}

/**
 * The call that `raw` means in `state`, or null when it means none there: a thread is created, pinned, and ends at PASSIVE_LEVEL only;
 * nothing is asked above DISPATCH_LEVEL; no thread loses its last processor.
 */
export function resolve(state: State, raw: RawCall, limits: Limits): Call | null {
  const { machine } = state;
  const id = someThread(state, raw['thread'] ?? 0);
  const thread = state.threads[id];
  if (thread === undefined || thread.lost) return null;
  const extension = someExtension(raw['extension'] ?? 0);
  const context = someContext(state, id, raw['context'] ?? 0);
  const get = (name: string): number => raw[name] ?? 0;
  const passive = thread.irql === irql.PASSIVE;
  const op = ops[raw.op] ?? 'nothing';
  switch (op) {
    case 'nothing':
      return null;
    case 'set': {
      let affinity = setArgument(state, thread, raw);
      const which = get('previous');
      let previous = which === 0 ? null : (which - 1) % slots;
      if (which === 7) {
        if (affinity === null || !('slot' in affinity)) affinity = { slot: someSlot(thread, get('slot'), true) };
        previous = affinity.slot;
      }
      const homes = thread.effective.flatMap((mask, group) => (mask === 0n ? [] : [group]));
      const home = at(homes, get('home')) ?? 0;
      return { call: 'set', ke: get('ke') > 7, thread: id, extension, context, affinity, previous, home };
    }
    case 'revert':
      return { call: 'revert', ke: get('ke') > 7, thread: id, extension, context, previous: revertArgument(state, thread, raw) };
    case 'raise':
    case 'lower':
      return { call: op, thread: id, level: someLevel(op, thread.irql, get('level')) };
    case 'pin':
      return passive ? { call: 'pin', thread: id, where: someWhere(machine, thread, get('kind'), get('group')) } : null;
    case 'restore': {
      const call: Call = { call: 'restore', thread: id };
      return passive && thread.pins.length > 0 && staysKnown(state, call, limits) ? call : null;
    }
    case 'hotplug': {
      const call: Call = { call: 'hotplug', ...someProcessor(machine, get('group'), get('bit')) };
      return call.online || staysKnown(state, call, limits) ? call : null;
    }
    case 'create': {
      if (!passive || state.threads.filter(({ ended }) => !ended).length >= limits.threads) return null;
      const priority = at([null, 1, 0, 2, 3, 4, 5, 6, 7, -1], get('priority')) ?? null;
      const call: Call = { call: 'create', thread: id, extension, routine: get('routine') !== 14, priority };
      return staysKnown(state, call, limits) ? call : null;
    }
    case 'terminate':
      return passive ? { call: 'terminate', thread: id, extension, context } : null;
    case 'priority': {
      const made = state.threads.flatMap((other, which) => (other.adapter === null || other.ended ? [] : [which]));
      const target = context === null && get('context') > 1 ? (at(made, get('context')) ?? null) : context;
      return {
        call: 'priority',
        thread: id,
        extension,
        context: target,
        priority: at([1, 0, 2, 3, 4, 5, 6, 7, -1], get('priority')),
        refused: false,
      };
    }
    case 'copy': {
      const from = someThread(state, get('from'));
      const slot = someSlot(state.threads[from] ?? thread, get('slot'));
      return { call: 'copy', thread: id, slot: get('to'), from: { thread: from, slot } };
    }
    case 'write': {
      const { Mask, Group, Reserved } = someValue(state, thread, raw);
      const fields = at(
        [{ Mask }, { Group }, { Reserved }, { Mask, Group, Reserved }, { Mask: 0n }, { Reserved: [0, 0, 0] }],
        get('field'),
      );
      return { call: 'write', thread: id, slot: someSlot(thread, get('slot')), fields: fields as Partial<Value> };
    }
    case 'query':
      return thread.irql > irql.DISPATCH ? null : { call: 'query', thread: id, query: someQuery(machine, raw) };
  }
}

export interface Played {
  readonly call: Call;
  readonly before: State;
  readonly state: State;
  readonly result: Result;
}

/** Runs a program through the model. `adjust` puts into a call what only the runner knows: where the thread was, what the system refuses. */
export function play(program: Program, adjust: (call: Call, played: number) => Call = (call) => call): Played[] {
  const played: Played[] = [];
  let state = begin(program);
  for (const raw of program.calls) {
    const resolved = resolve(state, raw, program.limits);
    if (resolved === null) continue;
    const call = adjust(resolved, played.length);
    const before = state;
    const { state: after, result } = step(before, call);
    played.push({ call, before, state: after, result });
    state = after;
  }
  return played;
}

const hex = (mask: bigint): string => (mask < 0n ? `-0x${(-mask).toString(16)}` : `0x${mask.toString(16)}`);

export function printSet(set: CpuSet): string {
  const parts = set.flatMap((mask, group) => (mask === 0n ? [] : [`${group}:${hex(mask)}`]));
  return parts.length === 0 ? 'nothing' : parts.join(' ');
}

function printValue({ Mask, Group, Reserved }: Value): string {
  return `{Mask ${hex(Mask)}, Group ${Group}${printReserved(Reserved)}}`;
}

function printReserved(reserved: Reserved): string {
  return reserved.some((word) => word !== 0) ? `, Reserved ${reserved.join(' ')}` : '';
}

/** As `{0xf, 0}`, mask and group; an asterisk where a Set over the user affinity wrote it. */
export function printStructure({ Mask, Group, Reserved, token }: Structure): string {
  return `{${hex(Mask)}, ${Group}${printReserved(Reserved)}}${token === null ? '' : '*'}`;
}

function printArgument(argument: Argument): string {
  if (argument === null) return 'NULL';
  if ('slot' in argument) return `&p${argument.slot}`;
  if ('mistyped' in argument) return `<${argument.mistyped}>`;
  return printValue(argument);
}

const printExtension = (extension: number | null): string => (extension === null ? 'NULL' : `ext${extension}`);

function printContext(context: Context): string {
  if (context === null) return 'NULL';
  return context === 'garbage' ? '<garbage>' : `<context of thread ${context}>`;
}

function printQuery(query: Query): string {
  const parameters: string[] = [];
  if ('extension' in query) parameters.push(printExtension(query.extension));
  if ('group' in query) parameters.push(query.group === allGroups ? 'ALL_PROCESSOR_GROUPS' : query.group.toString());
  if ('node' in query) parameters.push(query.node.toString());
  if ('out' in query) parameters.push(query.out ? '&out' : 'NULL');
  return `${query.name}(${parameters.join(', ')})`;
}

/** The call as a line of C, more or less. */
export function printCall(call: Call): string {
  if (call.call === 'hotplug') return `processor ${call.group}:${hex(1n << BigInt(call.bit))} goes ${call.online ? 'online' : 'offline'}`;
  const door = (name: string, ...parameters: string[]): string => `thread ${call.thread}: ${name}(${parameters.join(', ')})`;
  switch (call.call) {
    case 'set': {
      const previous = call.previous === null ? 'NULL' : `&p${call.previous}`;
      if (call.ke) return door('KeSetSystemGroupAffinityThread', printArgument(call.affinity), previous);
      const head = [printExtension(call.extension), printContext(call.context)];
      return door('StorPortSetSystemGroupAffinityThread', ...head, printArgument(call.affinity), previous);
    }
    case 'revert': {
      const previous = printArgument(call.previous);
      if (call.ke) return door('KeRevertToUserGroupAffinityThread', previous);
      return door('StorPortRevertToUserGroupAffinityThread', printExtension(call.extension), printContext(call.context), previous);
    }
    case 'raise':
      return door('KeRaiseIrql', call.level.toString(), '&old');
    case 'lower':
      return door('KeLowerIrql', call.level.toString());
    case 'pin':
      return door('pin', printSet(call.where));
    case 'restore':
      return door('restore');
    case 'create': {
      const priority = call.priority === null ? 'NULL' : `&(${call.priority})`;
      return door(
        'StorPortCreateSystemThread',
        printExtension(call.extension),
        call.routine ? 'routine' : 'NULL',
        'NULL',
        priority,
        '&context',
      );
    }
    case 'terminate':
      return door('StorPortTerminateSystemThread', printExtension(call.extension), printContext(call.context));
    case 'priority':
      return door('StorPortSetPriorityThread', printExtension(call.extension), printContext(call.context), call.priority.toString());
    case 'copy': {
      const from = call.from.thread === call.thread ? '' : `thread ${call.from.thread}'s `;
      return `thread ${call.thread}: p${call.slot} = copy of ${from}p${call.from.slot}`;
    }
    case 'write': {
      const { Mask, Group, Reserved } = call.fields;
      const writes = [
        Mask === undefined ? '' : `p${call.slot}.Mask = ${hex(Mask)}`,
        Group === undefined ? '' : `p${call.slot}.Group = ${Group}`,
        Reserved === undefined ? '' : `p${call.slot}.Reserved = ${Reserved.join(' ')}`,
      ];
      return `thread ${call.thread}: ${writes.filter((write) => write !== '').join('; ')}`;
    }
    case 'query':
      return `thread ${call.thread}: ${printQuery(call.query)}`;
  }
}

export function printStatus(code: number): string {
  return Object.entries(status).find(([, value]) => value === code)?.[0] ?? `0x${code.toString(16)}`;
}

function printOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'status':
      return printStatus(outcome.status);
    case 'returned':
      return '';
    case 'throws':
      return outcome.error;
    case 'contract':
      return 'contract broken';
    case 'unknown':
      return 'not known';
  }
}

function printAnswer(value: Result['value']): string {
  if (value === null) return '';
  if (typeof value === 'bigint') return hex(value);
  return typeof value === 'number' ? value.toString() : printValue(value);
}

/** What a call did, as `SUCCESS, p1 = {0xf, 0}*; S 1:0x3; thread 1 on 1:0x3`: S and the processors of threads where they changed. */
export function printResult({ call, before, state, result }: Played): string {
  const answer = printAnswer(result.value);
  const facts = [printOutcome(result.outcome), call.call === 'raise' && answer !== '' ? `old = ${answer}` : answer];
  if (call.call === 'set' && call.previous !== null && result.previous !== null)
    facts.push(`p${call.previous} = ${printStructure(result.previous)}`);
  if (call.call === 'copy') {
    const copied = state.threads[call.thread]?.structures[call.slot];
    if (copied !== undefined) facts.push(`p${call.slot} = ${printStructure(copied)}`);
  }
  if (result.created !== null) facts.push(`thread ${result.created}`);
  const systems = state.threads.flatMap(({ system, ended }, id) => {
    const was = before.threads[id]?.system ?? null;
    if (ended || (was?.Mask === system?.Mask && was?.Group === system?.Group)) return [];
    return [`S ${system === null ? 'none' : `${system.Group}:${hex(system.Mask)}`}`];
  });
  const moves = result.effective.flatMap((set, id) => {
    const old = before.threads[id];
    const now = set === null ? 'gone' : `on ${printSet(set)}`;
    const was = old === undefined || old.ended || old.lost ? 'gone' : `on ${printSet(old.effective)}`;
    return now === was ? [] : [`thread ${id} ${now}`];
  });
  const said = facts.filter((fact) => fact !== '').join(', ');
  return [said, ...systems, ...moves].filter((part) => part !== '').join('; ');
}

export function printMachine({ groups, allowed, nodes }: Machine, user: CpuSet): string {
  const each = groups.map(({ maximum, active }, group) => {
    const size = `group ${group}: ${count(maximum)} processors`;
    return maximum === active ? size : `${size}, active ${hex(active)}`;
  });
  const all = groups.map(({ maximum }) => maximum);
  const allowedPart = printSet(allowed) === printSet(all) ? 'all' : printSet(allowed);
  const userPart = printSet(user) === printSet(allowed) ? 'all of that' : printSet(user);
  return `machine: ${each.join('; ')}; ${nodes.length} nodes\nallowed: ${allowedPart}; user affinity of thread 0: ${userPart}`;
}

/** A program and what the model says it does, one call a line. */
export function print(program: Program, played: readonly Played[] = play(program)): string {
  const lines = played.map((one) => {
    const result = printResult(one);
    const from = one.call.call === 'set' && one.result.previous?.token ? ` (called in group ${one.call.home})` : '';
    return `${printCall(one.call)}${result === '' ? '' : ` -> ${result}`}${from}`;
  });
  return [printMachine(program.machine, program.user), ...lines].join('\n');
}
