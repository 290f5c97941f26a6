/** What the fuzzer of the TypeScript decoders tells at its end. */
export interface Fuzzed {
  readonly executions: number;
  /** Stretches of code that inputs reached. */
  readonly covered: number;
  /** Inputs that reach all of them, as few as were found. */
  readonly corpus: readonly string[];
  /** What was not true, of which inputs. */
  readonly failures: readonly string[];
}
