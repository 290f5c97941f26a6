// node native/mingw.mjs OUT.node
//
// Builds groupaffinity.node for 64-bit Windows by mingw-w64, every warning an error; of its two flavours -posix, for the
// other one lacks std::mutex. Real node.exe loads it. Exit status: 0 built, 1 not built, 3 no such compiler here.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

const root = dirname(import.meta.dirname);
const modules = join(root, 'node_modules');
const compiler = 'x86_64-w64-mingw32-g++-posix';

const [out, ...more] = process.argv.slice(2);
if (out === undefined || more.length > 0 || out.startsWith('-')) {
  console.error('node native/mingw.mjs OUT.node');
  process.exit(2);
}
const output = resolve(out);

if (spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status !== 0) {
  console.error(`needs ${compiler}: on Debian, apt-get install g++-mingw-w64-x86-64-posix`);
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
  '-D_WIN32_WINNT=0x0A00',
  '-DNOMINMAX',
  '-DWIN32_LEAN_AND_MEAN',
  ...headers.flatMap((folder) => ['-isystem', folder]),
];
const sources = ['.', 'windows', 'timing'].flatMap((folder) =>
  readdirSync(join(root, 'native', folder))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(root, 'native', folder, name)),
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

const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-mingw-'));
try {
  // The addon finds Node-API in the program that loads it, which must be called node.exe.
  const library = join(folder, 'libnode_api.a');
  const definitions = join(modules, 'node-api-headers', 'def', 'node_api.def');
  await run('x86_64-w64-mingw32-dlltool', ['-d', definitions, '-D', 'node.exe', '-l', library]);
  const objects = await compileInto(folder);
  mkdirSync(dirname(output), { recursive: true });
  // The same sources make the same file: without a time in it, and based where MSVC's linker bases one, not where the
  // output's path says.
  const same = ['-Wl,--no-insert-timestamp', '-Wl,--image-base=0x180000000'];
  await run(compiler, ['-shared', '-s', '-static', ...same, ...objects, library, '-o', output]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
