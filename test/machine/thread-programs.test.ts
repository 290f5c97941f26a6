import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { native } from '../../lib/binding.ts';
import { CpuSet } from '../../lib/machine/cpu-set.ts';
import * as storport from '../../lib/storport/index.ts';
import * as wdm from '../../lib/storport/wdm.ts';
import { affinity, pin } from '../../lib/threads/pin.ts';
import type { AgentStart, Question } from '../model/agent.ts';
import { differs, FacadeThread, fieldsOf, type Done } from '../model/facade.ts';
import { Mailbox } from '../model/mailbox.ts';
import { begin, print, printSet, programs, resolve, type Program } from '../model/programs.ts';
import { step, type Call, type Value } from '../model/reference.ts';
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

/** A thread that programs run on: this one, or a system thread behind its mailbox. */
interface Actor {
  readonly thread: number | 'self';
  readonly context: object | null;
  run(call: Exclude<Call, { call: 'hotplug' | 'create' }>, contexts: readonly (object | null)[]): Done | undefined;
  copy(slot: number, value: Value): void;
  structures(): readonly Value[];
}

let folder: string;
let routine: string;
const adapters = [{}, {}];

function mainActor(contexts: () => readonly (object | null)[]): Actor & { clear: () => void } {
  const facade = new FacadeThread(
    { storport, wdm, pin, affinity, CpuSet },
    groundHere((id) => contexts()[id] ?? {}),
  );
  return {
    thread: 'self',
    context: null,
    run: (call) => facade.run(call),
    copy: (slot, value) => facade.copy(slot, value),
    structures: () => facade.structures.map(fieldsOf),
    clear: () => facade.clear(),
  };
}

function startActor(extension: number | null, hasRoutine: boolean, priority: number | null): { status: number; actor?: Actor } {
  const mailbox = new Mailbox();
  const start: AgentStart = {
    memory: mailbox.memory,
    cpus: groups.map((group) => group.cpus),
    maximum: groups.map(({ maximumMask }) => maximumMask),
  };
  const context: { value: storport.ThreadContext | null } = { value: null };
  const status = storport.StorPortCreateSystemThread(
    extension === null ? null : (adapters[extension] ?? null),
    hasRoutine ? routine : null,
    start,
    priority === null ? null : { value: priority },
    context,
  );
  if (status !== storport.STOR_STATUS_SUCCESS) return { status };
  const own = context.value;
  const hasEnded = (): boolean => native.contextThread(own?.StorPortThread ?? 0) === 0;
  const ask = (question: Question): unknown => mailbox.ask(question, hasEnded);
  const thread = ask({ do: 'number' }) as number;
  let seen: readonly Value[] = [];
  return {
    status,
    actor: {
      thread,
      context: own,
      run: (call, contexts) => {
        const answer = ask({ do: 'call', call, contexts }) as { done: Done; structures: Value[] } | undefined;
        if (answer !== undefined) seen = answer.structures;
        return answer?.done;
      },
      copy: (slot, value) => {
        seen = (ask({ do: 'copy', slot, value }) as { structures: Value[] }).structures;
      },
      structures: () => seen,
    },
  };
}

function run(program: Program): void {
  let actors: Actor[] = [];
  const contexts = (): (object | null)[] => actors.map(({ context }) => context);
  const main = mainActor(contexts);
  main.clear();
  actors = [main];
  let state = begin(program);
  let calls = 0;
  try {
    for (const raw of program.calls) {
      let call = resolve(state, raw, program.limits);
      if (call === null || call.call === 'hotplug' || (call.call === 'create' && call.thread !== 0)) continue;
      calls += 1;
      const fail = (what: string): never => {
        throw new Error(`call ${calls}: ${what}\n${print(program)}`);
      };
      const actor = actors[call.thread] as Actor;
      if (call.call === 'set') call = { ...call, home: groups.findIndex((group) => group.cpus.includes(lastCpu(actor.thread))) };
      if (call.call === 'priority') {
        const target = typeof call.context === 'number' ? actors[call.context]?.thread : undefined;
        // Whether this process may is its user's affair: root may, others may not.
        if (target !== undefined && process.getuid?.() !== 0) continue;
      }
      const { state: after, result } = step(state, call);
      if (call.call === 'create') {
        const { status, actor: created } = startActor(call.extension, call.routine, call.priority);
        const wrong = differs(result, { outcome: { kind: 'status', status }, value: null });
        if (wrong !== undefined) fail(wrong);
        if (created !== undefined) actors.push(created);
      } else if (call.call === 'copy')
        actor.copy(
          call.slot,
          (actors[call.from.thread] as Actor).structures()[call.from.slot] ?? { Mask: 0x5a5an, Group: 0xdead, Reserved: [1, 2, 3] },
        );
      else {
        const done = actor.run(call, contexts());
        if (done === undefined && after.threads[call.thread]?.ended !== true) fail('the thread has ended');
        const wrong = done === undefined ? undefined : differs(result, done);
        if (wrong !== undefined) fail(wrong);
      }
      state = after;
      state.threads.forEach((thread, id) => {
        const { thread: number } = actors[id] as Actor;
        if (thread.ended || thread.lost) return;
        const allowed = byProc(number);
        const expected = printSet(thread.effective);
        const found = printSet(byGroup(allowed.intersect(cpus.online)));
        if (found !== expected) fail(`the kernel should allow thread ${id} ${expected} and allows ${found}`);
      });
    }
  } finally {
    state.threads.forEach((thread, id) => {
      if (id > 0 && !thread.ended) (actors[id] as Actor).run({ call: 'lower', thread: id, level: 0 }, []);
      if (id > 0 && !thread.ended) (actors[id] as Actor).run({ call: 'terminate', thread: id, extension: 0, context: null }, contexts());
    });
    main.clear();
  }
}

describe('the library on several threads of this machine', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(checkout, 'build', 'agent-'));
    routine = join(folder, 'agent.mjs');
    const bundle = await rolldown({
      input: join(checkout, 'test', 'model', 'agent.ts'),
      platform: 'node',
      external: [/^node:/, /^groupaffinity/],
    });
    await bundle.write({ file: routine, format: 'esm' });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it(`does what the documents say: ${runs} random programs that start, place and end system threads`, { timeout: 300_000 }, () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const before = byProc('self');
    const seed = Number(process.env['GROUPAFFINITY_SEED'] ?? 20_261_123);
    console.log(`seed ${seed} (GROUPAFFINITY_SEED)`);
    const all = programs({ machine, user: byGroup(before), threads: 3, hotplug: false, mistyped: false });
    fc.assert(fc.property(all, run), { numRuns: runs, seed, endOnFailure: process.env['CI'] !== undefined });
    expect(String(byProc('self'))).toBe(String(before));
  });
});
