import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { CpuSet } from '../../lib/machine/cpu-set.ts';
import * as storport from '../../lib/storport/index.ts';
import * as wdm from '../../lib/storport/wdm.ts';
import { affinity, pin } from '../../lib/threads/pin.ts';
import { differs, FacadeThread, fieldsOf } from '../model/facade.ts';
import { begin, print, printSet, programs, resolve, type Program } from '../model/programs.ts';
import { step } from '../model/reference.ts';
import { byGroup, cpus, groundHere, groups, machine } from './this-machine.ts';

const runs = 5000;

/** The kernel's word on this thread, through no call under test. */
function byProc(): { allowed: CpuSet; last: number } {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[1] ?? '';
  const last = readFileSync('/proc/thread-self/stat', 'utf8').split(') ')[1]?.split(' ')[36];
  return { allowed: CpuSet.parse(allowed), last: Number(last) };
}

const thread = new FacadeThread(
  { storport, wdm, pin, affinity, CpuSet },
  groundHere(() => ({})),
);

function run(program: Program): void {
  thread.clear();
  let state = begin(program);
  let calls = 0;
  for (const raw of program.calls) {
    let call = resolve(state, raw, program.limits);
    if (call === null || call.call === 'hotplug' || call.call === 'create') continue;
    calls += 1;
    const fail = (what: string): never => {
      throw new Error(`call ${calls}: ${what}\n${print(program)}`);
    };
    if (call.call === 'set') {
      const { last } = byProc();
      call = { ...call, home: groups.findIndex((group) => group.cpus.includes(last)) };
    }
    const { state: after, result } = step(state, call);
    if (call.call === 'copy') thread.copy(call.slot, fieldsOf(thread.structures[call.from.slot] as storport.STOR_GROUP_AFFINITY));
    else {
      const wrong = differs(result, thread.run(call));
      if (wrong !== undefined) fail(wrong);
    }
    (after.threads[0]?.structures ?? []).forEach(({ Mask, Group, Reserved }, slot) => {
      const found = fieldsOf(thread.structures[slot] as storport.STOR_GROUP_AFFINITY);
      if (found.Mask !== Mask || found.Group !== Group || String(found.Reserved) !== String(Reserved))
        fail(`p${slot} should be {0x${Mask.toString(16)}, ${Group}} and is {0x${found.Mask.toString(16)}, ${found.Group}}`);
    });
    const { allowed, last } = byProc();
    const expected = printSet(after.threads[0]?.effective ?? []);
    const found = printSet(byGroup(allowed.intersect(cpus.online)));
    if (found !== expected) fail(`the kernel should allow ${expected} and allows ${found}`);
    if (!allowed.has(last)) fail(`the kernel ran the thread on CPU ${last}, outside of ${allowed}`);
    state = after;
  }
}

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
    fc.assert(fc.property(programs({ machine, user: byGroup(before), threads: 1, hotplug: false }), run), { numRuns: runs, seed });
    thread.clear();
    expect(String(byProc().allowed)).toBe(String(before));
  });
});
