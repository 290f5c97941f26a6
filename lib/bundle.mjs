// Writes dist/: the library as one file behind its doors, and the commands. One file loads four times as fast as its
// parts, and a worker's start waits for it.
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const packageRoot = dirname(import.meta.dirname);
rmSync(join(packageRoot, 'dist'), { recursive: true, force: true });

const entries = [
  'index',
  'storport/index',
  'storport/wdm',
  'storport/system-thread',
  'workers/index',
  'workers/preload',
  'cli/main',
  'cli/demo-worker',
];
const bundle = await rolldown({
  cwd: packageRoot,
  input: Object.fromEntries(entries.map((name) => [name, `lib/${name}.ts`])),
  platform: 'node',
  external: [/^node:/, 'node-gyp-build'],
});
await bundle.write({
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  chunkFileNames: ({ name }) => (name === 'library' ? '[name].js' : 'cli/[name].js'),
  codeSplitting: { groups: [{ name: 'library', test: /[\\/]lib[\\/](?!cli[\\/]|workers[\\/]preload|storport[\\/]system-thread\.)/ }] },
});
