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

/** Passes of a quick run, and of a full one: with these many the interval leaves out none at its ends, or three. */
export const passesOf = (quick: boolean): number => (quick ? 6 : 15);

export const interrupted = 'interrupted';

/** A process gets this long beyond its sampling, ms: a guest of 255 emulated CPUs is slow to start anything. */
const patience = 120_000;
/** What a process takes beside its sampling, until it is known; ms. */
const start = 150;

class ScenarioProcess {
  readonly #child: ChildProcess;
  #said = '';

  constructor(order: Order) {
    // Not of the terminal's group: Ctrl-C is for the runner, which ends it.
    this.#child = fork(file, [JSON.stringify(order)], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: process.platform !== 'win32',
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#said = (this.#said + text).slice(-2000)));
  }

  /** Its answer; undefined where the run was ended first. */
  async answer(limit: number, signal: AbortSignal): Promise<Answer | undefined> {
    const child = this.#child;
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    let stop: () => void = () => undefined;
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Answer | undefined>((resolve) => {
      stop = () => resolve(undefined);
      timer = setTimeout(() => resolve({ error: `its process gave no answer within ${Math.round(limit / 1000)} s` }), limit);
      child.once('message', (message) => resolve(message as Answer));
      child.once('error', (error) => resolve({ error: error.message }));
      child.once('close', (code, by) => {
        const last = this.#said.trim().split('\n').at(-1) ?? '';
        resolve({ error: `its process ended with ${by ?? `status ${code}`}${last === '' ? '' : `: ${last}`}` });
      });
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
    });
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    // It has nothing more to say, and nothing of it is left for the next one to meet.
    child.kill('SIGKILL');
    if (child.pid !== undefined) await closed;
    return answer;
  }
}

/** A scenario on its way through the passes. */
class Course {
  readonly #scenario: Scenario;
  readonly #planned: Planned | string;
  readonly #usable: CpuSet;
  readonly #sampling: number;
  readonly #outcomes: Outcome[] = [];
  readonly #meanwhile: Meanwhile[] = [];
  #error: string | undefined;
  #took = 0;

  constructor(scenario: Scenario, ground: Ground) {
    this.#scenario = scenario;
    this.#planned = plan(scenario, ground);
    this.#usable = usable(ground.machine);
    this.#sampling = scenario.milliseconds[ground.quick ? 0 : 1];
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
    const order: Order = { task: this.#planned.task, milliseconds: this.#sampling };
    const answer = await new ScenarioProcess(order).answer(this.#sampling + patience, signal);
    if (answer === undefined) return;
    if ('error' in answer) {
      this.#error = answer.error;
      return;
    }
    this.#outcomes.push(answer.outcome);
    this.#meanwhile.push(answer.meanwhile);
    this.#took += performance.now() - begun;
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
 * Runs scenarios in passes, each time in a process of its own, and yields their results in order once their last pass is
 * over; of those that were not reached, that they were not.
 */
export async function* run(
  scenarios: readonly Scenario[],
  { machine, quick, signal, onProgress }: RunOptions,
): AsyncGenerator<ScenarioResult> {
  const ground = groundOf(machine, quick);
  const passes = passesOf(quick);
  const courses = scenarios.map((scenario) => new Course(scenario, ground));
  const begun = performance.now();
  for (let pass = 1; pass <= passes; pass += 1)
    for (const [at, course] of courses.entries()) {
      if (!course.isOver && !signal.aborted) {
        const left = courses.reduce((sum, { milliseconds }, place) => sum + milliseconds * (passes - pass + (place < at ? 0 : 1)), 0);
        const done = performance.now() - begun;
        onProgress({ id: course.id, pass, passes, part: done / (done + left), secondsLeft: left / 1000 });
        await course.pass(signal);
      }
      if (pass === passes) yield course.result();
    }
}
