import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { native } from '../../lib/binding.ts';
import { CpuSet } from '../../lib/machine/cpu-set.ts';
import * as storport from '../../lib/storport/index.ts';
import * as wdm from '../../lib/storport/wdm.ts';
import { affinity, pin } from '../../lib/threads/pin.ts';
import { Actors } from '../model/actors.ts';
import { programs } from '../model/programs.ts';
import { bundled } from './bundled.ts';
import { checkout } from './own-process.ts';
import { byGroup, cpus, groundHere, groups, machine } from './this-machine.ts';

const runs = 200;

/** The kernel's word on a thread, through no call under test. */
const byProc = (thread: number | 'self'): CpuSet => {
  const file = thread === 'self' ? '/proc/thread-self/status' : `/proc/self/task/${thread}/status`;
  return CpuSet.parse(/^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? '');
};
const lastCpu = (thread: number | 'self'): number =>
  Number(
    readFileSync(thread === 'self' ? '/proc/thread-self/stat' : `/proc/self/task/${thread}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ')[36],
  );

describe('the library on several threads of this machine', () => {
  let folder: string;
  let actors: Actors;
  beforeAll(async () => {
    folder = mkdtempSync(join(checkout, 'build', 'agent-'));
    actors = new Actors({
      doors: { storport, wdm, pin, affinity, CpuSet },
      ground: groundHere(() => ({})),
      beside: {
        home: (thread) => groups.findIndex((group) => group.cpus.includes(lastCpu(thread))),
        effective: (thread) => byGroup(byProc(thread).intersect(cpus.online)),
        // Root may raise a thread, others may not.
        grants: (priority) => priority <= 1 || process.getuid?.() === 0 || undefined,
      },
      hasEnded: (context) => native.contextThread(context) === 0,
      routine: await bundled('test/model/agent.ts', folder),
      cpus: groups.map((group) => group.cpus),
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it(`does what the documents say: ${runs} random programs that start, place and end system threads`, { timeout: 300_000 }, () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const before = byProc('self');
    const seed = Number(process.env['GROUPAFFINITY_SEED'] ?? 20_261_123);
    console.log(`seed ${seed} (GROUPAFFINITY_SEED)`);
    const all = programs({ machine, user: byGroup(before), threads: 3, hotplug: false, mistyped: false });
    const run = fc.property(all, (program) => {
      actors.clear();
      actors.run(program);
    });
    fc.assert(run, { numRuns: runs, seed, endOnFailure: process.env['CI'] !== undefined });
    expect(String(byProc('self'))).toBe(String(before));
  });
});
