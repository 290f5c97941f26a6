// Writes dist/: the library as one file behind its doors, and the commands. One file loads four times as fast as its
// parts, and a worker's start waits for it.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  sourcemap: true,
  chunkFileNames: ({ name }) => (name === 'library' ? '[name].js' : 'parts/[name].js'),
  codeSplitting: {
    groups: [{ name: 'library', test: /[\\/]lib[\\/](errors|binding|machine|threads|workers[\\/](plan|place-process))\b/ }],
  },
});
// What --require names must be CommonJS.
for (const [input, name] of [
  ['lib/workers/preload.ts', 'preload'],
  ['lib/run/preload.cts', 'run-preload'],
  ['lib/run/placing.ts', 'run-placing'],
]) {
  const preload = await rolldown({ ...options, input, external: [...options.external, './run-placing.cjs'] });
  await preload.write({ file: `dist/${name}.cjs`, format: 'cjs', sourcemap: true });
}

// The package carries lib/: its maps need not hold it once more.
for (const name of readdirSync(join(packageRoot, 'dist'), { recursive: true })) {
  if (!name.endsWith('.map')) continue;
  const file = join(packageRoot, 'dist', name);
  const { sourcesContent: _, ...map } = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(map));
}
