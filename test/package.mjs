// The package as its users get it: what its prebuilt addons need, what it carries, what installing it does, and that
// the command its error message gives builds it.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function sh(command, args, { cwd, env } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `status ${status}`}\n${stdout}\n${stderr}`.trim());
  return stdout;
}

function same(what, expected, found) {
  const inOrder = (value) => JSON.stringify(Array.isArray(value) ? value.map(String).sort() : value);
  const [wanted, seen] = [inOrder(expected), inOrder(found)];
  if (wanted !== seen) throw new Error(`${what}: expected ${wanted}, found ${seen}`);
}

const doors = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** The oldest glibc that supported Node versions run on (Debian 10, RHEL 8). */
const oldest = [2, 28];

/** What a Linux addon asks of the system that loads it. `text`: of `readelf -W --dyn-syms -d FILE`. */
function checkElf(file, text) {
  const libraries = [...text.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
  const system = /^(libc|libm|libpthread|libdl|ld-linux-x86-64|ld-linux-aarch64)\.so(\.\d+)?$/;
  const foreign = libraries.filter((name) => !system.test(name));
  if (libraries.length === 0 || foreign.length > 0) throw new Error(`${file} needs ${foreign.join(', ') || 'no library at all'}`);
  // Num: Value Size Type Bind Vis Ndx Name
  const symbols = [...text.matchAll(/^\s*\d+: \S+\s+\S+ \S+\s+(\S+)\s+\S+\s+(\S+) (\S+)/gm)];
  const provided = symbols.filter(([, , index]) => index !== 'UND').map(([, , , name]) => name);
  same(`${file} gives`, doors, provided);
  const versions = symbols.flatMap(([, , , name]) => /@([A-Z]+)_([\d.]+)/.exec(name)?.slice(1, 3).join(' ') ?? []);
  for (const version of versions) {
    const [library, number] = version.split(' ');
    const [major, minor] = number.split('.').map(Number);
    if (library !== 'GLIBC' || major > oldest[0] || (major === oldest[0] && minor > oldest[1]))
      throw new Error(`${file} needs ${version.replace(' ', '_')}`);
  }
  if (versions.length === 0 && file.includes('.glibc.')) throw new Error(`${file} names no version of glibc`);
}

/** The same of a Windows one. `text`: of `objdump -p FILE`. */
function checkPe(file, text) {
  const libraries = [...text.matchAll(/DLL Name: (.+)/g)].map(([, name]) => name.trim().toLowerCase());
  const foreign = libraries.filter((name) => !/^(kernel32|msvcrt|node)\.(dll|exe)$/.test(name));
  if (!libraries.includes('node.exe') || foreign.length > 0) throw new Error(`${file} needs ${foreign.join(', ')}`);
  const provided = [...text.matchAll(/^\s*\[\s*\d+\]\s+(?:\+base\[\s*\d+\]\s+)?(?:[0-9a-f]+\s+)?([A-Za-z_]\w*)$/gm)].map(
    ([, name]) => name,
  );
  same(`${file} gives`, doors, provided);
}

/** Throws unless every addon in `prebuilds/` runs on a system of its kind that has nothing but Node. */
export function checkPrebuilt(folder) {
  for (const system of readdirSync(folder))
    for (const name of readdirSync(join(folder, system))) {
      const file = join(folder, system, name);
      if (system.startsWith('linux')) checkElf(file, sh('readelf', ['-W', '--dyn-syms', '-d', file]));
      else checkPe(file, sh('objdump', ['-p', file]));
    }
}

/** Packs the checkout into `folder`, and refuses what the package must not carry. */
export function pack(checkout, folder) {
  const packed = JSON.parse(sh('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: checkout }));
  const [{ filename, size, unpackedSize, files }] = packed;
  const paths = files.map(({ path }) => path);
  const strays = paths.filter(
    (path) => !/^(dist|docs|lib|native|prebuilds)\/|^(package\.json|README\.md|CHANGELOG\.md|LICENSE|CMakeLists\.txt)$/.test(path),
  );
  // A binding.gyp would be one: pnpm and yarn build what has it at its root, whatever else the package says.
  if (strays.length > 0) throw new Error(`the package carries ${strays.join(', ')}`);
  for (const path of paths.filter((path) => /^dist.*\.map$/.test(path)))
    for (const source of JSON.parse(readFileSync(join(checkout, path), 'utf8')).sources)
      if (!paths.includes(join(dirname(path), source))) throw new Error(`${path} leads to ${source}, which the package lacks`);
  const missing = ['linux-x64/groupaffinity.glibc.node', 'linux-x64/groupaffinity.musl.node', 'linux-arm64/groupaffinity.glibc.node']
    .concat('linux-arm64/groupaffinity.musl.node', 'win32-x64/groupaffinity.node')
    .filter((name) => !paths.includes(`prebuilds/${name}`));
  const bytes = (number) => number.toLocaleString('en');
  const sum = (part) => bytes(files.filter(({ path }) => path.startsWith(part)).reduce((total, { size }) => total + size, 0));
  return {
    file: join(folder, filename),
    missing,
    told: `${filename}: ${bytes(size)} bytes, ${bytes(unpackedSize)} unpacked (${['prebuilds/', 'dist/', 'lib/', 'native/'].map((part) => `${part} ${sum(part)}`).join(', ')}), ${files.length} files`,
  };
}

const program = `
  const { cpu } = currentCpu();
  const here = pin([allowedCpus().first]);
  if (currentCpu().cpu !== allowedCpus().first || affinity().size !== 1) throw new Error('not there');
  here.restore();
  const worker = new Worker('require("worker_threads").parentPort.postMessage(require("fs").readFileSync("/proc/thread-self/status", "utf8").match(/Cpus_allowed_list:\\\\s*(.*)/)[1])',
    { eval: true, ...workerOptions(spread({ by: 'cpu', count: 1 })) });
  worker.once('message', (list) => console.log('worker on', list, storStatusName(0), topology().groups.length > 0));`;
const names = [
  ['groupaffinity', '{ affinity, allowedCpus, currentCpu, pin, topology }'],
  ['groupaffinity/workers', '{ spread, workerOptions }'],
  ['groupaffinity/storport', '{ storStatusName }'],
  ['node:worker_threads', '{ Worker }'],
];

/** Throws unless both kinds of importer run in `folder`, where the package is installed. */
function checkRuns(folder) {
  writeFileSync(join(folder, 'smoke.mjs'), `${names.map(([door, what]) => `import ${what} from '${door}';`).join('')}${program}`);
  writeFileSync(join(folder, 'smoke.cjs'), `${names.map(([door, what]) => `const ${what} = require('${door}');`).join('')}${program}`);
  for (const file of ['smoke.mjs', 'smoke.cjs']) {
    const told = sh(process.execPath, [file], { cwd: folder });
    if (!/worker on \d+ STOR_STATUS_SUCCESS true/.test(told)) throw new Error(`${file}: ${told}`);
  }
}

/** Installs the tarball into `folder`, empty, with a PATH that has npm and no compiler, and scripts that may run. */
export function checkInstall(tarball, folder) {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const name of ['sh', 'npm']) symlinkSync(sh('sh', ['-c', `command -v ${name}`]).trim(), join(bin, name));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  sh(join(bin, 'npm'), ['install', '--no-audit', '--no-fund', tarball], { cwd: folder, env: { PATH: bin } });
  const modules = join(folder, 'node_modules');
  same(
    'npm installs',
    ['groupaffinity', 'node-gyp-build'],
    readdirSync(modules)
      .filter((name) => !name.startsWith('.'))
      .sort(),
  );
  const { scripts } = JSON.parse(readFileSync(join(modules, 'groupaffinity', 'package.json'), 'utf8'));
  same(
    'the scripts that npm runs',
    [],
    Object.keys(scripts).filter((name) => /^(pre|post)?(install|publish|prepare)/.test(name)),
  );
  same('something was built', false, existsSync(join(modules, 'groupaffinity', 'build')));
  checkRuns(folder);
  const drawn = sh(join(modules, '.bin', 'groupaffinity'), ['topology'], { cwd: folder });
  if (!drawn.includes('group 0')) throw new Error(drawn);
}

/** Throws unless the package in `folder`, robbed of its prebuilt addons, says what it had and how to build it, and that works. */
export function checkSourceBuild(folder) {
  const home = join(folder, 'node_modules', 'groupaffinity');
  // For another system, so that there is something to tell.
  cpSync(join(home, 'prebuilds', 'win32-x64'), join(home, 'prebuilds', 'sunos-sparc'), { recursive: true });
  for (const name of readdirSync(join(home, 'prebuilds')))
    if (name !== 'sunos-sparc') rmSync(join(home, 'prebuilds', name), { recursive: true });
  const ask = `import('groupaffinity').then(({ affinity }) => affinity()).catch(({ code, message }) => console.log(JSON.stringify({ code, message })))`;
  const { code, message } = JSON.parse(sh(process.execPath, ['-e', ask], { cwd: folder }));
  same('code', 'ERR_AFFINITY_NO_BINARY', code);
  if (!message.includes('prebuilt ones for sunos-sparc\n')) throw new Error(`it does not say what there is:\n${message}`);
  const command = message.split('\n').at(-1).trim();
  // Any folder will do, and any name of the one for what is temporary.
  const temporary = join(dirname(folder), 'a temporary one');
  mkdirSync(temporary);
  sh('sh', ['-c', command], { cwd: dirname(folder), env: { TMPDIR: temporary } });
  same(
    'what it leaves',
    ['build', 'build/Release', 'build/Release/groupaffinity.node'],
    ['build', ...readdirSync(join(home, 'build'), { recursive: true }).map((name) => `build/${name}`)],
  );
  checkRuns(folder);
}
