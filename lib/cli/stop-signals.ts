const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C and its kin end what is being done and not the process: what there is by then is still told. */
export class StopSignals {
  readonly #stopped = new AbortController();
  readonly #stop = (): void => this.#stopped.abort();

  constructor() {
    for (const name of signals) process.on(name, this.#stop);
  }

  /** Aborted by the first of them. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  /** From now on they end the process. */
  end(): void {
    for (const name of signals) process.off(name, this.#stop);
  }
}
