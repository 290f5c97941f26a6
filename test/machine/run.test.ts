import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cpus } from './own-process.ts';
import { Folder, main, placed, placing, Running, runs, teller } from './placed.ts';

const two = cpus.length >= 2;
const [a = 0, b = a] = cpus;
const list = spawnSync(
  process.execPath,
  ['-e', `console.log(require('fs').readFileSync('/proc/self/status','utf8').match(/Cpus_allowed_list:\\s*(.*)/)[1])`],
  {
    encoding: 'utf8',
  },
).stdout.trim();

interface Told {
  where: string;
  parallelism: number;
  env?: NodeJS.ProcessEnv;
}

/** A worker of this tells where it is and stays until it is told to end. */
const worker = `${teller}
const { parentPort } = require('node:worker_threads');
parentPort.postMessage({ where: where(), thread: thread(), parallelism: os.availableParallelism(), env: process.env });
parentPort.once('message', () => process.exit());
`;

describe.runIf(two)('the main thread', () => {
  it('is where it was sent before its code runs, and nothing that it starts is sent there with it', async () => {
    const [seen] = await placed<Record<string, unknown>>(
      ['--main', `${a}`],
      `const first = where();
       const { execFileSync, spawnSync, exec, fork } = require('node:child_process');
       const { Worker } = require('node:worker_threads');
       const grep = ['Cpus_allowed_list', '/proc/self/status'];
       const list = (text) => text.trim().split('\\t')[1];
       (async () => {
         const worker = await new Promise((go) => new Worker(${JSON.stringify(worker)}, { eval: true }).once('message', function (told) { this.postMessage(0); go(told.where); }));
         const asynchronous = await new Promise((go) => exec('grep ' + grep.join(' '), (_, out) => go(list(out))));
         await new Promise((go) => require('node:crypto').randomBytes(8, go));
         const pool = require('node:fs').readdirSync('/proc/self/task').map((tid) => field(readFileSync('/proc/self/task/' + tid + '/status', 'utf8'), 'Cpus_allowed_list'));
         console.log(JSON.stringify({ first, worker, parallelism: os.availableParallelism(), child: list(execFileSync('grep', grep, { encoding: 'utf8' })), asynchronous,
           deep: list(spawnSync('sh', ['-c', 'sh -c "grep ' + grep.join(' ') + '"'], { encoding: 'utf8' }).stdout),
           elsewhere: pool.filter((set) => set !== first).length, there: pool.filter((set) => set === first).length, threads: pool.length }));
       })();`,
    );
    expect(seen).toMatchObject({
      first: `${a}`,
      worker: list,
      parallelism: cpus.length,
      child: list,
      asynchronous: list,
      deep: list,
      there: 1,
    });
    expect(seen?.['threads']).toBeGreaterThanOrEqual(9);
  });

  it('of a child process is placed in the same way, whatever else NODE_OPTIONS has', async () => {
    using folder = new Folder({
      'program.cjs': `${teller}require('node:child_process').execFileSync(process.execPath, [__dirname + '/child.cjs'], { stdio: 'inherit' });`,
      'child.cjs': `${teller}console.log(JSON.stringify({ where: where(), early: globalThis.early, node: process.env.NODE_OPTIONS }));`,
      'early.cjs': 'globalThis.early = "yes";',
    });
    const options = `--no-warnings --require "${folder.file('early.cjs')}"`;
    const { stdout } = await placing(['--main', `${b}`], [process.execPath, folder.file('program.cjs')], { env: { NODE_OPTIONS: options } })
      .ended;
    const told = JSON.parse(stdout) as { where: string; early: string; node: string };
    expect(told).toMatchObject({ where: `${b}`, early: 'yes' });
    expect(told.node.endsWith(options)).toBe(true);
  });
});

describe('workers', () => {
  it.each([
    ['a file', {}, ''],
    ['eval', { eval: true }, ''],
    ['an environment of its own', { env: { MINE: '1' } }, '{"MINE":"1"}'],
    ['an empty environment', { env: {} }, '{}'],
    ['an environment with NODE_OPTIONS', { env: { NODE_OPTIONS: '--no-warnings' } }, '{"NODE_OPTIONS":"--no-warnings"}'],
    ['a copied environment', { env: 'copy' }, ''],
    ['a shared environment', { env: 'share' }, ''],
    ['flags of its own', { execArgv: ['--no-warnings'] }, ''],
    ['no flags', { execArgv: [] }, ''],
    ['neither flags nor environment', { execArgv: [], env: {} }, '{}'],
  ])('with %s take a seat each', async (_, options, environment) => {
    const [seen] = await placed<{ first: Told[]; main: string; parallelism: number }>(
      ['--workers', 'cpu'],
      `const { Worker, SHARE_ENV } = require('node:worker_threads');
       const options = ${JSON.stringify(options)};
       if (options.env === 'copy') options.env = { ...process.env };
       if (options.env === 'share') options.env = SHARE_ENV;
       const text = ${JSON.stringify(worker)};
       const file = __dirname + '/worker.cjs';
       const workers = Array.from({ length: ${cpus.length} }, () => new Worker(options.eval ? text : file, options));
       Promise.all(workers.map((worker) => new Promise((told, failed) => worker.once('message', told).once('error', failed)))).then((first) => {
         console.log(JSON.stringify({ first, main: where() }));
         for (const worker of workers) worker.postMessage(0);
       });`,
      { 'worker.cjs': worker },
    );
    expect(seen?.first.map(({ where }) => Number(where)).sort((x, y) => x - y)).toEqual(cpus);
    expect(seen?.main).toBe(list);
    for (const { parallelism, env } of seen?.first ?? []) {
      expect(parallelism).toBe(cpus.length);
      if (environment !== '') expect(JSON.stringify(env)).toBe(environment);
    }
  });
});

describe.runIf(two)("libuv's pool", () => {
  it.each([
    ['seats of their own', []],
    ['seats that processes share', ['--processes', 'share']],
  ])('has all CPUs though a worker is the first to use it: %s', async (_, options) => {
    const [seen] = await placed<{ worker: string; sets: string[] }>(
      ['--workers', `${a}`, ...options],
      `const { Worker } = require('node:worker_threads');
       const text = ${JSON.stringify(`${worker}require('node:fs').readFile('/proc/self/stat', () => parentPort.postMessage('used'));`)};
       const one = new Worker(text, { eval: true });
       let at;
       one.on('message', (told) => {
         if (told !== 'used') return void (at = told.where);
         const tasks = require('node:fs').readdirSync('/proc/self/task');
         console.log(JSON.stringify({ worker: at, sets: tasks.map((tid) => field(readFileSync('/proc/self/task/' + tid + '/status', 'utf8'), 'Cpus_allowed_list')) }));
         one.postMessage(0);
       });`,
    );
    expect(seen?.worker).toBe(`${a}`);
    expect(seen?.sets.length).toBeGreaterThanOrEqual(10);
    expect(seen?.sets.filter((set) => set !== list)).toEqual([`${a}`]);
  });

  it('runs before the program, which is told when it asks for another size', async () => {
    const { stderr } = await placing(['--workers', `${a}`], [process.execPath, '-e', 'process.env.UV_THREADPOOL_SIZE = 9']).ended;
    expect(stderr).toContain('UV_THREADPOOL_SIZE=9 came too late');
  });
});

/** Says which signals it gets, and ends a while after the first. */
const listener = `
const got = [];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGALRM', 'SIGWINCH', 'SIGPWR'])
  process.on(signal, () => { got.push(signal); if (got.length === 1) setTimeout(() => { console.log('got ' + got.join()); process.exit(5); }, 200); });
console.log('ready ' + process.pid);
setTimeout(() => process.exit(6), 30000);
`;

// Without a report the process becomes the program; with one it stays, and hands on.
describe.each([
  ['becomes the program', []],
  ['watches the program', ['--report']],
])('run that %s', (_, report) => {
  const options = [...report, '--main', `${a}`];
  const node = process.execPath;

  it.each([
    [['-e', 'process.exit(0)'], 0, null],
    [['-e', 'process.exit(7)'], 7, null],
    [['-e', 'process.exit(255)'], 255, null],
    [['-e', 'throw new Error("x")'], 1, null],
    [['-e', 'process.kill(process.pid, "SIGTERM")'], null, 'SIGTERM'],
    [['-e', 'process.kill(process.pid, "SIGKILL")'], null, 'SIGKILL'],
    [['-e', 'process.kill(process.pid, "SIGINT")'], null, 'SIGINT'],
    [['-e', 'process.kill(process.pid, "SIGSEGV")'], null, 'SIGSEGV'],
    [['-e', 'process.abort()'], null, 'SIGABRT'],
  ])('%j ends as it would alone: %s %s', async (args, status, signal) => {
    const alone = spawnSync(node, args);
    expect([alone.status, alone.signal]).toEqual([status, signal]);
    const { status: found, signal: by } = await placing(options, [node, ...args]).ended;
    expect([found, by]).toEqual([status, signal]);
  });

  it('a signal that Node has no name for ends run as well', async () => {
    const ending = `'${node}' '${main}' run ${options.join(' ')} -- sh -c 'kill -$1 $$; exit 7' sh $1; echo "then $?"`;
    for (const signal of [34, 37, 64])
      expect(await new Running(['sh', '-c', ending, 'sh', String(signal)]).ended).toMatchObject({ stdout: `then ${128 + signal}\n` });
  });

  it.each([
    [['there-is-no-such-command-anywhere'], 127, 'there is no such command'],
    [['/nowhere/at/all'], 127, 'there is no such command'],
    [['test/machine/run.test.ts'], 126, 'permission denied'],
    [['/'], 126, 'permission denied'],
  ])('%j: status %i', async (command, status, why) => {
    const ended = await placing(options, command).ended;
    expect(ended).toMatchObject({ status, stdout: '' });
    expect(ended.stderr).toBe(`groupaffinity: ${command[0]}: ${why}\n`);
  });

  it('an environment that is too long with what run adds: status 126', async () => {
    // One variable may have 32 pages (execve(2)).
    const most = 32 * Number(spawnSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }).stdout);
    const longest = '--title='.padEnd(most - 'NODE_OPTIONS='.length - 1, 'x');
    const ended = await placing(options, ['true'], { env: { NODE_OPTIONS: longest } }).ended;
    expect(ended).toMatchObject({ status: 126, stderr: 'groupaffinity: true: its arguments and environment are too long\n' });
  });

  it('a file that is no program is none; a script without a first line is one for the shell', async () => {
    using folder = new Folder({ broken: 'x', script: 'echo "$1 by the shell"' });
    expect(await placing(options, [folder.file('broken')]).ended).toMatchObject({ status: 126 });
    chmodSync(folder.file('script'), 0o755);
    expect(await placing(options, [folder.file('script'), 'run']).ended).toMatchObject({ status: 0, stdout: 'run by the shell\n' });
  });

  it("arguments, input, output, folder and environment are the program's own", async () => {
    using folder = new Folder({});
    const running = placing(options, ['sh', '-c', 'cat; pwd; echo "$0 $1 $A" >&2', 'a b', '--main'], {
      cwd: folder.path,
      env: { A: 'a "value"' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.child.stdin?.end('typed\n');
    const { status, stdout, stderr } = await running.ended;
    expect({ status, stdout }).toEqual({ status: 0, stdout: `typed\n${folder.path}\n` });
    expect(stderr.split('\n')[0]).toBe('a b --main a "value"');
  });

  it('a title of the process does not become an argument', async () => {
    const ended = await placing(options, ['printf', '[%s]', 'one', '', 'é'], { env: { NODE_OPTIONS: '--title=foo' } }).ended;
    expect(ended).toMatchObject({ status: 0, stdout: '[one][][é]' });
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGALRM', 'SIGWINCH', 'SIGPWR'] as const)(
    '%s reaches the program once',
    async (signal) => {
      const running = placing(options, [node, '-e', listener]);
      const said = await running.said('ready');
      if (report.length === 0) expect(said).toContain(`ready ${running.pid}\n`);
      process.kill(running.pid, signal);
      const { status, stdout } = await running.ended;
      expect({ status, last: stdout.trim().split('\n').at(-1) }).toEqual({ status: 5, last: `got ${signal}` });
    },
  );

  it.each([
    ['SIGURG', 23],
    ['SIGXCPU', 24],
    ['SIGVTALRM', 26],
    ['SIGIO', 29],
    ['SIGRTMIN+3', 37],
    ['SIGRTMAX', 64],
  ])('%s, of which Node makes nothing, reaches the program as well', async (_, signal) => {
    const program = `trap 'echo got ${signal}; exit 5' ${signal}; echo ready; while :; do sleep 0.05; done`;
    const running = placing(options, ['sh', '-c', program]);
    await running.said('ready');
    process.kill(running.pid, signal);
    expect(await running.ended).toMatchObject({ status: 5, signal: null, stdout: `ready\ngot ${signal}\n` });
  });

  it('a signal that ends the program ends run by the same', async () => {
    const running = placing(options, [node, '-e', 'console.log("ready"); setInterval(() => {}, 1000)']);
    await running.said('ready');
    process.kill(running.pid, 'SIGUSR2');
    expect(await running.ended).toMatchObject({ status: null, signal: 'SIGUSR2' });
  });

  it.skipIf(spawnSync('script', ['--version']).status !== 0)('Ctrl-C on a terminal reaches the program once', async () => {
    using folder = new Folder({ 'program.cjs': listener });
    const command = `exec '${node}' '${main}' run ${options.join(' ')} -- '${node}' '${folder.file('program.cjs')}'`;
    const running = new Running(['script', '-qefc', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] });
    await running.said('ready');
    running.child.stdin?.write('\u0003');
    const { status, stdout } = await running.ended;
    expect(stdout).toContain('got SIGINT\r\n');
    expect(status).toBe(5);
  });

  it.skipIf(spawnSync('script', ['--version']).status !== 0)('Ctrl-Z stops it, and it goes on where it was', async () => {
    using folder = new Folder({
      'program.cjs': `process.on('SIGCONT', () => { console.log('goes on'); process.exit(7); }); setInterval(() => {}, 1000); console.log('ready ' + process.pid);`,
    });
    const shell = new Running(['script', '-qefc', 'exec bash --norc -i', '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] });
    shell.child.stdin?.write(`'${node}' '${main}' run ${options.join(' ')} -- '${node}' '${folder.file('program.cjs')}'\n`);
    const program = /ready (\d+)/.exec(await shell.said(/ready \d+/))?.[1];
    shell.child.stdin?.write('\u001a');
    await shell.said('Stopped');
    await expect.poll(() => readFileSync(`/proc/${program}/stat`, 'utf8'), { timeout: 10_000 }).toMatch(/\) T /);
    shell.child.stdin?.write('fg\n');
    await shell.said('goes on');
    shell.child.stdin?.write('echo "then $?"; exit\n');
    await shell.said('then 7');
    shell.child.stdin?.end();
    await shell.ended;
  });

  it('a message that meets the end of the program changes nothing of it', async () => {
    const program = `process.on('message', () => {}); process.on('SIGUSR2', () => process.exit(7)); console.log('ready ' + process.pid);`;
    const running = placing(options, [node, '-e', program], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const pid = Number(/ready (\d+)/.exec(await running.said(/ready \d+\n/))?.[1]);
    process.kill(running.pid, 'SIGSTOP');
    running.child.send('too late');
    process.kill(pid, 'SIGUSR2');
    await expect.poll(() => runs(pid), { timeout: 10_000 }).toBe(false);
    process.kill(running.pid, 'SIGCONT');
    expect(await running.ended).toMatchObject({ status: 7, signal: null });
  });

  it('ends with the program, whoever else has its channel, and when all of its messages have passed', async () => {
    using folder = new Folder({
      'program.cjs': `const { spawn } = require('node:child_process');
        const other = spawn('sleep', ['120'], { stdio: [...'012'].map(() => 'ignore').concat(process.channel.fd ?? 3) });
        for (let at = 0; at < 1000; at += 1) process.send('x'.repeat(100) + at);
        process.send({ other: other.pid }, () => process.exit(3));`,
    });
    const running = placing(options, [node, folder.file('program.cjs')], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const got: unknown[] = [];
    running.child.on('message', (message) => got.push(message));
    expect(await running.ended).toMatchObject({ status: 3 });
    const last = got.at(-1) as { other: number };
    expect([got.length, runs(last.other)]).toEqual([1001, true]);
    process.kill(last.other);
  });

  it('ends with the program, though somebody else goes on sending', async () => {
    const endless = 'while :; do echo 1 >&3; sleep 0.02; done & echo $! >&2; exit 3';
    const running = placing(options, ['sh', '-c', endless], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const { status, stderr } = await running.ended;
    expect(status).toBe(3);
    await expect.poll(() => runs(Number(stderr.split('\n')[0])), { timeout: 10_000 }).toBe(false);
  });

  it('messages pass between the program and its grandparent', async () => {
    using folder = new Folder({
      'program.cjs': `process.on('message', (message, handle) => {
        if (message === 'end') process.disconnect();
        else process.send({ message, map: message instanceof Map, handle: handle?.constructor.name ?? null });
      }); process.send('ready');`,
    });
    for (const serialization of ['json', 'advanced'] as const) {
      const running = placing(options, [node, folder.file('program.cjs')], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], serialization });
      const got: unknown[] = [];
      running.child.send({ before: 'ready' });
      running.child.on('message', (message) => {
        got.push(message);
        if (got.length === 1) running.child.send(serialization === 'json' ? { now: 1 } : new Map([[1, 2n]]));
        else if (got.length === 3) running.child.send('end');
      });
      expect(await running.ended).toMatchObject({ status: 0 });
      expect(got.slice(0, 2)).toEqual(['ready', { message: { before: 'ready' }, map: false, handle: null }]);
      expect(got[2]).toMatchObject({ map: serialization === 'advanced' });
    }
  });
});

it('arguments that are no UTF-8 are handed on as they are to what run becomes', async () => {
  const shown = `sh -c 'printf "%s " "$@" | od -An -tx1' sh "$(printf 'a\\377b\\342\\202')" é "$(printf '\\357\\277\\275')"`;
  const given = new Running(['sh', '-c', `exec '${process.execPath}' '${main}' run --main ${a} -- ${shown}`]);
  expect(await given.ended).toMatchObject({ status: 0, stdout: ' 61 ff 62 e2 82 20 c3 a9 20 ef bf bd 20\n' });
});

describe('what makes no sense', () => {
  it.each([
    [[], '-- and a command are missing'],
    [['--main', '0'], '-- and a command are missing'],
    [['node', 'app.js'], '-- and a command are missing'],
    [['--main', '0', '--'], 'a command is missing'],
    [['--main', '0', '--', ''], 'a command is missing'],
    [['--', 'true'], 'nothing is to be placed'],
    [['--nonsense', '--', 'true'], "Unknown option '--nonsense'"],
    [['--main', '--', 'true'], '--main'],
    [['0', '--', 'true'], 'Unexpected argument'],
    [['--processes', 'share', '--', 'true'], '--processes share is of --workers'],
  ])('%j is wrong usage: status 2', (args, message) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'run', ...args], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: groupaffinity run');
  });

  it.each([
    [['--main', '65000'], 'CPU 65000 does not exist'],
    [['--main', ''], 'names no CPU'],
    [['--main', 'core'], 'is no place'],
    [['--libuv', 'numa:99'], 'NUMA node 99 does not exist'],
    [['--v8', '1:3'], 'hexadecimal'],
    [['--workers', ''], 'nothing is no plan'],
    [['--workers', '0//1'], 'a seat has no CPUs'],
    [['--workers', 'core,'], "no option ''"],
    [['--workers', 'core,count=0'], 'count is a whole number'],
    [['--workers', 'core,count=100000'], 'the CPUs there are'],
    [['--workers', 'cpu,within=65000'], 'CPU 65000 does not exist'],
    [['--workers', 'cpu,colour=red'], "no option 'colour'"],
    [['--processes', 'thread'], 'a unit is one of cpu, core'],
    [['--workers', 'cores'], 'a unit is one of cpu, core'],
  ])('%j is refused before anything is started: status 2', (args, message) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'run', ...args, '--', 'echo', 'started'], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('--help is of run before --, and of the program behind it', () => {
    const help = (...args: string[]): string => spawnSync(process.execPath, [main, 'run', ...args], { encoding: 'utf8' }).stdout;
    expect(help('--help')).toMatch(/^Usage: groupaffinity run/);
    expect(help('--main', `${a}`, '--', 'echo', '--help')).not.toContain('groupaffinity');
  });
});
