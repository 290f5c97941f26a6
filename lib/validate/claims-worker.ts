// The thread that claims are checked on, one at a time, and put back as it was after each.
import { parentPort, workerData } from 'node:worker_threads';
import { native } from '../binding.ts';
import { KeGetCurrentIrql, KeLowerIrql, KeRevertToUserGroupAffinityThread } from '../storport/wdm.ts';
import { inherit, systemActive } from '../threads/own-thread.ts';
import { endActors } from './actor.ts';
import { CannotCheck, type Claim } from './claim.ts';
import { claims } from './claims.ts';
import { exactly, structure, told, where } from './look.ts';
import type { Answer, Ask, ClaimsWorkerData, Progress, Verdict } from './messages.ts';
import { setStage } from './stage.ts';

/** Between two messages about progress, ms. */
const pace = 100;
let lastTold = 0;

function progress(part: number): void {
  const now = performance.now();
  if (now - lastTold < pace) return;
  lastTold = now;
  parentPort?.postMessage({ kind: 'progress', part } satisfies Progress);
}

const stage = setStage({ ...(workerData as ClaimsWorkerData), progress });
const { user } = stage;

function state(): string {
  if (user === undefined) return told(`IRQL ${KeGetCurrentIrql()}`);
  const level = native.threadLevel(native.currentThread());
  return told(
    `IRQL ${KeGetCurrentIrql()}`,
    systemActive() ? 'a system affinity' : 'no system affinity',
    where(),
    exactly(),
    `level ${level}`,
  );
}

const asFound = state();

/** Ends a claim's threads and brings this one back by all means. */
function putBack(): void {
  if (KeGetCurrentIrql() > 0) KeLowerIrql(0);
  if (user === undefined) return;
  KeRevertToUserGroupAffinityThread(structure());
  inherit(user);
}

function check({ needs, expected: promise, observe }: Claim): Answer {
  const answer = (verdict: Verdict, expected: string, observed: string): Answer => ({
    kind: 'answer',
    verdict,
    expected,
    observed,
    spoilt: false,
  });
  const skip = (reason: string): Answer => ({ ...answer('skip', typeof promise === 'string' ? promise : '', ''), reason });
  for (const need of needs) {
    const reason = need(stage);
    if (reason !== undefined) return skip(reason);
  }
  let expected = '';
  try {
    expected = typeof promise === 'string' ? promise : promise(stage);
    const observed = observe(stage);
    return answer(observed === expected ? 'pass' : 'fail', expected, observed);
  } catch (error) {
    if (error instanceof CannotCheck) return skip(error.message);
    return answer('fail', expected, `threw ${String(error)}`);
  }
}

/** The thread's state, or why it cannot be told. */
function look(): string {
  try {
    return state();
  } catch (error) {
    return String(error);
  }
}

parentPort?.on('message', ({ id }: Ask) => {
  const claim = claims.find((claim) => claim.id === id) as Claim;
  const answer = check(claim);
  endActors();
  const left = look();
  if (left === asFound) {
    parentPort?.postMessage(answer);
    return;
  }
  putBack();
  parentPort?.postMessage({
    ...answer,
    verdict: 'fail',
    expected: told(answer.expected, `and the thread left as found: ${asFound}`),
    observed: told(answer.observed, `and the thread left: ${left}`),
    spoilt: look() !== asFound,
  } satisfies Answer);
});
