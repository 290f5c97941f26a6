import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkout, cpus, noMounts, unless } from './own-process.ts';
import { Folder, main, Running, runs, threadsByProc } from './placed.ts';

const two = cpus.length >= 2;
const [a = 0, b = a] = cpus;
const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
const node = process.execPath;

interface Thread {
  tid: number;
  role: string;
  certainty: string;
  name: string;
  allowed: string;
  lastCpu: number;
  voluntarySwitches: number;
  involuntarySwitches: number;
  migrations: number | null;
  cpuMilliseconds: number;
  priority: number;
}
interface Process {
  pid: number;
  parent: number;
  user: number;
  name: string;
  program: string;
  arguments: string[];
  threads: Thread[];
}

const command = (...args: string[]) => spawnSync(node, [main, 'ps', ...args], { encoding: 'utf8' });
const json = (...args: string[]): Process[] => (JSON.parse(command('--json', ...args).stdout) as { processes: Process[] }).processes;

/** Two workers that work a little, and a pool that has been used. */
const program = `
const { Worker } = require('node:worker_threads');
let online = 0;
for (let i = 0; i < 2; i += 1)
  new Worker('setInterval(() => { const end = Date.now() + 5; while (Date.now() < end); }, 20)', { eval: true })
    .once('online', () => { online += 1; if (online === 2) require('node:fs').stat('.', () => console.log('ready')); });
`;

let seen: Running;
let other: Running;
beforeAll(async () => {
  other = new Running(['sleep', '600']);
  seen = new Running([node, '-e', program]);
  await seen.said('ready');
});
afterAll(async () => {
  for (const one of [seen, other]) {
    one.child.kill('SIGKILL');
    await one.ended;
  }
});

describe('ps', () => {
  it('shows every thread that the kernel shows, with its role, and nothing of the process is touched', () => {
    const before = threadsByProc(seen.pid);
    const [found] = json(`${seen.pid}`);
    expect(threadsByProc(seen.pid)).toEqual(before);
    expect(found).toMatchObject({
      pid: seen.pid,
      parent: process.pid,
      user: process.getuid?.(),
      program: node,
      arguments: [node, '-e', program],
    });
    expect(found?.threads.map(({ tid }) => tid)).toEqual([...before.keys()].sort((x, y) => x - y));
    const count = (role: string): number => found?.threads.filter((thread) => thread.role === role).length ?? 0;
    expect({ main: count('main'), worker: count('worker'), libuv: count('libuv'), v8: count('v8'), other: count('other') }).toEqual({
      main: 1,
      worker: 2,
      libuv: 4,
      v8: 5,
      other: 0,
    });
    expect(found?.threads.find(({ role }) => role === 'main')).toMatchObject({
      tid: seen.pid,
      certainty: 'known',
      allowed: list,
      priority: getPriority(),
    });
    for (const { tid, name, lastCpu, voluntarySwitches } of found?.threads ?? []) {
      expect(name).toBe(before.get(tid)?.name);
      expect(cpus).toContain(lastCpu);
      expect(voluntarySwitches).toBeGreaterThan(0);
    }
  });

  it.each([
    ['0', 1],
    ['3 threads', 3],
    ['-1', 1024],
  ])('knows how many threads a pool has as libuv does: UV_THREADPOOL_SIZE=%s', async (size, threads) => {
    const sized = new Running([node, '-e', program], { env: { UV_THREADPOOL_SIZE: size } });
    try {
      await sized.said('ready');
      // A thread may block every signal for a moment when it begins.
      const found = (): Record<string, number> => {
        const roles = json(`${sized.pid}`)[0]?.threads.map(({ role }) => role) ?? [];
        return { worker: roles.filter((role) => role === 'worker').length, libuv: roles.filter((role) => role === 'libuv').length };
      };
      await expect.poll(found, { timeout: 10_000 }).toEqual({ worker: 2, libuv: threads });
    } finally {
      sized.child.kill('SIGKILL');
      await sized.ended;
    }
  });

  // Who is a worker is inferred from a moment: one that runs just then may be taken for a thread of the pool.
  it.runIf(two && spawnSync('taskset', ['--version']).status === 0)('tells where taskset has put a thread', { retry: 3 }, () => {
    const [found] = json(`${seen.pid}`);
    const [first, second] = found?.threads.filter(({ role }) => role === 'worker') ?? [];
    const pool = found?.threads.find(({ role }) => role === 'libuv');
    const place = (thread: Thread | undefined, where: string): void => {
      execFileSync('taskset', ['-cp', where, `${thread?.tid}`], { stdio: 'ignore' });
    };
    place(first, `${a}`);
    place(second, `${b}`);
    place(pool, `${b}`);
    try {
      const [after] = json(`${seen.pid}`);
      const allowed = (tid: number | undefined): string | undefined => after?.threads.find((thread) => thread.tid === tid)?.allowed;
      expect([allowed(first?.tid), allowed(second?.tid), allowed(pool?.tid), allowed(seen.pid)]).toEqual([`${a}`, `${b}`, `${b}`, list]);
      const { stdout } = command(`${seen.pid}`);
      const row = (cpu: number): string | undefined => stdout.split('\n').find((line) => new RegExp(`^${cpu}  +\\S`).test(line));
      expect(row(a)).toMatch(/^\d+ +worker/);
      expect(row(b)).toMatch(/^\d+ +worker, libuv/);
      expect(stdout).toMatch(new RegExp(`^${first?.tid} +worker +inferred +\\S+ +${a} `, 'm'));
    } finally {
      for (const thread of [first, second, pool]) place(thread, list);
    }
  });

  it('without a PID tells of every Node process a line, not of itself', () => {
    const all = json();
    expect(all.map(({ pid }) => pid)).toContain(seen.pid);
    expect(all.map(({ pid }) => pid)).toContain(process.pid);
    expect(all.some((one) => one.arguments.includes(main))).toBe(false);
    const { status, stdout } = command();
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${seen.pid} `, 'm'));
  });

  // What a terminal obeys: an escape, a bell, a new line.
  const unruly = 'x\u001b[2J\u0007\ny';

  it('a name that a terminal would obey is shown without that, and as it is in the document', async () => {
    const named = new Running([
      node,
      '-e',
      "require('node:fs').writeFileSync('/proc/self/comm', process.argv[1]); console.log('named'); setTimeout(() => {}, 60000)",
      unruly,
    ]);
    try {
      await named.said('named');
      const { status, stdout } = command(`${named.pid}`);
      expect({ status, obeyed: /[^\P{Cc}\n]/u.exec(stdout) }).toEqual({ status: 0, obeyed: null });
      expect(stdout.split('\n')[0]).toMatch(/^process \d+ · \d+ threads · .*x \[2J {2}y$/);
      expect(stdout).toMatch(new RegExp(`^${named.pid} +main +known +x \\[2J {2}y `, 'm'));
      const [found] = json(`${named.pid}`);
      expect(found?.threads.find(({ role }) => role === 'main')?.name).toBe(unruly);
      expect(found?.arguments.at(-1)).toBe(unruly);
    } finally {
      named.child.kill('SIGKILL');
      await named.ended;
    }
  });

  it("so is the file of a program that is none of Node's", async () => {
    using folder = new Folder({});
    cpSync(realpathSync(`/proc/${other.pid}/exe`), folder.file(unruly));
    const sleeping = new Running([folder.file(unruly), '60'], { argv0: 'sleep' });
    try {
      await expect.poll(() => command(`${sleeping.pid}`).stderr, { timeout: 10_000 }).toMatch(/it runs \/.*x \[2J {2}y\n$/);
    } finally {
      sleeping.child.kill('SIGKILL');
      await sleeping.ended;
    }
  });

  it('several PIDs', () => {
    expect(json(`${seen.pid}`, `${process.pid}`, `${seen.pid}`).map(({ pid }) => pid)).toEqual([seen.pid, process.pid]);
  });

  it.each([
    ['no process', () => '4194304', 'there is no process 4194304'],
    ["none of Node's", () => `${other.pid}`, 'it runs '],
    ['a thread', () => `${[...threadsByProc(seen.pid).keys()].find((tid) => tid !== seen.pid)}`, 'is a thread of process'],
  ])('%s: status 1, and says so; what else was asked for is shown', (_, pid, message) => {
    const alone = command(pid());
    expect(alone).toMatchObject({ status: 1, stdout: '' });
    expect(alone.stderr).toContain(message);
    expect(alone.stderr.trim().split('\n')).toHaveLength(1);
    const both = command('--json', pid(), `${seen.pid}`);
    expect(both.status).toBe(1);
    expect((JSON.parse(both.stdout) as { processes: Process[] }).processes.map((one) => one.pid)).toEqual([seen.pid]);
    expect(command('--watch', pid()).status).toBe(1);
  });

  it('a process that has ended is none, its parent having looked or not', async () => {
    const brief = new Running([node, '-e', '0']);
    await brief.ended;
    expect(command(`${brief.pid}`)).toMatchObject({ status: 1, stderr: `groupaffinity: there is no process ${brief.pid}\n` });
    // The shell becomes a program that never looks at its child, which stays a zombie.
    const parent = new Running(['sh', '-c', '"$0" -e 0 & echo "child $!"; exec sleep 30', node]);
    const zombie = /child (\d+)/.exec(await parent.said(/child \d+/))?.[1] ?? '';
    try {
      await expect.poll(() => runs(Number(zombie)), { timeout: 10_000 }).toBe(false);
      expect(command(zombie)).toMatchObject({ status: 1, stderr: `groupaffinity: there is no process ${zombie}\n` });
    } finally {
      parent.child.kill('SIGKILL');
      await parent.ended;
    }
  });

  it.each([
    [['abc'], 'a PID is a whole number'],
    [['0'], 'a PID is a whole number'],
    [['-1'], 'Unknown option'],
    [['1.5'], 'a PID is a whole number'],
    [['99999999999'], 'a PID is a whole number'],
    [['--watch=0'], '--watch is a number of seconds'],
    [['--watch=x'], '--watch is a number of seconds'],
    [['--watch='], '--watch is a number of seconds'],
    [['--json', '--watch', '1'], 'take one of them'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])('%j is wrong usage: status 2', (args, message) => {
    const { status, stdout, stderr } = command(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: groupaffinity ps');
  });
});

const noUsers = process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0 ? undefined : 'needs root and setpriv';

describe("another user's processes", () => {
  let folder: string;
  beforeAll(() => {
    // Where everybody may read.
    folder = mkdtempSync(join(tmpdir(), 'groupaffinity-ps-'));
    cpSync(join(checkout, 'dist'), join(folder, 'dist'), { recursive: true });
    cpSync(join(checkout, 'package.json'), join(folder, 'package.json'));
    cpSync(join(checkout, 'build', 'Release', 'groupaffinity.node'), join(folder, 'build', 'Release', 'groupaffinity.node'));
    execFileSync('chmod', ['-R', 'a+rX', folder]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const nobody = (...args: string[]) => [
    'setpriv',
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    node,
    join(folder, 'dist', 'cli', 'main.js'),
    'ps',
    ...args,
  ];
  const run = ([file = '', ...args]: string[]) => spawnSync(file, args, { encoding: 'utf8' });

  it.skipIf(noUsers !== undefined)(unless('are shown when asked for, and not listed', noUsers), () => {
    const shown = run(nobody('--json', `${seen.pid}`));
    expect(shown).toMatchObject({ status: 0, stderr: '' });
    const [found] = (JSON.parse(shown.stdout) as { processes: Process[] }).processes;
    expect(found).toMatchObject({ pid: seen.pid, user: 0, program: '' });
    expect(found?.threads).toHaveLength(threadsByProc(seen.pid).size);
    expect(run(nobody())).toMatchObject({ status: 0, stdout: 'no Node process of this user runs\n' });
  });

  it.skipIf((noUsers ?? noMounts) !== undefined)(unless('that the system hides are not there', noUsers ?? noMounts), () => {
    const hidden = run(['unshare', '-m', 'sh', '-c', 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', 'sh', ...nobody(`${seen.pid}`)]);
    expect(hidden).toMatchObject({ status: 1, stdout: '', stderr: `groupaffinity: there is no process ${seen.pid}\n` });
  });
});

describe('ps --watch', () => {
  it('goes on without a terminal in plain text, with rates, until Ctrl-C', async () => {
    const watch = new Running([node, main, 'ps', '--watch=0.2', `${seen.pid}`]);
    await watch.said(/(process \d+ ·[^]*){3}/);
    watch.child.kill('SIGINT');
    const { status, stdout, stderr } = await watch.ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toContain('\u001b');
    const worked = stdout
      .split(/^process /m)
      .slice(2)
      .flatMap((frame) => [...frame.matchAll(/^\d+ +worker +.* (\d+) +[\d.]+ +[\d.]+$/gm)].map((match) => Number(match[1])));
    expect(worked.length).toBeGreaterThanOrEqual(2);
    // Each works a quarter of the time, as far as it has a CPU; the clock has steps of 10 ms.
    expect(Math.max(...worked)).toBeGreaterThan(0);
    expect(Math.max(...worked)).toBeLessThanOrEqual(110);
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('%s ends it as it ends any program', async (signal) => {
    const watch = new Running([node, main, 'ps', '--watch', `${seen.pid}`]);
    await watch.said('process');
    watch.child.kill(signal);
    expect(await watch.ended).toMatchObject({ signal, stderr: '' });
  });

  it('ends with the process', async () => {
    const brief = new Running([node, '-e', 'console.log("up"); setTimeout(() => {}, 60000)']);
    await brief.said('up');
    const watch = new Running([node, main, 'ps', '--watch=0.1', `${brief.pid}`]);
    await watch.said('process');
    brief.child.kill('SIGKILL');
    await brief.ended;
    const { status, stdout } = await watch.ended;
    expect(status).toBe(0);
    expect(stdout.trim().split('\n').at(-1)).toBe(`process ${brief.pid} has ended`);
  });

  it('a reader that goes away ends it', () => {
    const { status, stderr } = spawnSync('sh', ['-c', `"${node}" "${main}" ps --watch=0.1 ${seen.pid} | head -n 1`], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  const noTerminal = spawnSync('script', ['--version']).status === 0 ? undefined : 'needs script(1)';
  const terminal = (program: string, columns = 100, rows = 12): Running =>
    // Ctrl-C is for the shell too, and not every sh outlives it.
    new Running(['script', '-qefc', `trap : INT; stty cols ${columns} rows ${rows}; ${program}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { SHELL: '/bin/sh' },
    });
  const screens = '\u001b[?1049h';
  const back = '\u001b[?25h\u001b[?1049l';
  const watching = `'${node}' '${main}' ps --watch=30`;

  it.skipIf(noTerminal !== undefined)(unless('has the terminal to itself, and gives it back: Ctrl-C', noTerminal), async () => {
    const watch = terminal(`${watching} ${seen.pid}; echo "then $?"`);
    await watch.said('more lines');
    watch.child.stdin?.write('\u0003');
    const said = await watch.said(/then \d+/);
    watch.child.stdin?.end();
    expect(said.split(screens)).toHaveLength(2);
    expect(said.split(back)).toHaveLength(2);
    expect(said.indexOf('then 0')).toBeGreaterThan(said.indexOf(back));
    const frame = (said.split(screens)[1]?.split(back)[0] ?? '')
      .split('\u001b')
      .map((part) => part.replace(/^\[[?\d;]*[A-Za-z]/, ''))
      .join('')
      .replaceAll('^C', '');
    const lines = frame.split('\r\n');
    expect(lines).toHaveLength(12);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
    await watch.ended;
  });

  it.skipIf(noTerminal !== undefined)(unless('redraws when the size of the terminal changes', noTerminal), async () => {
    const watch = terminal(`(sleep 1; stty cols 40 rows 5 < /dev/tty) & ${watching} ${seen.pid}; echo "then $?"`, 100, 30);
    await watch.said('more lines');
    watch.child.stdin?.write('\u0003');
    const said = await watch.said(/then \d+/);
    watch.child.stdin?.end();
    await watch.ended;
    const frames = said.split('\u001b[H').slice(1);
    expect(frames.length).toBeGreaterThanOrEqual(2);
    expect(frames.at(-1)?.split('\r\n').length).toBeLessThanOrEqual(6);
    expect(said).toContain(back);
  });

  it.skipIf(noTerminal !== undefined)(unless('gives it back at Ctrl-Z until it goes on', noTerminal), async () => {
    // An interactive shell has job control: stopped, then continued in the foreground, then ended.
    const watch = terminal(`exec bash --norc -i`);
    watch.child.stdin?.write(`${watching} ${seen.pid}\n`);
    await watch.said('more lines');
    watch.child.stdin?.write('\u001a');
    await watch.said('Stopped');
    const stopped = watch.stdout.length;
    expect(watch.stdout).toContain(back);
    watch.child.stdin?.write('fg\n');
    for (const until = Date.now() + 10_000; Date.now() < until && !watch.stdout.slice(stopped).includes('more lines');)
      await new Promise((go) => setTimeout(go, 20));
    expect(watch.stdout.slice(stopped)).toContain(screens);
    watch.child.stdin?.write('\u0003');
    watch.child.stdin?.write('echo "then $?"; exit\n');
    await watch.said(/then 0/);
    watch.child.stdin?.end();
    await watch.ended;
    expect(watch.stdout.split(screens).length).toBe(watch.stdout.split(back).length);
    expect(existsSync(`/proc/${seen.pid}`)).toBe(true);
  });
});
