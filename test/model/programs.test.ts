import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { begin, play, print, programs, resolve, type Played, type Program } from './programs.ts';
import { activePart, isEmpty, status, step, type State, type Thread } from './reference.ts';

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

const failed = ({ result: { outcome } }: Played): boolean => outcome.kind === 'status' && outcome.status !== status.SUCCESS;
const withoutStructures = (state: State): Thread[] => state.threads.map((thread) => ({ ...thread, structures: [] }));
const isUnsuccessful = ({ result: { outcome } }: Played): boolean => outcome.kind === 'status' && outcome.status === status.UNSUCCESSFUL;
const spans = (thread: Thread | undefined): boolean => (thread?.user.filter((mask) => mask !== 0n).length ?? 0) > 1;

/** What holds after every call of every program, said without the model's own rules. */
function sound(program: Program): void {
  for (const played of play(program)) {
    const { call, before, state, result } = played;
    for (const thread of state.threads) {
      if (thread.ended) continue;
      expect(thread.lost).toBe(false);
      expect(isEmpty(thread.effective)).toBe(false);
      expect(activePart(state.machine, thread.effective)).toEqual(thread.effective);
      expect(thread.effective.every((mask, group) => (mask & ~(program.machine.allowed[group] ?? 0n)) === 0n)).toBe(true);
      if (thread.irql < 2 && thread.system !== null) expect(thread.effective.filter((mask) => mask !== 0n)).toHaveLength(1);
    }
    if (call.call === 'set' && failed(played)) expect(result.previous ?? { Mask: 0n, Group: 0 }).toMatchObject({ Mask: 0n, Group: 0 });
    if (call.call === 'revert' && result.previous !== null) expect(state.threads[call.thread]?.structures).toContain(result.previous);
    if ((call.call === 'set' || call.call === 'revert') && failed(played))
      expect(withoutStructures(state)).toEqual(withoutStructures(before));
    if (call.call !== 'hotplug') {
      const others = (of: State): Thread[] => of.threads.slice(0, before.threads.length).filter((_, id) => id !== call.thread);
      if (call.call !== 'priority') expect(others(state)).toEqual(others(before));
    }
  }
}

describe('random programs', () => {
  it('leave every thread on processors that are online and allowed, and a failed call leaves everything', () => {
    fc.assert(fc.property(programs(), sound), { numRuns: 3000 });
  });

  it('change no state in place, and mean the same each time', () => {
    fc.assert(
      fc.property(programs({ threads: 4 }), (program) => {
        let state = freeze(begin(program));
        for (const raw of program.calls) {
          const call = freeze(resolve(state, raw, program.limits));
          if (call !== null) state = freeze(step(state, call).state);
        }
        expect(play(program).at(-1)?.state ?? begin(program)).toEqual(state);
      }),
      { numRuns: 500 },
    );
  });

  it('reach what is worth reaching', () => {
    const reached = new Map<string, number>();
    const meet = (what: string, really: boolean): void => void reached.set(what, (reached.get(what) ?? 0) + (really ? 1 : 0));
    for (const program of fc.sample(programs(), { numRuns: 4000, seed: 7 })) {
      for (const played of play(program)) {
        const { call, before, result } = played;
        if (call.call === 'hotplug') continue;
        const thread = before.threads[call.thread];
        const over = thread?.system !== null;
        const atDispatch = thread?.irql === 2;
        if (call.call === 'set') {
          const good = !failed(played) && result.outcome.kind === 'status';
          const aliased = call.affinity !== null && 'slot' in call.affinity && call.affinity.slot === call.previous;
          meet('a nested set', good && over);
          meet('a set over a user affinity that spans groups', good && !over && spans(thread));
          meet('a set at DISPATCH_LEVEL', good && atDispatch);
          meet('a set whose Affinity is its PreviousAffinity', good && aliased);
          meet('a set that fails over a system affinity', failed(played) && over);
          meet('a set that the system refuses', thread?.irql === 0 && isUnsuccessful(played));
        }
        if (call.call === 'revert' && !failed(played) && call.previous !== null && !('mistyped' in call.previous)) {
          const value = 'slot' in call.previous ? thread?.structures[call.previous.slot] : { ...call.previous, token: null };
          const captured = thread?.captured?.Mask === value?.Mask && thread?.captured?.Group === value?.Group;
          meet('an exact revert to a user affinity that spans groups', value?.token !== null && over && spans(thread));
          meet('a revert of a copy', value?.token === null && captured && over);
          meet('a revert to a value', value?.Mask !== 0n && value?.token === null && !captured && over);
          meet('a zero revert', value?.Mask === 0n && over);
          meet('a revert on a thread without a system affinity', !over);
          meet('a revert at DISPATCH_LEVEL', over && atDispatch);
        }
        meet('a pin below a system affinity', call.call === 'pin' && result.outcome.kind === 'returned' && over);
        meet('a thread created below a system affinity', call.call === 'create' && result.created !== null && over);
        meet(
          'a lowering that moves the thread',
          call.call === 'lower' && String(before.threads[call.thread]?.effective) !== String(result.effective[call.thread]),
        );
      }
    }
    const rare = [...reached].filter(([, times]) => times < 25);
    expect(rare).toEqual([]);
  });

  it('shrink to programs that a person can read', () => {
    // A wrong belief: that a revert handed the structure of a set always ends with the user affinity.
    const belief = (program: Program): boolean =>
      play(program).every(({ call, state, result }) => {
        if (call.call !== 'revert' || call.previous === null || !('slot' in call.previous)) return true;
        if (result.outcome.kind !== 'status' || result.outcome.status !== status.SUCCESS) return true;
        return state.threads[call.thread]?.system === null;
      });
    const { counterexample } = fc.check(fc.property(programs(), belief), { seed: 1, numRuns: 5000 });
    const program = counterexample?.[0];
    const text = program === undefined ? '' : print(program);
    expect(text.split('\n').slice(2)).toEqual([
      expect.stringMatching(/^thread 0: StorPortSetSystemGroupAffinityThread\(ext\d, NULL, .*\) -> SUCCESS.*; S \d+:0x\w+/),
      expect.stringMatching(/^thread 0: StorPortSetSystemGroupAffinityThread\(.*, &p\d\) -> SUCCESS, p\d = \{0x\w+, \d+\}/),
      expect.stringMatching(/^thread 0: StorPortRevertToUserGroupAffinityThread\(ext\d, NULL, &p\d\) -> SUCCESS/),
    ]);
    expect(fc.stringify(program)).toBe(`\n${text}\n`);
  });
});
