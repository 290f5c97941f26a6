// node native/from-source.mjs
//
// Builds the addon of an installed package for this machine, where the package carries none that fits. It needs Python 3,
// make, a C++20 compiler and npm. What it downloads lies in a folder of its own and goes when it ends.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

if (process.argv.length > 2) {
  console.error('node native/from-source.mjs');
  process.exit(2);
}
// Ctrl-C ends the program that runs; what it leaves is still to be put away.
process.on('SIGINT', () => undefined);

const packageRoot = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-'));

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: 'inherit', ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `status ${status}`}`);
}

try {
  cpSync(import.meta.dirname, join(folder, 'native'), { recursive: true });
  writeFileSync(join(folder, 'binding.gyp'), '{ "includes": ["native/groupaffinity.gypi"] }\n');
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  // npm is a script on Windows, which only a shell starts.
  const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', 'node-addon-api@8', 'node-gyp@12'];
  run('npm', install, { shell: process.platform === 'win32' });
  // Headers that lie beside the binary need no download.
  const nodedir = dirname(dirname(process.execPath));
  const headers = existsSync(join(nodedir, 'include', 'node', 'node_api.h')) ? ['--nodedir', nodedir] : [];
  run(process.execPath, [join('node_modules', 'node-gyp', 'bin', 'node-gyp.js'), 'rebuild', ...headers]);
  const built = join('build', 'Release');
  mkdirSync(join(packageRoot, built), { recursive: true });
  cpSync(join(folder, built, 'groupaffinity.node'), join(packageRoot, built, 'groupaffinity.node'));
  console.log(`built ${join(packageRoot, built, 'groupaffinity.node')}; a new installation of the package loses it`);
} catch (error) {
  console.error(`groupaffinity: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
