/** Runs programs on real threads, the calling one and system threads that it starts, and holds each call against the model. */
import type { ThreadContext } from '../../lib/storport/index.ts';
import type { AgentStart, Question } from './agent.ts';
import { differs, FacadeThread, fieldsOf, type Done, type Doors, type Ground } from './facade.ts';
import { Mailbox } from './mailbox.ts';
import { begin, print, printSet, resolve, type Program } from './programs.ts';
import { slots, stale, status, step, type Call, type CpuSet, type Value } from './reference.ts';

/** The operating system, by a path that no call under test takes. */
export interface Beside {
  /** The group that the part of a thread's user affinity is told in. */
  home(thread: number | 'self'): number;
  /** Where a thread may run; throws where it runs elsewhere. */
  effective(thread: number | 'self'): CpuSet;
  /** Whether threads can have that STOR_THREAD_PRIORITY; undefined where nobody knows. */
  grants(priority: number): boolean | undefined;
  /** Brings a processor into use, or takes it out; false where that can't be, or not now. */
  hotplug?(group: number, bit: number, online: boolean): boolean;
}

export interface Cast {
  readonly doors: Doors;
  readonly ground: Omit<Ground, 'context'>;
  readonly beside: Beside;
  /** Of a ThreadContext's number. No routine under test: above DISPATCH_LEVEL none answers. */
  hasEnded(context: number): boolean;
  /** What system threads are started with: the built agent.ts, and the CPUs of each group. */
  readonly routine: string;
  readonly cpus: AgentStart['cpus'];
}

/** A thread that programs run on: this one, or a system thread behind its mailbox. */
interface Actor {
  readonly thread: number | 'self';
  readonly context: object | null;
  /** Undefined where the thread has ended. */
  run(call: Exclude<Call, { call: 'hotplug' | 'create' }>): Done | undefined;
  copy(slot: number, value: Value): void;
  structures(): readonly Value[];
}

export class Actors {
  readonly #cast: Cast;
  readonly #main: FacadeThread;
  readonly #adapters = [{}, {}];
  #actors: Actor[] = [];

  constructor(cast: Cast) {
    this.#cast = cast;
    this.#main = new FacadeThread(cast.doors, { ...cast.ground, context: (thread) => this.#actors[thread]?.context ?? {} });
  }

  /** Leaves the calling thread as a new one is. */
  clear(): void {
    this.#main.clear();
  }

  #mainActor(): Actor {
    return {
      thread: 'self',
      context: null,
      run: (call) => this.#main.run(call),
      copy: (slot, value) => this.#main.copy(slot, value),
      structures: () => this.#main.structures.map(fieldsOf),
    };
  }

  #start({ extension, routine, priority }: Call & { call: 'create' }): { status: number; actor?: Actor } {
    const { doors, ground, cpus } = this.#cast;
    const { storport } = doors;
    const mailbox = new Mailbox();
    const start: AgentStart = { memory: mailbox.memory, cpus, maximum: cpus.map((_, group) => ground.maximum(group)) };
    const context: { value: ThreadContext | null } = { value: null };
    const answer = storport.StorPortCreateSystemThread(
      extension === null ? null : (this.#adapters[extension] ?? null),
      routine ? this.#cast.routine : null,
      start,
      priority === null ? null : { value: priority },
      context,
    );
    if (answer !== storport.STOR_STATUS_SUCCESS) return { status: answer };
    const own = context.value;
    const ask = (question: Question): unknown => mailbox.ask(question, () => this.#cast.hasEnded(own?.StorPortThread ?? 0));
    const thread = ask({ do: 'number' }) as number;
    let seen: readonly Value[] = Array.from({ length: slots }, () => stale);
    return {
      status: answer,
      actor: {
        thread,
        context: own,
        run: (call) => {
          const told = ask({ do: 'call', call, contexts: this.#actors.map((actor) => actor.context) }) as
            | { done: Done; structures: Value[] }
            | undefined;
          if (told !== undefined) seen = told.structures;
          return told?.done;
        },
        copy: (slot, value) => {
          seen = (ask({ do: 'copy', slot, value }) as { structures: Value[] }).structures;
        },
        structures: () => seen,
      },
    };
  }

  /** Throws, with the program as text, where the library or a thread is not as the model says. */
  run(program: Program): void {
    const { beside } = this.#cast;
    this.#actors = [this.#mainActor()];
    let state = begin(program);
    let calls = 0;
    try {
      for (const raw of program.calls) {
        let call = resolve(state, raw, program.limits);
        if (call === null) continue;
        const fail = (what: string): never => {
          throw new Error(`call ${calls}: ${what}\n${print(program)}`);
        };
        const actor = call.call === 'hotplug' ? undefined : (this.#actors[call.thread] as Actor);
        if (call.call === 'hotplug') {
          if (beside.hotplug?.(call.group, call.bit, call.online) !== true) continue;
        } else if (call.call === 'create') {
          if (call.thread !== 0) continue;
          const granted = beside.grants(call.priority ?? 1);
          if (granted === undefined) continue;
        } else if (call.call === 'priority') {
          const granted = beside.grants(call.priority);
          if (granted === undefined) continue;
          call = { ...call, refused: !granted };
        } else if (call.call === 'set') call = { ...call, home: beside.home((actor as Actor).thread) };
        calls += 1;

        let { state: after, result } = step(state, call);
        if (call.call === 'create') {
          const { status: answer, actor: created } = this.#start(call);
          // A thread that can't have its priority is none.
          if (result.created !== null && beside.grants(call.priority ?? 1) === false) {
            after = state;
            result = { ...result, outcome: { kind: 'status', status: status.UNSUCCESSFUL }, created: null };
          }
          const wrong = differs(result, { outcome: { kind: 'status', status: answer }, value: null });
          if (wrong !== undefined) fail(wrong);
          if (created !== undefined) this.#actors.push(created);
        } else if (call.call === 'copy') {
          const value = (this.#actors[call.from.thread] as Actor).structures()[call.from.slot];
          (actor as Actor).copy(call.slot, value as Value);
        } else if (call.call !== 'hotplug') {
          const done = (actor as Actor).run(call);
          if (done === undefined && after.threads[call.thread]?.ended !== true) fail('the thread has ended');
          const wrong = done === undefined ? undefined : differs(result, done);
          if (wrong !== undefined) fail(wrong);
        }
        state = after;
        this.#actors.forEach((each, id) => {
          const expected = state.threads[id];
          if (expected === undefined || expected.ended || expected.lost) return;
          expected.structures.forEach(({ Mask, Group, Reserved }, slot) => {
            const found = each.structures()[slot] as Value;
            if (found.Mask !== Mask || found.Group !== Group || String(found.Reserved) !== String(Reserved))
              fail(
                `p${slot} of thread ${id} should be {0x${Mask.toString(16)}, ${Group}} and is {0x${found.Mask.toString(16)}, ${found.Group}}`,
              );
          });
          const found = printSet(beside.effective(each.thread));
          if (found !== printSet(expected.effective))
            fail(`the system should allow thread ${id} ${printSet(expected.effective)} and allows ${found}`);
        });
      }
    } finally {
      state.threads.forEach((thread, id) => {
        if (id === 0 || thread.ended) return;
        this.#actors[id]?.run({ call: 'lower', thread: id, level: 0 });
        this.#actors[id]?.run({ call: 'terminate', thread: id, extension: 0, context: null });
      });
      this.#main.clear();
    }
  }
}
