import { native } from '../binding.ts';
import type { Meanwhile } from './task.ts';

interface Reading {
  readonly voluntary: number;
  readonly involuntary: number;
  /** Seconds of this process. */
  readonly own: number;
  readonly cpus: ReturnType<typeof native.cpuTime>;
}

function read(): Reading {
  const { voluntaryContextSwitches: voluntary, involuntaryContextSwitches: involuntary } = process.resourceUsage();
  const { user, system } = process.cpuUsage();
  return { voluntary, involuntary, own: (user + system) / 1e6, cpus: native.cpuTime() };
}

/** Begins to watch this process and its machine; what it returns tells what they did since. */
export function watch(): () => Meanwhile {
  const before = read();
  return () => {
    const after = read();
    const switches = {
      voluntarySwitches: after.voluntary - before.voluntary,
      involuntarySwitches: after.involuntary - before.involuntary,
    };
    if (before.cpus === null || after.cpus === null) return { ...switches, all: null, stolen: null, others: null };
    const stolen = after.cpus.stolen === null || before.cpus.stolen === null ? null : after.cpus.stolen - before.cpus.stolen;
    return {
      ...switches,
      all: after.cpus.all - before.cpus.all,
      stolen,
      // Below zero where the system counts whole ticks; of several passes that evens out.
      others: after.cpus.busy - before.cpus.busy - (after.own - before.own),
    };
  };
}
