import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CpuSet, topology } from '../../lib/index.ts';
import { Cpuset, noCpuset } from './cpuset.ts';
import { checkout, cpus } from './own-process.ts';

const examples = join('docs', 'examples');
const names = readdirSync(join(checkout, examples)).filter((name) => name.endsWith('.mjs') && name !== 'measure.mjs');
const everywhere = String(CpuSet.of(cpus));
const first = String(cpus[0]);

/** Milliseconds: an example takes seconds, on a machine that is busy it takes more of them. */
const patience = 120_000;

interface Run {
  readonly process: ChildProcess;
  stdout: string;
  stderr: string;
  /** What the kernel allowed each thread that it showed, each different list once, in order. */
  readonly allowed: Map<number, string[]>;
  /** Resolves to the exit status, or the signal. */
  readonly end: Promise<number | NodeJS.Signals | null>;
}

/** Reads what the kernel says of all threads of a process. */
function look({ process: { pid }, allowed }: Run): void {
  const folder = `/proc/${pid}/task`;
  try {
    for (const tid of readdirSync(folder).map(Number)) {
      const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`${folder}/${tid}/status`, 'utf8'))?.[1] ?? '';
      const lists = allowed.get(tid) ?? [];
      if (lists.at(-1) !== list) allowed.set(tid, [...lists, list]);
    }
  } catch {
    // A thread or the process has ended meanwhile.
  }
}

interface Options {
  seconds?: number;
  under?: string[];
  folder?: string;
}

/** Starts an example in a process group of its own. */
function start(name: string, { seconds = 1, under = [], folder = checkout }: Options = {}): Run {
  const [command, ...args] = [...under, process.execPath, join(folder, examples, name), '--seconds', String(seconds)];
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } });
  const run: Run = {
    process: child,
    stdout: '',
    stderr: '',
    allowed: new Map(),
    end: once(child, 'close').then(([status, signal]) => (status ?? signal) as number | NodeJS.Signals | null),
  };
  child.stdout.on('data', (text) => (run.stdout += text));
  child.stderr.on('data', (text) => (run.stderr += text));
  const looks = setInterval(() => look(run), 5);
  child.once('close', () => clearInterval(looks));
  return run;
}

function isEmptyGroup(group: number): boolean {
  try {
    process.kill(-group, 0);
    return false;
  } catch {
    return true;
  }
}

/** Whoever is told to end needs a moment for it. */
async function ended(group: number): Promise<boolean> {
  for (let tries = 0; tries < 1000 && !isEmptyGroup(group); tries += 1) await sleep(10);
  return isEmptyGroup(group);
}

type Row = Record<string, string>;

/** The tables that an example printed, each of which ends with an empty line. */
function tables(stdout: string): Row[][] {
  return stdout.split('\n\n').flatMap((part) => {
    const lines = part.split('\n').map((line) => line.trimEnd());
    const at = lines.findIndex((line) => /\S {2,}\S/.test(line));
    if (at < 0) return [];
    const header = lines[at] ?? '';
    const starts = [...header.matchAll(/(?:^|(?<= {2}))\S/g)].map(({ index }) => index);
    if (starts[0] !== 0) starts.unshift(0);
    const cut = (line: string): string[] => starts.map((from, column) => line.slice(from, starts[column + 1]).trim());
    const keys = cut(header);
    return [lines.slice(at + 1).map((line) => Object.fromEntries(cut(line).map((cell, column) => [keys[column] ?? '', cell])))];
  });
}

/** The figures of the last table: every median with its range is a number. */
function figures(stdout: string): Map<string, number[]> {
  const rows = tables(stdout).at(-1) ?? [];
  return new Map(
    rows.map(({ '': figure = '', ...ways }) => [
      figure,
      Object.values(ways).map((text) => {
        const [, median, least, most] = /^([\d,.]+) \(([\d,.]+) to ([\d,.]+)\)$/.exec(text) ?? [];
        const [middle, low, high] = [median, least, most].map((number) => Number(number?.replaceAll(',', '') ?? 'NaN'));
        expect(text).toSatisfy(() => (low ?? NaN) <= (middle ?? NaN) && (middle ?? NaN) <= (high ?? NaN));
        return middle ?? NaN;
      }),
    ]),
  );
}

/** What every example says: its machine, figures that are more than nothing, and what they mean. */
function expectFigures(stdout: string, ways: number, ...positive: string[]): void {
  expect(stdout.split('\n')[0]).toMatch(/: CPUs [\d,-]+ of [\d,-]+, NUMA nodes: \d+; Linux \d+\.\d+, Node \d+\.\d+\.\d+$/);
  const found = figures(stdout);
  for (const figure of positive) {
    const medians = found.get(figure) ?? [];
    expect(medians, figure).toHaveLength(ways);
    for (const median of medians) expect(median, figure).toBeGreaterThan(0);
  }
  const verdicts = /^.+: .+ has [\d,.]+ \([\d,.]+ to [\d,.]+\) times what .+ has, (?:better|worse|no difference to be seen here)\.$/gm;
  expect(stdout.match(verdicts)).not.toBeNull();
}

/** The part of each core that may be used. */
const coresIn = (usable: string): string[] =>
  topology()
    .cores.map((core) => core.cpus.intersect(CpuSet.parse(usable)))
    .filter(({ size }) => size > 0)
    .map(String);

/** Checks an example's output against what the kernel showed meanwhile; `usable` are the CPUs that it was given. */
const claims: Record<string, (run: Run, usable: string) => void> = {
  'hash-service.mjs'({ stdout, allowed }, usable) {
    const [workers = []] = tables(stdout);
    expect(new Set(workers.map(({ 'its CPUs': seat }) => seat))).toEqual(new Set(coresIn(usable)));
    expect(workers).toHaveLength(coresIn(usable).length);
    for (const { tid, 'its CPUs': seat = '', 'kernel allows': told, 'ran last on': last } of workers) {
      expect(told).toBe(seat);
      expect(allowed.get(Number(tid))?.at(-1)).toBe(seat);
      expect(CpuSet.parse(seat).has(Number(last))).toBe(true);
    }
    expectFigures(stdout, 2, 'hashes a second', 'p99 latency, ms');
    expect(figures(stdout).get('moves to another CPU')?.[0]).toBe(0);
  },

  'http-server.mjs'({ stdout, allowed, process: { pid } }, usable) {
    const [all = []] = tables(stdout);
    const roles = new Set(all.map(({ role }) => role));
    expect([roles.has('main'), roles.has('libuv'), roles.has('v8')]).toEqual([true, true, true]);
    const of = (wanted: string): Row[] => all.filter(({ role }) => role === wanted);
    const loop = CpuSet.parse(of('main')[0]?.['kernel allows'] ?? '');
    const cores = coresIn(usable);
    expect(cores).toContain(String(loop));
    for (const { tid, 'kernel allows': told = '' } of [...of('main'), ...of('libuv'), ...of('v8')]) {
      const seen = allowed.get(Number(tid)) ?? [];
      expect(seen).toContain(told);
      expect(seen.filter((list) => ![told, usable, everywhere].includes(list))).toEqual([]);
      expect(Number(tid) === pid || cores.length === 1 || loop.intersect(CpuSet.parse(told)).size === 0).toBe(true);
    }
    expectFigures(stdout, 2, 'median latency, ms', 'p99 latency, ms', 'p99 turn of the event loop, ms');
    expect(figures(stdout).has('MiB compressed a second')).toBe(true);
  },

  'numa-pools.mjs'({ stdout, allowed }, usable) {
    const [workers = []] = tables(stdout);
    const nodes = topology().numaNodes.filter((node) => node.cpus.intersect(CpuSet.parse(usable)).size > 0);
    expect(new Set(workers.map(({ node }) => node))).toEqual(new Set(nodes.map(({ id }) => String(id))));
    for (const { tid, 'its CPUs': ofNode = '', 'kernel allows': told = '' } of workers) {
      expect(coresIn(ofNode)).toContain(told);
      expect(allowed.get(Number(tid))?.at(-1)).toBe(told);
    }
    expectFigures(stdout, nodes.length > 1 ? 3 : 2, 'ns a look-up');
    expect(stdout.includes('There is one NUMA node')).toBe(nodes.length === 1);
  },

  'miniport.mjs'({ stdout, allowed }, usable) {
    const threads = [...stdout.matchAll(/^group (\d+): thread (\d+) has mask 0x([0-9a-f]+), by the kernel CPUs ([\d,-]+);$/gm)];
    const groups = CpuSet.parse(usable).toGroups();
    expect(new Set(threads.map(([, group]) => Number(group)))).toEqual(new Set(groups.map(({ group }) => group)));
    for (const [, group, tid, mask, told = ''] of threads) {
      expect(BigInt(`0x${mask}`)).toBe(groups.find((one) => one.group === Number(group))?.mask);
      // It goes from processor to processor, and none of them is another group's.
      const seen = allowed.get(Number(tid)) ?? [];
      expect(seen.filter((list) => list !== usable && !CpuSet.parse(list).isSubsetOf(CpuSet.parse(told)))).toEqual([]);
      if (CpuSet.parse(told).size > 1) expect(seen.filter((list) => CpuSet.parse(list).size === 1)).not.toEqual([]);
    }
    expect(stdout).toContain('it completes requests at IRQL 2.');
    expectFigures(stdout, 3, '% on their processor', 'µs a request');
    expect(figures(stdout).get('% on their processor')?.[0]).toBe(100);
    expect(stdout).toMatch(
      /^A Set and its Revert cost -?[\d.,]+ \(-?[\d.,]+ to -?[\d.,]+\) µs where the thread stays, -?[\d.,]+ \(-?[\d.,]+ to -?[\d.,]+\) µs where the Set moves it\.$/m,
    );
  },
};

/** How an example ends that did all it should. */
const good = { status: 0, stderr: '', leavesNothing: true };

async function finish(run: Run): Promise<object> {
  const status = await run.end;
  return { status, stderr: run.stderr, leavesNothing: await ended(run.process.pid ?? 0) };
}

describe('docs/examples', () => {
  it('has a check for every example, and a word on it', () => {
    expect(Object.keys(claims).sort()).toEqual([...names].sort());
    const text = readFileSync(join(checkout, examples, 'README.md'), 'utf8');
    for (const name of names) expect(text).toContain(`[${name}](${name})`);
  });

  for (const name of names) {
    it(`${name} does what it says`, { timeout: patience }, async () => {
      const run = start(name, { seconds: 2 });
      expect(await finish(run)).toEqual(good);
      claims[name]?.(run, everywhere);
    });

    it(`${name} works on one CPU`, { timeout: patience }, async () => {
      const run = start(name, { under: ['taskset', '-c', first] });
      expect(await finish(run)).toEqual(good);
      claims[name]?.(run, first);
    });

    it.skipIf(noCpuset !== undefined)(`${name} works in a cpuset`, { timeout: patience }, async () => {
      const last = String(cpus.at(-1));
      using cpuset = new Cpuset(last);
      const run = start(name, { under: cpuset.under });
      expect(await finish(run)).toEqual(good);
      claims[name]?.(run, last);
    });

    it(`${name} ends with Ctrl-C, and its processes with it`, { timeout: patience }, async () => {
      const run = start(name, { seconds: 60 });
      const { pid = 0 } = run.process;
      while (!run.stdout.includes('\n\n') && run.process.exitCode === null) await sleep(10);
      process.kill(pid, 'SIGINT');
      expect(await finish(run)).toEqual({ ...good, status: 'SIGINT' });
    });

    it.each([
      [['--seconds', 'NaN'], 2, /^--seconds NaN: .+\n\nUsage: node /],
      [['--nonsense'], 2, /^Unknown option '--nonsense'.*\n\nUsage: node /],
      [['nonsense'], 2, /^Unexpected argument 'nonsense'.*\n\nUsage: node /],
      [['--help'], 0, /^Usage: node /],
    ])(`${name} %j: status %i, and how it is meant`, (args, status, text) => {
      const said = spawnSync(process.execPath, [join(checkout, examples, name), ...args], { encoding: 'utf8' });
      expect(said.status).toBe(status);
      expect(said.stdout + said.stderr).toMatch(text);
    });
  }
});

describe('without Piscina', () => {
  /** The package, installed where there is nothing else. */
  function alone(): string {
    const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-alone-'));
    for (const name of ['docs', 'package.json']) cpSync(join(checkout, name), join(folder, name), { recursive: true });
    symlinkSync(join(checkout, 'dist'), join(folder, 'dist'));
    return folder;
  }

  it.each(['hash-service.mjs', 'numa-pools.mjs'])('%s says what to install', async (name) => {
    const folder = alone();
    try {
      const run = start(name, { folder });
      expect([await run.end, run.stdout, run.stderr]).toEqual([1, '', `${name} needs Piscina: npm install piscina\n`]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each(['http-server.mjs', 'miniport.mjs'])('%s does without', { timeout: patience }, async (name) => {
    const folder = alone();
    try {
      const run = start(name, { folder });
      expect(await finish(run)).toEqual(good);
      claims[name]?.(run, everywhere);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
