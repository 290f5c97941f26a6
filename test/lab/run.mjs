// npm run lab [-- NAME...]: builds the package and the lab, then runs the lab's machines (test/lab/main.ts).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const checkout = dirname(dirname(import.meta.dirname));

function node(...args) {
  return spawnSync(process.execPath, args, { cwd: checkout, stdio: 'inherit' }).status ?? 1;
}

function must(status) {
  if (status !== 0) process.exit(status);
}

// Tests import the library's doors from lib/; in the lab that is the installed package.
const doors = {
  'lib/index.ts': '',
  'lib/storport/index.ts': '/storport',
  'lib/storport/wdm.ts': '/wdm',
  'lib/workers/index.ts': '/workers',
};
const groupaffinity = {
  name: 'package',
  resolveId(source, importer) {
    const door = importer && doors[relative(checkout, resolve(dirname(importer), source))];
    return door === undefined ? null : { id: `groupaffinity${door}`, external: true };
  },
};

async function bundle(input, file) {
  const made = await rolldown({
    cwd: checkout,
    platform: 'node',
    external: [/^node:/, /^groupaffinity/, 'node-gyp-build'],
    plugins: [groupaffinity],
    input,
  });
  await made.write({ file, format: 'esm', codeSplitting: false });
}

const asked = process.argv.slice(2);
if (asked.length > 0) {
  await bundle('test/lab/main.ts', 'build/lab/main.js');
  must(node(join('build', 'lab', 'main.js'), '--check', ...asked));
  if (asked.includes('--help')) process.exit(0);
}
const prebuilt = node(join('native', 'build.mjs'), '--prebuild');
// 3: a tool is missing. The machines that need what it would have made say so.
if (prebuilt !== 3) must(prebuilt);
must(node(join('lib', 'bundle.mjs')));
await bundle('test/lab/main.ts', 'build/lab/main.js');
for (const name of readdirSync(join(checkout, 'test', 'lab', 'agents')))
  await bundle(`test/lab/agents/${name}`, `build/lab/agents/${basename(name, '.ts')}.mjs`);
must(node(join('build', 'lab', 'main.js'), ...asked));
