/**
 * The calling thread's set of CPUs, in the two layers that Windows gives a thread: a user affinity, which `pin` sets,
 * and a system affinity, which the StorPort routines set over it for a while ("KeSetSystemGroupAffinityThread").
 * While a system affinity is active it alone is in force; changes of the user affinity wait below it.
 */
import { inForce, native, osError, operands32, Outcome, previous, systemBegun, systemInForce, user, wanted } from '../binding.ts';
import { AffinityError, osDetails } from '../errors.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { processGroups, readCpus } from '../machine/group-table.ts';

const { exchange, read, restore, restoreUser } = native;
const oneWord = native.maskWords === 1;

/** A set that `restore` brings back bit for bit: one word where the system's masks have one, else all of them. */
export type Exact = bigint | BigUint64Array;

/** The operand `previous`, kept. */
export function keepPrevious(): Exact {
  return keep(previous);
}

function keep(words: BigUint64Array): Exact {
  return oneWord ? (words[0] as bigint) : words.slice();
}

function put(set: Exact, words: BigUint64Array): void {
  if (typeof set === 'bigint') words[0] = set;
  else words.set(set);
}

/** True while a system affinity is in force. */
export function systemActive(): boolean {
  return operands32[systemInForce] !== 0;
}

/** The user affinity that waits below a system affinity: those of its CPUs that are online and granted. */
export function userSet(): CpuSet {
  return CpuSet.fromWords(user).intersect(CpuSet.fromMask(readCpus().settable));
}

/** What a thread made by this one starts with: the user affinity, as `restore` takes it. */
export function userExact(): Exact {
  if (systemActive()) return keep(user);
  readOwn();
  return keepPrevious();
}

/** Takes on a user affinity that another thread had. */
export function inherit(from: Exact): Outcome {
  put(from, wanted);
  return restore() ?? Outcome.done;
}

/** A system affinity is in force from now on; the user affinity, which is the operand `previous`, waits below it. */
export function coverUser(): void {
  user.set(previous);
  operands32[systemInForce] = 1;
}

/** Whether the group exchange that was done last came over the user affinity, which waits below it now; told once. */
export function hasCoveredUser(): boolean {
  if (operands32[systemInForce] !== systemBegun) return false;
  operands32[systemInForce] = 1;
  return true;
}

/**
 * Ends the system affinity and brings the user affinity back, as it is by now. Answers nothing where that is done; else why
 * not, and the thread is as it was.
 */
export const uncoverUser = (): Outcome | undefined => {
  const outcome = restoreUser();
  return outcome === Outcome.trimmed ? undefined : outcome;
};

/** What became of a wanted set. */
export interface InForce {
  readonly cpus: CpuSet;
  /** Wanted, but offline. */
  readonly dropped: CpuSet;
  /** For `giveBack`. */
  readonly before: Exact;
}

function plural(set: CpuSet): string {
  return set.size === 1 ? `CPU ${set} is` : `CPUs ${set} are`;
}

/** Why an exchange did not happen. */
export function failure(outcome: Outcome, set: CpuSet, error = (operands32[osError] as number) >>> 0): AffinityError {
  const { platform } = native.support();
  const details = osDetails(platform, error);
  switch (outcome) {
    case Outcome.noneRunning:
      return new AffinityError('ERR_AFFINITY_OFFLINE', `${plural(set)} offline`, details);
    case Outcome.notAllowed: {
      const machine = readCpus();
      const allowed = CpuSet.fromMask(machine.settable);
      const withheld = set.intersect(CpuSet.fromMask(machine.online)).minus(allowed);
      return new AffinityError(
        'ERR_AFFINITY_NOT_ALLOWED',
        `${plural(withheld.size > 0 ? withheld : set)} withheld from this process, which may use ${allowed}`,
        details,
      );
    }
    case Outcome.spansGroups:
      return new AffinityError(
        'ERR_AFFINITY_SPANS_GROUPS',
        `CPUs ${set} lie in several processor groups; ${platform} keeps a thread inside one`,
        details,
      );
    case Outcome.unsupported:
      return new AffinityError('ERR_AFFINITY_UNSUPPORTED', `threads can't be confined to CPUs on ${platform}`, details);
    default:
      return new AffinityError('ERR_AFFINITY_REFUSED', `the operating system refused CPUs ${set} (error ${error})`, details);
  }
}

/** What the kernel would make of a set, without asking it. */
export function foresee(set: CpuSet): CpuSet {
  const machine = readCpus();
  const running = set.intersect(CpuSet.fromMask(machine.online));
  if (running.size === 0) throw failure(Outcome.noneRunning, set);
  if (!native.support().spansGroups && running.toGroups().length > 1) throw failure(Outcome.spansGroups, running);
  if (!running.isSubsetOf(CpuSet.fromMask(machine.settable))) throw failure(Outcome.notAllowed, set);
  return running;
}

/**
 * Confines the calling thread to a set of CPUs that exist.
 * @throws {AffinityError} The thread is as it was.
 */
export function confine(set: CpuSet): InForce {
  operands32[osError] = 0;
  if (systemActive()) {
    const cpus = foresee(set);
    const before = keep(user);
    cpus.writeTo(user);
    return { cpus, dropped: set.minus(cpus), before };
  }
  if (!set.writeTo(wanted)) throw failure(Outcome.noneRunning, set);
  const outcome = exchange();
  if (outcome === undefined) return { cpus: set, dropped: CpuSet.empty, before: keepPrevious() };
  if (outcome !== Outcome.trimmed) throw failure(outcome, set);
  const cpus = CpuSet.fromWords(inForce);
  return { cpus, dropped: set.minus(cpus), before: keepPrevious() };
}

/** Brings back what `confine` found; where the operating system grants nothing of that any more, what it leaves instead. */
export function giveBack(before: Exact): void {
  if (systemActive()) {
    put(before, user);
    return;
  }
  put(before, wanted);
  operands32[osError] = 0;
  const outcome = restore() ?? Outcome.done;
  if (outcome > Outcome.trimmed) throw failure(outcome, typeof before === 'bigint' ? CpuSet.fromMask(before) : CpuSet.fromWords(before));
}

/** The CPUs that the calling thread may run on now; `keepPrevious` has what brings them back. */
export function readOwn(): CpuSet {
  operands32[osError] = 0;
  let outcome = read();
  if (outcome === Outcome.noGroups) {
    processGroups();
    outcome = read();
  }
  if (outcome !== undefined) throw failure(outcome, CpuSet.empty);
  return CpuSet.fromWords(inForce);
}
