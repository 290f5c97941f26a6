// The first that every Node process and worker below `groupaffinity run` does: NODE_OPTIONS names its build,
// dist/run-preload.cjs. Whatever is wrong, a Node too old for the library among it, the program itself runs.
try {
  require(require('node:worker_threads').isMainThread ? './run-placing.cjs' : './run-worker.cjs');
} catch (error) {
  process.emitWarning(`nothing is placed here: ${(error as Error).message}`, 'GroupAffinityWarning');
}
