// Everything that `npm test` checks, one line a step. The last line counts steps and tests together.
// `npm test -- NAME...` runs the named steps only.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { doors, reachable } from '../lib/declarations.mjs';
import { checkInstall, checkPrebuilt, checkSourceBuild, pack } from './package.mjs';

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
  tool('cmake-js', ['compile', '--out', folder, '--CDstrict=ON', ...options]);
  return join(checkout, folder, 'Release', 'groupaffinity.node');
}

/** What is said of a test that failed, once for all of its tries; of a stack only the lines that are ours. */
function reasons(messages) {
  const lines = messages.flatMap((message) => stripVTControlCharacters(message).split('\n'));
  return [...new Set(lines)].filter((line) => !/^\s+at (new Promise|.*(node_modules|node:))/.test(line));
}

/** Counts what vitest reports, and names what it skipped or had to try again. Returns what failed, and why. */
function tally(report) {
  const { testResults, ...total } = JSON.parse(readFileSync(report, 'utf8'));
  counted.passed += total.numPassedTests;
  counted.failed += total.numFailedTests;
  counted.skipped += total.numPendingTests + total.numTodoTests;
  const failures = [];
  for (const { name, status: ofFile, message, assertionResults } of testResults) {
    for (const { status, fullName, failureMessages } of assertionResults) {
      const why = reasons(failureMessages);
      if (status === 'failed') failures.push(fullName, ...why);
      else if (status !== 'passed') console.log(`skip  ${fullName}`);
      else if (why.length > 0) console.log(`again ${fullName}: passed, but not at once: ${why[0]}`);
    }
    // Of what it has outside of its tests.
    if (ofFile === 'failed' && assertionResults.every(({ status }) => status !== 'failed'))
      failures.push(relative(checkout, name), ...reasons([message]));
  }
  return failures;
}

const steps = {
  build() {
    sh(process.execPath, [join('native', 'build.mjs')]);
    sh(process.execPath, [join('lib', 'bundle.mjs')]);
    tool('tsc', ['-p', 'lib']);
    sh(process.execPath, [join('lib', 'declarations.mjs')]);
  },

  format() {
    tool('oxfmt', ['--check', 'lib', 'test', 'native', 'docs', '.oxlintrc.json']);
    tool('clang-format', ['--dry-run', '-Werror', ...sources('native', /\.(cc|h)$/), ...sources('test', /\.(cc|h)$/)]);
  },

  lint() {
    tool('oxlint', ['--type-aware', '--deny-warnings']);
  },

  types() {
    for (const project of ['.', 'lib/bench/page/browser', 'test/browser']) tool('tsc', ['--noEmit', '-p', project]);
  },

  // Against the declarations that the package carries, as its users see them.
  'type tests'() {
    if (!existsSync(join(checkout, 'dist', 'index.d.cts'))) steps.build();
    tool('tsc', ['--noEmit', '-p', join('test', 'types')]);
    const { exported } = reachable(doors());
    for (const [door, names] of exported) {
      const file = join('test', 'types', `${door.split('/')[1] ?? 'index'}.ts`);
      const text = readFileSync(join(checkout, file), 'utf8');
      const untested = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
      if (untested.length > 0) throw new Error(`${file} does not test ${untested.join(', ')}`);
    }
  },

  publint() {
    tool('publint', ['--strict']);
  },

  // Its profile node16 leaves out node10: that resolution knows no "exports", and TypeScript 7 no longer has it.
  attw() {
    tool('attw', ['--pack', '--profile', 'node16', '--no-emoji', '.']);
  },

  'build by cmake-js'() {
    const file = cmake('build/cmake');
    if (require(file).complete().support().platform !== process.platform) throw new Error(`${file} does not answer`);
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

  prebuilds() {
    const prebuilds = join(checkout, 'prebuilds');
    let missing;
    try {
      sh(process.execPath, [join('native', 'build.mjs'), '--prebuild']);
    } catch (error) {
      if (error.status !== 3) throw error;
      missing = new Skip(error.message.split('\n').slice(1).join('; '));
    }
    checkPrebuilt(prebuilds);
    if (missing) throw missing;
  },

  tests() {
    mkdirSync(join(checkout, 'build'), { recursive: true });
    const report = join(checkout, 'build', 'vitest.json');
    rmSync(report, { force: true });
    const args = ['run', '--config', 'test/vitest.config.ts', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    let error;
    try {
      tool('vitest', args, { show: true });
    } catch (thrown) {
      error = thrown;
    }
    const failures = existsSync(report) ? tally(report) : [];
    if (failures.length > 0) throw new Error(failures.join('\n'));
    if (error) throw error;
  },

  package() {
    steps.build();
    const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-package-'));
    try {
      const { file, missing, told } = pack(checkout, folder);
      console.log(`      ${told}`);
      const user = join(folder, 'user');
      mkdirSync(user);
      checkInstall(file, user);
      checkSourceBuild(user);
      if (missing.length > 0) throw new Skip(`it lacks ${missing.join(', ')}`);
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
      console.log(`FAIL  ${name} (${seconds()})\n${error.message.replace(/^/gm, '      ')}`);
    }
  }
}
console.log(`${counted.passed} passed, ${counted.failed} failed, ${counted.skipped} skipped`);
process.exitCode = counted.failed > 0 ? 1 : 0;
