// npm run bench -- NAME [OPTION...]: builds the package and the benchmarks, then runs one of them (test/bench/main.ts).
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const checkout = dirname(dirname(import.meta.dirname));
const asked = process.argv.slice(2);

function node(...args) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: checkout, stdio: 'inherit' });
  if (signal !== null) process.kill(process.pid, signal);
  if (status !== 0) process.exit(status ?? 1);
}

const build = async () => {
  const bundle = await rolldown({
    cwd: checkout,
    platform: 'node',
    external: [/^node:/, /^groupaffinity/],
    // What is taken from lib/ itself finds the addon as dist/ does.
    transform: { define: { 'import.meta.dirname': JSON.stringify(join(checkout, 'dist')) } },
    input: 'test/bench/main.ts',
  });
  await bundle.write({ dir: 'build/bench', format: 'esm', chunkFileNames: '[name].js' });
};

// A wrong name is refused before the addon is built, which takes a minute the first time.
await build();
node(join('build', 'bench', 'main.js'), '--check', ...asked);
if (asked.includes('--help')) process.exit(0);
node(join('native', 'build.mjs'));
node(join('lib', 'bundle.mjs'));
await build();
node(join('build', 'bench', 'main.js'), ...asked);
