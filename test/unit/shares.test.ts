import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Claim } from '../../lib/binding.ts';
import { takeShare, type Names } from '../../lib/run/shares.ts';

/** Names as an operating system has them. */
class Table {
  readonly held = new Set<string>();
  claims = 0;

  /** As one thread sees it, whose claims are kept apart. */
  thread(own: string[] = []): Names {
    return {
      claimName: (name) => {
        this.claims += 1;
        if (this.held.has(name)) return Claim.taken;
        this.held.add(name);
        own.push(name);
        return Claim.mine;
      },
      isClaimed: (name) => this.held.has(name),
      letGo: () => this.held.delete(own.pop() ?? ''),
    };
  }

  load(shares: number): number[] {
    return Array.from({ length: shares }, (_, at) => [...this.held].filter((name) => name.startsWith(`run/${at}/`)).length);
  }
}

const none: ReadonlySet<number> = new Set();

describe('shares', () => {
  it('are dealt in order, then again, each time to one more', () => {
    const table = new Table();
    const taken = Array.from({ length: 7 }, () => takeShare('run', 3, none, table.thread()));
    expect(taken.map((one) => one?.at)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(taken.map((one) => one?.sharers)).toEqual([1, 1, 1, 2, 2, 2, 3]);
  });

  it('whoever comes and goes: the next one has a share that has the fewest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(), { maxLength: 60 }), (shares, events) => {
        const table = new Table();
        const threads: string[][] = [];
        for (const event of events) {
          const leaver = event % 3 === 0 ? threads.splice(event % Math.max(1, threads.length), 1)[0] : undefined;
          if (leaver !== undefined) for (const name of leaver) table.held.delete(name);
          else {
            const before = table.load(shares);
            const own: string[] = [];
            const taken = takeShare('run', shares, none, table.thread(own));
            threads.push(own);
            expect(own).toHaveLength(1);
            // Gaps of more than four names below a holder would hide it; no thread here leaves so many.
            if (Math.max(...before) <= 4) expect(before[taken?.at ?? -1]).toBe(Math.min(...before));
          }
        }
      }),
    );
  });

  it('one that is taken in the same moment goes to one of both', () => {
    const table = new Table();
    const slow = table.thread();
    let first = true;
    const racing: Names = {
      ...slow,
      claimName: (name) => {
        if (first) {
          first = false;
          takeShare('run', 2, none, table.thread());
        }
        return slow.claimName(name);
      },
    };
    expect(takeShare('run', 2, none, racing)?.at).toBe(1);
    expect(table.load(2)).toEqual([1, 1]);
  });

  it('names that are refused though nobody is seen to have them are passed over', () => {
    const names: Names = { claimName: (name) => (name.endsWith('/2') ? Claim.mine : Claim.taken), isClaimed: () => false, letGo: () => {} };
    expect(takeShare('run', 1, none, names)).toEqual({ at: 0, sharers: 3 });
  });

  it('useless ones are passed over; null where none is left; undefined where there are no names', () => {
    const table = new Table();
    expect(takeShare('run', 3, new Set([0, 1]), table.thread())?.at).toBe(2);
    expect(takeShare('run', 2, new Set([0, 1]), table.thread())).toBe(null);
    expect(takeShare('run', 2, none, { claimName: () => Claim.impossible, isClaimed: () => false, letGo: () => {} })).toBe(undefined);
  });
});
