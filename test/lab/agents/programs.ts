/**
 * Random programs of the model on the kernel of this machine, with CPUs going offline and online during them.
 * `programs.mjs RUNS SEED [hotplug]` writes JSON to standard output: `[{ name, verdict, observed }]`.
 */
import fc from 'fast-check';
import { byProc, runOnKernel } from '../../machine/on-kernel.ts';
import { byGroup, machine } from '../../machine/this-machine.ts';
import { programs } from '../../model/programs.ts';
import { Found } from '../lab.ts';

const [runs = 100, seed = 1] = process.argv.slice(2, 4).map(Number);
const hotplug = process.argv[4] === 'hotplug';
const counted = { calls: 0, switched: 0 };
const found = new Found();

// StorPortTerminateSystemThread warns on a thread that is not its own.
process.on('warning', () => undefined);
await found.check(`random programs${hotplug ? ' while CPUs come and go' : ''}`, () => {
  const all = programs({ machine, user: byGroup(byProc().allowed), threads: 1, hotplug, strandUser: false });
  fc.assert(
    fc.property(all, (program) => runOnKernel(program, { hotplug, counted })),
    { numRuns: runs, seed, endOnFailure: true, includeErrorInReport: true },
  );
  const switches = hotplug ? `, ${counted.switched} times a CPU went offline or came online` : '';
  return `${runs} programs (seed ${seed}), ${counted.calls} calls${switches}`;
});
process.stdout.write(JSON.stringify(found.checks));
