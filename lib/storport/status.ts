import { AffinityError } from '../errors.ts';

/** The STOR_STATUS codes of storport.h, unsigned. */
export const STOR_STATUS_SUCCESS = 0x00000000;
export const STOR_STATUS_UNSUCCESSFUL = 0xc1000001;
export const STOR_STATUS_NOT_IMPLEMENTED = 0xc1000002;
export const STOR_STATUS_INSUFFICIENT_RESOURCES = 0xc1000003;
export const STOR_STATUS_BUFFER_TOO_SMALL = 0xc1000004;
export const STOR_STATUS_ACCESS_DENIED = 0xc1000005;
export const STOR_STATUS_INVALID_PARAMETER = 0xc1000006;
export const STOR_STATUS_INVALID_DEVICE_REQUEST = 0xc1000007;
export const STOR_STATUS_INVALID_IRQL = 0xc1000008;
export const STOR_STATUS_INVALID_DEVICE_STATE = 0xc1000009;
export const STOR_STATUS_INVALID_BUFFER_SIZE = 0xc100000a;
export const STOR_STATUS_UNSUPPORTED_VERSION = 0xc100000b;
export const STOR_STATUS_BUSY = 0xc100000c;

const names = new Map<number, string>(
  Object.entries({
    STOR_STATUS_SUCCESS,
    STOR_STATUS_UNSUCCESSFUL,
    STOR_STATUS_NOT_IMPLEMENTED,
    STOR_STATUS_INSUFFICIENT_RESOURCES,
    STOR_STATUS_BUFFER_TOO_SMALL,
    STOR_STATUS_ACCESS_DENIED,
    STOR_STATUS_INVALID_PARAMETER,
    STOR_STATUS_INVALID_DEVICE_REQUEST,
    STOR_STATUS_INVALID_IRQL,
    STOR_STATUS_INVALID_DEVICE_STATE,
    STOR_STATUS_INVALID_BUFFER_SIZE,
    STOR_STATUS_UNSUPPORTED_VERSION,
    STOR_STATUS_BUSY,
  }).map(([name, status]) => [status, name]),
);

/** The name of a STOR_STATUS; any other number in hexadecimal. */
export function storStatusName(status: number): string {
  return names.get(Number.isInteger(status) ? status >>> 0 : status) ?? `0x${(status >>> 0).toString(16).padStart(8, '0')}`;
}

/** The status of a failure: what a routine needs, the operating system does not tell. A package without its addon has none. */
export function statusOfError(error: unknown): number {
  if (error instanceof AffinityError && error.code !== 'ERR_AFFINITY_NO_BINARY') return error.status;
  throw error;
}

/** What a routine answers, or the status of its failure. */
export function orStatus<T>(answer: () => T): T | number {
  try {
    return answer();
  } catch (error) {
    return statusOfError(error);
  }
}
