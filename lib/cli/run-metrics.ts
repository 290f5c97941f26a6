import type { exposition } from '../run/metrics.ts';
import type { Order } from '../run/order.ts';
import type { Sightings } from '../run/sightings.ts';
import { WholeFile } from '../run/whole-file.ts';
import { thisMachine } from './this-machine.ts';
import { UsageError } from './usage.ts';

/** The system's own words, without the name of the file beside. */
export const reason = (error: unknown): string => (error as Error).message.split(', ')[0] ?? '';

/** Writes what happens in a run into a file, again and again. The run does not depend on it. */
export class RunMetrics {
  readonly #file: WholeFile;
  readonly #text: typeof exposition;
  readonly #order: Order;
  readonly #sightings: Sightings;
  readonly #version: string;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  #last: Promise<void> = Promise.resolve();

  private constructor(file: WholeFile, text: typeof exposition, order: Order, sightings: Sightings) {
    this.#file = file;
    this.#text = text;
    this.#order = order;
    this.#sightings = sightings;
    this.#version = thisMachine().version;
  }

  /** @throws {UsageError} for a file that can't be written. */
  static async on(file: string, order: Order, sightings: Sightings, usage: string): Promise<RunMetrics> {
    const { exposition } = await import('../run/metrics.ts');
    try {
      const metrics = new RunMetrics(new WholeFile(file), exposition, order, sightings);
      await metrics.#write(true);
      return metrics;
    } catch (error) {
      throw new UsageError(`--metrics: ${file} can't be written: ${reason(error)}`, usage);
    }
  }

  begin(seconds: number): void {
    this.#timer = setInterval(() => {
      this.#last = this.#last.then(() => this.#attempt(true));
    }, seconds * 1000);
  }

  /** After the last look. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#last;
    await this.#attempt(false);
  }

  async #write(running: boolean): Promise<void> {
    const { tally } = this.#sightings;
    const run = { name: this.#file.name, version: this.#version, running, order: this.#order, tally, processes: this.#sightings.now() };
    this.#file.write(await this.#text(run));
  }

  async #attempt(running: boolean): Promise<void> {
    try {
      await this.#write(running);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) console.error(`groupaffinity: --metrics: the file could not be written: ${reason(error)}`);
      this.#failing = true;
    }
  }
}
