/**
 * What went wrong, for programs. `status` is what the StorPort routines answer in the same case.
 *
 * - `UNKNOWN_CPU`, `UNKNOWN_GROUP`, `UNKNOWN_NODE`, `UNKNOWN_CORE`, `UNKNOWN_PACKAGE`, `UNKNOWN_CACHE`, `UNKNOWN_KIND`: this
 *   machine has none such.
 * - `SYNTAX`: a text that says no set of CPUs.
 * - `EMPTY`: a set without a CPU.
 * - `OFFLINE`: every CPU of the set exists, none is running.
 * - `NOT_ALLOWED`: a CPU is running but withheld from this process (cpuset, container, job).
 * - `REFUSED`: the operating system said no; `errno` or `win32` says why.
 * - `SPANS_GROUPS`: this operating system keeps a thread inside one processor group.
 * - `NO_THREAD`: there is no such thread in this process, or no longer.
 * - `SYSTEM`: a system affinity of the StorPort routines is in force on the thread, which nobody else changes.
 * - `NO_PLAN`: a worker's plan is not one of this process.
 * - `UNSUPPORTED`: this platform has no such call.
 * - `NO_BINARY`: the addon could not be loaded; the message says what was found and what to do.
 */
export type AffinityErrorCode =
  | 'ERR_AFFINITY_UNKNOWN_CPU'
  | 'ERR_AFFINITY_UNKNOWN_GROUP'
  | 'ERR_AFFINITY_UNKNOWN_NODE'
  | 'ERR_AFFINITY_UNKNOWN_CORE'
  | 'ERR_AFFINITY_UNKNOWN_PACKAGE'
  | 'ERR_AFFINITY_UNKNOWN_CACHE'
  | 'ERR_AFFINITY_UNKNOWN_KIND'
  | 'ERR_AFFINITY_SYNTAX'
  | 'ERR_AFFINITY_EMPTY'
  | 'ERR_AFFINITY_OFFLINE'
  | 'ERR_AFFINITY_NOT_ALLOWED'
  | 'ERR_AFFINITY_REFUSED'
  | 'ERR_AFFINITY_SPANS_GROUPS'
  | 'ERR_AFFINITY_NO_THREAD'
  | 'ERR_AFFINITY_SYSTEM'
  | 'ERR_AFFINITY_NO_PLAN'
  | 'ERR_AFFINITY_UNSUPPORTED'
  | 'ERR_AFFINITY_NO_BINARY';

const UNSUCCESSFUL = 0xc1000001;
const NOT_IMPLEMENTED = 0xc1000002;
const INVALID_PARAMETER = 0xc1000006;

function statusOf(code: AffinityErrorCode): number {
  switch (code) {
    case 'ERR_AFFINITY_UNSUPPORTED':
    case 'ERR_AFFINITY_NO_BINARY':
      return NOT_IMPLEMENTED;
    case 'ERR_AFFINITY_NOT_ALLOWED':
    case 'ERR_AFFINITY_REFUSED':
    case 'ERR_AFFINITY_SPANS_GROUPS':
    case 'ERR_AFFINITY_SYSTEM':
    case 'ERR_AFFINITY_NO_PLAN':
      return UNSUCCESSFUL;
    default:
      return INVALID_PARAMETER;
  }
}

/** The operating system's own error number, under the name it goes by there. */
export interface AffinityErrorDetails {
  errno?: number;
  win32?: number;
  tid?: number;
  cause?: unknown;
}

/** A valid call that this machine or its operating system does not carry out. Threads are as they were. */
export class AffinityError extends Error {
  override readonly name = 'AffinityError';
  /** Stable; the message is not. */
  readonly code: AffinityErrorCode;
  /** The STOR_STATUS of the same failure, unsigned. */
  readonly status: number;
  /** errno(3), where a Linux call failed. */
  readonly errno?: number;
  /** GetLastError(), where a Windows call failed. */
  readonly win32?: number;
  /** The operating system's number of the thread, where it is about one that need not be the calling one. */
  readonly tid?: number;

  constructor(code: AffinityErrorCode, message: string, details: AffinityErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.status = statusOf(code);
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.win32 !== undefined) this.win32 = details.win32;
    if (details.tid !== undefined) this.tid = details.tid;
  }
}

/** The same failure in other words, and of a thread. */
export function retold({ code, errno, win32, tid }: AffinityError, message: string, details: AffinityErrorDetails = {}): AffinityError {
  const known = { errno, win32, tid };
  const kept = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) as AffinityErrorDetails;
  return new AffinityError(code, message, { ...kept, ...details });
}

/** A TypeError in the shape that Node's own argument errors have. */
export function wrongType(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** Refuses options that nobody reads: a misspelled one would be left out in silence. */
export function checkOptions(taker: string, options: object, known: readonly string[]): void {
  const wrong = Object.keys(options).find((key) => !known.includes(key));
  if (wrong !== undefined) throw wrongType(`${taker} has no option ${show(wrong)}; its options are ${known.join(', ')}`);
}

/** A RangeError in the shape that Node's own argument errors have. */
export function outOfRange(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

/** A value as an error message shows it: short, and without running the caller's code. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value.length > 60 ? `'${value.slice(0, 57)}...'` : `'${value}'`;
    case 'bigint':
      return value > 2n ** 128n || value < -(2n ** 128n) ? 'a bigint of more than 128 bits' : `${value}n`;
    case 'symbol':
      return 'a symbol';
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object';
    default:
      return String(value);
  }
}

/** errno(3), the same on every Linux; `constants` of node:os has them too, and takes long to load. */
export const EPERM = 1;
export const EACCES = 13;

/** The errno or win32 of an outcome, under its name. */
export function osDetails(platform: string, osError: number): AffinityErrorDetails {
  if (osError === 0) return {};
  return platform === 'windows' ? { win32: osError } : { errno: osError };
}
