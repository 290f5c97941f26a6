import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, type Metrics } from '../fixtures/prometheus.ts';
import { checkout, cpus, noMounts, unless } from './own-process.ts';
import { Folder, main, placing, Running, threadsByProc } from './placed.ts';

const two = cpus.length >= 2;
const [a = 0, b = a] = cpus;
const node = process.execPath;
const taskset = (thread: number, list: string): void => {
  const { status, stderr } = spawnSync('taskset', ['-pc', list, `${thread}`], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
};
const noTaskset = spawnSync('taskset', ['--version']).status === 0 ? undefined : 'needs taskset';

const read = (file: string): Metrics => parse(readFileSync(file, 'utf8'));

/** The first state of the file in which something holds. */
async function until(file: string, holds: (metrics: Metrics) => boolean): Promise<Metrics> {
  const end = Date.now() + 30_000;
  for (;;) {
    const metrics = existsSync(file) ? read(file) : undefined;
    if (metrics !== undefined && holds(metrics)) return metrics;
    if (Date.now() > end) throw new Error(`it never came to that: ${readFileSync(file, 'utf8')}`);
    await new Promise((go) => setTimeout(go, 20));
  }
}

/** What the kernel has counted on a thread since it began. */
interface Kernel {
  tid: number;
  migrations: number;
  voluntary: number;
  involuntary: number;
}
const kernelText = `
const kernel = (task) => {
  const { readFileSync } = require('node:fs');
  const number = (file, name) => Number(new RegExp('^' + name + '\\\\s*:\\\\s*(\\\\d+)$', 'm').exec(readFileSync(task + '/' + file, 'utf8'))?.[1]);
  return { tid: number('status', 'Pid'), migrations: number('sched', 'se.nr_migrations'),
    voluntary: number('status', 'voluntary_ctxt_switches'), involuntary: number('status', 'nonvoluntary_ctxt_switches') };
};`;

function kernel(pid: number, tid: number): Kernel {
  const task = `/proc/${pid}/task/${tid}`;
  const field = (file: string, name: string): number =>
    Number(new RegExp(`^${name}\\s*:\\s*(\\d+)$`, 'm').exec(readFileSync(`${task}/${file}`, 'utf8'))?.[1]);
  return {
    tid,
    migrations: field('sched', 'se.nr_migrations'),
    voluntary: field('status', 'voluntary_ctxt_switches'),
    involuntary: field('status', 'nonvoluntary_ctxt_switches'),
  };
}

/** Its worker tells what the kernel had counted when its code began, and wakes now and then until the program is to end. */
const program = `${kernelText}
const { Worker } = require('node:worker_threads');
const { existsSync } = require('node:fs');
const text = ${JSON.stringify(kernelText)} + \`
  const { parentPort, workerData } = require('node:worker_threads');
  parentPort.postMessage(kernel('/proc/thread-self'));
  const word = new Int32Array(new SharedArrayBuffer(4));
  while (!require('node:fs').existsSync(workerData + '.rest')) Atomics.wait(word, 0, 0, 20);
  setInterval(() => {}, 1e6);\`;
const worker = new Worker(text, { eval: true, workerData: process.argv[2] });
worker.on('message', (told) => console.log(JSON.stringify({ pid: process.pid, ...told })));
setInterval(() => { if (existsSync(process.argv[2] + '.end')) process.exit(7); }, 20);
`;

describe.runIf(two)('run --metrics', () => {
  it.skipIf(noTaskset !== undefined)(unless('says what the kernel says, and what became of its placing', noTaskset), async () => {
    using folder = new Folder({ 'program.cjs': program });
    const file = folder.file('app.prom');
    const signs = folder.file('sign');
    const options = ['--main', `${a}`, '--workers', `${a}/${b}`, '--libuv', `${b}`, '--metrics', file, '--every', '0.1'];
    const running = placing(options, [node, folder.file('program.cjs'), signs]);
    const first = JSON.parse((await running.said('\n')).trim()) as Kernel & { pid: number };
    const { pid, tid } = first;

    const placed = await until(file, (metrics) => metrics.of('groupaffinity_thread_info', { tid }).length > 0);
    expect(placed.of('groupaffinity_running')).toMatchObject([{ value: 1, labels: { run: 'app' } }]);
    expect(placed.of('groupaffinity_thread_info', { role: 'main' })).toMatchObject([
      { value: 1, labels: { pid: `${pid}`, tid: `${pid}`, asked: `${a}`, allowed: `${a}`, seat: '' } },
    ]);
    expect(placed.of('groupaffinity_thread_info', { role: 'worker' })).toMatchObject([
      { labels: { tid: `${tid}`, asked: `${a}`, allowed: `${a}`, seat: '0' } },
    ]);
    expect(placed.of('groupaffinity_thread_info', { role: 'libuv', asked: b, allowed: b })).toHaveLength(4);
    expect(placed.of('groupaffinity_seat_threads').map(({ labels: { seat, cpus }, value }) => [seat, cpus, value])).toEqual([
      ['0', `${a}`, 1],
      ['1', `${b}`, 0],
    ]);
    expect(placed.sum('groupaffinity_drifts_total')).toBe(0);
    expect(placed.of('groupaffinity_process_info')).toMatchObject([{ labels: { pid: `${pid}`, command: 'program.cjs' } }]);

    for (let times = 1; times <= 3; times += 1) {
      taskset(tid, `${b}`);
      const adrift = await until(file, (metrics) => metrics.sum('groupaffinity_threads_adrift', { role: 'worker' }) === 1);
      expect(adrift.of('groupaffinity_thread_info', { tid })).toMatchObject([{ labels: { asked: `${a}`, allowed: `${b}` } }]);
      expect(adrift.sum('groupaffinity_drifts_total', { role: 'worker' })).toBe(times);
      taskset(tid, `${a}`);
      const mended = await until(file, (metrics) => metrics.sum('groupaffinity_threads_adrift') === 0);
      expect(mended.sum('groupaffinity_drifts_mended_total', { role: 'worker' })).toBe(times);
    }

    // At rest, so that the kernel's counts stand still.
    writeFileSync(`${signs}.rest`, '');
    let last = kernel(pid, tid);
    for (let same = 0; same < 5;) {
      await new Promise((go) => setTimeout(go, 100));
      const now = kernel(pid, tid);
      same = JSON.stringify(now) === JSON.stringify(last) ? same + 1 : 0;
      last = now;
    }
    const rested = read(file);
    const told = (type: 'voluntary' | 'involuntary'): number => rested.sum('groupaffinity_thread_context_switches_total', { tid, type });
    expect(rested.sum('groupaffinity_thread_migrations_total', { tid })).toBe(last.migrations - first.migrations);
    expect(last.migrations - first.migrations).toBeGreaterThanOrEqual(6);
    for (const type of ['voluntary', 'involuntary'] as const) {
      // Counted from the worker's placing on, which is before its own code.
      expect(told(type)).toBeGreaterThanOrEqual(last[type] - first[type]);
      expect(told(type)).toBeLessThanOrEqual(last[type]);
    }
    const byProc = threadsByProc(pid);
    for (const { labels } of rested.of('groupaffinity_thread_info'))
      expect(byProc.get(Number(labels['tid']))?.allowed).toBe(labels['allowed']);
    expect(rested.sum('groupaffinity_threads')).toBe(byProc.size);

    writeFileSync(`${signs}.end`, '');
    expect(await running.ended).toMatchObject({ status: 7, signal: null, stderr: '' });
    const ended = read(file);
    expect(ended.of('groupaffinity_running')).toMatchObject([{ value: 0 }]);
    expect(ended.sum('groupaffinity_processes') + ended.sum('groupaffinity_threads')).toBe(0);
    expect(ended.of('groupaffinity_thread_info')).toEqual([]);
    expect(ended.sum('groupaffinity_migrations_total', { role: 'worker' })).toBe(last.migrations - first.migrations);
    expect(ended.sum('groupaffinity_drifts_mended_total')).toBe(3);
    expect(readdirSync(folder.path).sort()).toEqual(['app.prom', 'program.cjs', 'sign.end', 'sign.rest']);
  });

  it('tells of every process below, and of ended ones in the sums', async () => {
    const child = `const { Worker } = require('node:worker_threads'); new Worker('0', { eval: true });
      if (process.send) process.on('message', () => process.exit());`;
    using folder = new Folder({
      'child.cjs': child,
      'program.cjs': `const { fork, spawnSync } = require('node:child_process');
        for (let i = 0; i < 3; i += 1) spawnSync(process.execPath, [__dirname + '/child.cjs']);
        const children = [0, 1].map(() => fork(__dirname + '/child.cjs'));
        setInterval(() => { if (require('node:fs').existsSync(__dirname + '/end')) { children.forEach((one) => one.send(0)); process.exit(); } }, 20);`,
    });
    const file = folder.file('many.prom');
    const options = ['--processes', `${a}/${b}`, '--workers', 'cpu', '--metrics', file, '--every', '0.1'];
    const running = placing(options, [node, folder.file('program.cjs')]);
    const all = await until(file, (metrics) => metrics.sum('groupaffinity_processes') === 3);
    expect(all.sum('groupaffinity_share_processes')).toBe(3);
    expect(all.of('groupaffinity_share_processes').map(({ labels }) => labels['cpus'])).toEqual([`${a}`, `${b}`]);
    expect(all.of('groupaffinity_process_info').map(({ labels }) => labels['command'])).toEqual(['program.cjs', 'child.cjs', 'child.cjs']);
    for (const { labels } of all.of('groupaffinity_thread_info', { role: 'main' })) expect([`${a}`, `${b}`]).toContain(labels['asked']);
    writeFileSync(folder.file('end'), '');
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' });
    const ended = read(file);
    expect(ended.sum('groupaffinity_context_switches_total', { role: 'main' })).toBeGreaterThan(0);
    expect(ended.sum('groupaffinity_drifts_total')).toBe(0);
  });

  it('main threads that sit on seats are told of with them', async () => {
    using folder = new Folder({
      'child.cjs': 'setInterval(() => {}, 1000)',
      'program.cjs': `const { fork } = require('node:child_process'); fork(__dirname + '/child.cjs'); fork(__dirname + '/child.cjs'); setInterval(() => {}, 1000);`,
    });
    const file = folder.file('dealt.prom');
    const options = ['--processes', 'share', '--workers', `${a}/${b}`, '--metrics', file, '--every', '0.1'];
    const running = placing(options, [node, folder.file('program.cjs')]);
    const all = await until(file, (metrics) => metrics.sum('groupaffinity_processes') === 3);
    expect(all.of('groupaffinity_seat_threads').map(({ value }) => value)).toEqual([1, 1]);
    expect(all.of('groupaffinity_thread_info', { role: 'main' }).map(({ labels }) => [labels['seat'], labels['allowed']])).toEqual([
      ['0', `${a}`],
      ['1', `${b}`],
    ]);
    for (const { labels } of all.of('groupaffinity_process_info', { command: 'child.cjs' })) process.kill(Number(labels['pid']));
    running.child.kill();
    expect(await running.ended).toMatchObject({ signal: 'SIGTERM', stderr: '' });
    expect(read(file).of('groupaffinity_running')).toMatchObject([{ value: 0 }]);
  });

  it('is whole whenever it is read, and of two runs no sample is the same', async () => {
    using folder = new Folder({ 'program.cjs': 'setTimeout(() => process.exit(3), 1500)' });
    const both = ['one', 'two'].map((name) =>
      placing(['--main', `${a}`, '--metrics', folder.file(`${name}.prom`), '--every', '0.1'], [node, folder.file('program.cjs')]),
    );
    let looks = 0;
    while (both[0]?.child.exitCode === null) {
      if (existsSync(folder.file('one.prom'))) {
        expect(read(folder.file('one.prom')).of('groupaffinity_running')).toHaveLength(1);
        looks += 1;
      }
      await new Promise((go) => setTimeout(go, 2));
    }
    expect((await Promise.all(both.map(({ ended }) => ended))).map(({ status }) => status)).toEqual([3, 3]);
    expect(looks).toBeGreaterThan(20);
    const samples = ['one', 'two'].flatMap((name) =>
      read(folder.file(`${name}.prom`)).samples.map(({ name, labels }) => JSON.stringify([name, labels])),
    );
    expect(new Set(samples).size).toBe(samples.length);
    expect(readdirSync(folder.path).sort()).toEqual(['one.prom', 'program.cjs', 'two.prom']);
  });

  it.each([[[]], [['--report']]])('what has ended is in the sums alone %s', async (report) => {
    using folder = new Folder({
      'program.cjs': `const { Worker } = require('node:worker_threads');
        let made = 0;
        (function next() {
          if (made++ < 30) new Worker('0', { eval: true }).once('exit', next);
          else console.log('done');
        })();
        setInterval(() => { if (require('node:fs').existsSync(__dirname + '/end')) process.exit(); }, 20);`,
    });
    const file = folder.file('short.prom');
    const options = [...report, '--workers', 'cpu', '--metrics', file, '--every', '0.1'];
    const running = placing(options, [node, folder.file('program.cjs')]);
    await running.said('done');
    const none = await until(
      file,
      (metrics) =>
        metrics.of('groupaffinity_context_switches_total', { role: 'worker' }).length > 0 &&
        metrics.sum('groupaffinity_threads', { role: 'worker' }) === 0,
    );
    expect(none.sum('groupaffinity_seat_threads')).toBe(0);
    expect(none.of('groupaffinity_thread_info', { role: 'worker' })).toEqual([]);
    writeFileSync(folder.file('end'), '');
    const { status, stderr } = await running.ended;
    expect(status).toBe(0);
    expect(stderr.match(/^worker \d+ /gm) ?? []).toHaveLength(report.length === 0 ? 0 : 30);
  });

  it('--report beside it, nothing placed, and a program without Node', async () => {
    using folder = new Folder({});
    const file = folder.file('x.prom');
    const reported = await placing(['--report', '--metrics', file], [node, '-e', '0']).ended;
    expect(reported.stderr).toMatch(/^main /m);
    expect(read(file).of('groupaffinity_migrations_total', { role: 'main' })).toHaveLength(1);
    expect(await placing(['--metrics', file], ['sh', '-c', 'exit 9']).ended).toMatchObject({ status: 9, stderr: '' });
    expect(read(file).sum('groupaffinity_running')).toBe(0);
    expect(await placing(['--metrics', file], [folder.file('nowhere')]).ended).toMatchObject({ status: 127 });
  });

  it('a file that was there keeps its mode, and a new one has what the umask leaves', async () => {
    using folder = new Folder({ 'open.prom': 'old', 'closed.prom': 'old' });
    chmodSync(folder.file('open.prom'), 0o664);
    chmodSync(folder.file('closed.prom'), 0o600);
    const script = 'umask 027 && exec "$@"';
    for (const [name, mode] of [
      ['open', 0o664],
      ['closed', 0o600],
      ['new', 0o640],
    ] as const) {
      const file = folder.file(`${name}.prom`);
      const command = [node, main, 'run', '--metrics', file, '--', 'true'];
      expect(await new Running(['sh', '-c', script, 'sh', ...command]).ended).toMatchObject({ status: 0, stderr: '' });
      expect([read(file).sum('groupaffinity_running'), statSync(file).mode & 0o7777]).toEqual([0, mode]);
    }
  });

  it('a link stays one, and its target is replaced', async () => {
    using folder = new Folder({ 'target.prom': 'old' });
    symlinkSync('target.prom', folder.file('link.prom'));
    expect(await placing(['--metrics', folder.file('link.prom')], [node, '-e', '0']).ended).toMatchObject({ status: 0 });
    expect(read(folder.file('target.prom')).of('groupaffinity_running', { run: 'link' })).toHaveLength(1);
    expect(readdirSync(folder.path).sort()).toEqual(['link.prom', 'target.prom']);
  });
});

it('the build carries the licence of what it bundles', () => {
  const bundle = readFileSync(join(checkout, 'dist', 'parts', 'prom-client.js'), 'utf8');
  const folder = join(checkout, 'node_modules', 'prom-client');
  // The bundler sets comments further to the left.
  const words = (text: string): string => text.trim().split(/\s+/).join(' ');
  expect(words(bundle).includes(words(readFileSync(join(folder, 'LICENSE'), 'utf8')))).toBe(true);
  expect(bundle).toContain(
    `/*! prom-client ${(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version}\n`,
  );
  expect(bundle.length).toBeLessThan(50_000);
});

describe('run --metrics, where it can not be', () => {
  it.each([
    ['a folder that is not there', ['--metrics', '/nowhere/x.prom'], "/nowhere/x.prom can't be written: ENOENT: no such file or directory"],
    ['a folder', ['--metrics', '/tmp'], "/tmp can't be written: it is there and no regular file"],
    ['a device', ['--metrics', '/dev/full'], "/dev/full can't be written: it is there and no regular file"],
    ['below a file', ['--metrics', `${main}/x`], 'ENOTDIR: not a directory'],
    ['no text', ['--metrics', ''], '--metrics: a file is missing'],
    ['no value', ['--metrics'], "'--metrics <value>' argument missing"],
    ['--every without it', ['--report', '--every', '1'], '--every is of --metrics'],
    ['no number', ['--metrics', 'x', '--every', 'soon'], "--every is a number of seconds from 0.1 to 3600, not 'soon'"],
    ['too often', ['--metrics', 'x', '--every', '0.01'], "from 0.1 to 3600, not '0.01'"],
  ])('%s: status 2, and nothing is started', async (_, options, message) => {
    const { status, stdout, stderr } = await placing(options, ['echo', 'started']).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.split('\n')[0]).toContain(message);
    expect(stderr).toContain('\n\nUsage: groupaffinity run');
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  it.skipIf(process.getuid?.() !== 0)('a file, and a folder, that the user may not write', async () => {
    using folder = new Folder({ 'x.prom': 'old' });
    const nobody = { uid: 65_534, gid: 65_534 };
    for (const name of ['x.prom', 'y.prom']) {
      const { status, stderr } = await placing(['--metrics', folder.file(name)], ['echo'], nobody).ended;
      expect([status, stderr.split('\n')[0]]).toEqual([2, expect.stringContaining('EACCES: permission denied')]);
    }
    expect(readFileSync(folder.file('x.prom'), 'utf8')).toBe('old');
  });

  it('a folder that goes while the program runs: told once, the program ends as it would, and the file comes back with it', async () => {
    using folder = new Folder({
      'program.cjs': 'console.log("up"); process.on("SIGTERM", () => process.exit(5)); setInterval(() => {}, 1000);',
    });
    mkdirSync(folder.file('out'));
    const file = folder.file('out/x.prom');
    const running = placing(['--metrics', file, '--every', '0.1'], [node, folder.file('program.cjs')]);
    await running.said('up');
    renameSync(folder.file('out'), folder.file('away'));
    await running.said('could not be written');
    await new Promise((go) => setTimeout(go, 400));
    rmSync(folder.file('away'), { recursive: true });
    mkdirSync(folder.file('out'));
    await until(file, () => true);
    running.child.kill();
    expect(await running.ended).toMatchObject({
      status: 5,
      stderr: 'groupaffinity: --metrics: the file could not be written: ENOENT: no such file or directory\n',
    });
    expect(read(file).sum('groupaffinity_running')).toBe(0);
  });

  it.skipIf(noMounts !== undefined)(unless('a full disk: told once, and the last whole text stays', noMounts), async () => {
    using folder = new Folder({
      'program.cjs': `const fs = require('node:fs');
        const out = process.argv[2];
        try { fs.writeFileSync(out + '/filler', Buffer.alloc(2 ** 20)); } catch (error) { console.log(error.code); }
        setTimeout(() => {
          // Beside the two lies what is just being tried to write, for a moment.
          let files = fs.readdirSync(out);
          for (const end = Date.now() + 5000; files.length > 2 && Date.now() < end; files = fs.readdirSync(out));
          console.log(fs.readFileSync(out + '/x.prom', 'utf8').endsWith('\\n'), files.length);
          process.exit(6);
        }, 700);`,
    });
    const out = folder.file('small');
    mkdirSync(out);
    const options = ['run', '--metrics', `${out}/x.prom`, '--every', '0.1'];
    const command = [node, main, ...options, '--', node, folder.file('program.cjs'), out];
    const ended = await new Running([
      'unshare',
      '-m',
      'sh',
      '-c',
      `mount -t tmpfs -o size=64k none '${out}' && exec "$@"`,
      'sh',
      ...command,
    ]).ended;
    expect(ended).toEqual({
      status: 6,
      signal: null,
      stdout: 'ENOSPC\ntrue 2\n',
      stderr: 'groupaffinity: --metrics: the file could not be written: ENOSPC: no space left on device\n',
    });
  });
});
