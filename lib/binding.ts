import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AffinityError } from './errors.ts';

/** native/platform.h, `Outcome`. */
export const Outcome = {
  done: 0,
  trimmed: 1,
  noneRunning: 2,
  notAllowed: 3,
  refused: 4,
  notAProcessor: 5,
  spansGroups: 6,
  noGroups: 7,
  unsupported: 8,
  gone: 9,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

export interface NativeSupport {
  platform: 'linux' | 'windows' | 'unsupported';
  affinity: boolean;
  spansGroups: boolean;
  topology: boolean;
  sysroot: boolean;
  hardwareGroups: boolean;
}

/** This machine's CPUs (native/platform.h, `Cpus`). Sets are masks: CPU n is bit n. */
export interface NativeCpus {
  possible: bigint;
  present: bigint;
  online: bigint;
  /** What the operating system lets this process confine a thread to. */
  settable: bigint;
  /** The part of it that the process was started with. */
  allowed: bigint;
  isolated: bigint;
}

/** A machine as the operating system tells it (native/platform.h, `Machine`). */
export interface NativeMachine extends NativeCpus {
  packages: { id: number | null; cpus: bigint }[];
  cores: { package: number | null; id: number | null; cpus: bigint }[];
  numaNodes: { id: number; cpus: bigint; capacity: bigint; distances: number[] }[];
  caches: { level: number; type: 'data' | 'instruction' | 'unified'; bytes: number; cpus: bigint }[];
  kinds: { efficiencyClass: number; cpus: bigint }[];
  groups: { maximum: bigint; active: bigint }[];
}

/** What the operating system tells of a thread without its help; null where this one does not tell. */
export interface ThreadState {
  /** Offline CPUs of its set included, where the operating system shows them. */
  allowed: bigint;
  lastCpu: number | null;
  voluntarySwitches: number | null;
  involuntarySwitches: number | null;
  migrations: number | null;
}

/** What native/addon.cc exports. The calls without arguments find their operands in `memory`. */
export interface Native {
  readonly memory: ArrayBuffer;
  /** Words in an affinity mask of this system. */
  readonly maskWords: number;
  /** in force ← the calling thread's set; previous ← the same as `restore` takes it */
  readonly read: () => Outcome;
  /** the calling thread's set ← wanted; previous and in force are filled */
  readonly exchange: () => Outcome;
  /** the same for wanted mask and group; previous, previous mask and group are filled */
  readonly exchangeGroup: () => Outcome;
  /** the calling thread's set ← wanted, which an exchange gave as previous */
  readonly restore: () => Outcome;
  /** -1 where the platform can't tell */
  readonly currentCpu: () => number;
  readonly support: () => NativeSupport;
  readonly readCpus: () => { outcome: Outcome; osError: number } & Partial<NativeCpus>;
  readonly readMachine: (sysroot: string) => { outcome: Outcome; osError: number } & Partial<NativeMachine>;
  readonly formGroups: (table: Uint32Array) => Uint32Array;
  readonly groups: () => Uint32Array | null;
  readonly addPlan: (words: BigUint64Array, description: string) => number;
  readonly takeSeat: (plan: number) => { outcome: Outcome; osError: number; seat: number; sharers: number };
  readonly seatSitters: (plan: number) => number[];
  readonly planDescription: (plan: number) => string;
  readonly currentThread: () => number;
  readonly readThread: (thread: number) => ThreadState | null;
  /** `level` is read back. */
  readonly setPriority: (thread: number, level: number) => { outcome: Outcome; osError: number; level: number };
  /** null where it is no thread of this process, or the operating system does not tell */
  readonly threadLevel: (thread: number) => number | null;
  /** Of the CPU that runs the calling thread, told by that CPU; null where programs can't read one. */
  readonly hardwareId: () => number | null;
  /** Of every running CPU, told by the operating system; empty where it does not tell. */
  readonly hardwareIds: () => { cpu: number; id: number }[];
  /** Takes a CPU of the machine offline, or back; `unsupported` where that can't be. */
  readonly setOnline: (cpu: number, online: boolean) => { outcome: Outcome; osError: number };
  /** `count` bare calls of the operating system, with the two sets in turn; words as in `memory`. */
  readonly timeBareExchanges: (first: BigUint64Array, second: BigUint64Array, count: number) => { nanoseconds: number; osError: number };
  readonly timeCurrentCpu: (count: number) => { nanoseconds: number; osError: number };
  /** Blocks; a sample is the time of one round trip. */
  readonly measureRoundTrips: (
    one: number,
    other: number,
    rounds: number,
    samples: number,
  ) => { outcome: Outcome; osError: number; nanoseconds: Float64Array; strays: number };
  readonly addContext: () => number;
  /** False where another thread has the context, this one has another, or it has ended. */
  readonly beginContext: (context: number) => boolean;
  readonly endContext: (context: number) => void;
  /** 0 where the calling thread has none. */
  readonly ownContext: () => number;
  /** The number the operating system knows the thread by; 0 where it has ended or never was. */
  readonly contextThread: (context: number) => number;
  /** Whether addContext() ever gave this number. */
  readonly isContext: (context: number) => boolean;
  /** Blocks; null waits forever. True where the thread has ended. */
  readonly waitForContext: (context: number, nanoseconds: number | null) => boolean;
}

const require = createRequire(import.meta.url);
/** The folder that package.json lies in. */
export const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

const prebuilds = join(packageRoot, 'prebuilds');

/** What the package carries, as `linux-x64 (glibc, musl)`. */
function prebuilt(): string[] {
  if (!existsSync(prebuilds)) return [];
  return readdirSync(prebuilds)
    .sort()
    .map((system) => {
      const libcs = readdirSync(join(prebuilds, system)).flatMap((name) => /\.(glibc|musl)\.node$/.exec(name)?.[1] ?? []);
      return libcs.length === 0 ? system : `${system} (${libcs.sort().join(', ')})`;
    });
}

/** One line for any shell, run from any folder. */
function buildCommand(): string {
  const nodedir = dirname(dirname(process.execPath));
  // Headers that lie beside the binary need no download.
  const headers = existsSync(join(nodedir, 'include', 'node', 'node_api.h')) ? ` --nodedir "${nodedir}"` : '';
  const nodeGyp = join(packageRoot, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  return [
    `npm install --prefix "${packageRoot}" --no-save --no-package-lock --save-prod --omit=dev --ignore-scripts node-addon-api@8 node-gyp@12`,
    `node "${nodeGyp}" rebuild --directory "${packageRoot}"${headers}`,
  ].join(' && ');
}

function loadFailure(cause: unknown): AffinityError {
  const found = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  const carried = prebuilt();
  return new AffinityError(
    'ERR_AFFINITY_NO_BINARY',
    [
      'groupaffinity: its native addon did not load.',
      `Found:  ${found}`,
      `Needed: a groupaffinity.node for ${process.platform}-${process.arch}, Node ${process.versions.node} (Node-API ${process.versions['napi'] ?? 'none'}, at least 9)`,
      `Here:   prebuilt ones for ${carried.length === 0 ? 'no system' : carried.join(', ')}`,
      'To do:  build it from source (that needs Python 3, make and a C++20 compiler; on Debian: apt-get install g++ make python3):',
      `        ${buildCommand()}`,
    ].join('\n'),
    { cause },
  );
}

/** Stands in for an addon that did not load: importing works, and the first use says what is wrong. */
function absent(failure: AffinityError): Native {
  const fail = (): never => {
    throw failure;
  };
  return {
    memory: new ArrayBuffer(8 * 11),
    maskWords: 1,
    read: fail,
    exchange: fail,
    exchangeGroup: fail,
    restore: fail,
    currentCpu: fail,
    support: () => ({
      platform: 'unsupported',
      affinity: false,
      spansGroups: false,
      topology: false,
      sysroot: false,
      hardwareGroups: false,
    }),
    readCpus: fail,
    readMachine: fail,
    formGroups: fail,
    groups: fail,
    addPlan: fail,
    takeSeat: fail,
    seatSitters: fail,
    planDescription: fail,
    currentThread: fail,
    readThread: fail,
    setPriority: fail,
    threadLevel: fail,
    hardwareId: fail,
    hardwareIds: fail,
    setOnline: fail,
    timeBareExchanges: fail,
    timeCurrentCpu: fail,
    measureRoundTrips: fail,
    addContext: fail,
    beginContext: fail,
    endContext: fail,
    ownContext: fail,
    contextThread: fail,
    isContext: fail,
    waitForContext: fail,
  };
}

function isAddon(value: unknown): value is Native {
  if (typeof value !== 'object' || value === null) return false;
  const addon = value as Partial<Native>;
  return addon.memory instanceof ArrayBuffer && typeof addon.maskWords === 'number' && typeof addon.exchangeGroup === 'function';
}

/** The addon by node-gyp-build's rules: one built here, or else the prebuilt one for this system. */
function findAddon(): unknown {
  const find = require('node-gyp-build') as (root: string) => unknown;
  try {
    return find(packageRoot);
  } catch (cause) {
    // It takes every Linux but Alpine for one with glibc. The other libc's file does not load: nothing wrong comes in.
    for (const libc of ['musl', 'glibc']) {
      const file = join(prebuilds, `${process.platform}-${process.arch}`, `groupaffinity.${libc}.node`);
      try {
        if (existsSync(file)) return require(file) as unknown;
      } catch {
        // What failed first says more.
      }
    }
    throw cause;
  }
}

function load(): { native: Native; failure: AffinityError | undefined } {
  try {
    const addon = findAddon();
    if (!isAddon(addon)) throw new TypeError(`the .node file below ${packageRoot} is not groupaffinity's`);
    return { native: addon, failure: undefined };
  } catch (cause) {
    const failure = loadFailure(cause);
    return { native: absent(failure), failure };
  }
}

const loaded = load();

/** The addon of this thread's environment. */
export const native: Native = loaded.native;
/** Why the addon did not load, if it did not. */
export const loadError: AffinityError | undefined = loaded.failure;

const sets = 8 * 8;
const setBytes = native.maskWords * 8;

/** The group calls' operands, as 64-bit words: wanted mask and group, previous mask and group, the OS's error number. */
export const operands = new BigUint64Array(native.memory, 0, 5);
/** The same memory in 32-bit words, for what fits into a number: `wantedGroup`, `previousGroup`, `osError` index it. */
export const operands32 = new Uint32Array(native.memory, 0, 10);
export const wantedMask = 0;
export const previousMask = 2;
export const wantedGroup = 2;
export const previousGroup = 6;
export const osError = 8;

/** The CPU sets' operands: `native.maskWords` words each. */
export const wanted = new BigUint64Array(native.memory, sets, native.maskWords);
export const previous = new BigUint64Array(native.memory, sets + setBytes, native.maskWords);
export const inForce = new BigUint64Array(native.memory, sets + 2 * setBytes, native.maskWords);
