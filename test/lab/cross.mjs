// node test/lab/cross.mjs TARGET [OUT.node]
//
// Builds groupaffinity.node for another machine, every warning an error, and prints its path (without OUT.node:
// build/TARGET/groupaffinity.node). A target is
//   win32-x64     by mingw-w64, of its two flavours -posix: the other one lacks std::mutex. Real node.exe loads it.
//   linux-arm64   by GCC
// Exit status: 0 built, 1 not built, 2 no such target, 3 no compiler for it here.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const modules = join(root, 'node_modules');

const targets = {
  'win32-x64': {
    compiler: 'x86_64-w64-mingw32-g++-posix',
    debianPackage: 'g++-mingw-w64-x86-64-posix',
    platform: 'windows',
    compile: ['-D_WIN32_WINNT=0x0A00', '-DNOMINMAX', '-DWIN32_LEAN_AND_MEAN'],
    link: ['-static'],
    // The addon finds Node-API in the program that loads it, which must be called node.exe.
    importLibrary: ['x86_64-w64-mingw32-dlltool', '-d', join(modules, 'node-api-headers', 'def', 'node_api.def'), '-D', 'node.exe', '-l'],
  },
  'linux-arm64': {
    compiler: 'aarch64-linux-gnu-g++',
    debianPackage: 'g++-aarch64-linux-gnu',
    platform: 'linux',
    compile: ['-fPIC', '-pthread'],
    link: ['-pthread'],
  },
};

const [name = '', out = join(root, 'build', name, 'groupaffinity.node')] = process.argv.slice(2);
if (!Object.hasOwn(targets, name)) {
  console.error(`there is no target '${name}'; there are ${Object.keys(targets).join(', ')}`);
  process.exit(2);
}
const { compiler, debianPackage, platform, compile, link, importLibrary } = targets[name];
const output = resolve(out);

if (spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status !== 0) {
  console.error(`needs ${compiler}: on Debian, apt-get install ${debianPackage}`);
  process.exit(3);
}

const headers = [join(modules, 'node-addon-api'), join(modules, 'node-api-headers', 'include')];
const flags = [
  '-std=c++20',
  '-O2',
  '-fno-exceptions',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Werror',
  '-DNAPI_VERSION=9',
  '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  ...compile,
  ...headers.flatMap((folder) => ['-isystem', folder]),
];
const sources = ['native', `native/${platform}`, 'native/timing']
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.cc'))
      .map((name) => join(root, folder, name)),
  );

function run(command, args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', failed);
    child.on('close', (status) => (status === 0 ? done() : failed(new Error(`${command} ${args.join(' ')}: exit status ${status}`))));
  });
}

async function compileInto(folder) {
  const objects = sources.map((source, index) => join(folder, `${index}-${basename(source, '.cc')}.o`));
  const waiting = sources.map((source, index) => [...flags, '-c', source, '-o', objects[index]]);
  const worker = async () => {
    for (let args = waiting.shift(); args !== undefined; args = waiting.shift()) await run(compiler, args);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return objects;
}

const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-cross-'));
try {
  const libraries = [];
  if (importLibrary !== undefined) {
    const library = join(folder, 'libnode_api.a');
    const [dlltool, ...args] = importLibrary;
    await run(dlltool, [...args, library]);
    libraries.push(library);
  }
  const objects = await compileInto(folder);
  mkdirSync(dirname(output), { recursive: true });
  await run(compiler, ['-shared', '-s', ...link, ...objects, ...libraries, '-o', output]);
  console.log(output);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
