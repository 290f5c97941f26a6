/** `npm run bench -- NAME [--json] [--rounds N]`: what the library itself costs, against what it can't be faster than. */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import type { Benchmark } from './report.ts';

const benchmarks: Record<string, { about: string; load: () => Promise<Benchmark> }> = {
  calls: { about: 'our own calls, and what they are meant to cost', load: () => import('./calls.ts') },
  peers: { about: 'get and set of an affinity: by us, nodeaffinity, koffi, libuv, Python, taskset', load: () => import('./peers.ts') },
  topology: { about: 'the machine read by us and by hwloc', load: () => import('./topology.ts') },
  imports: { about: "an import of each of the package's doors", load: () => import('./imports.ts') },
  workers: { about: "a worker's start with a seat and without", load: () => import('./workers.ts') },
};

const usage = `npm run bench -- NAME [--json] [--rounds N]
${Object.entries(benchmarks)
  .map(([name, { about }]) => `  ${name}: ${about}`)
  .join('\n')}
  --json      one document on standard output, and nothing else
  --rounds N  instead of the benchmark's own number`;

function refuse(why: string): never {
  console.error(`${why}\n${usage}`);
  process.exit(2);
}

function given() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean' }, rounds: { type: 'string' }, help: { type: 'boolean' }, check: { type: 'boolean' } },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const { values, positionals } = given();
if (values.help === true) {
  if (values.check === true) console.log(usage);
  process.exit(0);
}
const [name = '', ...more] = positionals;
const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
if (benchmark === undefined) refuse(name === '' ? 'which benchmark?' : `there is no benchmark '${name}'`);
if (more.length > 0) refuse(`one benchmark at a time, not '${more.join("', '")}' as well`);
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) refuse(`--rounds takes a number of rounds, not '${values.rounds}'`);
// Only whether the arguments are right: building takes a while.
if (values.check === true) process.exit(0);

const { run } = await benchmark.load();
const { text, document } = await run(rounds === undefined ? {} : { rounds });
const machine = {
  platform: process.platform,
  release: release(),
  node: process.versions.node,
  cpuModel: cpus()[0]?.model ?? '',
};
if (values.json === true) console.log(JSON.stringify({ machine, ...document }, null, 1));
else console.log(`${machine.platform} ${machine.release} · Node ${machine.node} · ${machine.cpuModel}\n\n${text}`);
