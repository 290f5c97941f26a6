import { describe, expect, it } from 'vitest';
import {
  allGroups,
  irql,
  normalPriority,
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
  type Query,
  type RevertCall,
  type Result,
  type SetCall,
  type State,
  type Value,
} from './reference.ts';

// The model, checked by hand: every row of the tables in docs/semantics.md, as an example. Nothing of the library is imported here.

const machine: Machine = {
  groups: [
    { maximum: 0xfn, active: 0xfn },
    { maximum: 0xffn, active: 0x0fn },
    { maximum: 0x3n, active: 0n },
  ],
  allowed: [0xfn, 0xffn, 0x3n],
  nodes: [
    [0xfn, 0n, 0n],
    [0n, 0xf0n, 0n],
    [0n, 0x0fn, 0x3n],
  ],
};
const group0: CpuSet = [0xfn, 0n, 0n];
const both: CpuSet = [0xfn, 0x0fn, 0n];

const gm = (Group: number, Mask: bigint): Value => ({ Mask, Group, Reserved: [0, 0, 0] });
const p = (slot: number): { slot: number } => ({ slot });
const zero = gm(0, 0n);

function set(affinity: Argument, previous: number | null = null, more: Partial<SetCall> = {}): SetCall {
  return { call: 'set', ke: false, thread: 0, extension: 0, context: null, affinity, previous, home: 0, ...more };
}
function revert(previous: Argument, more: Partial<RevertCall> = {}): RevertCall {
  return { call: 'revert', ke: false, thread: 0, extension: 0, context: null, previous, ...more };
}
const ke = { ke: true } as const;
const raise = (level: number, thread = 0): Call => ({ call: 'raise', thread, level });
const lower = (level: number, thread = 0): Call => ({ call: 'lower', thread, level });
const pin = (where: CpuSet, thread = 0): Call => ({ call: 'pin', thread, where });
const restore = (thread = 0): Call => ({ call: 'restore', thread });
const hotplug = (group: number, bit: number, online: boolean): Call => ({ call: 'hotplug', group, bit, online });
const create = (more: Partial<Call & { call: 'create' }> = {}): Call => ({
  call: 'create',
  thread: 0,
  extension: 0,
  routine: true,
  priority: null,
  ...more,
});
const terminate = (thread: number, context: Context = null): Call => ({ call: 'terminate', thread, extension: 0, context });
const copy = (from: number, slot: number): Call => ({ call: 'copy', thread: 0, slot, from: { thread: 0, slot: from } });
const write = (slot: number, fields: Partial<Value>): Call => ({ call: 'write', thread: 0, slot, fields });
const ask = (query: Query, thread = 0): Call => ({ call: 'query', thread, query });
const priority = (context: Context, level: number, more: Partial<Call & { call: 'priority' }> = {}): Call => ({
  call: 'priority',
  thread: 0,
  extension: 0,
  context,
  priority: level,
  refused: false,
  ...more,
});

interface Ran {
  readonly state: State;
  readonly results: readonly Result[];
  readonly last: Result;
}

function runFrom(state: State, first: Call, ...calls: readonly Call[]): Ran {
  let { state: now, result: last } = step(state, first);
  const results = [last];
  for (const call of calls) {
    ({ state: now, result: last } = step(now, call));
    results.push(last);
  }
  return { state: now, results, last };
}

/** From the machine above, on a thread whose user affinity is group 0. */
const run = (first: Call, ...calls: readonly Call[]): Ran => runFrom(start(machine, group0), first, ...calls);

function codes({ results }: Ran): (string | number)[] {
  return results.map(({ outcome }) => (outcome.kind === 'status' ? outcome.status : outcome.kind));
}
const at = (result: Result, thread = 0): CpuSet | null | undefined => result.effective[thread];
const shown = (result: Result): [number, bigint] | null =>
  result.previous === null ? null : [result.previous.Group, result.previous.Mask];
const s1 = (mask: bigint): CpuSet => [0n, mask, 0n];
const s0 = (mask: bigint): CpuSet => [mask, 0n, 0n];
const { SUCCESS, UNSUCCESSFUL, INVALID_PARAMETER, INVALID_IRQL } = status;

describe('the table of Set and Revert', () => {
  it('row 1: a first set shows the user affinity in PreviousAffinity, and (0,0) when it is the kernel that is called', () => {
    const port = run(set(gm(1, 0x3n), 1));
    expect([codes(port), shown(port.last), at(port.last)]).toEqual([[SUCCESS], [0, 0xfn], s1(0x3n)]);
    expect(port.last.previous?.token).toEqual({ Group: 0, Mask: 0xfn });
    const kernel = run(set(gm(1, 0x3n), 1, ke));
    expect([codes(kernel), shown(kernel.last), at(kernel.last)]).toEqual([['returned'], [0, 0n], s1(0x3n)]);
  });

  it('row 2: a nested set shows the system affinity that it replaces, as trimmed', () => {
    for (const call of [set(gm(0, 0x1n), 2), set(gm(0, 0x1n), 2, ke)]) {
      const { last } = run(set(gm(1, 0x33n)), call);
      expect([shown(last), last.previous?.token, at(last)]).toEqual([[1, 0x3n], null, s0(0x1n)]);
    }
  });

  it('row 3: later sets with NULL lose the middle value, and one revert of the first value is enough', () => {
    const { results, last } = run(set(gm(1, 0x1n), 0), set(gm(1, 0x2n)), set(gm(0, 0x4n)), revert(p(0)));
    expect(results.map((result) => at(result))).toEqual([s1(0x1n), s1(0x2n), s0(0x4n), group0]);
    expect(last.outcome).toEqual({ kind: 'status', status: SUCCESS });
  });

  it('row 4: inactive bits are dropped', () => {
    const { last, state } = run(set(gm(1, 0xf8n), 0));
    expect([shown(last), at(last)]).toEqual([[0, 0xfn], s1(0x8n)]);
    // Dropped for good: the processor does not come into the set when it comes online.
    expect(at(runFrom(state, hotplug(1, 4, true)).last)).toEqual(s1(0x8n));
  });

  it('row 5: a bad group, a foreign bit, none active and mask 0 are refused, with a zeroed PreviousAffinity', () => {
    for (const bad of [gm(3, 0x1n), gm(allGroups, 0x1n), gm(0, 0x10n), gm(0, 0x11n), gm(1, 0xf0n), gm(2, 0x1n), zero, gm(1, 0n)]) {
      for (const before of [[], [set(gm(1, 0x3n))]]) {
        const state = runFrom(start(machine, group0), pin(group0), ...before).state;
        const port = runFrom(state, set(bad, 0));
        expect([codes(port), port.last.previous]).toEqual([[INVALID_PARAMETER], { ...zero, token: null }]);
        expect(port.last.effective).toEqual(runFrom(state, restore()).last.effective);
        expect(port.state.threads[0]?.system).toEqual(state.threads[0]?.system);
        const kernel = runFrom(state, set(bad, 0, ke));
        expect([codes(kernel), kernel.last.previous]).toEqual([['returned'], { ...zero, token: null }]);
        expect(kernel.state.threads[0]?.system).toEqual(state.threads[0]?.system);
      }
    }
  });

  it('row 6: a revert to a valid value installs it, trimmed', () => {
    const ran = run(set(gm(1, 0x1n), 0), set(gm(1, 0x2n), 1), revert(p(1)));
    expect([codes(ran), at(ran.last)]).toEqual([[SUCCESS, SUCCESS, SUCCESS], s1(0x1n)]);
    expect(at(run(set(gm(1, 0x1n)), revert(gm(1, 0xf6n))).last)).toEqual(s1(0x6n));
  });

  it('row 7: a revert to mask 0 clears the system affinity', () => {
    for (const call of [revert(zero), revert(zero, ke)]) {
      const ran = run(set(gm(1, 0x1n)), set(gm(1, 0x2n)), call);
      expect([at(ran.last), ran.state.threads[0]?.system]).toEqual([group0, null]);
    }
  });

  it('row 8: a revert to mask 0 without a system affinity has no effect', () => {
    const ran = run(revert(zero), revert(zero, ke));
    expect([codes(ran), at(ran.last)]).toEqual([[SUCCESS, 'returned'], group0]);
  });

  it('row 9: a revert to an invalid value has no effect', () => {
    for (const bad of [gm(3, 0x1n), gm(0, 0x10n), gm(1, 0xf0n), gm(2, 0x1n)]) {
      const ran = run(set(gm(1, 0x1n)), revert(bad), revert(bad, ke));
      expect([codes(ran), at(ran.last)]).toEqual([[SUCCESS, INVALID_PARAMETER, 'returned'], s1(0x1n)]);
    }
  });

  it('row 10: a revert to a valid value on a thread that never set has no effect', () => {
    const ran = run(revert(gm(1, 0x1n)), revert(gm(1, 0x1n), ke));
    expect([codes(ran), at(ran.last), ran.state.threads[0]?.system]).toEqual([[SUCCESS, 'returned'], group0, null]);
  });

  it('row 11: a user affinity that changes meanwhile waits below the system affinity', () => {
    const { results } = run(set(gm(1, 0x1n), 0), pin([0x4n, 0x8n, 0n]), revert(zero));
    expect(results.map((result) => at(result))).toEqual([s1(0x1n), s1(0x1n), [0x4n, 0x8n, 0n]]);
    const token = run(set(gm(1, 0x1n), 0), pin(s0(0x4n)), revert(p(0)));
    expect(at(token.last)).toEqual(s0(0x4n));
    const restored = run(pin(s0(0x4n)), set(gm(1, 0x1n), 0), restore(), revert(p(0)));
    expect(restored.results.map((result) => at(result))).toEqual([s0(0x4n), s1(0x1n), s1(0x1n), group0]);
  });

  it('row 12: reverting what a failed inner set wrote loses the outer system affinity', () => {
    const ran = run(set(gm(1, 0x1n), 0), set(gm(3, 0x1n), 1), revert(p(1)));
    expect(codes(ran)).toEqual([SUCCESS, INVALID_PARAMETER, SUCCESS]);
    expect(ran.results.map((result) => at(result))).toEqual([s1(0x1n), s1(0x1n), group0]);
  });

  it('row 13: at APC_LEVEL and below, the thread is on the set as the call returns', () => {
    const { results } = run(raise(irql.APC), set(gm(1, 0x1n), 0), revert(p(0)));
    expect(results.map((result) => at(result))).toEqual([group0, s1(0x1n), group0]);
  });

  it('row 14: at DISPATCH_LEVEL the books change at once and the thread when the level falls', () => {
    const ran = run(raise(irql.DISPATCH), set(gm(1, 0x1n), 0), set(gm(1, 0x2n), 1), lower(irql.APC));
    expect(codes(ran)).toEqual(['returned', SUCCESS, SUCCESS, 'returned']);
    expect(ran.results.map((result) => at(result))).toEqual([group0, group0, group0, s1(0x2n)]);
    expect(ran.results.map(shown)).toEqual([null, [0, 0xfn], [1, 0x1n], null]);
  });

  it('row 15: above DISPATCH_LEVEL nothing is done', () => {
    const ran = run(set(gm(1, 0x1n)), raise(3), set(gm(0, 0x1n), 0), revert(zero), set(gm(0, 0x1n), 1, ke), revert(zero, ke), lower(0));
    expect(codes(ran).slice(2, 6)).toEqual([UNSUCCESSFUL, INVALID_IRQL, 'contract', 'contract']);
    expect([shown(ran.results[2]!), shown(ran.results[4]!)]).toEqual([
      [0, 0n],
      [0, 0n],
    ]);
    expect(at(ran.last)).toEqual(s1(0x1n));
  });
});

describe('the contradictions, as decided', () => {
  it('1: a second revert is in force while a system affinity is', () => {
    // A sets; B sets and reverts inside; A reverts.
    const { results } = run(set(gm(1, 0x1n), 0), set(gm(1, 0x2n), 1), revert(p(1)), revert(p(0)), revert(p(0)));
    expect(results.map((result) => at(result))).toEqual([s1(0x1n), s1(0x2n), s1(0x1n), group0, group0]);
  });

  it('1: B need not know whether A had set', () => {
    const inner: Call[] = [set(gm(1, 0x2n), 1), revert(p(1))];
    expect(at(run(set(gm(1, 0x1n), 0), ...inner, ...inner).last)).toEqual(s1(0x1n));
    expect(at(run(restore(), ...inner, ...inner).last)).toEqual(group0);
  });

  it('2: no system affinity comes out of a revert on a thread that never set', () => {
    expect(shown(run(revert(gm(0, 0x2n)), set(zero, 0), revert(gm(0, 0x2n)), set(gm(0, 0x1n), 0, ke)).last)).toEqual([0, 0n]);
  });

  it('3: a bit beyond the group is refused, whatever Wine shows of the Ex form', () => {
    expect(codes(run(set(gm(0, 0xffff_ffff_ffff_ffffn))))).toEqual([INVALID_PARAMETER]);
  });
});

describe('the decisions', () => {
  it('decision 1: the value captured over a user affinity is real, and reverts to whatever the user affinity is by then', () => {
    const ran = runFrom(start(machine, both), set(gm(1, 0x1n), 0, { home: 1 }), revert(p(0)));
    expect(shown(ran.results[0]!)).toEqual([1, 0xfn]);
    expect(at(ran.last)).toEqual(both);
  });

  it('decision 1: of a user affinity that spans groups, the part of the group where the thread runs is shown, else of the lowest', () => {
    const of = (user: CpuSet, home: number): unknown => shown(runFrom(start(machine, user), set(gm(0, 1n), 0, { home })).last);
    expect(of([0x3n, 0xfcn, 0n], 0)).toEqual([0, 0x3n]);
    expect(of([0x3n, 0xfcn, 0n], 1)).toEqual([1, 0xcn]);
    expect(of([0n, 0xfcn, 0x1n], 0)).toEqual([1, 0xcn]);
    expect(of([0x3n, 0xf0n, 0n], 1)).toEqual([0, 0x3n]);
    expect(of([0x3n, 0x1n, 0x1n], 2)).toEqual([0, 0x3n]);
  });

  it('decision 1: a copy by fields reverts as the structure itself, from below other sets and reverts as well', () => {
    const spanning = start(machine, both);
    const copied = runFrom(spanning, set(gm(1, 0x1n), 0), copy(0, 1), set(gm(3, 1n)), revert(gm(3, 1n)), revert(p(1)));
    expect([copied.state.threads[0]?.system, at(copied.last)]).toEqual([null, both]);
    expect(at(runFrom(spanning, set(gm(1, 0x1n), 0), revert(gm(0, 0xfn))).last)).toEqual(both);
    for (const between of [set(gm(1, 0x2n)), set(gm(1, 0x2n), 2, ke), revert(gm(1, 0x2n))]) {
      const after = runFrom(spanning, set(gm(1, 0x1n), 0), copy(0, 1), between);
      expect(at(runFrom(after.state, revert(p(1))).last)).toEqual(both);
      expect(at(runFrom(after.state, revert(p(0))).last)).toEqual(both);
    }
  });

  it('decision 1: but a value that a nested set stored as well means that system affinity, where the structure itself does not say else', () => {
    const nested = runFrom(start(machine, both), set(gm(1, 0x1n), 0), copy(0, 1), set(gm(0, 0xfn)), set(gm(1, 0x2n), 2));
    expect(at(runFrom(nested.state, revert(p(1))).last)).toEqual(group0);
    expect(at(runFrom(nested.state, revert(p(2))).last)).toEqual(group0);
    expect(at(runFrom(nested.state, revert(p(0))).last)).toEqual(both);
  });

  it('decision 1: a value equal to one that was not captured is a value', () => {
    const spanning = start(machine, both);
    expect(at(runFrom(spanning, set(gm(1, 0x1n)), revert(gm(0, 0xfn))).last)).toEqual(group0);
    expect(at(runFrom(spanning, set(gm(1, 0x1n), 0), revert(gm(1, 0xfn))).last)).toEqual(s1(0xfn));
  });

  it('decision 1: a structure whose fields were changed since is a value', () => {
    const spanning = start(machine, both);
    expect(at(runFrom(spanning, set(gm(1, 0x1n), 0), write(0, { Mask: 0x3n }), revert(p(0))).last)).toEqual(s0(0x3n));
    expect(at(runFrom(spanning, set(gm(1, 0x1n), 0), write(0, { Group: 1 }), revert(p(0))).last)).toEqual(s1(0xfn));
    const back = [write(0, { Mask: 0x3n }), set(gm(1, 0x2n)), write(0, { Mask: 0xfn }), revert(p(0))];
    expect(at(runFrom(spanning, set(gm(1, 0x1n), 0), ...back).last)).toEqual(both);
  });

  it('decision 1: a structure that a later set wrote over, or that was zeroed, says nothing about the user affinity', () => {
    const over = run(set(gm(1, 0x1n), 0), set(gm(1, 0x2n), 0), revert(p(0)));
    expect(at(over.last)).toEqual(s1(0x1n));
    const zeroed = run(set(gm(1, 0x1n), 0), set(gm(1, 0x2n)), set(gm(3, 1n), 0), write(0, { Mask: 0x7n }), revert(p(0)));
    expect(zeroed.state.threads[0]?.system).toEqual({ Group: 0, Mask: 0x7n });
  });

  it('decision 2: what is wrong with the value is INVALID_PARAMETER and leaves the thread alone (row 5)', () => {
    const ran = run(set(gm(1, 0x3n)), set(gm(0, 0x10n), 0));
    expect([codes(ran), shown(ran.last), at(ran.last)]).toEqual([[SUCCESS, INVALID_PARAMETER], [0, 0n], s1(0x3n)]);
  });

  it('decision 3: beyond the maximum is refused, inactive below it is trimmed', () => {
    expect(codes(run(set(gm(1, 0x101n)), set(gm(1, 0x81n))))).toEqual([INVALID_PARAMETER, SUCCESS]);
    const wide: Machine = {
      groups: [{ maximum: 0xffff_ffff_ffff_ffffn, active: 1n << 63n }],
      allowed: [0xffff_ffff_ffff_ffffn],
      nodes: [],
    };
    const top = runFrom(start(wide), set(gm(0, 0xffff_ffff_ffff_ffffn), 0));
    expect([codes(top), shown(top.last), at(top.last)]).toEqual([[SUCCESS], [0, 1n << 63n], [1n << 63n]]);
  });

  it('decision 4: a valid request for a processor that the process may not use is UNSUCCESSFUL', () => {
    const narrow: Machine = { ...machine, allowed: [0x3n, 0x1n, 0x3n] };
    const state = runFrom(start(narrow), set(gm(0, 0x1n))).state;
    for (const mask of [0x4n, 0x5n]) {
      const ran = runFrom(state, set(gm(0, mask), 0), revert(gm(0, mask)));
      expect([codes(ran), shown(ran.results[0]!), at(ran.last)]).toEqual([[UNSUCCESSFUL, UNSUCCESSFUL], [0, 0n], s0(0x1n)]);
    }
    // Inactive ones are dropped before that, and a revert that would have no effect is not refused.
    expect(codes(runFrom(start(narrow), set(gm(1, 0xf1n)), revert(zero), revert(gm(0, 0x4n))))).toEqual([SUCCESS, SUCCESS, SUCCESS]);
    const kernel = runFrom(state, set(gm(0, 0x4n), 0, ke), revert(gm(0, 0x4n), ke));
    expect([codes(kernel), shown(kernel.results[0]!), at(kernel.last)]).toEqual([['returned', 'returned'], [0, 0n], s0(0x1n)]);
  });

  it('decision 4: so is a revert to a user affinity that has no processor online any more', () => {
    const ran = runFrom(
      start(machine, s0(0x8n)),
      set(gm(1, 0x1n), 0),
      hotplug(0, 3, false),
      revert(p(0)),
      revert(zero),
      hotplug(0, 3, true),
    );
    expect(codes(ran).slice(2, 4)).toEqual([UNSUCCESSFUL, UNSUCCESSFUL]);
    expect(at(ran.last)).toEqual(s1(0x1n));
    expect(at(runFrom(ran.state, revert(zero)).last)).toEqual(s0(0x8n));
  });

  it('decision 5: a NULL affinity is INVALID_PARAMETER, for Set with a zeroed PreviousAffinity', () => {
    const ran = run(set(gm(1, 0x1n)), set(null, 0), revert(null));
    expect([codes(ran), shown(ran.results[1]!), at(ran.last)]).toEqual([
      [SUCCESS, INVALID_PARAMETER, INVALID_PARAMETER],
      [0, 0n],
      s1(0x1n),
    ]);
    expect(codes(run(set(null, 0, ke), revert(null, ke)))).toEqual(['contract', 'contract']);
  });

  it('decision 6: a NULL HwDeviceExtension is INVALID_PARAMETER', () => {
    const ran = run(set(gm(1, 0x1n)), set(gm(1, 0x2n), 0, { extension: null }), revert(zero, { extension: null }));
    expect([codes(ran), shown(ran.results[1]!), at(ran.last)]).toEqual([
      [SUCCESS, INVALID_PARAMETER, INVALID_PARAMETER],
      [0, 0n],
      s1(0x1n),
    ]);
  });

  it('decision 7: a NULL ThreadContext is the calling thread, and so is its own', () => {
    const state = runFrom(start(machine, group0), create()).state;
    for (const context of [null, 1]) {
      const ran = runFrom(state, set(gm(1, 0x1n), 0, { thread: 1, context }), revert(p(0), { thread: 1, context }));
      expect(codes(ran)).toEqual([SUCCESS, SUCCESS]);
      expect(ran.results.map(({ effective }) => effective)).toEqual([
        [group0, s1(0x1n)],
        [group0, group0],
      ]);
    }
  });

  it('decision 8: the context of another thread, of one that ended, and garbage are INVALID_PARAMETER', () => {
    const state = runFrom(start(machine, group0), create(), create(), terminate(2), set(gm(1, 0x1n))).state;
    for (const context of [1, 2, 0, 'garbage'] as const) {
      const ran = runFrom(state, set(gm(1, 0x2n), 0, { context }), revert(zero, { context }));
      expect([codes(ran), shown(ran.results[0]!)]).toEqual([
        [INVALID_PARAMETER, INVALID_PARAMETER],
        [0, 0n],
      ]);
      expect(ran.last.effective).toEqual([s1(0x1n), group0, null]);
    }
  });

  it('decision 9: Set above DISPATCH_LEVEL is UNSUCCESSFUL', () => {
    const ran = run(raise(3), set(gm(1, 0x1n), 0));
    expect([codes(ran)[1], shown(ran.last), at(ran.last)]).toEqual([UNSUCCESSFUL, [0, 0n], group0]);
  });

  it('decision 10: Revert above DISPATCH_LEVEL is INVALID_IRQL', () => {
    expect(codes(run(set(gm(1, 0x1n)), raise(irql.HIGH), revert(zero)))[2]).toBe(INVALID_IRQL);
  });

  it('decision 11: pointers, extension and context are checked before IRQL, that before group and mask, those before the system', () => {
    const narrow: Machine = { ...machine, allowed: [0x3n, 0n, 0n] };
    const state = runFrom(start(narrow), raise(3)).state;
    expect(
      codes(runFrom(state, set(null), set(gm(9, 1n), null, { extension: null }), set(gm(9, 1n), null, { context: 'garbage' }))),
    ).toEqual([INVALID_PARAMETER, INVALID_PARAMETER, INVALID_PARAMETER]);
    expect(codes(runFrom(state, revert(null), revert(gm(9, 1n), { extension: null }), revert(zero, { context: 'garbage' })))).toEqual([
      INVALID_PARAMETER,
      INVALID_PARAMETER,
      INVALID_PARAMETER,
    ]);
    expect(codes(runFrom(state, set(gm(9, 1n)), revert(gm(9, 1n))))).toEqual([UNSUCCESSFUL, INVALID_IRQL]);
    expect(codes(runFrom(start(narrow), set(gm(0, 0x14n)), set({ ...gm(0, 0x4n), Reserved: [0, 1, 0] })))).toEqual([
      INVALID_PARAMETER,
      INVALID_PARAMETER,
    ]);
  });

  it('decision 12: a zero revert on a thread that never set succeeds without effect (row 8)', () => {
    const ran = run(revert(zero));
    expect([codes(ran), at(ran.last)]).toEqual([[SUCCESS], group0]);
  });

  it('decision 13: a valid revert on a thread that never set succeeds without effect (row 10)', () => {
    const ran = run(revert(gm(1, 0x1n)));
    expect([codes(ran), ran.state.threads[0]?.system]).toEqual([[SUCCESS], null]);
  });

  it('decision 14: an invalid revert is INVALID_PARAMETER, on a thread that never set as well (row 9)', () => {
    expect(codes(run(revert(gm(1, 0xf0n)), revert(gm(3, 0x1n)), set(gm(1, 0x1n)), revert(gm(0, 0x10n))))).toEqual([
      INVALID_PARAMETER,
      INVALID_PARAMETER,
      SUCCESS,
      INVALID_PARAMETER,
    ]);
  });

  it('decision 15: (0,0) goes back to the latest user affinity, also after a failed set (rows 7 and 12)', () => {
    const ran = run(set(gm(1, 0x1n)), pin(s0(0x2n)), set(zero, 0), revert(p(0)));
    expect([codes(ran).at(-1), at(ran.last)]).toEqual([SUCCESS, s0(0x2n)]);
  });

  it('decision 16: a second revert in a row counts while a system affinity is in force, and is a success without effect after', () => {
    const ran = run(set(gm(1, 0x1n), 0), set(gm(1, 0x2n), 1), revert(p(1)), revert(p(1)), revert(p(0)), revert(p(0)), revert(p(1)));
    expect(codes(ran)).toEqual(ran.results.map(() => SUCCESS));
    expect(ran.results.map((result) => at(result)).slice(2)).toEqual([s1(0x1n), s1(0x1n), group0, group0, group0]);
  });

  it('decision 17: the group does not matter when the mask is zero', () => {
    for (const group of [1, 3, allGroups]) {
      const ran = run(set(gm(1, 0x1n)), revert(gm(group, 0n)));
      expect([codes(ran), at(ran.last)]).toEqual([[SUCCESS, SUCCESS], group0]);
    }
  });

  it('decision 18: Reserved must be zero on the way in, and is on the way out', () => {
    for (const Reserved of [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 0xffff],
    ] as const) {
      const ran = run(
        set(gm(1, 0x1n), 0),
        set({ ...gm(1, 0x2n), Reserved }, 1),
        revert({ ...zero, Reserved }),
        revert({ ...gm(1, 0x2n), Reserved }),
      );
      expect(codes(ran)).toEqual([SUCCESS, INVALID_PARAMETER, INVALID_PARAMETER, INVALID_PARAMETER]);
      expect(at(ran.last)).toEqual(s1(0x1n));
      // The structures were not zero before.
      expect(ran.state.threads[0]?.structures.map((each) => each.Reserved)).toEqual([[0, 0, 0], [0, 0, 0], stale.Reserved]);
      expect(codes(runFrom(ran.state, write(0, { Reserved }), revert(p(0))))[1]).toBe(INVALID_PARAMETER);
    }
  });

  it('decision 19: Affinity and PreviousAffinity may be the same structure', () => {
    const ran = run(write(0, gm(1, 0x3n)), set(p(0), 0), write(1, gm(0, 0x1n)), set(p(1), 1), revert(p(1)), revert(p(0)));
    expect(codes(ran).filter((code) => code !== 'returned')).toEqual([SUCCESS, SUCCESS, SUCCESS, SUCCESS]);
    expect(ran.results.map(shown)).toEqual([null, [0, 0xfn], null, [1, 0x3n], [1, 0x3n], [0, 0xfn]]);
    expect(ran.results.map((result) => at(result))).toEqual([group0, s1(0x3n), s1(0x3n), s0(0x1n), s1(0x3n), group0]);
    const failed = run(write(0, gm(3, 0x3n)), set(p(0), 0));
    expect([codes(failed)[1], shown(failed.last)]).toEqual([INVALID_PARAMETER, [0, 0n]]);
  });

  it('decision 20: at DISPATCH_LEVEL everything is checked beforehand, and the last of several wins (row 14)', () => {
    const narrow: Machine = { ...machine, allowed: [0xfn, 0x1n, 0n] };
    const at2: Call = raise(irql.DISPATCH);
    const bad = runFrom(start(narrow, group0), at2, set(gm(1, 0x2n), 0), set(gm(3, 0x2n), 0), lower(0));
    expect([codes(bad).slice(1, 3), at(bad.last)]).toEqual([[UNSUCCESSFUL, INVALID_PARAMETER], group0]);
    const back = run(at2, set(gm(1, 0x1n), 0), revert(p(0)), lower(0));
    expect([codes(back)[2], at(back.last)]).toEqual([SUCCESS, group0]);
    const kept = run(
      set(gm(1, 0x1n), 0),
      at2,
      revert(p(0)),
      lower(irql.DISPATCH),
      raise(3),
      lower(irql.DISPATCH),
      set(gm(0, 0x1n), 1),
      lower(0),
    );
    expect(kept.results.map((result) => at(result))).toEqual([...Array.from({ length: 7 }, () => s1(0x1n)), s0(0x1n)]);
    expect(shown(kept.results[6]!)).toEqual([0, 0xfn]);
  });

  it('decision 21: a thread may end without a revert', () => {
    const ran = run(create(), set(gm(1, 0x1n), null, { thread: 1 }), terminate(1));
    expect(ran.last.effective).toEqual([group0, null]);
    expect(() => step(ran.state, set(gm(1, 0x1n), null, { thread: 1 }))).toThrow('not running');
  });

  it('decision 22: a new thread starts on the user affinity of its creator', () => {
    const ran = runFrom(start(machine, both), pin([0x4n, 0x8n, 0n]), set(gm(1, 0x1n)), create());
    expect([codes(ran)[2], ran.last.created, ran.last.effective]).toEqual([SUCCESS, 1, [s1(0x1n), [0x4n, 0x8n, 0n]]]);
    const apart = runFrom(ran.state, set(gm(0, 0x1n), null, { thread: 1 }), revert(zero), pin(s0(0x2n)));
    expect(apart.last.effective).toEqual([s0(0x2n), s0(0x1n)]);
  });

  it('decision 23: an adapter has as many threads as the groups have processors, and then UNSUCCESSFUL', () => {
    const small: Machine = {
      groups: [
        { maximum: 0x3n, active: 0x1n },
        { maximum: 0x1n, active: 0n },
      ],
      allowed: [0x3n, 0x1n],
      nodes: [],
    };
    const ran = runFrom(start(small), create(), create(), create(), create(), create({ extension: 1 }), terminate(2), create());
    expect(codes(ran)).toEqual([SUCCESS, SUCCESS, SUCCESS, UNSUCCESSFUL, SUCCESS, 'returned', SUCCESS]);
    expect(ran.results.map(({ created }) => created)).toEqual([1, 2, 3, null, 4, null, 5]);
  });

  it('decision 24: no routine, no extension and a bad priority are INVALID_PARAMETER', () => {
    const ran = run(create({ routine: false }), create({ extension: null }), create({ priority: 7 }), create({ priority: -1 }));
    expect(codes(ran)).toEqual([INVALID_PARAMETER, INVALID_PARAMETER, INVALID_PARAMETER, INVALID_PARAMETER]);
    expect(ran.state.threads).toHaveLength(1);
  });

  it('decision 25: the priority is Normal when none is given', () => {
    const { state } = run(create(), create({ priority: 6 }));
    expect(state.threads.map((thread) => thread.priority)).toEqual([normalPriority, 1, 6]);
  });

  it('decision 26: Terminate has no effect on a thread of the program, nor with the context of another', () => {
    const { last } = run(create(), create(), terminate(0), terminate(1, 2), terminate(1, 'garbage'));
    expect(last.effective).toEqual([group0, group0, group0]);
  });

  it('decision 27: a group that the user affinity has no part in is a group like others', () => {
    expect(codes(run(set(gm(1, 0x1n))))).toEqual([SUCCESS]);
  });

  it('decision 28: that a mask was trimmed shows in the next PreviousAffinity', () => {
    const ran = run(set(gm(1, 0xffn), 0), set(gm(1, 0x1n), 1));
    expect([codes(ran), shown(ran.last)]).toEqual([
      [SUCCESS, SUCCESS],
      [1, 0xfn],
    ]);
  });
});

describe('what is around Set and Revert', () => {
  it('the IRQL rises by KeRaiseIrql only and falls by KeLowerIrql only', () => {
    const ran = run(raise(0), raise(1), raise(2), raise(1), lower(3), lower(2), raise(16), lower(-1), lower(0));
    expect(codes(ran)).toEqual([
      'returned',
      'returned',
      'returned',
      'contract',
      'contract',
      'returned',
      'contract',
      'contract',
      'returned',
    ]);
    expect(ran.results.map(({ value }) => value)).toEqual([0, 0, 1, null, null, null, null, null, null]);
    expect(ran.state.threads[0]?.irql).toBe(0);
  });

  it('the IRQL belongs to a thread', () => {
    const { state } = run(create(), raise(irql.DISPATCH, 1), set(gm(1, 0x1n)), set(gm(1, 0x2n), null, { thread: 1 }));
    expect(runFrom(state, restore()).last.effective).toEqual([s1(0x1n), group0]);
    expect(runFrom(state, lower(0, 1)).last.effective).toEqual([s1(0x1n), s1(0x2n)]);
    expect(runFrom(state, ask({ name: 'KeGetCurrentIrql' })).last.value).toBe(0);
    expect(runFrom(state, ask({ name: 'StorPortGetCurrentIrql', extension: 0, out: true }, 1)).last.value).toBe(2);
  });

  it('what C refuses throws, and writes nothing', () => {
    for (const mistyped of ['Mask is a number', 'Group is a string', 'not a structure'] as const) {
      const ran = run(raise(3), set({ mistyped }, 0), revert({ mistyped }), set({ mistyped }, 0, ke), revert({ mistyped }, ke));
      expect(codes(ran).slice(1)).toEqual(['throws', 'throws', 'throws', 'throws']);
      expect(ran.state.threads[0]?.structures[0]).toBe(stale);
    }
  });

  it('a pin drops offline processors and refuses unknown, forbidden and no processors', () => {
    expect(at(run(pin([0x1n, 0xf8n, 0x3n])).last)).toEqual([0x1n, 0x8n, 0n]);
    for (const where of [[0x10n, 0n, 0n], [0n, 0n, 0n], s1(0xf0n), [0x1n, 0n, 0n, 0x1n]]) {
      const ran = run(pin(where));
      expect([ran.last.outcome, at(ran.last)]).toEqual([{ kind: 'throws', error: 'AffinityError' }, group0]);
    }
    expect(codes(runFrom(start({ ...machine, allowed: [0x3n, 0n, 0n] }), pin([0x5n, 0n, 0n])))).toEqual(['throws']);
  });

  it('pins nest', () => {
    const { results } = run(pin(s0(0x3n)), pin(s1(0x1n)), restore(), restore(), restore());
    expect(results.map((result) => at(result))).toEqual([s0(0x3n), s1(0x1n), s0(0x3n), group0, group0]);
  });

  it('a processor that comes and goes does so in every set, and in what a nested set shows', () => {
    const { results, last } = runFrom(
      start(machine, [0xfn, 0x10n, 0n]),
      hotplug(1, 4, true),
      set(gm(1, 0x3n)),
      hotplug(1, 0, false),
      set(gm(0, 0x1n), 0),
      revert(p(0)),
      hotplug(1, 0, true),
      revert(zero),
    );
    expect(results.map((result) => at(result))).toEqual([
      [0xfn, 0x10n, 0n],
      s1(0x3n),
      s1(0x2n),
      s0(0x1n),
      s1(0x2n),
      s1(0x2n),
      [0xfn, 0x10n, 0n],
    ]);
    expect(shown(results[3]!)).toEqual([1, 0x2n]);
    expect(last.outcome).toEqual({ kind: 'status', status: SUCCESS });
  });

  it('nothing is said of a thread whose last processor went offline', () => {
    const ran = run(set(gm(1, 0x1n)), hotplug(1, 0, false), hotplug(1, 0, true), set(gm(0, 0x1n)));
    expect([at(ran.last), ran.last.outcome]).toEqual([null, { kind: 'unknown' }]);
    const inBooks = run(raise(2), set(gm(1, 0x1n)), hotplug(1, 0, false));
    expect(at(inBooks.last)).toBe(null);
  });

  it('a structure of another thread arrives as its fields', () => {
    const ran = run(create(), set(gm(1, 0x1n), 0, { thread: 1 }), {
      call: 'copy',
      thread: 0,
      slot: 2,
      from: { thread: 1, slot: 0 },
    });
    expect(ran.state.threads[0]?.structures[2]).toEqual({ ...gm(0, 0xfn), token: null });
    expect(ran.state.threads[0]?.structures).toHaveLength(slots);
    const used = runFrom(ran.state, set(gm(1, 0x2n)), revert(p(2)));
    expect(used.state.threads[0]?.system).toEqual({ Group: 0, Mask: 0xfn });
  });

  it('priorities are set at PASSIVE_LEVEL, for a thread that a context names', () => {
    const ran = run(create(), create(), terminate(2), priority(1, 5));
    expect([codes(ran)[3], ran.state.threads[1]?.priority]).toEqual([SUCCESS, 5]);
    const bad = [null, 0, 2, 9, 'garbage'] as const;
    for (const context of bad) expect(codes(runFrom(ran.state, priority(context, 5)))).toEqual([INVALID_PARAMETER]);
    expect(codes(runFrom(ran.state, priority(1, 7), priority(1, 5, { extension: null }), priority(1, 6, { refused: true })))).toEqual([
      INVALID_PARAMETER,
      INVALID_PARAMETER,
      UNSUCCESSFUL,
    ]);
    expect(codes(runFrom(ran.state, raise(1), priority(1, 7), priority(null, 5))).slice(1)).toEqual([INVALID_IRQL, INVALID_PARAMETER]);
  });

  it('queries count active groups, name active processors, and answer for a node by the group with most of it', () => {
    const answer = (query: Query): unknown => {
      const { last } = run(ask(query));
      return last.outcome.kind === 'status' && last.outcome.status !== SUCCESS ? last.outcome.status : last.value;
    };
    const port = { extension: 0, out: true };
    expect(answer({ name: 'StorPortGetActiveGroupCount', ...port })).toBe(2);
    expect(answer({ name: 'StorPortGetGroupAffinity', ...port, group: 1 })).toBe(0xfn);
    expect(answer({ name: 'StorPortGetGroupAffinity', ...port, group: 2 })).toBe(UNSUCCESSFUL);
    expect(answer({ name: 'StorPortGetGroupAffinity', ...port, group: 3 })).toBe(UNSUCCESSFUL);
    expect(answer({ name: 'StorPortGetNodeAffinity', ...port, node: 0 })).toEqual(gm(0, 0xfn));
    expect(answer({ name: 'StorPortGetNodeAffinity', ...port, node: 1 })).toEqual(gm(1, 0n));
    expect(answer({ name: 'StorPortGetNodeAffinity', ...port, node: 2 })).toEqual(gm(1, 0xfn));
    expect(answer({ name: 'StorPortGetNodeAffinity', ...port, node: 3 })).toBe(INVALID_PARAMETER);
    expect(answer({ name: 'StorPortGetNodeAffinity', ...port, node: 0x10000 })).toBe(INVALID_PARAMETER);
    for (const wrong of [
      { extension: null, out: true },
      { extension: 0, out: false },
    ]) {
      expect(answer({ name: 'StorPortGetActiveGroupCount', ...wrong })).toBe(INVALID_PARAMETER);
      expect(answer({ name: 'StorPortGetGroupAffinity', ...wrong, group: 0 })).toBe(INVALID_PARAMETER);
      expect(answer({ name: 'StorPortGetNodeAffinity', ...wrong, node: 0 })).toBe(INVALID_PARAMETER);
      expect(answer({ name: 'StorPortGetCurrentIrql', ...wrong })).toBe(INVALID_PARAMETER);
    }
    expect(answer({ name: 'KeQueryActiveGroupCount' })).toBe(2);
    expect(answer({ name: 'KeQueryMaximumGroupCount' })).toBe(3);
    expect([0, 1, 2, 3, allGroups].map((group) => answer({ name: 'KeQueryActiveProcessorCountEx', group }))).toEqual([4, 4, 0, 0, 8]);
    expect([0, 1, 2, 3, allGroups].map((group) => answer({ name: 'KeQueryMaximumProcessorCountEx', group }))).toEqual([4, 8, 2, 0, 14]);
  });
});

describe('where the operating system keeps a thread inside one group, the primary one being group 1', () => {
  const windows: Machine = { ...machine, primary: 1 };
  const everywhere = (first: Call, ...calls: readonly Call[]): Ran => runFrom(start(windows, both), first, ...calls);
  const told = s1(0x0fn);

  it('a U that spans groups is told, and brought back, by its part in the primary group', () => {
    const { results, last } = everywhere(set(gm(0, 0x3n), 0, { home: 1 }), revert(p(0)));
    expect([shown(results[0] as Result), at(results[0] as Result), at(last)]).toEqual([[1, 0x0fn], s0(0x3n), told]);
    expect(at(everywhere(pin(s0(0x1n)), restore()).last)).toEqual(told);
    expect(at(everywhere(raise(irql.DISPATCH), set(gm(0, 0x3n), 0, { home: 1 }), revert(p(0)), lower(irql.PASSIVE)).last)).toEqual(told);
  });

  it('a new thread gets that part, and its maker keeps all', () => {
    const { last } = everywhere(create());
    expect([at(last), at(last, 1)]).toEqual([both, told]);
  });

  it('what is refused, or has no effect, changes nothing', () => {
    const { last, results } = everywhere(set(gm(2, 0x1n)), revert(zero), pin(both), set(gm(9, 1n)));
    expect([results.map(({ outcome }) => outcome.kind), at(last)]).toEqual([['status', 'status', 'throws', 'status'], both]);
  });

  it('a pin spans no groups, unless only one has active processors', () => {
    const { results, last } = everywhere(pin([0x1n, 0x1n, 0n]), pin([0x1n, 0x10n, 0x1n]));
    expect([results.map(({ outcome }) => outcome.kind), at(last)]).toEqual([['throws', 'returned'], s0(0x1n)]);
  });
});
