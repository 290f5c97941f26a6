// Everything that `npm test` checks, one line a step. The last line counts steps and tests together.
// `npm test -- NAME...` runs the named steps only.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const checkout = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
const counted = { passed: 0, failed: 0, skipped: 0 };

class Skip extends Error {}

function sh(command, args, { cwd = checkout, show = false, env = {} } = {}) {
  const run = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    env: { ...process.env, ...env },
  });
  if (run.status !== 0) {
    const error = new Error(
      [`${command} ${args.join(' ')}: status ${run.status ?? run.signal ?? run.error}`, run.stdout, run.stderr].join('\n').trim(),
    );
    throw Object.assign(error, { status: run.status });
  }
  return run.stdout ?? '';
}

/** A program of a development dependency. */
function tool(name, args, options) {
  return sh(process.execPath, [join(checkout, 'node_modules', '.bin', name), ...args], options);
}

const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

function sources(folder, ending) {
  return readdirSync(join(checkout, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name));
}

function expectOutput(text, ...parts) {
  for (const part of parts) if (!text.includes(part)) throw new Error(`expected ${JSON.stringify(part)} in:\n${text}`);
}

function cmake(folder, ...options) {
  if (!has('cmake')) throw new Skip('cmake is not installed');
  tool('cmake-js', ['compile', '--out', folder, ...options]);
  return join(checkout, folder, 'Release', 'groupaffinity.node');
}

function cross(target) {
  try {
    sh(process.execPath, [join('test', 'lab', 'cross.mjs'), target]);
  } catch (error) {
    throw error.status === 3 ? new Skip(error.message.trim().split('\n').at(-1)) : error;
  }
}

const steps = {
  build() {
    sh(process.execPath, [join('native', 'build.mjs')]);
    sh(process.execPath, [join('lib', 'bundle.mjs')]);
    tool('tsc', ['-p', 'lib']);
  },

  format() {
    tool('oxfmt', ['--check', 'lib', 'test', 'native', '.oxlintrc.json']);
    tool('clang-format', ['--dry-run', '-Werror', ...sources('native', /\.(cc|h)$/), ...sources('test', /\.(cc|h)$/)]);
  },

  lint() {
    tool('oxlint', ['--type-aware', '--deny-warnings']);
  },

  types() {
    for (const project of ['.', 'lib/bench/page/browser', 'test/browser']) tool('tsc', ['--noEmit', '-p', project]);
  },

  'build by cmake-js'() {
    const file = cmake('build/cmake');
    if (require(file).support().platform !== process.platform) throw new Error(`${file} does not answer`);
  },

  'unsupported platform'() {
    const file = cmake('build/unsupported', '--CDplatform=unsupported');
    const folder = mkdtempSync(join(checkout, 'build', 'unsupported-'));
    try {
      sh('sh', [
        '-c',
        `mkdir -p '${folder}/build/Release' && cp -r dist package.json '${folder}' && cp '${file}' '${folder}/build/Release/'`,
      ]);
      const program = `
        import * as ga from './dist/index.js';
        import * as storport from './dist/storport/index.js';
        import { guard } from './dist/workers/index.js';
        const code = (call) => { try { call(); return 'none'; } catch (error) { return error.code; } };
        const s = new storport.STOR_GROUP_AFFINITY({ Mask: 1n }), p = new storport.STOR_GROUP_AFFINITY({ Mask: 5n, Group: 5 });
        console.log(JSON.stringify([ga.support(), code(() => ga.pin('0')), code(() => ga.affinity()), code(() => ga.topology()), code(() => ga.currentCpu()), code(() => ga.allowedCpus()), code(() => guard({ by: 'cpu', seats: [{ seat: 0, cpus: ga.CpuSet.of([0]) }] })),
          storport.storStatusName(storport.StorPortSetSystemGroupAffinityThread({}, null, s, p)), Number(p.Mask), p.Group, storport.storStatusName(storport.StorPortRevertToUserGroupAffinityThread({}, null, p))]));`;
      writeFileSync(join(folder, 'program.mjs'), program);
      const [support, ...answers] = JSON.parse(sh(process.execPath, ['program.mjs'], { cwd: folder }));
      expectOutput(JSON.stringify(support), '"platform":"unsupported","affinity":false');
      const no = 'ERR_AFFINITY_UNSUPPORTED';
      expectOutput(
        JSON.stringify(answers),
        JSON.stringify([no, no, no, no, no, no, 'STOR_STATUS_NOT_IMPLEMENTED', 0, 0, 'STOR_STATUS_NOT_IMPLEMENTED']),
      );
      const command = spawnSync(process.execPath, ['dist/cli/main.js', 'topology'], { cwd: folder, encoding: 'utf8' });
      if (command.status !== 3) throw new Error(`groupaffinity topology: status ${command.status}, not 3: ${command.stderr}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },

  'compile for Windows'() {
    cross('win32-x64');
  },

  'compile for arm64'() {
    cross('linux-arm64');
  },

  tests() {
    mkdirSync(join(checkout, 'build'), { recursive: true });
    const report = join(checkout, 'build', 'vitest.json');
    rmSync(report, { force: true });
    const args = ['run', '--config', 'test/vitest.config.ts', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    try {
      tool('vitest', args, { show: true });
    } finally {
      if (existsSync(report)) {
        const { testResults, ...total } = JSON.parse(readFileSync(report, 'utf8'));
        counted.passed += total.numPassedTests;
        counted.failed += total.numFailedTests;
        counted.skipped += total.numPendingTests + total.numTodoTests;
        for (const { assertionResults } of testResults)
          for (const { status, fullName } of assertionResults)
            if (status === 'pending' || status === 'skipped') console.log(`skip  ${fullName}`);
      }
    }
  },

  package() {
    rmSync(join(checkout, 'prebuilds'), { recursive: true, force: true });
    sh(process.execPath, [join('native', 'build.mjs'), '--prebuild']);
    steps.build();
    const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-package-'));
    try {
      const [{ filename, size, files }] = JSON.parse(sh('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]));
      const strays = files
        .map(({ path }) => path)
        .filter((path) => !/^(dist|lib|native|prebuilds)\/|^(package\.json|README\.md|LICENSE|binding\.gyp|CMakeLists\.txt)$/.test(path));
      if (strays.length > 0) throw new Error(`the package carries ${strays.join(', ')}`);
      console.log(`      ${filename}: ${size.toLocaleString('en')} bytes, ${files.length} files`);
      writeFileSync(join(folder, 'package.json'), '{ "private": true }');
      sh('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', join(folder, filename)], { cwd: folder });
      const installed = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'));
      expectOutput(installed.join(' '), 'groupaffinity node-gyp-build');
      if (installed.length !== 2) throw new Error(`it pulls in ${installed.join(', ')}`);
      const smoke = `
        const { cpu } = currentCpu();
        const here = pin([allowedCpus().first]);
        if (currentCpu().cpu !== allowedCpus().first || affinity().size !== 1) throw new Error('not there');
        here.restore();
        const worker = new Worker('require("worker_threads").parentPort.postMessage(require("fs").readFileSync("/proc/thread-self/status", "utf8").match(/Cpus_allowed_list:\\\\s*(.*)/)[1])',
          { eval: true, ...workerOptions(spread({ by: 'cpu', count: 1 })) });
        worker.once('message', (list) => console.log('worker on', list, storStatusName(0), topology().groups.length > 0));`;
      writeFileSync(
        join(folder, 'smoke.mjs'),
        `import { affinity, allowedCpus, currentCpu, pin, topology } from 'groupaffinity'; import { spread, workerOptions } from 'groupaffinity/workers'; import { storStatusName } from 'groupaffinity/storport'; import { Worker } from 'node:worker_threads';${smoke}`,
      );
      writeFileSync(
        join(folder, 'smoke.cjs'),
        `const { affinity, allowedCpus, currentCpu, pin, topology } = require('groupaffinity'); const { spread, workerOptions } = require('groupaffinity/workers'); const { storStatusName } = require('groupaffinity/storport'); const { Worker } = require('node:worker_threads');${smoke}`,
      );
      for (const file of ['smoke.mjs', 'smoke.cjs'])
        expectOutput(sh(process.execPath, [file], { cwd: folder }), 'worker on ', 'STOR_STATUS_SUCCESS true');
      expectOutput(sh(join(folder, 'node_modules', '.bin', 'groupaffinity'), ['topology'], { cwd: folder }), 'group 0');
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

const asked = process.argv.slice(2);
for (const name of asked.filter((name) => !Object.hasOwn(steps, name))) {
  console.error(`there is no step '${name}'; there are ${Object.keys(steps).join(', ')}`);
  process.exit(2);
}
for (const [name, step] of Object.entries(steps)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const begun = Date.now();
  const seconds = () => `${((Date.now() - begun) / 1000).toFixed(1)} s`;
  try {
    step();
    counted.passed += 1;
    console.log(`ok    ${name} (${seconds()})`);
  } catch (error) {
    if (error instanceof Skip) {
      counted.skipped += 1;
      console.log(`skip  ${name}: ${error.message}`);
    } else {
      counted.failed += 1;
      console.log(`FAIL  ${name} (${seconds()})\n${error.message}`);
    }
  }
}
console.log(`${counted.passed} passed, ${counted.failed} failed, ${counted.skipped} skipped`);
process.exitCode = counted.failed > 0 ? 1 : 0;
