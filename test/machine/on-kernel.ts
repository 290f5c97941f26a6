/** Runs programs of the model on the kernel of this machine, and asks the kernel after each call: through /proc, by no call under test. */
import { readFileSync, writeFileSync } from 'node:fs';
import { affinity, CpuSet, pin } from '../../lib/index.ts';
import * as storport from '../../lib/storport/index.ts';
import * as wdm from '../../lib/storport/wdm.ts';
import { differs, FacadeThread, fieldsOf } from '../model/facade.ts';
import { print, printCall, printSet, resolve, type Program } from '../model/programs.ts';
import { start, step, type Call, type CpuSet as ByGroup, type State } from '../model/reference.ts';
import { forgetful } from './kernel.ts';
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

/**
 * What a forgetful kernel does to sets that hold offline CPUs, which is known only when it shows: for CPUs that have been
 * offline, the model learns from the kernel whether the thread still has them.
 */
class Forgetting {
  static #everOffline = CpuSet.empty;
  #forgotten: ByGroup = groups.map(() => 0n);

  learn(state: State, running: CpuSet): State {
    const [is] = state.threads;
    if (is === undefined) return state;
    Forgetting.#everOffline = Forgetting.#everOffline.union(cpus.present.minus(running));
    const doubtful = byGroup(Forgetting.#everOffline.intersect(running));
    const found = byGroup(byProc().allowed);
    const at = (set: ByGroup, group: number): bigint => set[group] ?? 0n;
    const gone = is.effective.map((mask, group) => mask & at(doubtful, group) & ~at(found, group));
    const back = this.#forgotten.map((mask, group) => mask & at(doubtful, group) & at(found, group));
    this.#forgotten = this.#forgotten.map((mask, group) => (mask | at(gone, group)) & ~at(back, group));
    const kept = (set: ByGroup): ByGroup => set.map((mask, group) => (mask & ~at(gone, group)) | at(back, group));
    const user = printSet(is.placed) === printSet(is.user) ? kept(is.user) : is.user;
    return { ...state, threads: [{ ...is, user, placed: kept(is.placed), effective: kept(is.effective) }] };
  }
}

const atLoad = byProc().allowed;
const thread = new FacadeThread(
  { storport, wdm, pin, affinity, CpuSet },
  groundHere(() => ({})),
);

export interface Counted {
  calls: number;
  /** CPUs that went offline or came online. */
  switched: number;
}

/** Runs a program. With `hotplug` CPUs of this machine go offline and online during it, and are as before afterwards. */
export function runOnKernel(program: Program, { hotplug = false, counted = { calls: 0, switched: 0 } } = {}): void {
  const atStart = online();
  thread.clear();
  const atOnce = byGroup(atStart);
  const here = {
    ...machine,
    groups: machine.groups.map(({ maximum }, group) => ({ maximum, active: atOnce[group] ?? 0n })),
  };
  const kernel = forgetful ? new Forgetting() : undefined;
  const learned = (state: State, running: CpuSet): State => kernel?.learn(state, running) ?? state;
  let state = learned(start(here, byGroup(atLoad)), atStart);
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
      const happened = call.call === 'copy' || call.call === 'hotplug' ? undefined : thread.run(call);
      // Until the call the scheduler may take the thread to any CPU of its set: where it was, only what was stored tells.
      if (call.call === 'set') call = { ...call, home: thread.structures[call.previous ?? -1]?.Group ?? call.home };
      const { state: after, result } = step(state, call);
      if (call.call === 'copy') thread.copy(call.slot, fieldsOf(thread.structures[call.from.slot] as storport.STOR_GROUP_AFFINITY));
      const wrong = happened && differs(result, happened);
      if (wrong !== undefined) fail(wrong);
      (after.threads[0]?.structures ?? []).forEach(({ Mask, Group, Reserved }, slot) => {
        const found = fieldsOf(thread.structures[slot] as storport.STOR_GROUP_AFFINITY);
        if (found.Mask !== Mask || found.Group !== Group || String(found.Reserved) !== String(Reserved))
          fail(`p${slot} should be {0x${Mask.toString(16)}, ${Group}} and is {0x${found.Mask.toString(16)}, ${found.Group}}`);
      });
      const running = online();
      const { allowed, last } = byProc();
      const found = byGroup(allowed.intersect(running));
      state = learned(after, running);
      const [wanted, seen] = [printSet(state.threads[0]?.effective ?? []), printSet(found)];
      if (wanted !== seen) fail(`the kernel should allow ${wanted} and allows ${seen}`);
      if (!allowed.has(last)) fail(`the kernel ran the thread on CPU ${last}, outside of ${allowed}`);
    }
  } finally {
    const now = online();
    for (const cpu of atStart.minus(now)) switchCpu(cpu, true);
    thread.clear();
    for (const cpu of now.minus(atStart)) switchCpu(cpu, false);
  }
}
