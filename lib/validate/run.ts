import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { native, packageRoot } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { cpusOf } from '../machine/cpu-list.ts';
import { readCpus } from '../machine/group-table.ts';
import type { Claim } from './claim.ts';
import type { Answer, ClaimsWorkerData, Progress, Verdict } from './messages.ts';

const room = join(packageRoot, 'dist', 'validate');

export interface Checked {
  readonly id: string;
  readonly sentence: string;
  readonly source: string;
  readonly verdict: Verdict;
  readonly expected: string;
  readonly observed: string;
  /** Of a skip, and of no other verdict. */
  readonly reason?: string;
  readonly milliseconds: number;
}

export interface RunOptions {
  /** Forced moves to each CPU. */
  readonly moves: number;
  /** CPUs may be taken offline; whatever happens, they are online again afterwards. */
  readonly hotplug: boolean;
  /** Ends the run: what was not checked by then is a skip. */
  readonly signal: AbortSignal;
  /** Told which claim is being checked, and what part of it is done, from 0 to 1. */
  readonly onProgress: (id: string, part: number) => void;
}

/** A claim gets this long, and as long again for each forced move as the slowest machines take; ms. */
const patience = { claim: 180_000, move: 20 };

const failed = (observed: string): Answer => ({ kind: 'answer', verdict: 'fail', expected: 'an answer', observed, spoilt: true });
export const interrupted = 'interrupted';

/** The thread that claims are checked on; the calling thread only asks. */
class ClaimsThread {
  readonly #worker: Worker;
  readonly #onProgress: (part: number) => void;
  #answer: (answer: Answer) => void = () => undefined;
  #ended: string | undefined;

  constructor(data: ClaimsWorkerData, onProgress: (part: number) => void) {
    this.#onProgress = onProgress;
    // Claims do what the library warns of.
    this.#worker = new Worker(join(room, 'claims-worker.js'), { workerData: data, execArgv: ['--no-warnings'] });
    this.#worker.on('message', (message: Answer | Progress) => {
      if (message.kind === 'answer') this.#answer(message);
      else this.#onProgress(message.part);
    });
    this.#worker.on('error', (error) => this.#end(`the thread ended: ${String(error)}`));
    this.#worker.on('exit', () => this.#end('the thread ended'));
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#answer(failed(this.#ended));
  }

  get isAlive(): boolean {
    return this.#ended === undefined;
  }

  ask(id: string, limit: number, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve) => {
      const stop = (): void => this.#answer({ ...failed(''), verdict: 'skip', reason: interrupted });
      const timer = setTimeout(() => this.#answer(failed(`no answer within ${limit / 1000} s`)), limit);
      this.#answer = (answer) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        resolve(answer);
      };
      signal.addEventListener('abort', stop);
      this.#worker.postMessage({ id });
    });
  }

  async end(): Promise<void> {
    this.#answer = () => undefined;
    await this.#worker.terminate();
  }
}

/** Answers for the CPUs that are online now. */
class Keeper {
  readonly #process: ChildProcess;
  readonly #cpus: readonly number[];

  private constructor(child: ChildProcess, cpus: readonly number[]) {
    this.#process = child;
    this.#cpus = cpus;
  }

  static async begin(): Promise<Keeper> {
    const cpus = cpusOf(readCpus().online);
    // Not of the terminal's group: Ctrl-C is not for it.
    const child = spawn(process.execPath, [join(room, 'keeper.js'), ...cpus.map(String)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    const [first] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as unknown[];
    if (!(first instanceof Buffer)) throw new Error('the process that puts CPUs back online did not start');
    return new Keeper(child, cpus);
  }

  async end(): Promise<void> {
    const exit = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await exit;
    const { online } = readCpus();
    const lost = this.#cpus.filter((cpu) => ((online >> BigInt(cpu)) & 1n) === 0n);
    if (lost.length > 0)
      throw new AffinityError(
        'ERR_AFFINITY_REFUSED',
        `CPU ${lost.join()} could not be brought back online: echo 1 > /sys/devices/system/cpu/cpu${lost[0]}/online`,
      );
  }
}

/**
 * Checks claims, each in its turn, on a thread made for it.
 * @throws {AffinityError} `ERR_AFFINITY_REFUSED`: a CPU that was taken offline is still so.
 */
export async function* run(claims: readonly Claim[], { moves, hotplug, signal, onProgress }: RunOptions): AsyncGenerator<Checked> {
  const data: ClaimsWorkerData = { moves, hotplug, bystander: native.support().affinity ? native.currentThread() : 0 };
  const cpus = native.support().topology ? cpusOf(readCpus().allowed).length : 1;
  const limit = patience.claim + patience.move * moves * cpus;
  const keeper = hotplug && native.support().topology ? await Keeper.begin() : undefined;
  let current = '';
  let thread: ClaimsThread | undefined;
  try {
    for (const { id, sentence, source, expected } of claims) {
      const begun = performance.now();
      let answer: Answer = { ...failed(''), verdict: 'skip', reason: interrupted, spoilt: false };
      if (!signal.aborted) {
        current = id;
        onProgress(id, 0);
        if (thread?.isAlive !== true) thread = new ClaimsThread(data, (part) => onProgress(current, part));
        answer = await thread.ask(id, limit, signal);
      }
      if (answer.spoilt) {
        await thread?.end();
        thread = undefined;
      }
      const known = typeof expected === 'string' ? expected : '';
      yield {
        id,
        sentence,
        source,
        verdict: answer.verdict,
        expected: answer.verdict === 'skip' ? known : answer.expected,
        observed: answer.observed,
        ...(answer.reason === undefined ? {} : { reason: answer.reason }),
        milliseconds: performance.now() - begun,
      };
    }
  } finally {
    await thread?.end();
    await keeper?.end();
  }
}
