import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { CpuSet, pin } from '../../lib/index.ts';
import { programs } from '../model/programs.ts';
import { byProc, runOnKernel } from './on-kernel.ts';
import { byGroup, machine } from './this-machine.ts';

const runs = 5000;

describe('the library on the kernel of this machine', () => {
  it('a pin ends with the block of its using declaration', () => {
    const before = String(byProc().allowed);
    const last = CpuSet.of(byProc().allowed.toArray().slice(-1));
    {
      using here = pin(last);
      expect([String(here.cpus), String(byProc().allowed)]).toEqual([String(last), String(last)]);
    }
    expect(String(byProc().allowed)).toBe(before);
  });

  it(`does what the documents say: ${runs.toLocaleString('en')} random programs`, { timeout: 300_000 }, () => {
    // StorPortTerminateSystemThread warns on a thread that is not its own.
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const before = byProc().allowed;
    const seed = Number(process.env['GROUPAFFINITY_SEED'] ?? 20_261_123);
    console.log(`seed ${seed} (GROUPAFFINITY_SEED)`);
    const all = programs({ machine, user: byGroup(before), threads: 1, hotplug: false });
    fc.assert(
      fc.property(all, (program) => runOnKernel(program)),
      { numRuns: runs, seed },
    );
    expect(String(byProc().allowed)).toBe(String(before));
  });
});
