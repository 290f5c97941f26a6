import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const tests = (...folders: string[]): { include: string[]; pool: 'forks'; testTimeout: number; hookTimeout: number } => ({
  include: folders.map((folder) => `test/${folder}/**/*.test.ts`),
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 60_000,
});

const root = fileURLToPath(new URL('..', import.meta.url));

// Affinity is state of threads and processes: every test file in a process of its own. Those that ask this machine have it
// to themselves, one at a time; what else its host runs is beyond them, so that one that fails is tried once more, and
// told of either way (test/run.mjs).
export default defineConfig({
  test: {
    root,
    projects: [
      { root, test: { ...tests('unit', 'model'), name: 'anywhere', sequence: { groupOrder: 0 } } },
      { root, test: { ...tests('machine', 'browser'), name: 'here', fileParallelism: false, retry: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
