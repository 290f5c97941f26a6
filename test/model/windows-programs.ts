/** Runs random programs on the library and the Windows that GROUPAFFINITY_WIN32 names: a process of its own for each machine. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { affinity, CpuSet, pin } from 'groupaffinity';
import * as storport from 'groupaffinity/storport';
import * as wdm from 'groupaffinity/wdm';
import type { Native } from '../../lib/binding.ts';
import { Win32 } from '../fixtures/win32/win32.ts';
import { Actors } from './actors.ts';
import { programs, type Program } from './programs.ts';
import { count } from './reference.ts';

const require = createRequire(import.meta.url);
const native = (require('node-gyp-build') as (root: string) => { complete(): Native })(import.meta.dirname).complete();

const [routine = '', ...numbers] = process.argv.slice(2);
const [seed = 0, runs = 0, threads = 1] = numbers.map(Number);
const win32 = Win32.open(process.env['GROUPAFFINITY_WIN32'] ?? '');
process.on('warning', () => {});

const { groups } = win32.now.machine;
let next = 0;
const cpus = groups.map(({ maximum }) => Array.from({ length: count(maximum) }, () => next++));
const id = (thread: number | 'self'): number | undefined => (thread === 'self' ? undefined : thread);

/** Windows never takes a processor out of use: only some programs bring one into use, or none would be left. */
const growsEvery = 6;
let grows = false;
let activated = 0;

const actors = new Actors({
  doors: { storport, wdm, pin, affinity, CpuSet },
  ground: {
    flat: (set) => set.reduce((flat, mask, group) => flat | (mask << BigInt(cpus[group]?.[0] ?? 0)), 0n),
    maximum: (group) => groups[group]?.maximum ?? 0n,
  },
  beside: {
    home: (thread) => win32.thread(id(thread)).primary,
    effective: (thread) => win32.thread(id(thread)).affinity,
    // Levels from 16 on need the real-time class.
    grants: (priority) => priority < 6,
    hotplug: (group, bit, online) => {
      const before = group === 0 ? 1n : (win32.now.machine.groups[group - 1]?.active ?? 0n);
      if (!grows || !online || before === 0n) return false;
      win32.activate(group, bit);
      activated += 1;
      return true;
    },
  },
  hasEnded: (context) => native.contextThread(context) === 0,
  routine,
  cpus,
});

let ran = 0;
/** Programs that began with a thread in several groups. */
let spanning = 0;
function run(program: Program): void {
  ran += 1;
  grows = ran % growsEvery === 0;
  actors.clear();
  win32.begin();
  const { machine, user } = win32.now;
  if (user.filter((mask) => mask !== 0n).length > 1) spanning += 1;
  actors.run({ ...program, machine, user });
  if (win32.get('handles') !== 0n) throw new Error(`${win32.get('handles')} handles are left open`);
}

const { machine, user } = win32.now;
fc.assert(fc.property(programs({ machine, user, threads, mistyped: threads === 1 }), run), { numRuns: runs, seed, endOnFailure: true });
console.log(JSON.stringify({ ran, activated, spanning, threads: Number(win32.get('threadCount')) }));
process.exit(0);
