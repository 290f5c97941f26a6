/** How the lab compiles parts of native/ by hand. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './lab.ts';

/** Every warning is an error. */
export const strict = ['-std=c++20', '-g', '-Wall', '-Wextra', '-Wconversion', '-Werror'];

/** The sources of native/FOLDER. */
export const sources = (folder: string): string[] =>
  readdirSync(join(checkout, 'native', folder))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join('native', folder, name));
