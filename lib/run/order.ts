/** What `groupaffinity run` tells the processes below it. */
import { orderVariable, preload } from './environment.ts';

/** A seat as it travels: its CPUs in the kernel's list format, its processor group and NUMA node, null where several. */
export type SeatOrder = readonly [cpus: string, group: number | null, node: number | null];

/** A process's share of the machine, and the seats of its workers in it. */
export interface ShareOrder {
  readonly cpus: string;
  readonly workers?: readonly SeatOrder[];
}

/** Where the threads of every process go. CPUs are in the kernel's list format; what is left out stays as it is. */
export interface Order {
  /** Whose order it is: another installation of the library leaves it alone. */
  readonly by: string;
  /** Names this run among all of the machine. */
  readonly id: string;
  /** The process that read the command line. */
  readonly launcher: number;
  /** It is the program's parent; otherwise it became the program. */
  readonly stays: boolean;
  readonly main?: string;
  readonly libuv?: string;
  readonly v8?: string;
  /** What each process has for its workers; what all of them have together where `dealt` is true. */
  readonly workers?: readonly SeatOrder[];
  readonly dealt?: boolean;
  /** A process takes one of these; `main`, `libuv` and `v8` hold as far as they lie in it. */
  readonly shares?: readonly ShareOrder[];
  /** Where each process tells of its threads. */
  readonly report?: string;
}

/** The order to this process; undefined where there is none. */
export function readOrder(): Order | undefined {
  const text = process.env[orderVariable];
  if (text === undefined) return undefined;
  const order = JSON.parse(text) as Order;
  return order.by === preload ? order : undefined;
}
