/** Which CPU runs a thread by the processor's own id, without the operating system's word for it. */
import { native } from '../binding.ts';
import { CpuSet } from '../machine/cpu-set.ts';
import { readCpus } from '../machine/group-table.ts';

/** What is asked: of processors, by instructions; of the operating system, by calls. */
export interface IdSource {
  /** The id of the processor that runs the caller; null where programs cannot read it. */
  readonly id: () => number | null;
  /** The CPUs' ids as the operating system knows them; none where it does not tell. */
  readonly told: readonly { readonly cpu: number; readonly id: number }[];
  /** How many CPUs run. */
  readonly running: number;
  readonly underHypervisor: boolean;
}

const thisMachine = (): IdSource => ({
  id: native.hardwareId,
  told: native.hardwareIds(),
  running: CpuSet.fromMask(readCpus().online).size,
  underHypervisor: native.underHypervisor() === true,
});

/** The ids as the operating system knows them; where it does not tell, as first seen. */
export class HardwareIds {
  readonly #source: IdSource;
  readonly #cpus: Map<number, number>;
  readonly #told: boolean;
  readonly #seen = new Set<number>();
  #doubt: string | undefined;

  constructor(source = thisMachine()) {
    this.#source = source;
    this.#cpus = new Map(source.told.map(({ cpu, id }) => [id, cpu]));
    this.#told = this.#cpus.size > 0;
  }

  /** Why the ids seen prove nothing: they are not this machine's. Undefined while they may be. */
  get doubt(): string | undefined {
    return this.#doubt === undefined ? undefined : `${this.#doubt}: a hypervisor shows programs its own processors`;
  }

  #id(): number | null {
    const id = this.#source.id();
    if (id === null) return null;
    this.#seen.add(id);
    const { running } = this.#source;
    if (this.#told && !this.#cpus.has(id)) this.#doubt ??= `a processor told its id ${id}, which the operating system gave none`;
    if (!this.#told && this.#seen.size > running)
      this.#doubt ??= `processors told the ids ${[...this.#seen].join(', ')}, and ${running} run`;
    return id;
  }

  /** The CPU that runs the thread; undefined where none is known to have its id. */
  known(): number | undefined {
    const id = this.#id();
    return id === null ? undefined : this.#cpus.get(id);
  }

  /** The same of a thread sent to `expected` that the operating system sees on `os`; -1 where no CPU is known to have its id. */
  cpu(expected: number, os: number): number {
    const id = this.#id();
    if (id === null) return -1;
    if (!this.#told && !this.#cpus.has(id) && ![...this.#cpus.values()].includes(expected)) this.#cpus.set(id, expected);
    const cpu = this.#cpus.get(id) ?? -1;
    // An id that was seen, not told, may have gone to another processor since.
    if (!this.#told && this.#source.underHypervisor && cpu !== expected && os === expected)
      this.#doubt ??= `a processor told the id ${id} on CPU ${os}, and ${cpu < 0 ? 'another id' : `on CPU ${cpu}`} before`;
    return cpu;
  }
}
