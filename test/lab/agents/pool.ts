/** A pool of others, Piscina: one worker a CPU, seated. Writes JSON: `[{ name, verdict, observed }]`. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { sitters, spread, workerOptions } from 'groupaffinity/workers';
import { Found } from '../lab.ts';

interface Pool {
  run(task: unknown): Promise<string>;
  destroy(): Promise<void>;
}
// Its type declarations don't hold under this project's compiler options.
const { Piscina } = createRequire(import.meta.url)('piscina') as { Piscina: new (options: object) => Pool };

const found = new Found();
const plan = spread({ by: 'cpu' });
const threads = plan.seats.length;

await found.check('Piscina: one worker a CPU, each on its seat', async () => {
  const filename = fileURLToPath(new URL('./pool-task.mjs', import.meta.url));
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads, ...workerOptions(plan) });
  const seen = await Promise.all(Array.from({ length: threads * 3 }, () => pool.run(null)));
  const sitting = sitters(plan);
  await pool.destroy();
  const [wanted, told] = [plan.seats.map(({ cpus }) => String(cpus)).sort(), [...new Set(seen)].sort()];
  if (wanted.join() !== told.join()) throw new Error(`on ${told.join(' and ')}, not on ${wanted.join(' and ')}`);
  if (sitting.some((count) => count !== 1)) throw new Error(`sitters ${sitting.join()}`);
  return `${seen.length} tasks on ${told.join(' and ')}`;
});
found.same(
  'a pool that is destroyed gives its seats back',
  plan.seats.map(() => 0),
  sitters(plan),
);

console.log(JSON.stringify(found.checks));
