import { closeSync, openSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T; strict: true; allowPositionals: false }>>['values'];

export const exitStatus = { good: 0, failed: 1, usage: 2, unsupported: 3 } as const;

/** The command line makes no sense; `usage` says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly usage: string;

  constructor(message: string, usage: string) {
    super(message);
    this.usage = usage;
  }
}

/** Options of one command; anything else is wrong usage. */
export function parse<T extends Options>(args: string[], options: T, usage: string): Values<T> {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, usage);
  }
}

/** @throws {UsageError} for a file that can't be written. What is in it stays until there is something to write. */
export function checkWritable(option: string, file: string, usage: string): void {
  try {
    closeSync(openSync(file, 'a'));
  } catch (error) {
    throw new UsageError(`${option}: ${(error as Error).message}`, usage);
  }
}
