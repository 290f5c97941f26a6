/** Which files are opened, by the kernel's own account (strace(1)). */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { compose, scratchFolder, type Description } from '../fixtures/compose.ts';
import { checkout, unless } from './own-process.ts';

const traced = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']);
const missing = traced.error !== undefined ? 'needs strace' : traced.status === 0 ? undefined : 'strace may not trace here';
const recordings = join(checkout, '..', 'shared', 'machines');
const noRecordings = existsSync(recordings) ? undefined : '../shared/machines is not here';

/** How often a path was opened, or tried in vain. */
type Opens = Map<string, number>;

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(checkout, 'build', 'opens-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `node ARGS` opens in all of its threads, folders left out; paths of its own folder in /proc as /proc/self. */
function opensOf(args: readonly string[]): Opens {
  const log = join(folder, 'trace');
  const { status, stderr, pid } = spawnSync(
    'strace',
    ['-f', '-y', '-s', '4096', '-e', 'trace=open,openat,openat2', '-o', log, process.execPath, ...args],
    { cwd: checkout, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' }, maxBuffer: 2 ** 26 },
  );
  if (status !== 0) throw new Error(`strace ${pid}: status ${status}\n${stderr}`);
  const opens: Opens = new Map();
  // A call that another thread cuts in two is ended by a line that names no path.
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, at = '', path, flags = ''] = /^\d+\s+open(?:at2?)?\((?:[\w]+<(.*?)>, )?"(.*?)", (.*)$/.exec(line) ?? [];
    if (path === undefined || flags.includes('O_DIRECTORY')) continue;
    const whole = resolve(at === '' ? checkout : at, path).replace(/^\/proc\/\d+\//, '/proc/self/');
    opens.set(whole, (opens.get(whole) ?? 0) + 1);
  }
  return opens;
}

function program(text: string): Opens {
  const file = join(folder, 'program.mjs');
  writeFileSync(file, text);
  return opensOf([file]);
}

/** What is opened in `opens` and not in `before`. */
function beyond(before: Opens, opens: Opens): Opens {
  return new Map([...opens].map(([path, count]) => [path, count - (before.get(path) ?? 0)] as const).filter(([, count]) => count > 0));
}

const moreThanOnce = (opens: Opens): string[] => [...opens].filter(([, count]) => count > 1).map(([path, count]) => `${path}: ${count}`);
const below = (root: string, opens: Opens): Opens => new Map([...opens].filter(([path]) => path.startsWith(`${root}/`)));

describe.skipIf(missing !== undefined)(unless('what is opened', missing), () => {
  let empty: Opens;
  beforeAll(() => (empty = program('')));

  it.each(['groupaffinity', 'groupaffinity/storport', 'groupaffinity/wdm', 'groupaffinity/workers'])(
    'importing %s opens its modules and the addon, once each, and nothing else',
    (door) => {
      const opens = beyond(empty, program(`import '${door}';`));
      // Node looks for a package.json in every folder on the way.
      const modules =
        /^(dist\/[\w./-]+\.js|build\/Release\/groupaffinity\.node|node_modules\/node-gyp-build\/[\w.-]+\.js|(.*\/)?package\.json)$/;
      const named = [...opens.keys()].map((path) => path.replace(checkout, ''));
      expect(named.filter((path) => !modules.test(path))).toEqual([]);
      expect(named).toContain('build/Release/groupaffinity.node');
      expect(moreThanOnce(opens).filter((path) => !path.includes('/package.json: '))).toEqual([]);
    },
  );

  it("a worker's seat opens the preload, and of the kernel's files not one", () => {
    const withWorkers = (options: string): Opens =>
      program(`import { once } from 'node:events';
        import { Worker } from 'node:worker_threads';
        import { spread, workerOptions } from 'groupaffinity/workers';
        const options = workerOptions(spread({ by: 'cpu' }));
        for (let i = 0; i < 3; i += 1) await once(new Worker('', { eval: true${options} }), 'exit');`);
    const opens = beyond(withWorkers(''), withWorkers(', ...options'));
    expect([...opens].filter(([path]) => !path.endsWith('/package.json'))).toEqual([[join(checkout, 'dist', 'preload.cjs'), 3]]);
  });

  it('the topology of this machine reads no file twice', () => {
    const loaded = program("import 'groupaffinity';");
    const opens = beyond(loaded, program("import { topology } from 'groupaffinity'; topology();"));
    expect([...opens.keys()]).toContain('/sys/devices/system/cpu/online');
    expect(moreThanOnce(opens)).toEqual([]);
  });

  const readBelow = (root: string): Opens =>
    below(root, opensOf([join('dist', 'cli', 'main.js'), 'topology', '--json', '--sysroot', root]));

  it.skipIf(noRecordings !== undefined).each(['256ppc-8n8s4t', '16amd64-8n2c-cpusets', '20em64t-hybrid-1p6c2t+2ca4co1t'])(
    unless('nor does that of a recorded one: %s', noRecordings),
    (name) => {
      const scratch = scratchFolder('opens');
      onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
      expect(spawnSync('tar', ['xf', join(recordings, `${name}.tar.xz`), '-C', scratch]).status).toBe(0);
      const opens = readBelow(join(scratch, name));
      expect(opens.size).toBeGreaterThan(20);
      expect(moreThanOnce(opens)).toEqual([]);
    },
  );

  const composed: Record<string, Description> = {
    'CPUs offline, with a stale topology, in nodes known by their links': {
      packages: 2,
      cores: 20,
      threads: 2,
      offline: '1,40-59',
      stale: true,
      nodeFiles: ['cpu-links'],
      caches: [{ level: 2, type: 'unified', size: 2 ** 20, cores: 4 }],
    },
    'a kernel of 2006 that has other names for all': {
      oldKernel: true,
      packages: 4,
      cores: 4,
      threads: 2,
      offline: '5,13',
      distances: null,
    },
    'a cpuset set further up': { cores: 8, cpuset: { from: 'v2', cpus: '2-5', path: '/kubepods/pod1/container', heldBy: '/kubepods' } },
    'a hybrid by its highest frequencies': { cores: 6, kinds: { by: 'max-frequency', cores: [2, 4], values: [5100000, 3500000] } },
  };
  it.each(Object.entries(composed))('nor that of a composed one: %s', (_, description) => {
    const { root } = compose(description, scratchFolder('opens'));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const opens = readBelow(root);
    expect(opens.size).toBeGreaterThan(20);
    expect(moreThanOnce(opens)).toEqual([]);
  });
});
