import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Reads on where it stopped. */
class Tail {
  length = 0;
  readonly #file: number;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(file: string) {
    this.#file = openSync(file, 'r');
  }

  take(): string[] {
    const part = Buffer.alloc(65_536);
    for (;;) {
      const bytes = readSync(this.#file, part, 0, part.length, this.length);
      if (bytes === 0) break;
      this.length += bytes;
      this.#rest += this.#decoder.decode(part.subarray(0, bytes), { stream: true });
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * Lines, not empty, that other processes append to a file, each time opening it by its name. A long file that was read is
 * put away for a new one, so that a run of months needs no more room than one of minutes.
 */
export class Lines {
  readonly #file: string;
  readonly #most: number;
  #tail: Tail;
  /** Was put away: somebody may have had it open. */
  #older: Tail | undefined;

  constructor(file: string, most = 2 ** 20) {
    writeFileSync(file, '', { mode: 0o600 });
    this.#file = file;
    this.#most = most;
    this.#tail = new Tail(file);
  }

  /** Those that were written since. */
  take(): string[] {
    const late = this.#older?.take() ?? [];
    this.#older?.close();
    this.#older = undefined;
    const lines = [...late, ...this.#tail.take()].filter((line) => line !== '');
    if (this.#tail.length > this.#most) this.#putAway();
    return lines;
  }

  close(): void {
    this.#older?.close();
    this.#tail.close();
  }

  #putAway(): void {
    const old = `${this.#file}.old`;
    try {
      renameSync(this.#file, old);
    } catch {
      // Windows, while somebody has it open: the next time.
      return;
    }
    // A writer may have made it already.
    writeFileSync(this.#file, '', { mode: 0o600, flag: 'a' });
    this.#older = this.#tail;
    this.#tail = new Tail(this.#file);
    rmSync(old, { force: true });
  }
}
