import { cpusOf, parseCpuList } from '../machine/cpu-list.ts';
import { centerOf, outlying } from './outliers.ts';
import { machineOf, type FileRead } from './read.ts';
import type { Failure, FleetReport, Headline, Kept, Layout, Machine, MachineFacts, Outlier, Unread } from './result.ts';

type Of<K extends Kept['kind']> = Extract<Kept, { kind: K }>;

interface Collected {
  readonly name: string;
  readonly files: string[];
  /** By its benchmark, which tells as much as any. */
  facts: MachineFacts;
  validate?: Of<'validate'>;
  bench?: Of<'bench'>;
}

const count = (many: number, one: string): string => `${many.toLocaleString('en')} ${one}${many === 1 ? '' : 's'}`;

function sizeOf(cpus: string): number {
  try {
    return cpusOf(parseCpuList(cpus)).length;
  } catch {
    return 0;
  }
}

/** What must be the same for machines to be compared, and its name. */
function layoutOf({ platform, arch, cpuModel, cpus, groups, topology }: MachineFacts): { key: string; name: string } {
  const parts = [cpuModel, `${platform} ${arch}`, count(sizeOf(cpus), 'CPU')];
  if (topology !== undefined) {
    const { packages, numaNodes, caches, cores } = topology;
    const l3 = caches.filter(({ level, type }) => level === 3 && type !== 'instruction').length;
    parts.push(count(packages.length, 'package'), count(numaNodes.length, 'node'), `${l3} L3`, count(cores.length, 'core'));
    const [first] = cores;
    if (first !== undefined && sizeOf(first.cpus) > 1) parts.push(`core 0 is ${first.cpus}`);
  }
  parts.push(count(groups, 'group'));
  return {
    key: JSON.stringify([platform, arch, cpuModel, cpus, groups, topology ?? null]),
    name: parts.filter((part) => part !== '').join(' · '),
  };
}

/** The same trouble on many machines is one. */
class Troubles {
  readonly #found = new Map<string, { id: string; sentence: string; machines: { name: string; said: string }[] }>();

  add(id: string, sentence: string, name: string, said: string): void {
    const trouble = this.#found.get(id) ?? { id, sentence, machines: [] };
    this.#found.set(id, trouble);
    trouble.machines.push({ name, said });
  }

  /** What most machines have first. */
  get all(): Failure[] {
    return [...this.#found.values()].sort((one, other) => other.machines.length - one.machines.length || (one.id < other.id ? -1 : 1));
  }
}

/** Less is better of times and of what they are a part of. */
const isBetter = (unit: string, score: number): boolean => (unit === 'ns' || unit === 'of the time' ? score < 0 : score > 0);

/** Collects results one after the other, and then says what they are together. */
export class Fleet {
  /** The name of a machine whose files have none of their own. */
  readonly #name: string;
  readonly #machines = new Map<string, Collected>();
  readonly #unread: Unread[] = [];
  #files = 0;

  constructor(name: string) {
    this.#name = name;
  }

  add(read: FileRead): void {
    this.#files += 1;
    if ('reason' in read) {
      this.#unread.push(read);
      return;
    }
    const { file, kept } = read;
    const own = machineOf(file) || this.#name;
    // A second result of the kind is another machine's, or another day's: it goes by its path.
    const name = this.#machines.get(own)?.[kept.kind] === undefined ? own : file;
    const machine = this.#machines.get(name) ?? { name, files: [], facts: kept.machine };
    this.#machines.set(name, machine);
    machine.files.push(file);
    if (kept.kind === 'validate') machine.validate = kept;
    else {
      machine.bench = kept;
      machine.facts = kept.machine;
    }
  }

  report(): FleetReport {
    const collected = [...this.#machines.values()];
    const places = new Map<string, { name: string; place: number; machines: Collected[] }>();
    const layoutOfMachine = collected.map((machine) => {
      const { key, name } = layoutOf(machine.facts);
      const layout = places.get(key) ?? { name, place: places.size, machines: [] };
      places.set(key, layout);
      layout.machines.push(machine);
      return layout.place;
    });
    const [failures, broken] = [new Troubles(), new Troubles()];
    for (const { name, validate, bench } of collected) {
      for (const { id, sentence, expected, observed } of validate?.failed ?? [])
        failures.add(id, sentence, name, `expected ${expected}; observed ${observed}`);
      for (const { id, reason } of bench?.broken ?? []) broken.add(id, '', name, reason);
    }
    const outliers: Outlier[] = [];
    const layouts = [...places.values()].map(({ name, place, machines }) => compare(name, place, machines, outliers));
    outliers.sort((one, other) => Math.abs(other.score) - Math.abs(one.score));
    const far = new Map<string, number>();
    for (const { machine } of outliers) far.set(machine, (far.get(machine) ?? 0) + 1);
    const machines = collected.map((machine, at) => told(machine, layoutOfMachine[at] ?? 0, far.get(machine.name) ?? 0));
    return {
      files: this.#files,
      machines,
      layouts,
      failures: failures.all,
      broken: broken.all,
      outliers,
      unread: this.#unread,
    };
  }
}

function told({ name, files, facts, validate, bench }: Collected, layout: number, outliers: number): Machine {
  const { node, release, version } = facts;
  return {
    name,
    files,
    layout,
    node,
    release,
    version,
    validate: validate === undefined ? null : { passed: validate.passed, failed: validate.failed.length, skipped: validate.skipped },
    bench: bench === undefined ? null : { begun: bench.begun, quick: bench.quick, complete: bench.complete, broken: bench.broken.length },
    outliers,
  };
}

/** Each figure over the machines of a layout; what lies far from the others is added to `outliers`. */
function compare(name: string, layout: number, machines: readonly Collected[], outliers: Outlier[]): Layout {
  const figures = new Map<string, { headline: Headline; machine: string }[]>();
  for (const { name, bench } of machines)
    for (const headline of bench?.headlines ?? []) {
      const key = `${headline.id} ${headline.unit}`;
      const all = figures.get(key) ?? [];
      figures.set(key, all);
      all.push({ headline, machine: name });
    }
  const spreads = [...figures.values()].map((all) => {
    const values = all.map(({ headline: { value } }) => value);
    const center = centerOf(values);
    for (const { headline, machine } of all) {
      const { id, unit, value, others } = headline;
      const score = outlying(value, center, all.length);
      if (score !== undefined)
        outliers.push({
          machine,
          layout,
          id,
          unit,
          value,
          median: center.median,
          score,
          of: all.length,
          is: isBetter(unit, score) ? 'better' : 'worse',
          others,
        });
    }
    const { id, unit } = (all[0] as (typeof all)[number]).headline;
    return { id, unit, n: all.length, ...center, values: values.sort((one, other) => one - other) };
  });
  return { name, machines: machines.length, spreads };
}
