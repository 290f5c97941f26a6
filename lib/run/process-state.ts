/** What the main thread tells the workers of its process: Node hands it to every worker, whatever its environment. */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import type { Order } from './order.ts';

export interface ProcessState {
  readonly order: Order;
  /** The addon's file. */
  readonly addon: string;
  /** The process's CPUs, for threads that have no other place: as the operating system takes them. */
  readonly base: BigUint64Array;
  /** The plan of its workers' seats, by its number. */
  readonly plan?: number;
  /** What os.availableParallelism() says where nobody is placed. */
  readonly parallelism: number;
}

const key = 'groupaffinity.run';

export const tellWorkers = (state: ProcessState): void => setEnvironmentData(key, state);

export const toldByMain = (): ProcessState | undefined => getEnvironmentData(key) as unknown as ProcessState | undefined;
