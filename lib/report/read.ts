import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { keep } from './keep.ts';
import type { Kept, Unread } from './result.ts';

/** No result of a machine with 512 CPUs comes near it, bytes. */
const largest = 256 * 2 ** 20;

export type FileRead = { readonly file: string; readonly kept: Kept } | Unread;

const code = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

/** Every .json below a folder in the order of names, by its path; folders that links lead to are left out. */
async function* filesIn(root: string, folder: string): AsyncGenerator<{ file: string } | Unread> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (folder === root) throw error;
    yield { file: relative(root, folder), reason: `the folder can't be read: ${code(error)}` };
    return;
  }
  entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(root, path);
    else if (/\.json$/i.test(entry.name)) yield { file: relative(root, path) };
  }
}

async function readOne(root: string, file: string): Promise<FileRead> {
  try {
    const path = join(root, file);
    const found = await stat(path);
    if (!found.isFile()) return { file, reason: 'it is no file' };
    if (found.size > largest) return { file, reason: `it has ${found.size.toLocaleString('en')} bytes, more than any result` };
    if (found.size === 0) return { file, reason: 'it is empty' };
    return { file, kept: keep(await readFile(path, 'utf8')) };
  } catch (error) {
    return { file, reason: error instanceof SyntaxError ? error.message : `it can't be read: ${code(error)}` };
  }
}

/**
 * Reads every result below a folder, one at a time; what is no result is told with its reason.
 * @throws for a folder that can't be read itself.
 */
export async function* readResults(folder: string): AsyncGenerator<FileRead> {
  for await (const found of filesIn(folder, folder)) yield 'reason' in found ? found : await readOne(folder, found.file);
}

/**
 * The machine that a file is of: its path without `.json` and what says which command wrote it. node-7/bench.json,
 * node-7.validate.json, validate-node-7.json and bench/node-7.json are all of node-7.
 * Empty for bench.json at the top.
 */
export function machineOf(file: string): string {
  const path = file.replace(/\.json$/i, '').split(sep);
  const last = path.pop() ?? '';
  const own = /^(validate|bench)$/i.test(last) ? '' : last.replace(/[-._](validate|bench)$/i, '');
  const name = own === last ? last.replace(/^(validate|bench)[-._]/i, '') : own;
  const folders = path.filter((folder) => !/^(validate|bench)$/i.test(folder));
  return [...folders, ...(name === '' ? [] : [name])].join('/');
}
