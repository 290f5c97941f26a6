import { join } from 'node:path';
import { native, packageRoot } from '../binding.ts';
import { StorPortCreateSystemThread, StorPortWaitForSingleObject, type HwDeviceExtension, type ThreadContext } from '../storport/index.ts';
import { extension, word } from './look.ts';
import { header, length, memorySize, patience, released, reported, survived, type Part, type Report, type Task } from './part.ts';

export const routineFile = join(packageRoot, 'dist', 'validate', 'routine.js');

export interface ActorOptions {
  readonly adapter?: HwDeviceExtension;
  readonly priority?: number;
  readonly victim?: ThreadContext;
}

const all = new Set<Actor>();

/** A system thread that a claim starts. */
export class Actor {
  /** Of StorPortCreateSystemThread, without its prefix. */
  readonly status: string;
  readonly #context: { value: ThreadContext | null } = { value: null };
  readonly #signal: Int32Array;
  readonly #memory = new SharedArrayBuffer(memorySize);

  constructor(task: Task, { adapter = extension, priority, victim }: ActorOptions = {}) {
    this.#signal = new Int32Array(this.#memory);
    const part: Part = { task, memory: this.#memory, ...(victim === undefined ? {} : { victim }) };
    const pointer = priority === undefined ? null : { value: priority };
    this.status = word(StorPortCreateSystemThread(adapter, routineFile, part, pointer, this.#context));
    all.add(this);
  }

  get context(): ThreadContext {
    if (this.#context.value === null) throw new Error(`StorPortCreateSystemThread: ${this.status}`);
    return this.#context.value;
  }

  /** Blocks until the thread has told. */
  report(): Report {
    void this.context;
    if (Atomics.wait(this.#signal, reported, 0, patience) === 'timed-out') throw new Error('the system thread did not report');
    const bytes = new Uint8Array(this.#memory, header, this.#signal[length]).slice();
    return JSON.parse(new TextDecoder().decode(bytes)) as Report;
  }

  letGo(): void {
    Atomics.store(this.#signal, released, 1);
    Atomics.notify(this.#signal, released);
  }

  /** Blocks until the thread has ended. */
  end(): string {
    this.letGo();
    return word(StorPortWaitForSingleObject(extension, this.context, false, { value: BigInt(-patience) * 10_000n }));
  }

  get survived(): boolean {
    return Atomics.load(this.#signal, survived) === 1;
  }

  get thread(): number {
    return native.contextThread(this.context.StorPortThread);
  }
}

/** Ends what a claim has left. */
export function endActors(): void {
  for (const actor of all) if (actor.status === 'SUCCESS') actor.end();
  all.clear();
}
