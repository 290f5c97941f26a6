// Places the process, or the worker, that this runs in, before its own code: what dist/run-preload.cjs loads.
import { isMainThread } from 'node:worker_threads';
import { placeProcess } from './place-process.ts';
import { placeWorker } from './place-worker.ts';

if (isMainThread) placeProcess();
else placeWorker();
