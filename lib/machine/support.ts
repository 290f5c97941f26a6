import { loadError, native } from '../binding.ts';
import type { AffinityError } from '../errors.ts';

export interface Support {
  /** 'linux', 'windows', or 'unsupported' */
  readonly platform: string;
  /** Threads can be confined to CPUs. */
  readonly affinity: boolean;
  /** A thread's set may hold CPUs of several processor groups. */
  readonly spansGroups: boolean;
  /** `topology()` answers. */
  readonly topology: boolean;
  /** Recorded machines can be read (`--sysroot`). */
  readonly sysroot: boolean;
  /** The operating system has processor groups of its own; elsewhere they are formed from the topology. */
  readonly hardwareGroups: boolean;
  /** Why nothing works, where the addon did not load. */
  readonly error?: AffinityError;
}

/**
 * What this platform can do, known without trying. Never throws.
 *
 * @example
 * if (!support().affinity) console.warn('threads stay where the scheduler puts them');
 */
export function support(): Support {
  const can = native.support();
  return loadError === undefined ? can : { ...can, error: loadError };
}
