import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../binding.ts';
import type { CpuSet } from '../machine/cpu-set.ts';
import type { Topology } from '../machine/topology.ts';
import { collect } from './collect.ts';
import { usable } from './places.ts';
import type { ScenarioResult } from './result.ts';
import { groundOf, plan, type Ground, type Planned, type Scenario } from './scenarios.ts';
import type { Answer, Meanwhile, Order, Outcome } from './task.ts';

const file = join(packageRoot, 'dist', 'bench', 'scenario.js');

/** How far a run is. */
export interface Progress {
  readonly id: string;
  /** From 1. */
  readonly pass: number;
  readonly passes: number;
  /** From 0 to 1. */
  readonly part: number;
  readonly secondsLeft: number;
}

export interface RunOptions {
  readonly machine: Topology;
  readonly quick: boolean;
  /** Ends the run: what there is by then is the result. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Passes of a quick run, and of a full one: with so many the interval leaves out none at its ends, or two. */
export const passesOf = (quick: boolean): number => (quick ? 6 : 12);

export const interrupted = 'interrupted';

/** A process gets this long beyond its sampling, ms: a guest of 255 emulated CPUs is slow to start anything. */
const patience = 120_000;
/** What a process takes beside its sampling, until it is known; ms. */
const start = 150;

/** A process that does one scenario's passes. */
class ScenarioProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #said = '';

  constructor() {
    // Not of the terminal's group: Ctrl-C is for the runner, which ends it.
    this.#child = fork(file, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: process.platform !== 'win32',
    });
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#said = (this.#said + text).slice(-2000)));
  }

  /** Its answer; undefined where the run was ended first. */
  async answer(order: Order, limit: number, signal: AbortSignal): Promise<Answer | undefined> {
    const child = this.#child;
    const heard = new AbortController();
    const answer = await new Promise<Answer | undefined>((resolve) => {
      const { signal: over } = heard;
      const timer = setTimeout(() => resolve({ error: `its process gave no answer within ${Math.round(limit / 1000)} s` }), limit);
      over.addEventListener('abort', () => clearTimeout(timer));
      signal.addEventListener('abort', () => resolve(undefined), { signal: over });
      if (signal.aborted) resolve(undefined);
      const failed = (error: Error): void => resolve({ error: error.message });
      const closed = (code: number | null, by: string | null): void => {
        const last = this.#said.trim().split('\n').at(-1) ?? '';
        resolve({ error: `its process ended with ${by ?? `status ${code}`}${last === '' ? '' : `: ${last}`}` });
      };
      const told = (message: unknown): void => resolve(message as Answer);
      child.once('message', told).once('error', failed).once('close', closed);
      over.addEventListener('abort', () => child.off('message', told).off('error', failed).off('close', closed));
      child.send(order, (error) => error !== null && failed(error));
    });
    heard.abort();
    return answer;
  }

  /** Nothing of it is left then for the next one to meet. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.pid !== undefined) await this.#closed;
  }
}

/** A scenario on its way through the passes. */
class Course {
  readonly #scenario: Scenario;
  readonly #planned: Planned | string;
  readonly #usable: CpuSet;
  readonly #sampling: number;
  /** A quick run has no time for a new process in each pass. */
  readonly #keeps: boolean;
  #process: ScenarioProcess | undefined;
  readonly #outcomes: Outcome[] = [];
  readonly #meanwhile: Meanwhile[] = [];
  #error: string | undefined;
  #took = 0;

  constructor(scenario: Scenario, ground: Ground) {
    this.#scenario = scenario;
    this.#planned = plan(scenario, ground);
    this.#usable = usable(ground.machine);
    this.#sampling = scenario.milliseconds[ground.quick ? 0 : 1];
    this.#keeps = ground.quick;
  }

  get id(): string {
    return this.#scenario.id;
  }

  get isOver(): boolean {
    return typeof this.#planned === 'string' || this.#error !== undefined;
  }

  /** What a pass takes, as far as is known; ms. */
  get milliseconds(): number {
    if (this.isOver) return 0;
    return this.#outcomes.length === 0 ? this.#sampling + start : this.#took / this.#outcomes.length;
  }

  async pass(signal: AbortSignal): Promise<void> {
    if (typeof this.#planned === 'string') return;
    const begun = performance.now();
    this.#process ??= new ScenarioProcess();
    const order: Order = { task: this.#planned.task, milliseconds: this.#sampling };
    const answer = await this.#process.answer(order, this.#sampling + patience, signal);
    if (!this.#keeps || answer === undefined || 'error' in answer) await this.end();
    if (answer === undefined) return;
    if ('error' in answer) {
      this.#error = answer.error;
      return;
    }
    this.#outcomes.push(answer.outcome);
    this.#meanwhile.push(answer.meanwhile);
    this.#took += performance.now() - begun;
  }

  async end(): Promise<void> {
    await this.#process?.end();
    this.#process = undefined;
  }

  result(): ScenarioResult {
    const { id, sentence } = this.#scenario;
    if (typeof this.#planned === 'string') return { kind: 'skip', id, sentence, reason: this.#planned };
    if (this.#error !== undefined) return { kind: 'fail', id, sentence, reason: this.#error };
    if (this.#outcomes.length === 0) return { kind: 'skip', id, sentence, reason: interrupted };
    return collect({
      scenario: this.#scenario,
      ...this.#planned,
      usable: this.#usable,
      outcomes: this.#outcomes,
      meanwhile: this.#meanwhile,
    });
  }
}

/**
 * Runs scenarios in passes and yields their results in order once their last pass is over; of those that were not reached,
 * that they were not. Each scenario has a process of its own: in a full run a new one for each pass.
 */
export async function* run(
  scenarios: readonly Scenario[],
  { machine, quick, signal, onProgress }: RunOptions,
): AsyncGenerator<ScenarioResult> {
  const ground = groundOf(machine, quick);
  const passes = passesOf(quick);
  const courses = scenarios.map((scenario) => new Course(scenario, ground));
  const begun = performance.now();
  try {
    for (let pass = 1; pass <= passes; pass += 1)
      for (const [at, course] of courses.entries()) {
        if (!course.isOver && !signal.aborted) {
          const left = courses.reduce((sum, { milliseconds }, place) => sum + milliseconds * (passes - pass + (place < at ? 0 : 1)), 0);
          const done = performance.now() - begun;
          onProgress({ id: course.id, pass, passes, part: done / (done + left), secondsLeft: left / 1000 });
          await course.pass(signal);
        }
        if (pass === passes) {
          await course.end();
          yield course.result();
        }
      }
  } finally {
    await Promise.all(courses.map((course) => course.end()));
  }
}
