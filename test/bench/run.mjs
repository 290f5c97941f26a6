// npm run bench -- NAME [OPTION...]: builds the package and the benchmarks, then runs one of them (test/bench/main.ts).
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { bundleBenchmarks } from './bundle.mjs';

const checkout = dirname(dirname(import.meta.dirname));
const asked = process.argv.slice(2);

function node(...args) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: checkout, stdio: 'inherit' });
  if (signal !== null) process.kill(process.pid, signal);
  if (status !== 0) process.exit(status ?? 1);
}

// A wrong name is refused before the addon is built, which takes a minute the first time.
await bundleBenchmarks(join('build', 'bench'));
node(join('build', 'bench', 'main.js'), '--check', ...asked);
if (asked.includes('--help')) process.exit(0);
node(join('native', 'build.mjs'));
node(join('lib', 'bundle.mjs'));
await bundleBenchmarks(join('build', 'bench'));
node(join('build', 'bench', 'main.js'), ...asked);
