export { guard, type Drift, type Guard, type GuardOptions } from './guard.ts';
export { spread, type Plan, type PlannedSeat, type SpreadOptions, type Unit } from './plan.ts';
export { seat, sitters, workerOptions, type Seat, type WorkerPlacement } from './seats.ts';
