import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as binding from '../../lib/binding.ts';
import { FacadeThread, differs, fieldsOf, ThreadEnds, type Doors } from './facade.ts';
import { begin, machines, print, printSet, programs, resolve, type Program } from './programs.ts';
import { step, type CpuSet, type Machine } from './reference.ts';
import { Kernel, SimulatedThread } from './simulated.ts';

const machinesTried = 60;
const programsEach = 1700;
const threadsAtOnce = 3;

/** The thread that the next module graph is loaded on, and the one that a new Worker becomes. */
let loading: SimulatedThread;
let startThread: (workerData: { context: number; user: bigint | BigUint64Array; level: number; memory: SharedArrayBuffer }) => void;

class SimulatedWorker {
  constructor(_: unknown, { workerData }: { workerData: Parameters<typeof startThread>[0] }) {
    startThread(workerData);
  }
  once(): void {}
  terminate(): void {}
}

/** The library on a thread of the simulated kernel, its modules its own. */
async function load(thread: SimulatedThread): Promise<Doors & { inherit: (user: bigint | BigUint64Array) => unknown }> {
  loading = thread;
  vi.resetModules();
  vi.doMock('../../lib/binding.ts', () => {
    const { native } = loading;
    return { ...binding, ...binding.operandsOf(native), native, loadError: undefined, packageRoot: '/' };
  });
  vi.doMock('node:worker_threads', () => ({ Worker: SimulatedWorker, isMainThread: true }));
  const [storport, wdm, { pin, affinity }, { CpuSet }, { inherit }] = await Promise.all([
    import('../../lib/storport/index.ts'),
    import('../../lib/storport/wdm.ts'),
    import('../../lib/threads/pin.ts'),
    import('../../lib/machine/cpu-set.ts'),
    import('../../lib/threads/own-thread.ts'),
  ]);
  return { storport, wdm, pin, affinity, CpuSet, inherit };
}

interface Stand {
  readonly facade: FacadeThread;
  readonly on: SimulatedThread;
  readonly inherit: (user: bigint | BigUint64Array) => unknown;
}

class Rig {
  readonly kernel: Kernel;
  readonly #spare: Stand[] = [];
  /** By the model's thread numbers. */
  #threads: Stand[] = [];
  /** Their contexts; 0 for the first. */
  #contexts: number[] = [];

  private constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  static async on(machine: Machine): Promise<Rig> {
    const kernel = new Kernel(machine);
    const rig = new Rig(kernel);
    const ground = {
      flat: (set: CpuSet) => kernel.flat(set),
      maximum: (group: number) => kernel.maximum(group),
      context: (thread: number) => {
        const context = rig.#contexts[thread] ?? 0;
        return context === 0 ? {} : { StorPortThread: context };
      },
    };
    for (let at = 0; at < threadsAtOnce + 3; at += 1) {
      const on = new SimulatedThread(kernel);
      const { inherit, ...doors } = await load(on);
      rig.#spare.push({ facade: new FacadeThread(doors, ground), on, inherit });
    }
    return rig;
  }

  #reset({ machine, user }: Program): void {
    this.kernel.reset(machine);
    for (const { facade, on } of this.#spare) {
      on.exact = this.kernel.settable;
      on.context = 0;
      on.level = 8;
      // Twice: the first brings back a user affinity of the program before, which may be nowhere by now.
      facade.clear();
      on.exact = this.kernel.settable;
      facade.clear();
      on.exact = this.kernel.flat(user);
    }
    this.#threads = [this.#spare[0] as Stand];
    this.#contexts = [0];
    startThread = ({ context, user: inherited, level, memory }) => {
      const alive = new Set(this.#threads.filter((_, id) => id === 0 || this.kernel.contexts.has(this.#contexts[id] ?? 0)));
      const free = this.#spare.find((stand) => !alive.has(stand));
      if (free === undefined) throw new Error('no thread to spare');
      free.on.exact = this.kernel.settable;
      free.facade.clear();
      free.on.exact = this.kernel.settable;
      free.facade.clear();
      free.on.native.beginContext(context);
      free.inherit(inherited);
      free.on.level = level;
      Atomics.store(new Int32Array(memory), 0, 1);
      this.#threads.push(free);
      this.#contexts.push(context);
    };
  }

  /** Throws, with the program as text, where the library does not do what the model says. */
  run(program: Program): void {
    this.#reset(program);
    let state = begin(program);
    let calls = 0;
    for (const raw of program.calls) {
      let call = resolve(state, raw, program.limits);
      if (call === null) continue;
      calls += 1;
      const fail = (what: string): never => {
        throw new Error(`call ${calls}: ${what}\n${print(program)}`);
      };
      if (call.call === 'hotplug') {
        this.kernel.hotplug(call.group, call.bit, call.online);
        state = step(state, call).state;
      } else {
        const thread = this.#threads[call.thread] as Stand;
        if (call.call === 'set') {
          thread.on.runIn(call.home);
          call = { ...call, home: this.kernel.locate(thread.on.cpu)?.group ?? 0 };
        }
        // An extension is an object, and objects belong to one thread.
        const ofThread =
          call.call === 'create' && call.extension !== null ? { ...call, extension: call.extension + 2 * call.thread } : call;
        const { state: after, result } = step(state, ofThread);
        if (call.call === 'copy') {
          const from = this.#threads[call.from.thread]?.facade.structures[call.from.slot];
          thread.facade.copy(call.slot, fieldsOf(from as NonNullable<typeof from>));
        } else {
          try {
            const wrong = differs(result, thread.facade.run(call));
            if (wrong !== undefined) fail(wrong);
          } catch (error) {
            if (!(error instanceof ThreadEnds)) throw error;
            this.kernel.contexts.delete(this.#contexts[call.thread] ?? 0);
          }
        }
        const slots = after.threads[call.thread]?.structures ?? [];
        slots.forEach(({ Mask, Group, Reserved }, slot) => {
          const found = fieldsOf(thread.facade.structures[slot] as NonNullable<(typeof thread.facade.structures)[number]>);
          if (found.Mask !== Mask || found.Group !== Group || String(found.Reserved) !== String(Reserved))
            fail(
              `p${slot} should be {0x${Mask.toString(16)}, ${Group}, ${String(Reserved)}} and is {0x${found.Mask.toString(16)}, ${found.Group}, ${String(found.Reserved)}}`,
            );
        });
        state = after;
      }
      state.threads.forEach((thread, id) => {
        if (thread.ended || thread.lost) return;
        const found = this.kernel.byGroup((this.#threads[id] as Stand).on.effective);
        if (printSet(found) !== printSet(thread.effective))
          fail(`thread ${id} should be on ${printSet(thread.effective)} and is on ${printSet(found)}`);
      });
    }
  }
}

describe('the library on simulated machines of 1 to 20 groups', () => {
  afterEach(() => {
    vi.doUnmock('../../lib/binding.ts');
    vi.doUnmock('node:worker_threads');
    vi.resetModules();
    vi.restoreAllMocks();
  });

  it(
    `does what the documents say: ${(machinesTried * programsEach).toLocaleString('en')} random programs`,
    { timeout: 600_000 },
    async () => {
      vi.spyOn(process, 'exit').mockImplementation(() => {
        throw new ThreadEnds();
      });
      vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      let ran = 0;
      const seed = Number(process.env['GROUPAFFINITY_SEED'] ?? 20_261_123);
      console.log(`seed ${seed} (GROUPAFFINITY_SEED)`);
      for (const [at, { machine, user }] of fc.sample(machines(), { numRuns: machinesTried, seed }).entries()) {
        const rig = await Rig.on(machine);
        fc.assert(
          fc.property(programs({ machine, user, threads: threadsAtOnce, strandUser: false }), (program) => {
            ran += 1;
            rig.run(program);
          }),
          { numRuns: programsEach, seed: seed + at },
        );
      }
      expect(ran).toBeGreaterThanOrEqual(machinesTried * programsEach);
    },
  );
});
