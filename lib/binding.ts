import { createRequire } from 'node:module';
import { dirname, join, toNamespacedPath } from 'node:path';
import * as thisThread from 'node:worker_threads';
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

/** native/platform.h, `Claim`. */
export const Claim = { mine: 0, taken: 1, impossible: 2 } as const;
export type Claim = (typeof Claim)[keyof typeof Claim];

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
  quota: number | null;
  packages: { id: number | null; cpus: bigint }[];
  cores: { package: number | null; id: number | null; cpus: bigint }[];
  numaNodes: { id: number; cpus: bigint; capacity: bigint; distances: number[] }[];
  caches: { level: number; type: 'data' | 'instruction' | 'unified'; bytes: number; cpus: bigint }[];
  kinds: { efficiencyClass: number; cpus: bigint }[];
  groups: { maximum: bigint; active: bigint }[];
}

/** What the operating system tells of a thread without its help; null where this one does not tell. */
export interface ThreadState {
  readonly thread: number;
  /** As the operating system keeps it: Linux cuts it after 15 bytes. */
  readonly name: string;
  /** Offline CPUs of its set included, where the operating system shows them. */
  allowed: bigint;
  lastCpu: number | null;
  voluntarySwitches: number | null;
  involuntarySwitches: number | null;
  migrations: number | null;
  /** ms that it ran, the system's work for it included. */
  readonly cpuTime: number | null;
  /** As `niceOf` tells it. */
  readonly nice: number | null;
  /** When it began, in ms after a moment that all threads share. */
  readonly started: number | null;
  /** Bit n is signal n + 1. */
  readonly blockedSignals: bigint | null;
  /** It waits in a call of the kind that event loops wait in. */
  readonly waitsForEvents: boolean | null;
}

/** What a guard saw (native/guard.h, `Drift`). */
export interface NativeDrift {
  /** narrowed, widened, moved, mended */
  what: 0 | 1 | 2 | 3;
  /** offline, withheld, unknown */
  cause: 0 | 1 | 2;
  thread: number;
  seat: number | null;
  wanted: bigint;
  found: bigint;
}

/** A thread that has loaded the addon, as it introduced itself. */
export interface Inhabitant {
  readonly thread: number;
  readonly main: boolean;
  /** Node's threadId. */
  readonly worker: number;
  readonly name: string;
}

/** A process of anybody's (native/platform.h, `Process`). */
export interface NativeProcess {
  readonly process: number;
  /** The process that it is a thread of; `process` itself where it is one. */
  readonly leader: number;
  readonly parent: number;
  /** Of its main thread. */
  readonly name: string;
  /** The file that it runs; empty where the operating system does not say. */
  readonly program: string;
  /** The program's name among them; empty where the operating system does not say. */
  readonly arguments: string[];
  /** What it was started with, as `NAME=value`; empty where the operating system does not say. */
  readonly environment: string[];
  /** Whose it is; null where the operating system does not say. */
  readonly user: number | null;
}

/** native/platform.h, `kRealTime`: the nice value of what runs before all others. */
export const realTime = -100;

/** What native/addon.cc exports. The calls without arguments find their operands in `memory`, and answer nothing where all is well. */
export interface Native {
  readonly memory: ArrayBuffer;
  /** Words in an affinity mask of this system. */
  readonly maskWords: number;
  /** in force ← the calling thread's set; previous ← the same as `restore` takes it */
  readonly read: () => Outcome | undefined;
  /** the calling thread's set ← wanted; previous and in force are filled */
  readonly exchange: () => Outcome | undefined;
  /**
   * the same for wanted group and mask; previous, previous group and mask are filled. Answers nothing where it is done, a
   * system affinity was in force, and its group and mask are what the exchange before this one wanted, and not those of
   * the user affinity; else `done`. Whoever has noted what was wanted writes that group into `lastGroup`. Over a user
   * affinity: user ← previous, `systemInForce` ← `systemBegun`.
   */
  readonly exchangeGroup: () => Outcome | undefined;
  /** the calling thread's set ← wanted, which an exchange gave as previous */
  readonly restore: () => Outcome | undefined;
  /** the calling thread's set ← user, and no system affinity is in force, where it is done or trimmed */
  readonly restoreUser: () => Outcome | undefined;
  /** -1 where the platform can't tell */
  readonly currentCpu: () => number;
  /** A steady clock, ns. */
  readonly clock: () => number;
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
  /** Of every thread of a process, of this one for 0. */
  readonly readThreads: (process: number) => { outcome: Outcome; osError: number; threads: ThreadState[] };
  /** a thread of this process ← wanted; previous and in force are filled */
  readonly confineThread: (thread: number) => Outcome;
  /** a thread of this process ← wanted, which confineThread gave as previous */
  readonly restoreThread: (thread: number) => Outcome;
  /** 19 the lowest, 0 normal, -20 the highest; `realTime` before all of them. */
  readonly setNice: (thread: number, nice: number) => { outcome: Outcome; osError: number };
  /** null where it is no thread of this process, or the operating system does not tell */
  readonly niceOf: (thread: number) => number | null;
  /** Says who the calling thread is, until its environment ends. */
  readonly introduce: (main: boolean, worker: number, name: string) => void;
  readonly inhabitants: () => Inhabitant[];
  /** Whether a thread has introduced itself and has a system affinity in force (`systemInForce`). */
  readonly hasSystemAffinity: (thread: number) => boolean;
  /** The threads of libuv's pool that have answered callPool. */
  readonly poolThreads: () => number[];
  /** Starts libuv's pool and meets its threads; blocks until enough answer, or its patience (ms) ends (native/pool.h). */
  readonly callPool: (expected: number, usual: number, patience: number) => void;
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
  readonly currentUser: () => number;
  /** All that the operating system shows. */
  readonly findProcesses: () => { outcome: Outcome; osError: number; processes: number[] };
  readonly readProcess: (process: number) => { outcome: Outcome; osError: number } & Partial<NativeProcess>;
  /** Child processes that the calling thread starts, as long as it has the set that it has now, start with `words`. */
  readonly leaveToChildren: (words: BigUint64Array) => { outcome: Outcome; osError: number };
  /** From now on this process counts as started with these CPUs. */
  readonly noteStart: (words: BigUint64Array) => void;
  /** What this process was started with, as `NAME=value`; empty where nobody knows. */
  readonly firstEnvironment: () => string[];
  /** This process becomes the program that its own last arguments name; comes back where it can't be. */
  readonly become: (args: readonly string[]) => { outcome: Outcome; osError: number };
  /** Signals that ask a program for something wait from now on to be handed to a child process. */
  readonly catchSignals: () => { outcome: Outcome; osError: number };
  /** Each once, and not what the terminal has sent it already; 0: to nobody. */
  readonly handSignalsTo: (process: number) => void;
  /** The number of the signal that ended that child process; 0 where it ended by itself, or the operating system has none. */
  readonly killedBy: () => number;
  readonly endBySignal: (signal: number) => void;
  /** One environment of the machine has a name at a time, until it lets go or ends in any way. */
  readonly claimName: (name: string) => Claim;
  /** The name that was claimed last. */
  readonly letGo: () => void;
  readonly isClaimed: (name: string) => boolean;
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
  /** Guards the calling thread, or the threads on a plan's seats; looks every `check` milliseconds at least. */
  readonly beginGuard: (plan: number | null, check: number, tell: () => void) => { outcome: Outcome; osError: number; guard?: number };
  readonly endGuard: (guard: number) => void;
  readonly takeDrifts: (guard: number) => NativeDrift[];
  /**
   * Blocks; a sample is the time from a bare call on CPU `caller` that sends a running thread from one CPU to another
   * until that sees itself there. Ends after so many samples or nanoseconds.
   */
  readonly measureArrivals: (
    caller: number,
    from: number,
    to: number,
    samples: number,
    time: number,
  ) => { outcome: Outcome; osError: number; nanoseconds: Float64Array; strays: number };
  /** Blocks for `time` ns: the gaps longer than `over` in which a thread on one CPU, or with null on any, did not run. */
  readonly measureGaps: (
    cpu: number | null,
    time: number,
  ) => {
    outcome: Outcome;
    osError: number;
    over: number;
    elapsed: number;
    nanoseconds: Float64Array;
    strays: number;
    moves: number;
  };
  /** What all CPUs together did since the machine started, in seconds; null where the operating system does not tell. */
  readonly cpuTime: () => { all: number; busy: number; stolen: number | null } | null;
  /** Null where processors don't tell. */
  readonly underHypervisor: () => boolean | null;
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

/** The folder that package.json lies in. */
export const packageRoot: string = /* @__PURE__ */ dirname(import.meta.dirname);

/** What the package carries, as `linux-x64 (glibc, musl)`. */
function prebuilt(): string[] {
  const { existsSync, readdirSync } = process.getBuiltinModule('node:fs');
  const folder = join(packageRoot, 'prebuilds');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((system) => {
      const libcs = readdirSync(join(folder, system)).flatMap((name) => /\.(glibc|musl)\.node$/.exec(name)?.[1] ?? []);
      return libcs.length === 0 ? system : `${system} (${libcs.sort().join(', ')})`;
    });
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
      'To do:  build it from source (that needs npm, Python 3, make and a C++20 compiler; on Debian: apt-get install g++ make python3):',
      `        node "${join(packageRoot, 'native', 'from-source.mjs')}"`,
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
    restoreUser: fail,
    currentCpu: fail,
    clock: fail,
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
    readThreads: fail,
    confineThread: fail,
    restoreThread: fail,
    setNice: fail,
    niceOf: fail,
    introduce: () => {},
    inhabitants: fail,
    hasSystemAffinity: fail,
    poolThreads: fail,
    callPool: fail,
    setPriority: fail,
    threadLevel: fail,
    hardwareId: fail,
    hardwareIds: fail,
    setOnline: fail,
    currentUser: fail,
    findProcesses: fail,
    readProcess: fail,
    leaveToChildren: fail,
    noteStart: fail,
    firstEnvironment: fail,
    become: fail,
    catchSignals: fail,
    handSignalsTo: fail,
    killedBy: fail,
    endBySignal: fail,
    claimName: fail,
    letGo: fail,
    isClaimed: fail,
    timeBareExchanges: fail,
    timeCurrentCpu: fail,
    measureRoundTrips: fail,
    beginGuard: fail,
    endGuard: fail,
    takeDrifts: fail,
    measureArrivals: fail,
    measureGaps: fail,
    cpuTime: fail,
    underHypervisor: fail,
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

/** As much of node:worker_threads as says whose thread this is. */
export interface ThisThread {
  readonly isMainThread: boolean;
  readonly threadId: number;
  /** Workers know their name from Node 22.20 and 24.6 on. */
  readonly threadName?: string | null;
}

/** What the addon has from the start: what seats a worker. The rest takes longer to make than to sit down. */
interface Begun extends Pick<Native, 'introduce' | 'takeSeat' | 'planDescription'> {
  readonly complete: () => Native;
}

/** Loads the addon from a file, which `addonFile` names, and says whose it is: whoever lists the threads asks for that. */
export function begin(file: string, { isMainThread, threadId, threadName }: ThisThread): Begun {
  const module = { exports: {} };
  process.dlopen(module, file);
  const addon = module.exports as Begun;
  addon.introduce(isMainThread, threadId, threadName ?? '');
  return addon;
}

/** The same, whole. */
export function loadFrom(file: string, thread: ThisThread): Native {
  return begin(file, thread).complete();
}

function checked(file: string): Loaded {
  const path = toNamespacedPath(file);
  const addon = loadFrom(path, thisThread);
  if (!isAddon(addon)) throw new TypeError(`${file} is not groupaffinity's`);
  return { native: addon, file: path, failure: undefined };
}

/**
 * Where the addon lies nearly always: built from source, or in the package, of whose files for two C libraries only the
 * right one loads. To find these by node-gyp-build takes longer than all the rest of an import.
 */
function usualFiles(): string[] {
  const { arch, env, platform } = process;
  if (env['GROUPAFFINITY_PREBUILD'] !== undefined || env['PREBUILDS_ONLY'] !== undefined) return [];
  const prebuilt = join('prebuilds', `${platform}-${arch}`, 'groupaffinity');
  const files = [join('build', 'Release', 'groupaffinity.node'), `${prebuilt}.musl.node`, `${prebuilt}.glibc.node`, `${prebuilt}.node`];
  return files.map((file) => join(packageRoot, file));
}

interface Loaded {
  native: Native;
  file: string;
  failure: AffinityError | undefined;
}

function load(): Loaded {
  for (const file of usualFiles()) {
    try {
      return checked(file);
    } catch {
      // Absent or unfit: node-gyp-build finds another one, or the same one and says why.
    }
  }
  try {
    const finder = createRequire(import.meta.url)('node-gyp-build') as { resolve: (root: string) => string };
    return checked(finder.resolve(packageRoot));
  } catch (cause) {
    const failure = loadFailure(cause);
    return { native: absent(failure), file: '', failure };
  }
}

const loaded = /* @__PURE__ */ load();

/** The addon of this thread's environment. */
export const native: Native = loaded.native;
/** Why the addon did not load, if it did not. */
export const loadError: AffinityError | undefined = loaded.failure;
/** Where it was found; empty where it did not load. */
export const addonFile: string = loaded.file;

interface Operands {
  readonly operands: BigUint64Array;
  readonly operands32: Int32Array;
  readonly wanted: BigUint64Array;
  readonly previous: BigUint64Array;
  readonly inForce: BigUint64Array;
  readonly user: BigUint64Array;
}

/** The operands of an addon's environment, in the memory that it shares. */
export function operandsOf({ memory, maskWords }: Native): Operands {
  const sets = 7 * 8;
  const setBytes = maskWords * 8;
  return {
    operands: new BigUint64Array(memory, 0, 7),
    operands32: new Int32Array(memory, 0, 14),
    previous: new BigUint64Array(memory, sets, maskWords),
    wanted: new BigUint64Array(memory, sets + setBytes, maskWords),
    inForce: new BigUint64Array(memory, sets + 2 * setBytes, maskWords),
    user: new BigUint64Array(memory, sets + 3 * setBytes, maskWords),
  };
}

const shared = /* @__PURE__ */ operandsOf(native);

/** The group calls' operands (native/addon.cc, `Operands`), as 64-bit words: `wantedMask`, `previousMask`, `userMask` index it. */
export const operands: BigUint64Array = shared.operands;
/** The same memory in 32-bit words, which the others index. */
export const operands32: Int32Array = shared.operands32;
export const wantedMask = 1;
export const previousMask = 3;
export const userMask = 6;
export const wantedGroup = 0;
/** Not 0 while a system affinity is in force on this thread: other threads ask for it (`hasSystemAffinity`). */
export const systemInForce = 1;
/** In `systemInForce`: since the last group exchange. */
export const systemBegun = 2;
export const previousGroup = 4;
export const osError = 5;
/** The group that the exchange done last wanted: JavaScript says so when it has noted that, the addon takes it back. */
export const lastGroup = 8;
export const userGroup = 9;

/** The CPU sets' operands: `native.maskWords` words each. */
export const wanted: BigUint64Array = shared.wanted;
export const previous: BigUint64Array = shared.previous;
export const inForce: BigUint64Array = shared.inForce;
/** The user affinity while a system affinity is in force. */
export const user: BigUint64Array = shared.user;
