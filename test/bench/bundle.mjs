// The benchmarks as programs: `main.js` in a folder of the checkout, which run on the package that is built there.
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

const checkout = dirname(dirname(import.meta.dirname));

export async function bundleBenchmarks(folder) {
  const bundle = await rolldown({
    cwd: checkout,
    platform: 'node',
    external: [/^node:/, /^groupaffinity/],
    // What is taken from lib/ itself finds the addon as dist/ does.
    transform: { define: { 'import.meta.dirname': JSON.stringify(join(checkout, 'dist')) } },
    input: ['test/bench/main.ts', 'test/bench/call.ts'],
  });
  await bundle.write({ dir: folder, format: 'esm', chunkFileNames: '[name].js' });
}
