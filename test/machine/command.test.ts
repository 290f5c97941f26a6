import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '../fixtures/compose.ts';
import { checkout } from './own-process.ts';

const main = join(checkout, 'dist', 'cli', 'main.js');
const command = (...args: string[]): SpawnSyncReturns<string> => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

describe('groupaffinity', () => {
  it('topology draws the machine', () => {
    const { status, stdout, stderr } = command('topology');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^linux · \d+ CPUs? online/);
    expect(stdout).toContain('group 0 · ');
  });

  it('topology --json prints one document with the keys that are promised, and nothing else', () => {
    const { status, stdout, stderr } = command('topology', '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const machine = JSON.parse(stdout) as Record<string, Record<string, unknown>[] & Record<string, unknown>>;
    expect(Object.keys(machine)).toEqual(['platform', 'cpus', 'groups', 'packages', 'cores', 'numaNodes', 'caches', 'kinds', 'quota']);
    expect(Object.keys(machine['cpus'] ?? {})).toEqual(['possible', 'present', 'online', 'allowed', 'isolated']);
    expect(Object.keys(machine['groups']?.[0] ?? {})).toEqual(['group', 'maximumMask', 'activeMask', 'cpus', 'online']);
    expect(Object.keys(machine['cores']?.[0] ?? {})).toEqual(['package', 'id', 'cpus']);
    expect(machine['cpus']?.['online']).toBe(readFileSync('/sys/devices/system/cpu/online', 'utf8').trim());
  });

  it('topology --sysroot reads a recorded machine, and draws what is special in it', () => {
    const { root } = compose({ packages: 2, nodes: 2, cores: 18, threads: 2, offline: '5,71', isolated: '8' });
    try {
      const drawn = command('topology', '--sysroot', root).stdout;
      expect(drawn).toContain('70 CPUs online of 72 · 2 processor groups');
      expect(drawn).toContain('x offline');
      const { groups } = JSON.parse(command('topology', '--json', '--sysroot', root).stdout) as {
        groups: { maximumMask: string; activeMask: string }[];
      };
      expect(groups.map(({ maximumMask }) => maximumMask)).toEqual(['0xfffffffff', '0xfffffffff']);
      expect(groups.every(({ maximumMask, activeMask }) => maximumMask !== activeMask)).toBe(true);
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it.each([
    [[], 'a command is missing'],
    [['nonsense'], "there is no command 'nonsense'"],
    [['topology', '--nonsense'], "Unknown option '--nonsense'"],
    [['topology', 'extra'], 'Unexpected argument'],
    [['topology', '--sysroot', '/nowhere/at/all'], '/nowhere/at/all is no folder'],
    [['topology', '--sysroot'], 'argument missing'],
    [['demo', '--seconds', 'x'], '--seconds is a number'],
    [['demo', '--seconds', '-1'], '--seconds'],
    [['demo', '--workers', '100000'], '--workers'],
  ])('%j is wrong usage: status 2, and says so', (args, message) => {
    const { status, stdout, stderr } = command(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage:');
  });

  it('a folder without a machine in it is an error of one line', () => {
    const { status, stdout, stderr } = command('topology', '--sysroot', checkout);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it.each([['--help'], ['-h'], ['help'], ['topology', '--help'], ['demo', '-h']])('%s %s helps', (...args) => {
    const { status, stdout } = command(...args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: groupaffinity/);
  });

  it("--version is the package's", () => {
    const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
    expect(command('--version').stdout.trim()).toBe(version);
  });

  it('a reader that goes away is no error', () => {
    const { status, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${main}" topology --json | head -n 1`], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('demo seats its workers, and Ctrl-C ends it', async () => {
    const { status, stdout } = command('demo', '--seconds', '0.2');
    expect(stdout).toContain('Every pinned worker was on its seat in all of');
    expect(status).toBe(0);
    const child = spawn(process.execPath, [main, 'demo', '--seconds', '30'], { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((go) => child.stdout.once('data', go));
    await new Promise((go) => setTimeout(go, 300));
    const ended = new Promise((end) => child.once('exit', (code, signal) => end(signal ?? code)));
    child.kill('SIGINT');
    expect(await ended).toBe('SIGINT');
  });
});

describe('without its addon', () => {
  const foreign = createRequire(import.meta.url).resolve('@napi-rs/nice-linux-x64-gnu');
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(checkout, 'build', 'absent-'));
    cpSync(join(checkout, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(checkout, 'package.json'), join(folder, 'package.json'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const program = `
    import * as ga from './dist/index.js';
    import * as storport from './dist/storport/index.js';
    import { spread } from './dist/workers/index.js';
    const code = (call) => { try { return String(call()); } catch (error) { return error.code; } };
    const { platform, affinity, error } = ga.support();
    console.log(JSON.stringify({ platform, affinity, code: error?.code, message: error?.message,
      calls: [() => ga.pin('0'), () => ga.affinity(), () => ga.topology(), () => ga.currentCpu(), () => ga.allowedCpus(), () => spread({ by: 'cpu' }), () => ga.CpuSet.parse('0-1'),
        () => storport.StorPortSetSystemGroupAffinityThread({}, null, new storport.STOR_GROUP_AFFINITY({ Mask: 1n }), null)].map(code) }));`;

  it.each([
    ['missing', () => undefined],
    ['not a library', (file: string) => writeFileSync(file, 'nonsense')],
    ['another addon', (file: string) => writeFileSync(file, readFileSync(foreign))],
  ])('%s: importing works, the first use says what was found, what is needed and what to do', (_, plant) => {
    rmSync(join(folder, 'build'), { recursive: true, force: true });
    mkdirSync(join(folder, 'build', 'Release'), { recursive: true });
    plant(join(folder, 'build', 'Release', 'groupaffinity.node'));
    writeFileSync(join(folder, 'program.mjs'), program);
    const { status, stdout, stderr } = spawnSync(process.execPath, ['program.mjs'], { cwd: folder, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const seen = JSON.parse(stdout) as { platform: string; affinity: boolean; code: string; message: string; calls: string[] };
    expect(seen).toMatchObject({ platform: 'unsupported', affinity: false, code: 'ERR_AFFINITY_NO_BINARY' });
    expect(seen.message).toMatch(/Found: .+\nNeeded: .+\nHere: +prebuilt ones for no system\nTo do: .*node ".*from-source\.mjs"/s);
    const no = 'ERR_AFFINITY_NO_BINARY';
    expect(seen.calls).toEqual([no, no, no, no, no, no, '0-1', no]);
    const cli = spawnSync(process.execPath, ['dist/cli/main.js', 'topology'], { cwd: folder, encoding: 'utf8' });
    expect(cli.status).toBe(3);
    expect(cli.stderr).toContain('To do:');
  });
});
