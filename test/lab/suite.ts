/** What is run on every machine that runs Node with the installed package. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cpusOf, parseCpuList } from '../../lib/machine/cpu-list.ts';
import { installed, Unavailable, type Check, type Found, type Ran, type Validation } from './lab.ts';

/** Runs `node ARGS` in the folder of the package. */
export type Node = (args: readonly string[]) => Promise<Ran>;

/** The installed package, which must carry the binary for another system. */
export async function withPrebuilt(target: string, file: string): Promise<string> {
  const folder = await installed();
  if (!existsSync(join(folder, 'prebuilds', target, file)))
    throw new Unavailable(`the package carries no ${target}/${file}: npm run prebuilds says why`);
  return folder;
}

interface TopologyDocument {
  readonly cpus: { readonly present: string; readonly online: string };
  readonly groups: readonly unknown[];
}

async function document(node: Node, args: readonly string[]): Promise<{ status: number; told: unknown }> {
  const { status, stdout, stderr } = await node(args);
  try {
    return { status, told: JSON.parse(stdout) as unknown };
  } catch {
    throw new Error(`${args.join(' ')}: status ${status}, no JSON\n${stdout.slice(0, 2000)}\n${stderr.slice(0, 2000)}`.trim());
  }
}

export interface SuiteOptions {
  /** Forced moves to each CPU, for validate. */
  readonly moves?: number;
  /** Of test/lab/agents/. */
  readonly agents?: readonly string[];
}

/** Fills in what the machine is, and checks there what `validate` and the agents check. */
export async function runSuite(
  found: Found,
  node: Node,
  { moves = 1000, agents = ['doors', 'vectors', 'placement', 'threads'] }: SuiteOptions = {},
): Promise<void> {
  const command = join('dist', 'cli', 'main.js');
  await found.check('topology --json', async () => {
    const told = (await document(node, [command, 'topology', '--json'])).told as TopologyDocument;
    const [online, present] = [told.cpus.online, told.cpus.present].map((list) => cpusOf(parseCpuList(list)).length);
    found.cpus = online === present ? String(online) : `${online} of ${present}`;
    found.groups = told.groups.length;
    return JSON.stringify(told);
  });
  for (const name of agents) {
    try {
      const { status, told } = await document(node, [join('agents', `${name}.mjs`)]);
      for (const check of told as Check[]) found.add(`${name}: ${check.name}`, check.verdict, check.observed);
      found.same(`${name}: exit status`, 0, status);
    } catch (error) {
      found.add(name, 'fail', (error as Error).message);
    }
  }
  const { status, told } = await document(node, [command, 'validate', '--json', '--moves', String(moves)]);
  const validation = told as Validation;
  const { platform, release, node: version } = validation.machine;
  found.system = `${platform} ${release}`;
  found.node = version;
  found.claims(validation);
  found.same('validate: exit status', validation.claims.some(({ verdict }) => verdict === 'fail') ? 1 : 0, status);
}
