import { plain } from './plain-text.ts';

/** One line on a terminal that the next one replaces; nothing where standard error is no terminal. */
export class ProgressLine {
  readonly #shown = process.stderr.isTTY;

  tell(text: string): void {
    if (this.#shown) process.stderr.write(`\r\u001b[K${plain(text).slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  clear(): void {
    this.tell('');
  }
}
