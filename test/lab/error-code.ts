import { AffinityError } from 'groupaffinity';

/** The code of the error that a call throws. */
export function errorCode(call: () => unknown): string {
  try {
    call();
    return 'none';
  } catch (error) {
    return error instanceof AffinityError ? error.code : String(error);
  }
}
