/** Runs programs of the model on the kernel of this machine, and asks the kernel after each call: through /proc, by no call under test. */
import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { affinity, CpuSet, pin } from '../../lib/index.ts';
import * as storport from '../../lib/storport/index.ts';
import * as wdm from '../../lib/storport/wdm.ts';
import { differs, FacadeThread, fieldsOf } from '../model/facade.ts';
import { print, printCall, printSet, resolve, type Program } from '../model/programs.ts';
import { activePart, irql, start, step, type Call, type State } from '../model/reference.ts';
import { byGroup, cpus, groundHere, groups, machine } from './this-machine.ts';

/** The kernel's word on this thread. */
export function byProc(): { allowed: CpuSet; last: number } {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[1] ?? '';
  const last = readFileSync('/proc/thread-self/stat', 'utf8').split(') ')[1]?.split(' ')[36];
  return { allowed: CpuSet.parse(allowed), last: Number(last) };
}

const online = (): CpuSet => CpuSet.parse(readFileSync('/sys/devices/system/cpu/online', 'utf8').trim());

function switchCpu(cpu: number, on: boolean): boolean {
  try {
    writeFileSync(`/sys/devices/system/cpu/cpu${cpu}/online`, on ? '1' : '0');
    return true;
  } catch {
    return false;
  }
}

/** Before 6.2 the kernel leaves out of every set the CPUs that are offline when it is given. */
const [major = 0, minor = 0] = release().split('.').map(Number);
const forgetful = major < 6 || (major === 6 && minor < 2);

/** What such a kernel has forgotten of the calling thread's user affinity after a call that set it. */
function forget(call: Call, before: State, after: State): State {
  const [was, is] = [before.threads[0], after.threads[0]];
  if (was === undefined || is === undefined || is.irql >= irql.DISPATCH || is.system !== null) return after;
  const gave =
    call.call === 'lower' ? was.pending : call.call === 'pin' || call.call === 'restore' ? was.user !== is.user : was.system !== null;
  if (!gave) return after;
  const user = activePart(after.machine, is.user);
  return { ...after, threads: [{ ...is, user, placed: user }] };
}

const thread = new FacadeThread(
  { storport, wdm, pin, affinity, CpuSet } as never,
  groundHere(() => ({})),
);

export interface Counted {
  calls: number;
  /** CPUs that went offline or came online. */
  switched: number;
}

/** Runs a program. With `hotplug` CPUs of this machine go offline and online during it, and are as before afterwards. */
export function runOnKernel(program: Program, { hotplug = false, counted = { calls: 0, switched: 0 } as Counted } = {}): void {
  const atStart = online();
  thread.clear();
  const atOnce = byGroup(atStart);
  const here = {
    ...machine,
    groups: machine.groups.map(({ maximum }, group) => ({ maximum, active: atOnce[group] ?? 0n })),
    // What may be used once it is online: everything, where nothing is withheld.
    allowed: cpus.allowed.equals(cpus.online) ? machine.groups.map(({ maximum }) => maximum) : machine.allowed,
  };
  let state = start(here, byGroup(byProc().allowed));
  try {
    for (const raw of program.calls) {
      let call = resolve(state, raw, program.limits);
      if (call === null || call.call === 'create') continue;
      const fail = (what: string): never => {
        throw new Error(`${printCall(call as Call)}: ${what}\n${print({ ...program, machine: here })}`);
      };
      if (call.call === 'hotplug') {
        const cpu = groups[call.group]?.cpus[call.bit] ?? -1;
        if (!hotplug || !switchCpu(cpu, call.online)) continue;
        counted.switched += 1;
      }
      counted.calls += 1;
      if (call.call === 'set') {
        const { last } = byProc();
        call = { ...call, home: groups.findIndex((group) => group.cpus.includes(last)) };
      }
      const { state: next, result } = step(state, call);
      const after = forgetful ? forget(call, state, next) : next;
      if (call.call === 'copy') thread.copy(call.slot, fieldsOf(thread.structures[call.from.slot] as storport.STOR_GROUP_AFFINITY));
      else if (call.call !== 'hotplug') {
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
      const found = printSet(byGroup(allowed.intersect(online())));
      if (found !== expected) fail(`the kernel should allow ${expected} and allows ${found}`);
      if (!allowed.has(last)) fail(`the kernel ran the thread on CPU ${last}, outside of ${allowed}`);
      state = after;
    }
  } finally {
    const now = online();
    for (const cpu of atStart.minus(now)) switchCpu(cpu, true);
    thread.clear();
    for (const cpu of now.minus(atStart)) switchCpu(cpu, false);
  }
}
