/** What the soak tells at its end. */
export interface Soaked {
  /** Workers, by how they ended. */
  readonly ended: Record<string, number>;
  /** Looks at a living worker's CPUs in /proc, and those that found it elsewhere than on its seat. */
  readonly looks: number;
  readonly astray: readonly string[];
  /** Sitters of each seat in the end. */
  readonly sitters: readonly number[];
  /** Of the process, after the warm-up and after each further part of the workers. */
  readonly samples: readonly { readonly workers: number; readonly rss: number; readonly threads: number; readonly files: number }[];
}
