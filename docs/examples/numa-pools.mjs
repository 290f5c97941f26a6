// A pool for each NUMA node, and in each node's memory a copy of the table that its workers look things up in.
//   npm install piscina; node numa-pools.mjs [--seconds N]
import { isMainThread } from 'node:worker_threads';
import { threads } from 'groupaffinity';
import { spread, workerOptions } from 'groupaffinity/workers';
import { compare, interleave, machine, seconds, sum, table } from './measure.mjs';

/** The table: 64 MiB, more than most caches hold, in lines of 64 bytes. */
const lines = 2 ** 20;
const wordsInLine = 16;

/** The kernel takes a page from the node of the thread that writes to it first: a worker fills its node's table. */
export function fill(memory) {
  new Uint32Array(memory).fill(0);
}

/** Looks lines up, each of which says where the next one is; nanoseconds a line. */
export default function lookUp({ memory, milliseconds }) {
  const words = new Uint32Array(memory);
  let line = Math.floor(Math.random() * lines);
  let count = 0;
  const begun = performance.now();
  do {
    for (let again = 0; again < 4096; again += 1)
      line = (Math.imul(line, 1_664_525) + 1_013_904_223 + words[line * wordsInLine]) & (lines - 1);
    count += 4096;
  } while (performance.now() < begun + milliseconds);
  return ((performance.now() - begun) * 1e6) / count;
}

if (isMainThread) {
  const { Piscina } = await import('piscina').catch(() => {
    console.error('numa-pools.mjs needs Piscina: npm install piscina');
    process.exit(1);
  });

  const makePool = (size, placement) => new Piscina({ filename: import.meta.url, minThreads: size, maxThreads: size, ...placement });

  async function tableFilledBy(pool) {
    const memory = new SharedArrayBuffer(lines * wordsInLine * Uint32Array.BYTES_PER_ELEMENT);
    await pool.run(memory, { name: 'fill' });
    return memory;
  }
  const tablesFilledBy = (pools) => Promise.all(pools.map(tableFilledBy));

  /** All workers of all pools at once, each pool's in one table. */
  async function lookUpEverywhere(pools, tables, milliseconds) {
    const times = await Promise.all(pools.flatMap((pool, at) => pool.threads.map(() => pool.run({ memory: tables[at], milliseconds }))));
    return { 'ns a look-up': sum(times) / times.length };
  }

  const nodes = spread({ by: 'numa' }).seats;
  const pools = nodes.map(({ cpus }) => {
    const plan = spread({ by: 'core', within: cpus });
    return makePool(plan.seats.length, workerOptions(plan));
  });
  const free = makePool(sum(pools.map((pool) => pool.threads.length)), {});
  const local = await tablesFilledBy(pools);
  const anywhere = await tablesFilledBy([free]);

  console.log(machine());
  await lookUpEverywhere(pools, local, 100);
  const ofPool = (pool) => threads().filter(({ threadId }) => pool.threads.some((worker) => worker.threadId === threadId));
  table(
    nodes.flatMap(({ node, cpus }, at) =>
      ofPool(pools[at]).map(({ threadId, tid, allowed, lastCpu }) => {
        return { node, 'its CPUs': cpus, worker: threadId, tid, 'kernel allows': allowed, 'ran last on': lastCpu };
      }),
    ),
  );
  if (nodes.length === 1) console.log('There is one NUMA node: all memory is as near, and a pool a node can gain nothing.');
  const found = await interleave(seconds, {
    local: (milliseconds) => lookUpEverywhere(pools, local, milliseconds),
    ...(nodes.length > 1 && {
      // New ones each time: what another node reads for a while, Linux moves there.
      remote: async (milliseconds) => {
        const [first, ...others] = await tablesFilledBy(pools);
        return lookUpEverywhere(pools, [...others, first], milliseconds);
      },
    }),
    free: (milliseconds) => lookUpEverywhere([free], anywhere, milliseconds),
  });
  compare(found, { 'ns a look-up': 'less' });
  await Promise.all([free, ...pools].map((pool) => pool.destroy()));
}
