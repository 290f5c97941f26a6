import { accessSync, chmodSync, constants, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A file whose readers find a whole text in it at any moment: each one is written beside it and takes its name and mode. */
export class WholeFile {
  /** Without what it is called after its last dot. */
  readonly name: string;
  readonly #file: string;
  readonly #beside: string;

  /** @throws for what is there and is no file, or none that may be written. */
  constructor(file: string) {
    const found = statSync(file, { throwIfNoEntry: false });
    // To take the name of a device would be the end of the device.
    if (found !== undefined && !found.isFile()) throw new Error('it is there and no regular file');
    if (found !== undefined) accessSync(file, constants.W_OK);
    // Of a link its target is replaced.
    this.#file = found === undefined ? file : realpathSync(file);
    this.name = basename(file).replace(/(?<=.)\.[^.]*$/, '');
    this.#beside = join(dirname(this.#file), `.${basename(this.#file)}.${process.pid}.tmp`);
  }

  /** @throws and the file is as it was. */
  write(text: string): void {
    try {
      rmSync(this.#beside, { force: true });
      const found = statSync(this.#file, { throwIfNoEntry: false });
      const mode = (found?.mode ?? 0o666) & 0o777;
      writeFileSync(this.#beside, text, { flag: 'wx', mode });
      // The umask is for new files.
      if (found !== undefined && (statSync(this.#beside).mode & 0o777) !== mode) chmodSync(this.#beside, mode);
      renameSync(this.#beside, this.#file);
    } catch (error) {
      rmSync(this.#beside, { force: true });
      throw error;
    }
  }
}
