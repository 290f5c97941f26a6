import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Affinity is state of threads and processes: every test file in a process of its own, one at a time.
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('..', import.meta.url)),
    include: ['test/{unit,model,machine,browser}/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
