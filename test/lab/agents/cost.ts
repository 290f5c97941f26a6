/**
 * What our calls cost against the bare system calls, on a machine of any size. Emulated processors tell no time, but
 * ratios; the bound is the same for 8 CPUs as for 255, so that a cost which grows with them shows.
 * Writes JSON to standard output: `[{ name, verdict, observed }]`.
 */
import { topology } from 'groupaffinity';
import { bareExchanges, startingFrom, switches } from '../../bench/floor.ts';
import { modesHere, pinAndRestore, set, setAndRevert, type Peer } from '../../bench/ours.ts';
import { shown } from '../../bench/report.ts';
import { compare } from '../../bench/rounds.ts';
import { Found } from '../lab.ts';

/** Times the floor: 1.9 to 2.5 were seen, on a crowded host 3. JavaScript is slower under emulation than a kernel is. */
const bound = 4;

const calls: Record<string, Peer> = { 'a set': set, 'set and revert': setAndRevert, 'pin and restore': pinAndRestore };

const found = new Found();
const { possible } = topology().cpus;
for (const mode of modesHere().filter(({ settled }) => settled)) {
  const [first, second] = [mode.first.toMask(), mode.second.toMask()];
  const { floor, cases } = compare({
    floor: startingFrom(second, bareExchanges(first, second)),
    cases: Object.fromEntries(Object.entries(calls).map(([name, prepare]) => [name, startingFrom(second, prepare(mode))])),
    batch: 50,
    rounds: 60,
    switches,
  });
  for (const [name, { ratio }] of cases)
    found.add(
      `cost.ratio-does-not-grow: ${name}, ${mode.about}`,
      ratio.value <= bound ? 'pass' : 'fail',
      `${shown(ratio)} of the bare calls, which take ${(floor.value / 1000).toFixed(1)} us, with ${possible.size} CPUs`,
    );
}
console.log(JSON.stringify(found.checks));
