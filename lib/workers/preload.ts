// Runs in a worker before its own code: workerOptions() names its build, dist/preload.cjs, in execArgv. CommonJS,
// because Node aborts when a worker is terminated while it requires an ES module.
import { isMainThread } from 'node:worker_threads';
import { takeSeat } from './taking.ts';

if (!isMainThread) takeSeat();
