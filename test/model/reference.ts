/**
 * The reference model of group affinity: what the WDK pages, and the project's decisions where they are silent, say each call does.
 *
 * It is written from the documents alone and imports nothing, so that an error of the library cannot be an error here as well. Everything
 * is plain immutable data; {@link step} is a pure function of a state and a call. "Row n" and
 * "decision n" are those of the two tables in docs/semantics.md.
 */

/** Processors as one mask a group; index is the group. As long as the machine has groups. */
export type CpuSet = readonly bigint[];

/** `maximum`: processors that exist. `active`: those that are online now. */
export interface Group {
  readonly maximum: bigint;
  readonly active: bigint;
}

export interface Machine {
  readonly groups: readonly Group[];
  /** What the process may use (cpuset, container, job). Not the same thing as active, and never changed by a call. */
  readonly allowed: CpuSet;
  /** Processors of each NUMA node, existing ones. */
  readonly nodes: readonly CpuSet[];
  /**
   * Where the operating system keeps a thread inside one group (Windows). A pin then spans no groups. The U of the first thread may
   * (Windows 11); of such a U the system tells the part in this group, its primary one, and no call widens what a call has narrowed: that
   * part is what a Revert or the end of a pin brings back, and what a new thread gets ("What the Revert brings back").
   */
  readonly primary?: number;
}

export type Reserved = readonly [number, number, number];

/** The fields of a STOR_GROUP_AFFINITY. */
export interface Value {
  readonly Mask: bigint;
  readonly Group: number;
  readonly Reserved: Reserved;
}

/** A system affinity: processors of one group. */
export interface GroupMask {
  readonly Mask: bigint;
  readonly Group: number;
}

/** A structure in memory. The token says that a Set over the user affinity wrote it, and what it wrote; a copy by fields has none. */
export interface Structure extends Value {
  readonly token: GroupMask | null;
}

export interface Thread {
  /** The adapter whose StorPortCreateSystemThread made it; null for a thread of the program's own, which has no ThreadContext. */
  readonly adapter: number | null;
  readonly ended: boolean;
  /** Nothing is known about it any more: its last processor went offline, and systems differ in what they do then. */
  readonly lost: boolean;
  readonly irql: number;
  /** STOR_THREAD_PRIORITY. */
  readonly priority: number;
  /** U: what the thread uses when nothing is in force; may span groups and hold inactive processors. */
  readonly user: CpuSet;
  /** User affinities that pins replaced, the oldest first. */
  readonly pins: readonly CpuSet[];
  /** S. */
  readonly system: GroupMask | null;
  /** A Set or Revert at DISPATCH_LEVEL waits for the IRQL to fall. */
  readonly pending: boolean;
  /** What the Set over U wrote, unless a nested Set wrote the same value since: a copy by fields then still leads back to U. */
  readonly captured: GroupMask | null;
  /** What the operating system was last told; S or U, but the one of before the raise while the IRQL is DISPATCH_LEVEL or more. */
  readonly placed: CpuSet;
  /** The active part of `placed`: where the thread can run. */
  readonly effective: CpuSet;
  /** The structures p0, p1, p2 of this thread; a thread never sees those of another, only copies. */
  readonly structures: readonly Structure[];
}

/** A thread's number is its index. */
export interface State {
  readonly machine: Machine;
  readonly threads: readonly Thread[];
}

/** What a C compiler would refuse to convert: the caller gets a TypeError and no structure is touched. */
export type Mistyped = 'Mask is a number' | 'Group is a string' | 'not a structure';

/** A pointer to a STOR_GROUP_AFFINITY: NULL, one of the thread's structures, or a fresh one with these fields. */
export type Argument = null | { readonly slot: number } | Value | { readonly mistyped: Mistyped };

/** NULL, the context of that thread, or something that never was one. */
export type Context = null | number | 'garbage';

export type Query =
  | { readonly name: 'StorPortGetActiveGroupCount'; readonly extension: number | null; readonly out: boolean }
  | { readonly name: 'StorPortGetGroupAffinity'; readonly extension: number | null; readonly group: number; readonly out: boolean }
  | { readonly name: 'StorPortGetNodeAffinity'; readonly extension: number | null; readonly node: number; readonly out: boolean }
  | { readonly name: 'StorPortGetCurrentIrql'; readonly extension: number | null; readonly out: boolean }
  | { readonly name: 'KeGetCurrentIrql' }
  | { readonly name: 'KeQueryActiveGroupCount' }
  | { readonly name: 'KeQueryMaximumGroupCount' }
  | { readonly name: 'KeQueryActiveProcessorCountEx'; readonly group: number }
  | { readonly name: 'KeQueryMaximumProcessorCountEx'; readonly group: number };

export interface SetCall {
  readonly call: 'set';
  /** KeSetSystemGroupAffinityThread, which has neither extension nor context. */
  readonly ke: boolean;
  readonly thread: number;
  /** An adapter's HwDeviceExtension, or NULL. */
  readonly extension: number | null;
  readonly context: Context;
  readonly affinity: Argument;
  /** The structure that PreviousAffinity points at; may be the one of `affinity`. */
  readonly previous: number | null;
  /** The group of the processor that the thread runs on as it calls. */
  readonly home: number;
}

export interface RevertCall {
  readonly call: 'revert';
  readonly ke: boolean;
  readonly thread: number;
  readonly extension: number | null;
  readonly context: Context;
  readonly previous: Argument;
}

export type Call =
  | SetCall
  | RevertCall
  | { readonly call: 'raise' | 'lower'; readonly thread: number; readonly level: number }
  /** The user mode's way to confine a thread: changes U. */
  | { readonly call: 'pin'; readonly thread: number; readonly where: CpuSet }
  /** Takes back the thread's latest pin that is still there. */
  | { readonly call: 'restore'; readonly thread: number }
  | { readonly call: 'hotplug'; readonly group: number; readonly bit: number; readonly online: boolean }
  | {
      readonly call: 'create';
      readonly thread: number;
      readonly extension: number | null;
      readonly routine: boolean;
      readonly priority: number | null;
    }
  | { readonly call: 'terminate'; readonly thread: number; readonly extension: number | null; readonly context: Context }
  | {
      readonly call: 'priority';
      readonly thread: number;
      readonly extension: number | null;
      readonly context: Context;
      readonly priority: number;
      /** The operating system refuses this level to this process: the runner knows. */
      readonly refused: boolean;
    }
  /** `to` becomes a new structure with the fields of `from`. */
  | {
      readonly call: 'copy';
      readonly thread: number;
      readonly slot: number;
      readonly from: { readonly thread: number; readonly slot: number };
    }
  /** Writes fields of a structure in place. */
  | { readonly call: 'write'; readonly thread: number; readonly slot: number; readonly fields: Partial<Value> }
  | { readonly call: 'query'; readonly thread: number; readonly query: Query };

export type Outcome =
  | { readonly kind: 'status'; readonly status: number }
  /** Returned, and has no status: a void routine, or a query whose answer is `value`. */
  | { readonly kind: 'returned' }
  | { readonly kind: 'throws'; readonly error: 'TypeError' | 'AffinityError' }
  /** The caller broke the routine's contract and the routine has no status to say so: it may throw or return, but changes no thread. */
  | { readonly kind: 'contract' }
  /** The calling thread is lost. */
  | { readonly kind: 'unknown' };

export interface Result {
  readonly outcome: Outcome;
  /** The structure that the call named as PreviousAffinity, as it is afterwards. */
  readonly previous: Structure | null;
  /** What a query answered or an out-parameter received; the old IRQL of a raise; null when it is not specified. */
  readonly value: number | bigint | Value | null;
  /** The thread that was created. */
  readonly created: number | null;
  /** Where each thread can run now; null for one that has ended or is lost. */
  readonly effective: readonly (CpuSet | null)[];
}

/** The statuses that the routines of the model answer with (`storport.md`, section 2). */
export const status = {
  SUCCESS: 0x00000000,
  UNSUCCESSFUL: 0xc1000001,
  INVALID_PARAMETER: 0xc1000006,
  INVALID_IRQL: 0xc1000008,
} as const;

export const irql = { PASSIVE: 0, APC: 1, DISPATCH: 2, HIGH: 15 } as const;

/** Decision 9: INVALID_IRQL is the natural code, but Set's page does not list it. */
export const setAboveDispatch: number = status.UNSUCCESSFUL;

/** Decision 25: the level of a thread that is created without one. */
export const normalPriority = 1;

export const allGroups = 0xffff;

/** Structures a thread has. They start with fields that no call writes, so that a forgotten write shows. */
export const slots = 3;
export const stale: Structure = { Mask: 0x5a5an, Group: 0xdead, Reserved: [1, 2, 3], token: null };

const noReserved: Reserved = [0, 0, 0];
const zeroed: Structure = { Mask: 0n, Group: 0, Reserved: noReserved, token: null };
const freshSlots: readonly Structure[] = Array.from({ length: slots }, () => stale);

const returned: Outcome = { kind: 'returned' };
const contract: Outcome = { kind: 'contract' };
const typeError: Outcome = { kind: 'throws', error: 'TypeError' };
const affinityError: Outcome = { kind: 'throws', error: 'AffinityError' };
const answered = (code: number): Outcome => ({ kind: 'status', status: code });
const success = answered(status.SUCCESS);
const unsuccessful = answered(status.UNSUCCESSFUL);
const invalidParameter = answered(status.INVALID_PARAMETER);
const invalidIrql = answered(status.INVALID_IRQL);

/** A number of processors. */
export function count(mask: bigint): number {
  let n = 0;
  for (let rest = mask; rest !== 0n; rest &= rest - 1n) n += 1;
  return n;
}

/** Processors of `set` that are online. */
export function activePart(machine: Machine, set: CpuSet): CpuSet {
  return set.map((mask, group) => mask & (machine.groups[group]?.active ?? 0n));
}

export function isEmpty(set: CpuSet): boolean {
  return set.every((mask) => mask === 0n);
}

function hasActive(machine: Machine, set: CpuSet): boolean {
  return set.some((mask, group) => (mask & (machine.groups[group]?.active ?? 0n)) !== 0n);
}

function inGroup(machine: Machine, { Mask, Group }: GroupMask): CpuSet {
  return machine.groups.map((_, group) => (group === Group ? Mask : 0n));
}

/** Tells the operating system what is in force, unless the IRQL holds that back (rows 13 and 14, decision 20). */
function settle(machine: Machine, thread: Thread): Thread {
  if (thread.ended || thread.lost) return thread;
  const inForce = thread.system === null ? thread.user : inGroup(machine, thread.system);
  const placed = thread.irql >= irql.DISPATCH ? thread.placed : inForce;
  const effective = activePart(machine, placed);
  const lost = isEmpty(effective) || !hasActive(machine, inForce);
  return { ...thread, placed, effective, lost };
}

function newThread(machine: Machine, adapter: number | null, user: CpuSet, priority: number): Thread {
  return settle(machine, {
    adapter,
    ended: false,
    lost: false,
    irql: irql.PASSIVE,
    priority,
    user,
    pins: [],
    system: null,
    pending: false,
    captured: null,
    placed: user,
    effective: user,
    structures: freshSlots,
  });
}

/** U as the operating system tells it, and can bring it back. */
function told({ primary }: Machine, user: CpuSet): CpuSet {
  return primary === undefined || !spansGroups(user) ? user : user.map((mask, group) => (group === primary ? mask : 0n));
}

function spansGroups(set: CpuSet): boolean {
  return set.filter((mask) => mask !== 0n).length > 1;
}

/** A machine with one thread, number 0, that nobody created and that may run wherever the process may, or on `user`. */
export function start(machine: Machine, user: CpuSet = machine.allowed): State {
  return { machine, threads: [newThread(machine, null, user, normalPriority)] };
}

/** Where each thread can run; null for one that has ended or is lost. */
export function effectiveSets(state: State): readonly (CpuSet | null)[] {
  return state.threads.map((thread) => (thread.ended || thread.lost ? null : thread.effective));
}

function replaceThread(state: State, id: number, thread: Thread): State {
  return { machine: state.machine, threads: state.threads.map((other, index) => (index === id ? thread : other)) };
}

function replaceSlot(thread: Thread, slot: number | null, structure: Structure): Thread {
  if (slot === null) return thread;
  return { ...thread, structures: thread.structures.map((other, index) => (index === slot ? structure : other)) };
}

interface Outputs {
  readonly previous?: Structure | null;
  readonly value?: Result['value'];
  readonly created?: number;
}

export interface Step {
  readonly state: State;
  readonly result: Result;
}

function done(state: State, outcome: Outcome, { previous = null, value = null, created }: Outputs = {}): Step {
  return { state, result: { outcome, previous, value, created: created ?? null, effective: effectiveSets(state) } };
}

/** Copies the input before anything is written (decision 19). */
function read(thread: Thread, argument: Argument): Structure | null | Mistyped {
  if (argument === null) return null;
  if ('mistyped' in argument) return argument.mistyped;
  if ('slot' in argument) return thread.structures[argument.slot] ?? null;
  return { ...argument, token: null };
}

/** Decisions 7 and 8: the calling thread, said by NULL or by its own context; the routines affect no other. */
function meansCaller(state: State, id: number, context: Context): boolean {
  if (context === null) return true;
  return context === id && state.threads[id]?.adapter !== null;
}

/**
 * The acceptance rule that Set and a Revert to a value share: the group exists, no bit is foreign to it, one is active at least; Reserved
 * is zero (decisions 2, 3, 18). Returns what is left when inactive bits are dropped (row 4), or null.
 */
function accept(machine: Machine, { Mask, Group, Reserved }: Value): GroupMask | null {
  const group = machine.groups[Group];
  if (group === undefined || Reserved.some((word) => word !== 0)) return null;
  if (Mask < 0n || (Mask & ~group.maximum) !== 0n) return null;
  const active = Mask & group.active;
  return active === 0n ? null : { Mask: active, Group };
}

function isAllowed(machine: Machine, { Mask, Group }: GroupMask): boolean {
  return (Mask & ~(machine.allowed[Group] ?? 0n)) === 0n;
}

/** One group and mask for a user affinity: its active part in the group where the thread runs, else in the lowest group that has any. */
function slice(machine: Machine, user: CpuSet, home: number): GroupMask {
  const active = activePart(machine, user);
  const Group = (active[home] ?? 0n) === 0n ? active.findIndex((mask) => mask !== 0n) : home;
  return { Mask: active[Group] ?? 0n, Group: Math.max(Group, 0) };
}

function set(state: State, thread: Thread, call: SetCall): Step {
  const { machine } = state;
  const named = (of: Thread): Structure | null => (call.previous === null ? null : (of.structures[call.previous] ?? null));
  const affinity = read(thread, call.affinity);
  if (typeof affinity === 'string') return done(state, typeError, { previous: named(thread) });

  /** Rows 5 and 12, decision 2: nothing but PreviousAffinity changes, and that is zeroed. A void routine cannot say more. */
  const refuse = (outcome: Outcome): Step => {
    const after = replaceSlot(thread, call.previous, zeroed);
    return done(replaceThread(state, call.thread, after), outcome, { previous: named(after) });
  };
  // The order of the checks is decision 11.
  if (!call.ke && (call.extension === null || !meansCaller(state, call.thread, call.context))) return refuse(invalidParameter);
  if (affinity === null) return refuse(call.ke ? contract : invalidParameter);
  if (thread.irql > irql.DISPATCH) return refuse(call.ke ? contract : answered(setAboveDispatch));
  const system = accept(machine, affinity);
  if (system === null) return refuse(call.ke ? returned : invalidParameter);
  if (!isAllowed(machine, system)) return refuse(call.ke ? returned : unsuccessful);

  let previous: Structure;
  let captured: GroupMask | null = null;
  const user = thread.system === null ? told(machine, thread.user) : thread.user;
  if (thread.system !== null) {
    const { Mask, Group } = thread.system;
    previous = { ...zeroed, Mask: Mask & (machine.groups[Group]?.active ?? 0n), Group };
    // What the first Set stored still leads back to U, unless the same value now means a system affinity as well.
    if (call.previous === null || !same(thread.captured, previous)) captured = thread.captured;
  } else if (call.ke) {
    previous = zeroed; // Row 1: the kernel's routine says "a user affinity" by (0, 0).
  } else {
    const token = slice(machine, user, call.home); // Decision 1.
    previous = { ...token, Reserved: noReserved, token };
    if (call.previous !== null) captured = token;
  }
  const pending = thread.irql >= irql.DISPATCH;
  const after = replaceSlot(settle(machine, { ...thread, user, system, captured, pending }), call.previous, previous);
  return done(replaceThread(state, call.thread, after), call.ke ? returned : success, { previous: named(after) });
}

const same = (a: GroupMask | null, b: GroupMask): boolean => a !== null && a.Mask === b.Mask && a.Group === b.Group;

function revert(state: State, thread: Thread, call: RevertCall): Step {
  const { machine } = state;
  const input = read(thread, call.previous);
  const previous = call.previous !== null && 'slot' in call.previous ? (thread.structures[call.previous.slot] ?? null) : null;
  /** Every Revert leaves the structure as it is. */
  const end = (outcome: Outcome, after: Thread = thread): Step =>
    done(after === thread ? state : replaceThread(state, call.thread, settle(machine, after)), outcome, { previous });
  const [good, bad, refused] = call.ke ? [returned, returned, returned] : [success, invalidParameter, unsuccessful];

  if (typeof input === 'string') return end(typeError);
  if (!call.ke && (call.extension === null || !meansCaller(state, call.thread, call.context))) return end(invalidParameter);
  if (input === null) return end(call.ke ? contract : invalidParameter);
  if (thread.irql > irql.DISPATCH) return end(call.ke ? contract : invalidIrql); // Row 15.
  if (input.Reserved.some((word) => word !== 0)) return end(bad);

  // Rows 7, 8 and 11, decisions 15 and 17: a zero mask, whatever its group, means the latest user affinity. Decision 1: so does what a
  // Set over the user affinity wrote.
  if (input.Mask === 0n || same(input.token, input) || same(thread.captured, input)) {
    if (thread.system === null) return end(good);
    if (!hasActive(machine, thread.user)) return end(refused); // Decision 4: all its processors went offline meanwhile.
    return end(good, { ...thread, system: null, pending: thread.irql >= irql.DISPATCH });
  }
  const system = accept(machine, input);
  if (system === null) return end(bad); // Row 9, decision 14.
  if (thread.system === null) return end(good); // Row 10, decision 13.
  if (!isAllowed(machine, system)) return end(refused);
  return end(good, { ...thread, system, pending: thread.irql >= irql.DISPATCH }); // Row 6.
}

/** A processor that does not exist is an error, an offline one is dropped, nothing left is an error (`house.md`, section 2). */
function pin(state: State, id: number, thread: Thread, where: CpuSet): Step {
  const { groups, allowed, primary } = state.machine;
  const unknown = where.some((mask, group) => (mask & ~(groups[group]?.maximum ?? 0n)) !== 0n);
  const user = groups.map(({ active }, group) => active & (where[group] ?? 0n));
  const forbidden = user.some((mask, group) => (mask & ~(allowed[group] ?? 0n)) !== 0n);
  const spans = primary !== undefined && spansGroups(user);
  if (unknown || isEmpty(user) || forbidden || spans) return done(state, affinityError);
  // Row 11: below a system affinity, this waits.
  const after = settle(state.machine, { ...thread, user, pins: [...thread.pins, told(state.machine, thread.user)] });
  return done(replaceThread(state, id, after), returned);
}

function restore(state: State, id: number, thread: Thread): Step {
  const user = thread.pins.at(-1);
  if (user === undefined) return done(state, returned);
  return done(replaceThread(state, id, settle(state.machine, { ...thread, user, pins: thread.pins.slice(0, -1) })), returned);
}

function hotplug(state: State, group: number, bit: number, online: boolean): Step {
  const cpu = 1n << BigInt(bit);
  if (((state.machine.groups[group]?.maximum ?? 0n) & cpu) === 0n) throw new RangeError(`There is no processor ${bit} in group ${group}.`);
  const groups = state.machine.groups.map((each, index) =>
    index === group ? { ...each, active: online ? each.active | cpu : each.active & ~cpu } : each,
  );
  const machine = { ...state.machine, groups };
  return done({ machine, threads: state.threads.map((thread) => settle(machine, thread)) }, returned);
}

function create(state: State, thread: Thread, extension: number | null, routine: boolean, priority: number | null): Step {
  if (extension === null || !routine || !isPriority(priority ?? normalPriority)) return done(state, invalidParameter); // Decision 24.
  const limit = state.machine.groups.reduce((sum, { maximum }) => sum + count(maximum), 0);
  const running = state.threads.filter(({ adapter, ended }) => adapter === extension && !ended).length;
  if (running >= limit) return done(state, unsuccessful); // Decision 23.
  const created = newThread(state.machine, extension, told(state.machine, thread.user), priority ?? normalPriority); // Decision 22.
  return done({ machine: state.machine, threads: [...state.threads, created] }, success, { created: state.threads.length });
}

function isPriority(priority: number): boolean {
  return Number.isInteger(priority) && priority >= 0 && priority <= 6;
}

/** Decision 26: without effect from a thread that the library did not create, and for the context of another one. */
function terminate(state: State, id: number, thread: Thread, extension: number | null, context: Context): Step {
  if (extension === null || thread.adapter === null || !meansCaller(state, id, context)) return done(state, returned);
  return done(replaceThread(state, id, { ...thread, ended: true, system: null, captured: null }), returned); // Decision 21.
}

function setPriority(state: State, thread: Thread, call: Call & { call: 'priority' }): Step {
  const { extension, context, priority } = call;
  const target = typeof context === 'number' ? state.threads[context] : undefined;
  if (extension === null || typeof context !== 'number') return done(state, invalidParameter);
  if (target === undefined || target.ended || target.adapter === null) return done(state, invalidParameter);
  if (thread.irql !== irql.PASSIVE) return done(state, invalidIrql);
  if (!isPriority(priority)) return done(state, invalidParameter);
  if (call.refused) return done(state, unsuccessful);
  return done(replaceThread(state, context, { ...target, priority }), success);
}

function ask(state: State, thread: Thread, query: Query): Step {
  const { groups, nodes } = state.machine;
  const total = (group: number, of: keyof Group): number =>
    groups.reduce((sum, each, index) => sum + (group === allGroups || group === index ? count(each[of]) : 0), 0);
  const plain = (value: Result['value']): Step => done(state, returned, { value });
  const activeGroups = groups.filter(({ active }) => active !== 0n).length;
  if ('extension' in query && (query.extension === null || !query.out)) return done(state, invalidParameter);
  switch (query.name) {
    case 'StorPortGetActiveGroupCount':
      return done(state, success, { value: activeGroups });
    case 'StorPortGetGroupAffinity': {
      const active = groups[query.group]?.active ?? 0n;
      return active === 0n ? done(state, unsuccessful) : done(state, success, { value: active });
    }
    case 'StorPortGetNodeAffinity': {
      const node = nodes[query.node];
      if (node === undefined) return done(state, invalidParameter);
      // A node that spans groups answers for its primary group, the one with the most of its processors (KeQueryNodeActiveAffinity).
      const sizes = node.map(count);
      const Group = sizes.indexOf(Math.max(...sizes));
      return done(state, success, { value: { Mask: (node[Group] ?? 0n) & (groups[Group]?.active ?? 0n), Group, Reserved: noReserved } });
    }
    case 'StorPortGetCurrentIrql':
      return done(state, success, { value: thread.irql });
    case 'KeGetCurrentIrql':
      return plain(thread.irql);
    case 'KeQueryActiveGroupCount':
      return plain(activeGroups);
    case 'KeQueryMaximumGroupCount':
      return plain(groups.length);
    case 'KeQueryActiveProcessorCountEx':
      return plain(total(query.group, 'active'));
    case 'KeQueryMaximumProcessorCountEx':
      return plain(total(query.group, 'maximum'));
  }
}

/** KeRaiseIrql never lowers and KeLowerIrql never raises; what was held back at DISPATCH_LEVEL happens when the level falls below. */
function changeIrql(state: State, id: number, thread: Thread, direction: 'raise' | 'lower', level: number): Step {
  const wrongWay = direction === 'raise' ? level < thread.irql : level > thread.irql;
  if (wrongWay || !Number.isInteger(level) || level < irql.PASSIVE || level > irql.HIGH) return done(state, contract);
  const value = direction === 'raise' ? thread.irql : null;
  const moves = thread.pending && level < irql.DISPATCH;
  // Row 4: what went offline before the move is dropped when it happens.
  const system =
    moves && thread.system !== null
      ? { ...thread.system, Mask: thread.system.Mask & (state.machine.groups[thread.system.Group]?.active ?? 0n) }
      : thread.system;
  const after = { ...thread, system, pending: thread.pending && !moves, irql: level };
  return done(replaceThread(state, id, settle(state.machine, after)), returned, { value });
}

/** Does one call. A call that no program can make (by a thread that has ended, say) throws a RangeError: the runner is wrong. */
export function step(state: State, call: Call): Step {
  if (call.call === 'hotplug') return hotplug(state, call.group, call.bit, call.online);
  const thread = state.threads[call.thread];
  if (thread === undefined || thread.ended) throw new RangeError(`Thread ${call.thread} is not running.`);
  if (thread.lost) return done(state, { kind: 'unknown' });
  switch (call.call) {
    case 'set':
      return set(state, thread, call);
    case 'revert':
      return revert(state, thread, call);
    case 'raise':
    case 'lower':
      return changeIrql(state, call.thread, thread, call.call, call.level);
    case 'pin':
      return pin(state, call.thread, thread, call.where);
    case 'restore':
      return restore(state, call.thread, thread);
    case 'create':
      return create(state, thread, call.extension, call.routine, call.priority);
    case 'terminate':
      return terminate(state, call.thread, thread, call.extension, call.context);
    case 'priority':
      return setPriority(state, thread, call);
    case 'copy': {
      const from = state.threads[call.from.thread]?.structures[call.from.slot];
      if (from === undefined) throw new RangeError(`Thread ${call.from.thread} has no structure ${call.from.slot}.`);
      return done(replaceThread(state, call.thread, replaceSlot(thread, call.slot, { ...from, token: null })), returned);
    }
    case 'write': {
      const old = thread.structures[call.slot];
      if (old === undefined) throw new RangeError(`Thread ${call.thread} has no structure ${call.slot}.`);
      return done(replaceThread(state, call.thread, replaceSlot(thread, call.slot, { ...old, ...call.fields })), returned);
    }
    case 'query':
      return ask(state, thread, call.query);
  }
}
