import { basename, join } from 'node:path';
import { rolldown } from 'rolldown';
import { checkout } from './own-process.ts';

/** Builds a module of this folder's neighbours into `folder`, to run there on the package that the folder lies in; its path. */
export async function bundled(source: string, folder: string): Promise<string> {
  const file = join(folder, `${basename(source, '.ts')}.mjs`);
  const bundle = await rolldown({
    input: join(checkout, source),
    platform: 'node',
    external: [/^node:/, /^groupaffinity/, 'fast-check'],
  });
  await bundle.write({ file, format: 'esm' });
  return file;
}
