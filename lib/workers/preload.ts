// Runs in a worker before its own code: workerOptions() names this file in execArgv.
import { isMainThread } from 'node:worker_threads';
import { takeSeat } from './seats.ts';

if (!isMainThread) takeSeat();
