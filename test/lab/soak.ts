/** 2,000 workers in one process, seated and ended in every way. */
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { installed, must, type Machine } from './lab.ts';
import type { Soaked } from './soak-protocol.ts';

const workers = 2000;
const warmUp = 400;
const parts = 8;

/**
 * Bytes. The resident set of a process that leaks nothing wanders by up to 16 MB; one worker that stayed would be 3 MB.
 * What is too small to be seen here, asan counts to the byte.
 */
const noise = 32 * 2 ** 20;

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

export const soaks: Machine[] = [
  {
    name: 'soak',
    about: `${workers} workers in one process: seats, memory, threads and files afterwards`,
    searches: true,
    async run(found) {
      const home = join(await installed(), 'agents');
      const args = [join(home, 'soak.mjs'), String(workers), String(warmUp), String(parts)];
      // A heap for each thread would grow with the number of threads that happened to be alive at once.
      const env = { MALLOC_ARENA_MAX: '1' };
      const { ended, looks, astray, sitters, samples } = JSON.parse(await must(process.execPath, args, { env })) as Soaked;
      found.system = `Linux ${release()}`;
      found.node = process.version;
      found.cpus = String(cpus().length);

      const total = Object.values(ended).reduce((sum, count) => sum + count, 0);
      found.add('every worker ended', total === workers ? 'pass' : 'fail', JSON.stringify(ended));
      found.same('no seat is lost', [...sitters].fill(0), sitters);
      found.same(`no thread is off its seat, by the kernel's record of it`, [], astray);
      found.add('every worker was looked at', looks >= workers ? 'pass' : 'fail', `${looks} looks`);

      const [first, last] = [samples[0], samples.at(-1)];
      if (first === undefined || last === undefined) throw new Error('the soak has no samples');
      const growth = last.rss - first.rss;
      const story = samples.map((sample) => `${sample.workers}: ${megabytes(sample.rss)}`).join(', ');
      found.add('no growth in memory beyond noise', growth < noise ? 'pass' : 'fail', `resident set after so many workers: ${story}`);
      found.same('no thread is left over', first.threads, last.threads);
      found.same('no file is left open', first.files, last.files);
    },
  },
];
