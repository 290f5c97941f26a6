// One scenario in a pass: the runner makes a process for each. Its argument is the order in JSON, its message the answer.
import { sampleCalls } from './calls.ts';
import { watch } from './meanwhile.ts';
import { sampleArrivals, sampleGaps, sampleTrips } from './native-threads.ts';
import type { Answer, Order, Outcome } from './task.ts';
import { sampleWork } from './work.ts';

function sample({ task, milliseconds }: Order): Outcome | Promise<Outcome> {
  switch (task.kind) {
    case 'calls':
      return sampleCalls(task, milliseconds);
    case 'arrival':
      return sampleArrivals(task, milliseconds);
    case 'gaps':
      return sampleGaps(task, milliseconds);
    case 'work':
      return sampleWork(task, milliseconds);
    case 'trips':
      return sampleTrips(task, milliseconds);
  }
}

async function answer(): Promise<Answer> {
  try {
    const end = watch();
    const outcome = await sample(JSON.parse(process.argv[2] ?? '') as Order);
    return { outcome, meanwhile: end() };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

process.send?.(await answer(), () => process.disconnect());
