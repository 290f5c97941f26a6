/** A worker that never loads the library: it tells its number to the kernel, 0 where it has none, and stays. */
import { readlinkSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const own = process.platform === 'linux' ? Number(readlinkSync('/proc/thread-self').split('/').at(-1)) : 0;
parentPort?.postMessage(own);
parentPort?.on('message', () => parentPort?.close());
