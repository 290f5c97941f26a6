/**
 * A machine of any groups, and an operating system that keeps to native/platform.h: what the library runs on in the
 * tests that need more groups than this machine has. It decides nothing that a document decides.
 */
import {
  lastGroup,
  operandsOf,
  Outcome,
  previousGroup,
  previousMask,
  systemBegun,
  systemInForce,
  userGroup,
  userMask,
  wantedGroup,
  wantedMask,
  type Native,
  type NativeMachine,
} from '../../lib/binding.ts';
import type { CpuSet, Machine } from './reference.ts';

const { done, trimmed, noneRunning, notAllowed, notAProcessor, gone, noGroups } = Outcome;

const bitsOf = (mask: bigint): number[] =>
  mask
    .toString(2)
    .split('')
    .reverse()
    .flatMap((digit, bit) => (digit === '1' ? [bit] : []));

const lowestOf = (cpus: bigint): number => (cpus === 0n ? 0 : (cpus & -cpus).toString(2).length - 1);

/** One kernel with its processors; threads stand on it. */
export class Kernel {
  readonly maskWords: number;
  readonly #cpu: number[][] = [];
  readonly #base: bigint[] = [];
  #online: bigint | undefined;
  #described: NativeMachine | undefined;
  readonly #place = new Map<number, { group: number; bit: number }>();
  readonly #maximum: readonly bigint[];
  #active: bigint[];
  readonly #allowed: bigint;
  readonly #nodes: readonly CpuSet[];
  table: Uint32Array | null = null;
  lastContext = 0;
  readonly contexts = new Map<number, number>();
  readonly threads: SimulatedThread[] = [];

  constructor({ groups, allowed, nodes }: Machine) {
    let cpu = 0;
    groups.forEach(({ maximum }, group) => {
      this.#cpu[group] = [];
      this.#base[group] = BigInt(cpu);
      for (const bit of bitsOf(maximum)) {
        this.#cpu[group][bit] = cpu;
        this.#place.set(cpu, { group, bit });
        cpu += 1;
      }
    });
    this.maskWords = Math.max(1, Math.ceil(cpu / 64));
    this.#maximum = groups.map(({ maximum }) => maximum);
    this.#active = groups.map(({ active }) => active);
    this.#allowed = this.flat(allowed);
    this.#nodes = nodes;
  }

  /** A set by groups as the CPUs of the operating system. Groups have no holes: bit n is CPU base + n. */
  flat(set: CpuSet): bigint {
    let cpus = 0n;
    set.forEach((mask, group) => {
      cpus |= mask << (this.#base[group] ?? 0n);
    });
    return cpus;
  }

  /** CPUs as a set by groups. */
  byGroup(cpus: bigint): CpuSet {
    return this.#maximum.map((maximum, group) => (cpus >> (this.#base[group] ?? 0n)) & maximum);
  }

  get online(): bigint {
    return (this.#online ??= this.flat(this.#active));
  }

  get settable(): bigint {
    return this.#allowed & this.online;
  }

  /** Puts the machine back as it was built. */
  reset({ groups }: Machine): void {
    this.#active = groups.map(({ active }) => active);
    this.#changed();
    this.contexts.clear();
  }

  #changed(): void {
    this.#online = undefined;
    this.#described = undefined;
  }

  hotplug(group: number, bit: number, online: boolean): void {
    this.#changed();
    const mask = 1n << BigInt(bit);
    this.#active[group] = online ? (this.#active[group] ?? 0n) | mask : (this.#active[group] ?? 0n) & ~mask;
  }

  locate(cpu: number): { group: number; bit: number } | undefined {
    return this.#place.get(cpu);
  }

  cpusOf(group: number, mask: bigint): bigint {
    return mask << (this.#base[group] ?? 0n);
  }

  maximum(group: number): bigint {
    return this.#maximum[group] ?? 0n;
  }

  describe(): NativeMachine {
    return (this.#described ??= this.#describe());
  }

  #describe(): NativeMachine {
    const all = this.flat(this.#maximum);
    const { online } = this;
    return {
      possible: all,
      present: all,
      online,
      settable: this.settable,
      allowed: this.settable,
      isolated: 0n,
      packages: [],
      cores: [],
      numaNodes: this.#nodes.map((node, id) => ({ id, cpus: this.flat(node) & online, capacity: this.flat(node), distances: [] })),
      caches: [],
      kinds: [],
      quota: null,
      groups: this.#maximum.map((maximum, group) => ({ maximum, active: this.#active[group] ?? 0n })),
    };
  }
}

/** A thread of the kernel, and the addon as that thread has it. */
export class SimulatedThread {
  readonly native: Native;
  readonly number: number;
  /** What it was last given; offline CPUs included. */
  exact: bigint;
  /** Its system thread's context; 0 for none. */
  context = 0;
  level = 8;
  #cpu = 0;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.exact = kernel.settable;
    kernel.threads.push(this);
    this.number = kernel.threads.length;
    this.native = this.#addon();
  }

  /** Where it may run now: the second path, which no call under test goes through. */
  get effective(): bigint {
    return this.exact & this.#kernel.settable;
  }

  get cpu(): number {
    const { effective } = this;
    if (((effective >> BigInt(this.#cpu)) & 1n) === 0n) this.#cpu = lowestOf(effective);
    return this.#cpu;
  }

  /** Moves it to some CPU of those where it may run, as a scheduler would. */
  runIn(group: number): void {
    const part = this.#kernel.byGroup(this.effective)[group] ?? 0n;
    if (part !== 0n) this.#cpu = lowestOf(this.#kernel.cpusOf(group, part));
  }

  #addon(): Native {
    const kernel = this.#kernel;
    const { maskWords } = kernel;
    const memory = new ArrayBuffer(8 * (7 + 4 * maskWords));
    const { operands, operands32, wanted, previous, inForce, user } = operandsOf({ memory, maskWords } as Native);
    const read = (set: BigUint64Array): bigint => set.reduce((cpus, word, at) => cpus | (word << BigInt(64 * at)), 0n);
    const write = (set: BigUint64Array, cpus: bigint): void => {
      for (let at = 0; at < maskWords; at += 1) set[at] = BigInt.asUintN(64, cpus >> BigInt(64 * at));
    };
    let lastMask = 0n;

    const exchange = (cpus: bigint): Outcome | undefined => {
      const running = cpus & kernel.online;
      if (running === 0n) return noneRunning;
      if ((running & ~kernel.settable) !== 0n) return notAllowed;
      write(previous, this.exact);
      this.exact = running;
      write(inForce, running);
      return running === cpus ? undefined : trimmed;
    };
    const slice = (): { group: number; mask: bigint } => {
      const parts = kernel.byGroup(this.effective);
      const home = kernel.locate(this.cpu)?.group ?? 0;
      const group = parts[home] === 0n ? parts.findIndex((mask) => mask !== 0n) : home;
      return { group: Math.max(0, group), mask: parts[group] ?? 0n };
    };

    return {
      memory,
      maskWords,
      read: () => {
        write(inForce, this.effective);
        write(previous, this.exact);
        return undefined;
      },
      exchange: () => exchange(read(wanted)),
      exchangeGroup: () => {
        if (kernel.table === null) return noGroups;
        const wants = { group: operands32[wantedGroup] as number, mask: operands[wantedMask] as bigint };
        if (wants.mask === 0n || (wants.mask & ~kernel.maximum(wants.group)) !== 0n) return notAProcessor;
        const before = slice();
        const outcome = exchange(kernel.cpusOf(wants.group, wants.mask));
        operands[previousMask] = before.mask;
        operands32[previousGroup] = before.group;
        const wasSystem = operands32[systemInForce] !== 0;
        if (outcome === undefined || outcome === trimmed) {
          if (!wasSystem) user.set(previous);
          operands32[systemInForce] = wasSystem ? 1 : systemBegun;
        }
        if (outcome !== undefined) return outcome;
        const isLast = before.group === operands32[lastGroup] && before.mask === lastMask;
        const isUser = before.group === operands32[userGroup] && before.mask === operands[userMask];
        lastMask = wants.mask;
        operands32[lastGroup] = -1;
        return wasSystem && isLast && !isUser ? undefined : done;
      },
      restore: () => {
        this.exact = read(wanted);
        return this.effective === 0n ? trimmed : undefined;
      },
      restoreUser: () => {
        this.exact = read(user);
        operands32[systemInForce] = 0;
        return this.effective === 0n ? trimmed : undefined;
      },
      currentCpu: () => this.cpu,
      support: () => ({ platform: 'windows', affinity: true, spansGroups: true, topology: true, sysroot: false, hardwareGroups: true }),
      readCpus: () => ({ outcome: done, osError: 0, ...kernel.describe() }),
      readMachine: () => ({ outcome: done, osError: 0, ...kernel.describe() }),
      formGroups: (table) => (kernel.table ??= table),
      groups: () => kernel.table,
      addContext: () => {
        kernel.lastContext += 1;
        return kernel.lastContext;
      },
      beginContext: (context) => {
        this.context = context;
        kernel.contexts.set(context, this.number);
        return true;
      },
      endContext: (context) => void kernel.contexts.delete(context),
      ownContext: () => this.context,
      contextThread: (context) => kernel.contexts.get(context) ?? 0,
      isContext: (context) => context > 0 && context <= kernel.lastContext,
      waitForContext: (context) => !kernel.contexts.has(context),
      currentThread: () => this.number,
      setPriority: (thread, level) => {
        const target = kernel.threads[thread - 1];
        if (target === undefined) return { outcome: gone, osError: 0, level: 0 };
        target.level = level;
        return { outcome: done, osError: 0, level };
      },
    } as Partial<Native> as Native;
  }
}
