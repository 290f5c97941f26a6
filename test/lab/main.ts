/** `npm run lab [-- NAME...]`: every machine of the lab, one table. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { table } from '../../lib/cli/table.ts';
import { arms } from './arm64.ts';
import { fuzzers } from './fuzz.ts';
import { guests } from './guests.ts';
import { bench, Found, Unavailable, type Check, type Machine, type Verdict } from './lab.ts';
import { musls } from './musl.ts';
import { nodes } from './nodes.ts';
import { sanitizers } from './sanitizers.ts';
import { soaks } from './soak.ts';
import { wines } from './wine.ts';

const machines: Machine[] = [...nodes, ...musls, ...guests, ...arms, ...wines, ...sanitizers, ...fuzzers, ...soaks];

/** At the same time: emulated machines use one processor each, most of the time. */
const atOnce = Math.min(2, availableParallelism());

const usage = `npm run lab [-- NAME...]\n${machines.map(({ name, about }) => `  ${name}: ${about}`).join('\n')}`;
const names = process.argv.slice(2);
/** Only whether the names are right: building takes a while. */
const only = names[0] === '--check';
const asked = only ? names.slice(1) : names;
if (asked.includes('--help')) {
  console.log(usage);
  process.exit(0);
}
const known = new Set(machines.map(({ name }) => name));
const unknown = asked.filter((name) => !known.has(name));
if (unknown.length > 0) {
  console.error(`the lab has no machine '${unknown.join("', '")}': ${usage}`);
  process.exit(2);
}
if (only) process.exit(0);

interface Visited {
  readonly machine: Machine;
  readonly found: Found;
  readonly seconds: number;
}

async function tried(machine: Machine): Promise<Visited> {
  const found = new Found();
  const begun = Date.now();
  try {
    await machine.run(found);
  } catch (error) {
    if (error instanceof Unavailable) found.add('the machine', 'skip', error.message);
    else found.add('the machine', 'fail', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { machine, found, seconds: Math.round((Date.now() - begun) / 1000) };
}

const failures = ({ found: { checks } }: Visited): Check[] => checks.filter(({ verdict }) => verdict === 'fail');

/** What fails is tried once more, and what it was is told: the host runs other things beside an emulated machine. */
async function visit(machine: Machine): Promise<Visited> {
  const first = await tried(machine);
  const second = machine.searches !== true && failures(first).length > 0 ? await tried(machine) : undefined;
  const visited = second !== undefined && second.found.count('pass') > 0 ? second : first;
  const { name } = machine;
  const { found, seconds } = visited;
  const { system, node, cpus, groups, checks } = found;
  const again = second === undefined ? [] : failures(first);
  writeFileSync(
    join(bench, 'found', `${name}.json`),
    `${JSON.stringify({ name, system, node, cpus, groups, checks, again, seconds }, null, 1)}\n`,
  );
  const failed = failures(visited);
  const word = failed.length > 0 ? 'FAIL' : found.count('pass') > 0 ? 'ok  ' : 'skip';
  console.log(`${word}  ${name} (${seconds} s)${word === 'skip' ? `: ${checks.map(({ observed }) => observed).join(', ')}` : ''}`);
  for (const { name: check, observed } of failed) console.log(`      ${check}: ${observed.replaceAll('\n', '\n      ')}`);
  for (const { name: check, observed } of again) console.log(`again ${name}, ${check}: ${observed.replaceAll('\n', ' ')}`);
  return visited;
}

const begun = Date.now();
rmSync(join(bench, 'found'), { recursive: true, force: true });
mkdirSync(join(bench, 'found'), { recursive: true });

const waiting = machines.filter(({ name }) => asked.length === 0 || asked.includes(name));
const order = new Map(waiting.map((machine, at) => [machine, at]));
const visited: Visited[] = [];
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) visited.push(await visit(next));
  }),
);
visited.sort((a, b) => (order.get(a.machine) ?? 0) - (order.get(b.machine) ?? 0));

const total = (verdict: Verdict): number => visited.reduce((sum, { found }) => sum + found.count(verdict), 0);
const rows = visited.map(({ machine: { name }, found, seconds }) => [
  name,
  found.system,
  found.node,
  found.cpus,
  String(found.groups),
  found.count('pass'),
  found.count('fail'),
  found.count('skip'),
  `${seconds} s`,
]);
console.log(`\n${table(['machine', 'system', 'node', 'cpus', 'groups', 'passed', 'failed', 'skipped', 'time'], rows)}\n`);
console.log(
  `What each check saw, and why each skip: build/lab/found/. In all ${((Date.now() - begun) / 1000).toFixed(0)} s, ${atOnce} at a time.`,
);
console.log(`${total('pass')} passed, ${total('fail')} failed, ${total('skip')} skipped`);
process.exitCode = total('fail') > 0 ? 1 : 0;
