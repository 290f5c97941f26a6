/** What the maker of a plan and a worker that sits by it tell each other. */

/** Tells a worker which plan of its process is meant, and where the addon lies, as `pid:number:file`. */
export const planVariable = 'GROUPAFFINITY_PLAN';

/** What a worker knows of its seat. */
export interface TakenSeat {
  readonly seat: number;
  readonly sharers: number;
  /** The plan, as its maker described it. */
  readonly description: string;
}

/** Of the global object: the preload's, the package's and another installation's copy of this module find the same. */
export const seatKey: unique symbol = Symbol.for('groupaffinity.seat');
export interface Seated {
  [seatKey]?: TakenSeat;
}
