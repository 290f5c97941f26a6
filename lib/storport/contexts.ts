import { native } from '../binding.ts';
import { isPointer } from './parameters.ts';

/**
 * A system thread, to whoever holds this: a plain value that can be posted to other threads of the process. It stays
 * valid until the thread ends.
 */
export interface ThreadContext {
  readonly StorPortThread: number;
}

/** The number of a context; 0 for an object that is none. */
export function contextNumber(context: object): number {
  const number = (context as Partial<ThreadContext>).StorPortThread;
  return typeof number === 'number' && Number.isInteger(number) && number > 0 && number < 2 ** 32 ? number : 0;
}

/** True for NULL, which means the calling thread, and for the calling thread's own context. */
export function isOwnContext(context: unknown): boolean {
  if (!isPointer(context, 'ThreadContext')) return true;
  const number = contextNumber(context as object);
  return number !== 0 && number === native.ownContext();
}

/** The number that the operating system knows the context's thread by; 0 where it has ended or never was. */
export function threadOf(context: object): number {
  const number = contextNumber(context);
  return number === 0 ? 0 : native.contextThread(number);
}
