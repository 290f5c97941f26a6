import { CpuSet } from '../machine/cpu-set.ts';
import type { Topology } from '../machine/topology.ts';
import { Neighbours, sampleOfCpus, spreadCores, type Relation } from './places.ts';
import { cpusInWords } from './quantities.ts';
import type { CallsTask, Load, Task } from './task.ts';

/** What is done on a machine, and where. */
export interface Planned {
  readonly task: Task;
  readonly where: string;
}

/** What a scenario may know of the machine. */
export interface Ground {
  readonly machine: Topology;
  readonly neighbours: Neighbours;
  /** The usable CPUs of each core, neighbours in the list far apart. */
  readonly cores: readonly CpuSet[];
  readonly quick: boolean;
}

/** One thing to measure. */
export interface Scenario {
  /** subject.name; does not change. */
  readonly id: string;
  /** What is timed, in our words. */
  readonly sentence: string;
  /** Sampling in a pass, ms: of a quick run, and of a full one. */
  readonly milliseconds: readonly [number, number];
  /** What to do on a machine; or what it lacks. */
  readonly plan: (ground: Ground) => Planned | string;
}

/** Every worker costs its start: some twenty milliseconds. */
export const mostWorkers = 32;
/** All pairs of so many CPUs, in a quick run and in a full one. */
export const mostCpus: readonly [number, number] = [16, 64];

const calls: Scenario['milliseconds'] = [45, 400];

const moves: Readonly<Record<Relation, string>> = {
  'same-core': 'to the other thread of the same core and back',
  'same-l3': 'between two cores below one level 3 cache',
  'other-l3': 'between two level 3 caches of a package',
  'other-package': 'between two packages',
  'other-node': 'between two NUMA nodes',
  'other-group': 'between two processor groups',
};

const home = ({ neighbours }: Ground): number => neighbours.cpus[0] as number;
const only = (cpu: number): string => String(CpuSet.of([cpu]));
const sets = (first: string, second: string, seats: CallsTask['seats']): CallsTask => ({
  kind: 'calls',
  call: 'set',
  first,
  second,
  seats,
});

/** A scope around the CPU where the thread runs. */
const scope =
  (call: 'revert' | 'pin'): Scenario['plan'] =>
  (ground) => {
    const cpu = home(ground);
    return { task: { kind: 'calls', call, first: only(cpu), second: '', seats: [cpu, cpu] }, where: cpusInWords([cpu]) };
  };

const coresInWords = (cores: readonly CpuSet[]): string => `CPUs ${cores.reduce((all, core) => all.union(core), CpuSet.empty)}`;

function work(load: Load, placement: 'spread' | 'packed' | 'free'): Scenario {
  const doing = { memory: 'Workers load from memory at random', compute: 'Workers compute in registers' }[load];
  const placed = { spread: 'pinned to a core each', packed: 'pinned to one core, all of them', free: 'placed by the scheduler' }[placement];
  return {
    id: `throughput.${load}.${placement}`,
    sentence: `${doing}, ${placed}.`,
    milliseconds: [60, 500],
    plan: (ground) => {
      const cores = ground.cores.slice(0, mostWorkers);
      const [first] = cores;
      if (cores.length < 2 || first === undefined) return 'needs two cores that this process may use';
      const seats = { spread: cores, packed: [first], free: [] }[placement].map(String);
      const places = { spread: `a core each of ${coresInWords(cores)}`, packed: `core of ${cpusInWords([...first])}`, free: 'anywhere' };
      const where = places[placement];
      return { task: { kind: 'work', load, workers: cores.length, seats }, where: `${cores.length} workers, ${where}` };
    },
  };
}

export const scenarios: readonly Scenario[] = [
  {
    id: 'set.stays',
    sentence: 'A Set to the processor that the thread is confined to already.',
    milliseconds: calls,
    plan: (ground) => {
      const cpu = home(ground);
      return { task: sets(only(cpu), only(cpu), [cpu, cpu]), where: cpusInWords([cpu]) };
    },
  },
  {
    id: 'set.other-mask',
    sentence: 'A Set to another mask that holds the processor where the thread runs.',
    milliseconds: calls,
    plan: (ground) => {
      const mates = ground.neighbours.mates();
      if (mates === undefined) return 'needs two CPUs of one processor group that this process may use';
      const cpu = mates[1];
      return {
        task: sets(only(cpu), String(CpuSet.of(mates)), [cpu, cpu]),
        where: `${cpusInWords([cpu])}, alone and with ${cpusInWords([mates[0]])}`,
      };
    },
  },
  ...(Object.keys(moves) as Relation[]).map((relation): Scenario => ({
    id: `set.moves.${relation}`,
    sentence: `A Set that moves the thread ${moves[relation]}.`,
    milliseconds: calls,
    plan: ({ neighbours }) => {
      const pair = neighbours.pair(relation);
      return typeof pair === 'string' ? pair : { task: sets(only(pair[0]), only(pair[1]), pair), where: cpusInWords(pair) };
    },
  })),
  {
    id: 'set.revert',
    sentence: 'A Set to the processor where the thread runs, and the Revert.',
    milliseconds: calls,
    plan: scope('revert'),
  },
  {
    id: 'pin.scope',
    sentence: 'A pin on the CPU where the thread runs, and its end.',
    milliseconds: calls,
    plan: scope('pin'),
  },
  {
    id: 'remote.arrival',
    sentence: 'A running thread is sent to another CPU by another thread, until it sees itself there.',
    milliseconds: [60, 400],
    plan: ({ neighbours }) => {
      const near = neighbours.pair('same-l3');
      const [from, to] = typeof near === 'string' ? neighbours.cpus : near;
      if (from === undefined || to === undefined) return 'needs a second CPU that this process may use';
      const caller = neighbours.cpus.find((cpu) => cpu !== from && cpu !== to) ?? to;
      return { task: { kind: 'arrival', caller, from, to }, where: `${cpusInWords([from])} to ${to}, sent from ${caller}` };
    },
  },
  {
    id: 'jitter.pinned',
    sentence: 'Gaps in which a pinned thread that always has something to do does not run.',
    milliseconds: [80, 800],
    plan: (ground) => ({ task: { kind: 'gaps', cpu: home(ground) }, where: cpusInWords([home(ground)]) }),
  },
  {
    id: 'jitter.free',
    sentence: 'The same of a thread that the scheduler places.',
    milliseconds: [80, 800],
    plan: ({ neighbours }) =>
      neighbours.cpus.length < 2
        ? 'needs a second CPU that this process may use: with one, no thread is free'
        : { task: { kind: 'gaps', cpu: null }, where: 'anywhere' },
  },
  ...(['memory', 'compute'] as const).flatMap((load) => (['spread', 'packed', 'free'] as const).map((placement) => work(load, placement))),
  {
    id: 'round-trips',
    sentence: 'A word in a cache line goes from one core to another and back, between all pairs.',
    milliseconds: [40, 400],
    plan: ({ neighbours, cores, quick }) => {
      const cpus = sampleOfCpus(cores, mostCpus[quick ? 0 : 1]);
      if (cpus.length < 2) return 'needs a second CPU that this process may use';
      const all = neighbours.cpus.length;
      return { task: { kind: 'trips', cpus }, where: `CPUs ${CpuSet.of(cpus)}${cpus.length < all ? `, ${cpus.length} of ${all}` : ''}` };
    },
  },
];

/** What a scenario does here, or why it does nothing. */
export function plan(scenario: Scenario, ground: Ground): Planned | string {
  return ground.neighbours.cpus.length === 0 ? 'no CPU that this process may use is online' : scenario.plan(ground);
}

export const groundOf = (machine: Topology, quick: boolean): Ground => ({
  machine,
  neighbours: new Neighbours(machine),
  cores: spreadCores(machine),
  quick,
});
