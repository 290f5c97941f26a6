// Writes dist/: the library as one file behind its doors, and the commands. One file loads four times as fast as its
// parts, and a worker's start waits for it.
import { rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const packageRoot = dirname(import.meta.dirname);
rmSync(join(packageRoot, 'dist'), { recursive: true, force: true });

const entries = [
  'index',
  'storport/index',
  'storport/wdm',
  'storport/system-thread',
  'workers/index',
  'validate/claims-worker',
  'validate/routine',
  'validate/keeper',
  'cli/main',
  'cli/demo-worker',
];
const options = { cwd: packageRoot, platform: 'node', external: [/^node:/, 'node-gyp-build'] };
const bundle = await rolldown({ ...options, input: Object.fromEntries(entries.map((name) => [name, `lib/${name}.ts`])) });
await bundle.write({
  dir: 'dist',
  format: 'esm',
  chunkFileNames: ({ name }) => (name === 'library' ? '[name].js' : 'parts/[name].js'),
  codeSplitting: { groups: [{ name: 'library', test: /[\\/]lib[\\/](errors|binding|machine|threads)\b/ }] },
});
const preload = await rolldown({ ...options, input: 'lib/workers/preload.ts' });
await preload.write({ file: 'dist/preload.cjs', format: 'cjs' });

// For `require`: Node loads the same modules, once, whoever asks first.
for (const door of ['index', 'storport/index', 'storport/wdm', 'workers/index'])
  writeFileSync(join(packageRoot, 'dist', `${door}.cjs`), `module.exports = require('./${basename(door)}.js');\n`);
