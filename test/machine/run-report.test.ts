import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cpus, inOwnProcess } from './own-process.ts';
import { descendants, Folder, main, placed, placing, Running, teller } from './placed.ts';

const two = cpus.length >= 2;
const [a = 0, b = a] = cpus;
const node = process.execPath;

/** Works on two workers for a while. */
const program = `${teller}
const { Worker } = require('node:worker_threads');
const text = 'const end = Date.now() + 1500; while (Date.now() < end);';
const workers = Array.from({ length: 2 }, () => new Worker(text, { eval: true, name: 'digger' }));
let ended = 0;
for (const worker of workers) worker.once('exit', () => { ended += 1; if (ended === 2) END; });
`;

interface Row {
  thread: string;
  tid: number;
  name: string;
  allowed: string;
  seenOn: string;
  looks: number;
  migrations: number;
}

/** The tables of a report, one a process. */
function tables(stderr: string): { title: string; rows: Row[] }[] {
  return stderr
    .split(/^process /m)
    .slice(1)
    .map((part) => {
      const [title = '', heads = '', , ...lines] = part.split('\n\n')[0]?.split('\n') ?? [];
      const columns = [...heads.matchAll(/\S+(?: \S+)*/g)].map((match) => match.index);
      const rows = lines.map((line) => {
        const cell = (at: number): string => line.slice(columns[at], columns[at + 1]).trim();
        return {
          thread: cell(0),
          tid: Number(cell(1)),
          name: cell(2),
          allowed: cell(4),
          seenOn: cell(5),
          looks: Number(line.trim().split(/ +/).at(-2)),
          migrations: Number(line.trim().split(/ +/).at(-1)),
        };
      });
      return { title, rows };
    });
}

describe.runIf(two)('run --report', () => {
  it.each([
    ['ends by itself', 'process.exitCode = 4', { status: 4, signal: null }],
    ['exits', 'process.exit(5)', { status: 5, signal: null }],
    ['throws', 'throw new Error("an end")', { status: 1, signal: null }],
    ['is killed', 'process.kill(process.pid, "SIGKILL")', { status: null, signal: 'SIGKILL' }],
  ])('tells where every thread was, also of a program that %s', async (_, end, ending) => {
    using scratch = new Folder({});
    using folder = new Folder({ 'program.cjs': program.replace('END', end) });
    const options = ['--report', '--main', `${a}`, '--workers', 'cpu', '--v8', `${b}`];
    const ended = await placing(options, [node, folder.file('program.cjs')], { env: { TMPDIR: scratch.path } }).ended;
    expect(ended).toMatchObject(ending);
    const [only, ...others] = tables(ended.stderr);
    expect(others).toEqual([]);
    expect(only?.title).toMatch(/^\d+ · node .*program\.cjs/);
    const rows = (thread: string): Row[] => only?.rows.filter((row) => row.thread.startsWith(thread)) ?? [];
    expect(rows('main')).toMatchObject([{ allowed: `${a}`, seenOn: `${a}`, migrations: 0 }]);
    expect(rows('worker').map(({ thread }) => thread)).toEqual(['worker 1', 'worker 2']);
    expect(new Set(rows('worker').map(({ allowed }) => Number(allowed)))).toEqual(new Set(cpus.slice(0, 2)));
    for (const { allowed, seenOn, looks, migrations } of rows('worker')) {
      expect({ seenOn, migrations }).toEqual({ seenOn: allowed, migrations: 0 });
      expect(looks).toBeGreaterThan(1);
    }
    expect(rows('libuv')).toHaveLength(4);
    expect(rows('v8')).toHaveLength(5);
    for (const { allowed, seenOn } of rows('v8')) expect([allowed, ['-', allowed].includes(seenOn)]).toEqual([`${b}`, true]);
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  it('tells of every process, and of its share', async () => {
    const body = `
      const { spawnSync } = require('node:child_process');
      for (let i = 0; i < 3; i += 1) spawnSync(process.execPath, ['-e', '0', 'child ' + i]);`;
    const { stderr, status } = await placing(['--report', '--processes', 'cpu'], [node, '-e', body]).ended;
    expect(status).toBe(0);
    const all = tables(stderr);
    expect(all).toHaveLength(4);
    expect(all.slice(1).map(({ title }) => /child \d/.exec(title)?.[0])).toEqual(['child 0', 'child 1', 'child 2']);
    for (const { title, rows } of all) {
      const share = /share \d+: CPUs (\S+)/.exec(title)?.[1];
      expect(cpus.map(String)).toContain(share);
      for (const { allowed, seenOn } of rows) expect([allowed, ['-', allowed].includes(seenOn)]).toEqual([share, true]);
    }
  });

  it('a program in which Node has no part has no threads to tell of', async () => {
    const ended = await placing(['--report', '--main', `${a}`], ['true']).ended;
    expect(ended).toMatchObject({ status: 0, stdout: '', stderr: '\ngroupaffinity: no Node process was placed\n' });
  });

  it('names and arguments that a terminal would obey are told without that', async () => {
    using folder = new Folder({
      'program.cjs': "require('node:fs').writeFileSync('/proc/self/comm', 'x\\u001b[2J\\ny');",
    });
    const { stderr, status } = await placing(['--report', '--main', `${a}`], [node, folder.file('program.cjs'), 'a\u001b[2J\nb']).ended;
    expect({ status, obeyed: /[^\P{Cc}\n]/u.exec(stderr) }).toEqual({ status: 0, obeyed: null });
    const [only] = tables(stderr);
    expect(only?.title).toMatch(/program\.cjs a \[2J b$/);
    expect(only?.rows.find(({ thread }) => thread === 'main')?.name).toBe('x [2J y');
  });

  it('what a full disk has cut costs nothing but itself', async () => {
    using scratch = new Folder({});
    const body = `
      const { appendFileSync, readdirSync } = require('node:fs');
      const { Worker } = require('node:worker_threads');
      const folder = process.env.TMPDIR + '/' + readdirSync(process.env.TMPDIR)[0];
      appendFileSync(folder + '/threads', '\\n{"process":' + process.pid + ',"sea');
      new Worker('0', { eval: true }).once('exit', () => process.exit(5));`;
    const ended = await placing(['--report', '--workers', 'cpu'], [node, '-e', body], { env: { TMPDIR: scratch.path } }).ended;
    expect(ended).toMatchObject({ status: 5, signal: null });
    expect(ended.stderr).toMatch(/^main /m);
    expect(ended.stderr).toMatch(/^worker 1 /m);
    expect(readdirSync(scratch.path)).toEqual([]);
  });

  it('where no temporary folder can be made nothing is started, and one line says so', async () => {
    const ended = await placing(['--report', '--main', `${a}`], ['echo', 'started'], { env: { TMPDIR: '/nowhere' } }).ended;
    expect(ended).toMatchObject({
      status: 2,
      stdout: '',
      stderr: 'groupaffinity: no temporary folder can be made in /nowhere: ENOENT: no such file or directory\n',
    });
  });

  it('many workers are told of together', async () => {
    const body = `
      const { Worker } = require('node:worker_threads');
      (async () => { for (let i = 0; i < 40; i += 1) await new Promise((go) => new Worker('0', { eval: true }).once('exit', go)); })();`;
    const { stderr } = await placing(['--report', '--workers', 'cpu'], [node, '-e', body]).ended;
    expect(stderr).toMatch(/^worker 31 /m);
    expect(stderr).toMatch(/^worker ×9 .* 0 or 1|^worker ×9 .* 0 /m);
  });
});

describe.runIf(two)('what else places threads', () => {
  it("a program's own plan seats its workers, and its own pin its main thread", async () => {
    const [seen] = await placed<{ where: string[]; main: string; seat: unknown }>(
      ['--main', `${a}`, '--workers', `${a}`],
      `const { Worker } = require('node:worker_threads');
       (async () => {
         const { pin } = await import('groupaffinity');
         const { spread, workerOptions } = await import('groupaffinity/workers');
         const plan = spread({ by: 'cpu', within: '${b}' });
         pin('${b}');
         const text = 'const { parentPort } = require("node:worker_threads"); parentPort.postMessage(/^Cpus_allowed_list:\\\\s*(.*)$/m.exec(require("node:fs").readFileSync("/proc/thread-self/status", "utf8"))[1]);';
         const told = (options) => new Promise((go) => new Worker(text, { eval: true, ...options }).once('message', go));
         console.log(JSON.stringify({ where: [await told(workerOptions(plan)), await told({})], main: where() }));
       })();`,
    );
    expect(seen).toMatchObject({ where: [`${b}`, `${a}`], main: `${b}` });
  });

  it.each([
    ['of the process', []],
    ['of all processes', ['--processes', 'share']],
  ])('a system thread has what its creator has, and takes none of the seats %s', async (_, options) => {
    const [seen] = await placed<{ system: { seat: number | null; where: string }; seats: { seat: number; sharers: number }[] }>(
      ['--main', `${b}`, '--workers', `${a}/${b}`, ...options],
      `const { Worker } = require('node:worker_threads');
       const { once } = require('node:events');
       const { pathToFileURL } = require('node:url');
       (async () => {
         const { StorPortCreateSystemThread } = await import('groupaffinity/storport');
         const told = new SharedArrayBuffer(256);
         const signal = new Int32Array(told, 0, 1);
         StorPortCreateSystemThread({}, pathToFileURL(__dirname + '/routine.mjs'), told, null, null);
         Atomics.wait(signal, 0, 0, 30_000);
         const system = JSON.parse(new TextDecoder().decode(new Uint8Array(told, 4, signal[0]).slice()));
         const seats = [];
         for (let i = 0; i < 2; i += 1) seats.push((await once(new Worker(__dirname + '/worker.mjs'), 'message'))[0]);
         console.log(JSON.stringify({ system, seats }));
         process.exit();
       })();`,
      {
        'routine.mjs': `import { readFileSync } from 'node:fs';
          import { seat } from 'groupaffinity/workers';
          export default (told) => {
            const where = /^Cpus_allowed_list:\\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))[1];
            const text = new TextEncoder().encode(JSON.stringify({ seat: seat()?.seat ?? null, where }));
            new Uint8Array(told, 4).set(text);
            Atomics.store(new Int32Array(told, 0, 1), 0, text.length);
            Atomics.notify(new Int32Array(told, 0, 1), 0);
            return new Promise(() => setInterval(() => {}, 1000));
          };`,
        'worker.mjs': `import { parentPort } from 'node:worker_threads';
          import { seat } from 'groupaffinity/workers';
          parentPort.postMessage({ seat: seat().seat, sharers: seat().sharers });
          parentPort.on('message', () => {});`,
      },
    );
    expect(seen).toEqual({
      system: { seat: null, where: `${b}` },
      seats: [
        { seat: 0, sharers: 1 },
        { seat: 1, sharers: 1 },
      ],
    });
  });

  it('the program sees its share as its machine', async () => {
    const [seen] = await placed<{ allowed: string; seats: string[]; parallelism: number }>(
      ['--processes', `${b}`],
      `(async () => {
         const { allowedCpus } = await import('groupaffinity');
         const { spread } = await import('groupaffinity/workers');
         console.log(JSON.stringify({ allowed: String(allowedCpus()), seats: spread({ by: 'cpu' }).seats.map(({ cpus }) => String(cpus)), parallelism: os.availableParallelism() }));
       })();`,
    );
    expect(seen).toEqual({ allowed: `${b}`, seats: [`${b}`], parallelism: 1 });
  });

  it('run in run: the inner one places, inside what the outer one left', async () => {
    const inner = `${teller}console.log(JSON.stringify({ where: where(), child: /list:\\s*(.*)/.exec(require('node:child_process').execSync('grep Cpus_allowed_list /proc/self/status', { encoding: 'utf8' }))[1] }));`;
    using folder = new Folder({ 'inner.cjs': inner });
    const { stdout, stderr } = await placing(
      ['--main', `${a}`],
      [node, main, 'run', '--main', `${b}`, '--', node, folder.file('inner.cjs')],
    ).ended;
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ where: `${b}`, child: cpus.length === 2 ? `${a}-${b}` : expect.any(String) });
  });

  it.each([
    ['--no-addons', ['--no-addons']],
    [
      'the permission model',
      [
        process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission',
        '--allow-fs-read=*',
        '--allow-worker',
      ],
    ],
  ])('a Node that loads no addons runs the program unplaced, and says so: %s', async (_, flags) => {
    using folder = new Folder({ 'program.cjs': 'console.log("ran")' });
    const { status, stdout, stderr } = await placing(['--main', `${a}`], [node, ...flags, folder.file('program.cjs')]).ended;
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'ran\n' });
    expect(stderr).toContain('GroupAffinityWarning: nothing is placed here: ');
  });

  it('an order that is none of this installation is left alone', async () => {
    for (const order of ['', '{', '{}', '{"by":"/elsewhere/run-preload.cjs","main":"0"}', 'null']) {
      const { status, stdout } = await new Running([node, '-e', 'console.log("ran")'], {
        env: { GROUPAFFINITY_RUN: order, NODE_OPTIONS: `--require ${main.replace(/cli.main\.js$/, 'run-preload.cjs')}` },
      }).ended;
      expect({ status, stdout }).toEqual({ status: 0, stdout: 'ran\n' });
    }
  });

  it('nobody is left behind', async () => {
    const running = placing(['--report', '--main', `${a}`], [node, '-e', 'console.log("up"); setInterval(() => {}, 1000)']);
    await running.said('up');
    expect(descendants(running.pid)).toHaveLength(2);
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ signal: 'SIGTERM' });
    expect(await inOwnProcess<boolean>(`import { existsSync } from 'node:fs'; export default existsSync('/proc/${running.pid}');`)).toBe(
      false,
    );
  });
});
