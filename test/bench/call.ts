/**
 * One of our calls in one mode: `call.js NAME MODE ROUNDS` prints it as JSON. In a process of its own: V8 compiles a loop
 * that several modes share for what they have in common, and a program's own loop it compiles for that one.
 */
import { lastGroup, native, Outcome, operands, operands32, systemInForce, wantedGroup, wantedMask } from '../../lib/binding.ts';
import { bareExchanges, startingFrom, switches } from './floor.ts';
import { affinities, modesHere, pinAndRestore, set, setAndRevert, type Mode, type Peer } from './ours.ts';
import { compare, timed, type Comparisons } from './rounds.ts';

const { exchangeGroup } = native;

/** The addon's call behind Set, without what TypeScript adds. */
const addon: Peer = (mode) => {
  const [first, second, group] = affinities(mode);
  const exchange = (mask: bigint): Outcome | undefined => {
    operands[wantedMask] = mask;
    operands32[wantedGroup] = group;
    const outcome = exchangeGroup();
    operands32[lastGroup] = group;
    return outcome;
  };
  const loop = timed((count) => {
    for (let i = 0; i < count; i += 1) if (exchange(i % 2 === 0 ? first : second) !== undefined) throw new Error('the addon refuses');
  });
  return (count) => {
    exchange(second);
    // As over a system affinity.
    operands32[systemInForce] = 1;
    const nanoseconds = loop(count);
    operands32[systemInForce] = 0;
    return nanoseconds;
  };
};

const prepares = { set, addon, pair: setAndRevert, pin: pinAndRestore } as const;
export type CallName = keyof typeof prepares;

function measure({ first, second, batch, settled }: Mode, work: ReturnType<Peer>, rounds: number): Comparisons {
  return compare({
    floor: startingFrom(second.toMask(), bareExchanges(first.toMask(), second.toMask())),
    cases: { ours: startingFrom(second.toMask(), work) },
    batch,
    rounds,
    ...(settled ? { switches } : {}),
  });
}

const [name, mode, rounds] = process.argv.slice(2) as [CallName, Mode['name'], string];
const found = modesHere().find((each) => each.name === mode);
if (found === undefined) throw new Error(`no mode ${mode} here`);
const { floor, cases } = measure(found, prepares[name](found), Number(rounds));
console.log(JSON.stringify({ floor: floor.value, ratio: cases.get('ours')?.ratio }));
