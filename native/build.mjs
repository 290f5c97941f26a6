// Builds build/Release/groupaffinity.node for this machine; with --prebuild also prebuilds/, which the package carries.
// Quiet unless it fails.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

const packageRoot = dirname(import.meta.dirname);
const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
const hasCompiler = () =>
  process.platform === 'win32' ||
  ([process.env.CXX, 'g++', 'c++', 'clang++'].some((name) => name && has(name)) && has('make') && has('python3'));

if (!hasCompiler()) {
  const packages = ['g++', 'make', 'python3'];
  if (process.getuid?.() === 0 && has('apt-get')) {
    console.log(`A C++20 compiler is missing: installing ${packages.join(', ')} with apt-get.`);
    spawnSync('sh', ['-c', `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${packages.join(' ')}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
  if (!hasCompiler()) {
    console.error(
      `groupaffinity is built from source, and that needs a C++20 compiler, make and Python 3: on Debian, apt-get install ${packages.join(' ')}`,
    );
    process.exit(2);
  }
}

// Node's own headers where they lie beside the binary: then nothing is downloaded.
const nodedir = dirname(dirname(process.execPath));
const headers = existsSync(join(nodedir, 'include', 'node', 'node_api.h')) ? { npm_package_config_node_gyp_nodedir: nodedir } : {};
const require = createRequire(import.meta.url);

function run(file, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    cwd: packageRoot,
    encoding: 'utf8',
    env: { ...process.env, ...headers },
  });
  if (status === 0) return;
  console.error(`${stdout}\n${stderr}`);
  process.exit(1);
}

const begun = Date.now();
const nodeGyp = require.resolve('node-gyp/bin/node-gyp.js');
if (process.argv.includes('--prebuild')) {
  run(require.resolve('prebuildify/bin.js'), '--napi', '--strip', '--tag-libc', '--quiet', '--node-gyp', nodeGyp);
} else {
  run(nodeGyp, 'configure');
  run(nodeGyp, 'build', `--jobs=${availableParallelism()}`);
}
console.log(`native addon: built in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
