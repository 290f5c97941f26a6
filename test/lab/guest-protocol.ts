/** What the lab tells a guest to do, and what the guest answers. */
export interface Order {
  /** CPUs to bring online first. */
  readonly online: readonly number[];
  /** The CPUs of a cpuset that everything runs in. */
  readonly cpuset?: string;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** It is killed when it takes longer. */
  readonly seconds: number;
}

export interface Told {
  readonly name: string;
  readonly status: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}
