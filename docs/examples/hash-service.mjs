// A service that hashes passwords: a Piscina pool with one worker a core, each on a core of its own.
//   npm install piscina; node hash-service.mjs [--seconds N]
import { scryptSync } from 'node:crypto';
import { isMainThread, threadId } from 'node:worker_threads';
import { threads } from 'groupaffinity';
import { seat, spread, workerOptions } from 'groupaffinity/workers';
import { compare, interleave, machine, percentile, seconds, sum, table } from './measure.mjs';

/** The pool's task. */
export default function hash(password) {
  return { hash: scryptSync(password, 'some salt', 32, { N: 1024 }), worker: threadId, seat: seat()?.seat };
}

if (isMainThread) {
  const { Piscina } = await import('piscina').catch(() => {
    console.error('hash-service.mjs needs Piscina: npm install piscina');
    process.exit(1);
  });

  const plan = spread({ by: 'core' });
  const options = { filename: import.meta.url, minThreads: plan.seats.length, maxThreads: plan.seats.length };
  const pinned = new Piscina({ ...options, ...workerOptions(plan) });
  const free = new Piscina(options);

  const seatOf = new Map();
  const inPool = (pool) => threads().filter(({ threadId }) => pool.threads.some((worker) => worker.threadId === threadId));

  /** Clients, two for each worker, that ask for the next hash when they have one. */
  async function serve(pool, milliseconds) {
    const moved = sum(inPool(pool).map(({ migrations }) => migrations ?? NaN));
    const latencies = [];
    const begun = performance.now();
    const client = async () => {
      do {
        const asked = performance.now();
        const { worker, seat } = await pool.run('correct horse battery staple');
        latencies.push(performance.now() - asked);
        if (seat !== undefined) seatOf.set(worker, seat);
      } while (performance.now() < begun + milliseconds);
    };
    await Promise.all(pool.threads.flatMap(() => [client(), client()]));
    return {
      'hashes a second': latencies.length / ((performance.now() - begun) / 1000),
      'p99 latency, ms': percentile(latencies, 0.99),
      'moves to another CPU': sum(inPool(pool).map(({ migrations }) => migrations ?? NaN)) - moved,
    };
  }

  console.log(machine());
  await serve(free, 200);
  while (seatOf.size < plan.seats.length) await serve(pinned, 200);
  table(
    inPool(pinned).map(({ threadId, tid, allowed, lastCpu }) => {
      const seat = seatOf.get(threadId);
      return { worker: threadId, tid, seat, 'its CPUs': plan.seats[seat].cpus, 'kernel allows': allowed, 'ran last on': lastCpu };
    }),
  );
  const found = await interleave(seconds, {
    pinned: (milliseconds) => serve(pinned, milliseconds),
    free: (milliseconds) => serve(free, milliseconds),
  });
  compare(found, { 'hashes a second': 'more', 'p99 latency, ms': 'less', 'moves to another CPU': null });
  await Promise.all([pinned.destroy(), free.destroy()]);
}
