// Writes dist/: the library as one file behind its doors, and the commands. One file loads four times as fast as its
// parts, and a worker's start waits for it.
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  'bench/scenario',
  'bench/work-worker',
  'cli/main',
  'cli/demo-worker',
];
const options = { cwd: packageRoot, platform: 'node', external: [/^node:/, 'node-gyp-build'] };
const read = (name) => readFileSync(join(packageRoot, name), 'utf8');
/** A package whose code goes into a file of ours: its licence goes along. */
const licensed = (shown, name = shown) => {
  const { version } = JSON.parse(read(`node_modules/${name}/package.json`));
  return `/*! ${shown} ${version}\n\n${read(`node_modules/${name}/LICENSE`).trim()}\n*/`;
};
const bundle = await rolldown({ ...options, input: Object.fromEntries(entries.map((name) => [name, `lib/${name}.ts`])) });
await bundle.write({
  dir: 'dist',
  format: 'esm',
  chunkFileNames: ({ name }) => (name === 'library' || name === 'storport' ? '[name].js' : 'parts/[name].js'),
  banner: ({ name }) => (name === 'prom-client' ? licensed('prom-client') : ''),
  codeSplitting: {
    groups: [
      { name: 'prom-client', test: /[\\/]node_modules[\\/]/ },
      { name: 'library', test: /[\\/]lib[\\/](errors|binding|machine|threads|workers[\\/](plan|place-process))\b/ },
      { name: 'storport', test: /[\\/]lib[\\/]storport[\\/](?!system-thread\.)/ },
    ],
  },
});
// For npx and links into a checkout, which npm does not make so itself.
chmodSync(join(packageRoot, 'dist', 'cli', 'main.js'), 0o755);
// What runs before a worker's own code, or a process's, is CommonJS. Of binding.ts workers call begin() or loadFrom()
// alone: what an import of it does is left out.
const preloads = {
  preload: 'workers/preload.ts',
  unseated: 'workers/unseated.ts',
  'run-preload': 'run/preload.cts',
  'run-worker': 'run/worker.ts',
  'run-placing': 'run/placing.ts',
};
const others = [...options.external, ...Object.keys(preloads).map((name) => `./${name}.cjs`)];
for (const [name, source] of Object.entries(preloads)) {
  const treeshake = { propertyReadSideEffects: false };
  const alone = await rolldown({ ...options, external: others, input: `lib/${source}`, treeshake });
  await alone.write({ file: `dist/${name}.cjs`, format: 'cjs' });
}

// What runs in the browser, each script in one file that HTML takes in as text.
const page = 'lib/bench/page';
const scripts = { bench: licensed('uPlot', 'uplot'), report: '' };
for (const [name, postBanner] of Object.entries(scripts)) {
  const script = await rolldown({ cwd: packageRoot, platform: 'browser', input: `${page}/browser/${name}.ts` });
  await script.write({ file: `dist/bench/page/${name}.js`, format: 'iife', minify: true, postBanner });
}
const styles = ['node_modules/uplot/dist/uPlot.min.css', `${page}/browser/style.css`];
writeFileSync(join(packageRoot, 'dist/bench/page/style.css'), styles.map(read).join('\n'));

// For `require`: Node loads the same modules, once, whoever asks first.
for (const door of ['index', 'storport/index', 'storport/wdm', 'workers/index'])
  writeFileSync(join(packageRoot, 'dist', `${door}.cjs`), `module.exports = require('./${basename(door)}.js');\n`);
