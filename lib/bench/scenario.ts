// One scenario in a process of its own. The runner sends an order for each pass, and gets an answer.
import { prepareCalls } from './calls.ts';
import { watch } from './meanwhile.ts';
import { sampleArrivals, sampleGaps, sampleTrips } from './native-threads.ts';
import type { Answer, Order, Outcome, Task } from './task.ts';
import { sampleWork } from './work.ts';

type Sample = (milliseconds: number) => Outcome | Promise<Outcome>;

function prepare(task: Task): Sample {
  switch (task.kind) {
    case 'calls':
      return prepareCalls(task);
    case 'arrival':
      return (milliseconds) => sampleArrivals(task, milliseconds);
    case 'gaps':
      return (milliseconds) => sampleGaps(task, milliseconds);
    case 'work':
      return (milliseconds) => sampleWork(task, milliseconds);
    case 'trips':
      return (milliseconds) => sampleTrips(task, milliseconds);
  }
}

let sample: Sample | undefined;

async function answer({ task, milliseconds }: Order): Promise<Answer> {
  try {
    sample ??= prepare(task);
    const end = watch();
    const outcome = await sample(milliseconds);
    return { outcome, meanwhile: end() };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', (order: Order) => {
  // Without a runner there is nobody to tell, and the process ends.
  void answer(order).then((said) => process.connected && process.send?.(said));
});
