// node test/lab/mingw.mjs [OUT.node]
//
// Builds groupaffinity.node for win32-x64 with mingw-w64, every warning an error, and prints its path (without OUT.node:
// build/mingw/groupaffinity.node). Needs Debian's g++-mingw-w64-x86-64; of its two flavours -posix, the other one lacks
// std::mutex. Real node.exe loads the result, under Wine as well.
// Exit status: 0 built, 1 not built, 3 no mingw here.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const output = resolve(process.argv[2] ?? join(root, 'build', 'mingw', 'groupaffinity.node'));
const compiler = 'x86_64-w64-mingw32-g++-posix';
const dlltool = 'x86_64-w64-mingw32-dlltool';
const modules = join(root, 'node_modules');

for (const tool of [compiler, dlltool]) {
  if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0) continue;
  console.error(`no ${tool}: on Debian, apt-get install g++-mingw-w64-x86-64`);
  process.exit(3);
}

const definitions = [
  '_WIN32_WINNT=0x0A00',
  'NOMINMAX',
  'WIN32_LEAN_AND_MEAN',
  'NAPI_VERSION=9',
  'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
  'NODE_ADDON_API_DISABLE_DEPRECATED',
  'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
];
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
  ...definitions.map((definition) => `-D${definition}`),
  ...headers.flatMap((folder) => ['-isystem', folder]),
];
const sources = ['native', 'native/windows', 'native/timing']
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

async function compile(folder) {
  const objects = sources.map((source, index) => join(folder, `${index}-${basename(source, '.cc')}.o`));
  const waiting = sources.map((source, index) => [...flags, '-c', source, '-o', objects[index]]);
  const worker = async () => {
    for (let args = waiting.shift(); args !== undefined; args = waiting.shift()) await run(compiler, args);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return objects;
}

const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-mingw-'));
try {
  // The addon finds Node-API in the program that loads it, which must be called node.exe.
  const library = join(folder, 'libnode_api.a');
  await run(dlltool, ['-d', join(modules, 'node-api-headers', 'def', 'node_api.def'), '-D', 'node.exe', '-l', library]);
  const objects = await compile(folder);
  mkdirSync(dirname(output), { recursive: true });
  await run(compiler, ['-shared', '-static', '-s', ...objects, library, '-o', output]);
  console.log(output);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
