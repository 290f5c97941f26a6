/** Which of several things each process, or each worker of any process, has: known to the operating system alone. */
import { Claim, native } from '../binding.ts';

/** How far above the highest holder that is known another one is looked for. */
const gap = 4;

/** What claims and looks at names: the addon, or a test's stand-in. */
export type Names = Pick<typeof native, 'claimName' | 'isClaimed' | 'letGo'>;

/** A share that this thread has until it ends, in any way. */
export interface Taken {
  readonly at: number;
  /** Who has it now, this thread included. */
  readonly sharers: number;
}

interface Held {
  readonly at: number;
  readonly holders: number;
  readonly free: number;
}

/**
 * Every holder of a share has a name of its own, counted from 0. Names of holders that have ended are free again, so that
 * there may be gaps.
 */
function look(claimed: (name: string) => boolean, of: string, at: number): Held {
  let holders = 0;
  let free = -1;
  for (let name = 0, end = gap; name < end; name += 1) {
    if (claimed(`${of}/${at}/${name}`)) {
      holders += 1;
      end = name + 1 + gap;
    } else if (free < 0) free = name;
  }
  return { at, holders, free };
}

/**
 * Takes the share with the fewest holders, of several the first, until this thread ends. Of two who come at the same time
 * each has one.
 *
 * @param of Names the shares among all of the machine.
 * @param tried Shares that are of no use.
 * @returns null where none is left; undefined where the operating system has no such names for this process.
 */
export function takeShare(of: string, count: number, tried: ReadonlySet<number>, names: Names = native): Taken | null | undefined {
  const open = Array.from({ length: count }, (_, at) => at).filter((at) => !tried.has(at));
  if (open.length === 0) return null;
  // Names that were refused though nobody was seen to have them.
  const refused = new Set<string>();
  const claimed = (name: string): boolean => refused.has(name) || names.isClaimed(name);
  for (;;) {
    const { at, holders, free } = open
      .map((share) => look(claimed, of, share))
      .reduce((best, one) => (one.holders < best.holders ? one : best));
    const name = `${of}/${at}/${free}`;
    const claim = names.claimName(name);
    if (claim === Claim.mine) return { at, sharers: holders + 1 };
    if (claim === Claim.impossible) return undefined;
    refused.add(name);
  }
}
