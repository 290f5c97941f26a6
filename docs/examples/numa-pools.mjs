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

  /** A pool with a table that one of its workers has filled. */
  async function makePool(size, placement) {
    const pool = new Piscina({ filename: import.meta.url, minThreads: size, maxThreads: size, ...placement });
    const memory = new SharedArrayBuffer(lines * wordsInLine * 4);
    await pool.run(memory, { name: 'fill' });
    return { pool, memory };
  }

  const nodes = [];
  for (const { node, cpus } of spread({ by: 'numa' }).seats) {
    const plan = spread({ by: 'core', within: cpus });
    nodes.push({ node, cpus, ...(await makePool(plan.seats.length, workerOptions(plan))) });
  }
  const free = await makePool(sum(nodes.map(({ pool }) => pool.threads.length)), {});

  /** All workers of all pools at once, each node's in its own table or in one some nodes further. */
  async function lookUpEverywhere(pools, further, milliseconds) {
    const times = pools.flatMap(({ pool }, at) => {
      const { memory } = pools[(at + further) % pools.length];
      return pool.threads.map(() => pool.run({ memory, milliseconds }));
    });
    const found = await Promise.all(times);
    return { 'ns a look-up': sum(found) / found.length };
  }

  console.log(machine());
  await lookUpEverywhere(nodes, 0, 100);
  const all = threads();
  table(
    nodes.flatMap(({ node, cpus, pool }) =>
      pool.threads.map(({ threadId }) => {
        const { tid, allowed, lastCpu } = all.find((thread) => thread.threadId === threadId);
        return { node, 'its CPUs': cpus, worker: threadId, tid, 'kernel allows': allowed, 'ran last on': lastCpu };
      }),
    ),
  );
  if (nodes.length === 1) console.log('There is one NUMA node: all memory is as near, and a pool a node can gain nothing.');
  const found = await interleave(seconds, {
    local: (milliseconds) => lookUpEverywhere(nodes, 0, milliseconds),
    ...(nodes.length > 1 && { remote: (milliseconds) => lookUpEverywhere(nodes, 1, milliseconds) }),
    free: (milliseconds) => lookUpEverywhere([free], 0, milliseconds),
  });
  compare(found, { 'ns a look-up': 'less' });
  await Promise.all([free, ...nodes].map(({ pool }) => pool.destroy()));
}
