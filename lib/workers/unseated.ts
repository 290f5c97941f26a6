// Why a worker is not seated: the preload asks for its build, dist/unseated.cjs, when one is not.
import { isMainThread } from 'node:worker_threads';
import { Outcome, type Native } from '../binding.ts';
import { AffinityError, osDetails, show } from '../errors.ts';

/** Throws, save on a main thread: of a child process that was given the options of a worker. */
export function refuse(plan: string, native?: Native, taken?: ReturnType<Native['takeSeat']>): void {
  if (isMainThread) return;
  if (native === undefined || taken === undefined || taken.outcome === Outcome.gone)
    throw new AffinityError('ERR_AFFINITY_NO_PLAN', `this process has no plan ${show(plan)} to seat a worker by`);
  const { outcome, osError } = taken;
  throw new AffinityError(
    outcome === Outcome.noneRunning
      ? 'ERR_AFFINITY_OFFLINE'
      : outcome === Outcome.notAllowed
        ? 'ERR_AFFINITY_NOT_ALLOWED'
        : 'ERR_AFFINITY_REFUSED',
    'no seat of the plan is to be had: the CPUs of each are offline or withheld from this process by now',
    osDetails(native.support().platform, osError),
  );
}
