// Runs in a worker before its own code: workerOptions() names this file in execArgv.
import { takeSeat } from './seats.ts';

takeSeat();
