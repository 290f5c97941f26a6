import { fork, spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BenchDocument, ScenarioResult, TimesResult } from '../../lib/bench/result.ts';
import { passesOf } from '../../lib/bench/run.ts';
import { mostCpus, mostWorkers } from '../../lib/bench/scenarios.ts';
import { trim } from '../../lib/bench/statistics.ts';
import type { Answer, Order, Outcome, Task } from '../../lib/bench/task.ts';
import { BrokenSystem, noCompiler } from './broken-system.ts';
import { checkout, cpus, unless } from './own-process.ts';

const main = join(checkout, 'dist', 'cli', 'main.js');
const scenarioFile = join(checkout, 'dist', 'bench', 'scenario.js');
const options = { encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
const command = (...args: string[]): SpawnSyncReturns<string> => spawnSync(process.execPath, [main, 'bench', ...args], options);

const oneCpu = cpus.length < 2 ? 'needs two CPUs' : undefined;
/** On a machine that others use as well, a quick run takes its time. */
const patience = 240_000;

const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Processes of scenarios of this checkout, whoever started them. */
function scenarioProcesses(): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(scenarioFile) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

async function until(condition: () => boolean, milliseconds = 60_000): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > end) throw new Error('it did not come to that');
    await sleep(20);
  }
}

it('--list leaves the page of --html alone', () => {
  const page = join(folder, 'list.html');
  expect(command('--list', '--html', page).status).toBe(0);
  expect(existsSync(page)).toBe(false);
});

describe('groupaffinity bench --quick --json', () => {
  const chosen = ['set.stays', 'set.moves', 'pin.scope', 'jitter.pinned', 'throughput.compute', 'round-trips'];
  let run: SpawnSyncReturns<string>;
  let document: BenchDocument;
  beforeAll(() => {
    run = command('--quick', '--json', ...chosen);
    document = JSON.parse(run.stdout) as BenchDocument;
  }, patience);

  function result<K extends 'times' | 'rate' | 'pairs'>(kind: K, id: string): Extract<ScenarioResult, { kind: K }> {
    const found = document.scenarios.find((scenario) => scenario.id === id);
    if (found?.kind !== kind) throw new Error(`${id}: ${JSON.stringify(found)}`);
    return found as Extract<ScenarioResult, { kind: K }>;
  }

  it('is one document and nothing else, and good', () => {
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    expect(Object.keys(document)).toEqual(['machine', 'begun', 'seconds', 'quick', 'passes', 'complete', 'scenarios', 'summary']);
    expect(document).toMatchObject({ quick: true, passes: 6, complete: true });
    expect(new Date(document.begun).toISOString()).toBe(document.begun);
  });

  it('tells the machine as the kernel does', () => {
    expect(document.machine).toMatchObject({ platform: process.platform, arch: process.arch, node: process.versions.node });
    expect(document.machine.cpuModel).not.toBe('');
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
    if (flags !== undefined) expect(document.machine.hypervisor).toBe(flags.includes(' hypervisor'));
    expect(document.machine.picture).toContain('processor group');
  });

  it('has every scenario that was asked for, in the order of the list', () => {
    const ids = document.scenarios.map(({ id }) => id);
    const list = command('--list', ...chosen)
      .stdout.trimEnd()
      .split('\n');
    expect(list.map((line) => line.split(/ {2,}/))).toEqual(document.scenarios.map(({ id, sentence }) => [id, sentence]));
    expect(ids.every((id) => chosen.some((beginning) => id.startsWith(beginning)))).toBe(true);
    for (const scenario of document.scenarios) {
      expect(scenario.kind).not.toBe('fail');
      if (scenario.kind === 'skip') expect(scenario.reason).toMatch(/\w+ \w+/);
    }
  });

  it('times keep the contract: { id, unit, n, p50, p99, p999, min, max, floorRatio? }', () => {
    const times = document.scenarios.filter((scenario): scenario is TimesResult => scenario.kind === 'times');
    expect(times.length).toBeGreaterThan(2);
    for (const { unit, n, min, p50, p90, p99, p999, max, curve, passes, median } of times) {
      expect(unit).toBe('ns');
      expect(n).toBeGreaterThan(0);
      const order = [0, min, p50, p90, p99, p999, max];
      expect(order).toEqual([...order].sort((a, b) => a - b));
      expect([curve[0], curve.at(-1)]).toEqual([
        [0, min],
        [1, max],
      ]);
      expect(passes).toHaveLength(6);
      expect(median.low).toBe(Math.min(...passes));
      expect(median.high).toBe(Math.max(...passes));
    }
  });

  it('a call is some times as dear as a bare one, and never for nothing', () => {
    for (const id of ['set.stays', 'pin.scope']) {
      const { floor, floorRatio = 0, floorRatioInterval: [low, high] = [0, 0], p50 } = result('times', id);
      expect(floorRatio).toBeGreaterThan(0.2);
      expect(floorRatio).toBeLessThan(20);
      expect(low).toBeLessThanOrEqual(floorRatio);
      expect(high).toBeGreaterThanOrEqual(floorRatio);
      expect(floor?.value).toBeGreaterThan(50);
      expect(p50).toBeLessThan(1e8);
    }
  });

  it.skipIf(oneCpu !== undefined)(unless('pinned workers were on their seats alone, by their own word and the record', oneCpu), () => {
    for (const way of ['spread', 'packed']) {
      const { workers, passes, n, strays, rate } = result('rate', `throughput.compute.${way}`);
      expect(passes).toHaveLength(6);
      expect(n + strays).toBe(6);
      expect(rate.value).toBeGreaterThan(1000);
      expect(workers.length).toBeGreaterThan(1);
      for (const { allowed, seen } of workers) expect(seen).toBe(allowed);
    }
  });

  it.skipIf(oneCpu !== undefined)(unless('round trips take longer than nothing, and have as many passes', oneCpu), () => {
    const { pairs, cpus: measured, omitted } = result('pairs', 'round-trips');
    expect(pairs).toHaveLength((measured.length * (measured.length - 1)) / 2);
    if (cpus.length <= 16) expect({ measured, omitted }).toEqual({ measured: cpus, omitted: '' });
    for (const { p50, passes, n } of pairs) {
      expect(p50).toBeGreaterThan(1);
      expect(passes.length).toBeGreaterThan(0);
      expect(n).toBeGreaterThan(0);
    }
  });

  it('the summary begins with the answer, and tells the noise', () => {
    expect(document.summary[0]).toMatch(/^Does pinning pay here\? \w/);
    expect(document.summary.join('\n')).toMatch(/Noise: other programs took \d/);
  });

  it(
    'is compared with the next run of the same machine, and with no run of another',
    () => {
      const before = join(folder, 'before.json');
      writeFileSync(before, run.stdout);
      const again = JSON.parse(command('--quick', '--json', '--compare', before, 'set.stays', 'set.revert').stdout) as BenchDocument;
      expect(again.comparison).toMatchObject({ before: document.begun, machines: [], changes: [] });
      const [stays, revert] = again.comparison?.differences ?? [];
      expect(stays?.verdict).toMatch(/^(faster|slower|no difference to see)$/);
      expect(stays?.speed?.value).toBeGreaterThan(0);
      expect(revert).toMatchObject({ verdict: "can't be compared", reason: 'not measured before' });

      writeFileSync(before, JSON.stringify({ ...document, machine: { ...document.machine, cpuModel: 'Z\u001b[2J80' } }));
      const { status, stdout } = command('--quick', '--compare', before, 'set.stays');
      expect(status).toBe(0);
      expect(stdout).toContain('Another machine, so nothing can be compared:');
      expect(stdout).toContain('processor: Z [2J80 before');
      expect(stdout).not.toMatch(/\b(faster|slower)\b/);
    },
    patience,
  );
});

describe('wrong usage', () => {
  const claims = join(folder, 'claims.json');
  writeFileSync(claims, JSON.stringify({ machine: {}, claims: [], passed: 0, failed: 0, skipped: 0 }));
  const broken = join(folder, 'broken.json');
  writeFileSync(broken, '{"machine": {');

  it.each([
    [['set.stay', 'set.stasy'], "no scenario begins with 'set.stasy'; near it are set.stays"],
    [['jiter'], 'jitter.'],
    [['Set'], "no scenario begins with 'Set'"],
    [[''], "no scenario begins with ''"],
    [['--compare'], 'argument missing'],
    [['--compare', join(folder, 'nowhere.json')], '--compare: ENOENT'],
    [['--compare', folder], '--compare: EISDIR'],
    [['--compare', broken], 'broken.json: it is no JSON'],
    [['--compare', claims], 'claims.json: it is no result of groupaffinity bench --json: machine.platform is no text'],
    [['--quick=5'], "'--quick' does not take an argument"],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])('%j: status 2 at once, and says so', (args, message) => {
    const { status, stdout, stderr } = command(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: groupaffinity bench');
  });
});

describe('people', () => {
  const erase = '\u001b[K';
  const noTerminal = spawnSync('script', ['--version']).status === 0 ? undefined : 'needs the program script';

  it.skipIf(noTerminal !== undefined).each([80, 120])(
    unless('on a terminal of %i columns see how far it is, then tables that fit', noTerminal),
    (columns) => {
      const inner = `stty cols ${columns} && '${process.execPath}' '${main}' bench --quick set.stays jitter.pinned throughput.compute.free`;
      const { status, stdout } = spawnSync('script', ['--quiet', '--return', '--command', inner, '/dev/null'], options);
      expect(status).toBe(0);
      expect(stdout).toMatch(/\d+ % · \d+ s left · pass \d of 6 · set\.stays/);
      // Each new word on the progress begins with these; what they wrote over is gone.
      const shown = stdout.split('\n').map((line) => (line.split(erase).at(-1) ?? '').trimEnd());
      expect(shown.filter((line) => line.length > columns)).toEqual([]);
      expect(shown.join('\n')).toMatch(/^scenario +.*of bare calls$/m);
      expect(shown.join('\n')).toMatch(/^set\.stays +/m);
      expect(shown.join('\n')).toMatch(/^Does pinning pay here\? /m);
      expect(shown.join('\n')).not.toContain(erase[0]);
    },
    patience,
  );
});

describe('one CPU', () => {
  it(
    'leaves what needs two undone, with the reason, and is good',
    () => {
      const { status, stdout } = spawnSync(
        'taskset',
        ['-c', `${cpus[0]}`, process.execPath, main, 'bench', '--quick', '--json', 'set.stays', 'remote', 'jitter.free', 'throughput'],
        options,
      );
      const { scenarios, machine } = JSON.parse(stdout) as BenchDocument;
      expect(status).toBe(0);
      expect(machine.allowed).toBe(`${cpus[0]}`);
      expect(scenarios.filter(({ kind }) => kind === 'times').map(({ id }) => id)).toEqual(['set.stays']);
      for (const scenario of scenarios.slice(1)) expect(scenario).toMatchObject({ kind: 'skip', reason: expect.stringMatching(/^needs /) });
    },
    patience,
  );
});

describe('the end before the end', () => {
  interface Ended {
    status: number | string;
    out: string;
    error: string;
  }

  function begin(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
    // A group of its own, as a terminal makes one for every command.
    const child = spawn(process.execPath, [main, 'bench', ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let [out, error] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text));
    const ended = new Promise<Ended>((end) => child.once('close', (code, by) => end({ status: by ?? code ?? -1, out, error })));
    return { child, ended };
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s to the whole group: what there is is told, the status is 1, and no process is left',
    async (signal) => {
      const { child, ended } = begin('--json', 'jitter.pinned', 'set.stays');
      await until(() => scenarioProcesses().length > 0);
      await sleep(1500);
      const begun = performance.now();
      process.kill(-(child.pid ?? 0), signal);
      const { status, out, error } = await ended;
      expect(performance.now() - begun).toBeLessThan(20_000);
      expect({ status, error }).toEqual({ status: 1, error: '' });
      const { complete, scenarios, summary } = JSON.parse(out) as BenchDocument;
      expect(complete).toBe(false);
      expect(scenarios.map(({ id }) => id)).toEqual(['set.stays', 'jitter.pinned']);
      for (const scenario of scenarios)
        if (scenario.kind === 'skip') expect(scenario.reason).toBe('interrupted');
        else expect((scenario as TimesResult).passes.length).toBeLessThan(12);
      expect(summary.length).toBeGreaterThan(0);
      expect(scenarioProcesses()).toEqual([]);
    },
    patience,
  );

  it(
    'Ctrl-C as people see it: the tables of what there is',
    async () => {
      const { child, ended } = begin('set', 'throughput');
      await until(() => scenarioProcesses().length > 0);
      child.kill('SIGINT');
      const { status, out } = await ended;
      expect(status).toBe(1);
      expect(out).toMatch(/^interrupted: \d+ of \d+ scenarios were not reached$/m);
      expect(out).toMatch(/too few passes|The run was interrupted|Nothing was measured/);
      expect(scenarioProcesses()).toEqual([]);
    },
    patience,
  );

  it(
    'killed outright: the process of the scenario ends by itself',
    async () => {
      const { child, ended } = begin('throughput.compute.free');
      await until(() => scenarioProcesses().length > 0);
      child.kill('SIGKILL');
      await ended;
      await until(() => scenarioProcesses().length === 0);
      expect(scenarioProcesses()).toEqual([]);
    },
    patience,
  );
});

describe('a scenario’s process', () => {
  async function answerOf(task: Task, milliseconds: number, meanwhile: (child: ChildProcess) => void = () => undefined): Promise<Answer> {
    const order: Order = { task, milliseconds, part: 0 };
    const child = fork(scenarioFile, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const answer = once(child, 'message') as Promise<[Answer]>;
    // Not 'close': a parent that was busy when its child went is not told of that.
    const ended = once(child, 'exit');
    child.send(order);
    meanwhile(child);
    const [said] = await Promise.race([answer, ended.then(() => Promise.reject(new Error('the process ended without an answer')))]);
    child.disconnect();
    await ended;
    return said;
  }

  async function outcomeOf<K extends Outcome['kind']>(
    kind: K,
    task: Task,
    milliseconds: number,
    meanwhile?: (child: ChildProcess) => void,
  ): Promise<Extract<Outcome, { kind: K }>> {
    const answer = await answerOf(task, milliseconds, meanwhile);
    if ('error' in answer || answer.outcome.kind !== kind) throw new Error(JSON.stringify(answer));
    return answer.outcome as Extract<Outcome, { kind: K }>;
  }

  const [one = 0] = cpus;
  const other = cpus.at(-1) ?? 0;

  /** Sends all of its threads to a CPU, again and again. */
  const meddle =
    (cpu: number) =>
    (child: ChildProcess): void => {
      const timer = setInterval(() => spawnSync('taskset', ['-a', '-c', '-p', `${cpu}`, `${child.pid}`]), 100);
      child.once('message', () => clearInterval(timer));
    };

  it.skipIf(oneCpu !== undefined)(
    unless('the spinning thread is where it is said to be, by the kernel’s own record', oneCpu),
    async () => {
      const seen: string[] = [];
      const watch = (child: ChildProcess): void => {
        const timer = setInterval(() => {
          try {
            for (const task of readdirSync(`/proc/${child.pid}/task`)) {
              const status = readFileSync(`/proc/${child.pid}/task/${task}/status`, 'utf8');
              const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1];
              const stat = readFileSync(`/proc/${child.pid}/task/${task}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
              if (allowed === `${other}`) seen.push(`${allowed} ${stat[36]}`);
            }
          } catch {
            // It has ended.
          }
        }, 50);
        child.once('message', () => clearInterval(timer));
      };
      const { strays } = await outcomeOf('times', { kind: 'gaps', cpu: other }, 800, watch);
      expect(strays).toBe(0);
      expect(new Set(seen)).toEqual(new Set([`${other} ${other}`]));
    },
    patience,
  );

  it.skipIf(oneCpu !== undefined)(
    unless('a spinning thread that somebody moves is counted as a stray', oneCpu),
    async () => {
      const { strays } = await outcomeOf('times', { kind: 'gaps', cpu: other }, 1500, meddle(one));
      expect(strays).toBeGreaterThan(0);
    },
    patience,
  );

  it.skipIf(oneCpu !== undefined)(
    unless('calls on a thread that somebody moves are thrown away', oneCpu),
    async () => {
      const task: Task = { kind: 'calls', call: 'pin', first: `${other}`, second: '', seats: [other, other] };
      const { strays, samples } = await outcomeOf('times', task, 1500, meddle(one));
      expect(strays).toBeGreaterThan(0);
      const undisturbed = await outcomeOf('times', task, 300);
      expect(undisturbed.samples.length).toBeGreaterThan(undisturbed.strays);
      expect(samples.length + strays).toBeGreaterThan(0);
    },
    patience,
  );

  it.skipIf(oneCpu !== undefined)(
    unless('workers that somebody moves are seen to be off their seats', oneCpu),
    async () => {
      const task: Task = { kind: 'work', load: 'compute', workers: 2, seats: [`${one}`, `${other}`] };
      const { strays, workers } = await outcomeOf('rate', task, 1500, meddle(one));
      expect(strays).toBeGreaterThan(0);
      expect(workers.map(({ allowed }) => allowed).sort()).not.toEqual([`${one}`, `${other}`]);
    },
    patience,
  );

  it('what it cannot do it says', async () => {
    expect(await answerOf({ kind: 'gaps', cpu: 60_000 }, 10)).toHaveProperty('error', expect.stringMatching(/refused CPU 60000/));
    expect(await answerOf({ kind: 'calls', call: 'set', first: '', second: '', seats: [0, 0] }, 10)).toHaveProperty('error');
  });
});

const noFaults = noCompiler ?? oneCpu;

describe.skipIf(noFaults !== undefined)('a broken operating system', () => {
  let system: BrokenSystem;
  beforeAll(() => {
    system = new BrokenSystem();
  });
  afterAll(() => system[Symbol.dispose]());

  const broken = (fault: string, ...args: string[]) => {
    const { status, stdout } = spawnSync(process.execPath, [main, 'bench', '--quick', '--json', ...args], {
      ...options,
      env: system.with(fault),
    });
    return { status, scenarios: (JSON.parse(stdout) as BenchDocument).scenarios };
  };

  it(
    unless('that tells CPU 0 wherever a thread runs: nothing is left of what ran elsewhere, and the status is 1', noFaults),
    () => {
      const ids = ['set.stays', 'pin.scope', 'jitter.pinned', 'round-trips'];
      const { status, scenarios } = broken('one-cpu-only', ...ids, 'throughput.compute.spread');
      for (const id of ids)
        expect(scenarios.find((scenario) => scenario.id === id)).toMatchObject({
          kind: 'fail',
          reason: expect.stringMatching(/^no sample is left: .* elsewhere in all \d/),
        });
      // A worker that never ran in a pass has said nothing of where.
      const workers = scenarios.find(({ id }) => id === 'throughput.compute.spread');
      expect(workers?.kind === 'rate' ? workers.strays : 6).toBeGreaterThan(0);
      expect(status).toBe(1);
    },
    patience,
  );

  it(
    unless('that accepts a set and does nothing: no call is a sample', noFaults),
    () => {
      const { status, scenarios } = broken('does-nothing', 'set.stays', 'set.moves.same-l3');
      for (const scenario of scenarios) if (scenario.kind !== 'skip') expect(scenario.kind).toBe('fail');
      expect(status).toBe(1);
    },
    patience,
  );

  it(
    unless('the same library with no fault: all is well', noFaults),
    () => {
      const { status, scenarios } = broken('none', 'set.stays');
      expect({ status, kinds: scenarios.map(({ kind }) => kind) }).toEqual({ status: 0, kinds: ['times'] });
    },
    patience,
  );
});

describe('docs/bench.md', () => {
  const text = readFileSync(join(checkout, 'docs', 'bench.md'), 'utf8');
  const blocks = (language: string): string[] =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, source]) => source ?? '');
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  // What is quick is shown by the same commands as what takes minutes.
  writeFileSync(
    join(tools, 'npx'),
    `#!/bin/sh\n[ "$1 $2" = 'groupaffinity bench' ] || exit 9\nshift 2\nexec '${process.execPath}' '${main}' bench --quick "$@" jitter.pinned\n`,
    { mode: 0o755 },
  );
  const env = { ...process.env, PATH: `${tools}:${process.env['PATH']}` };
  const lines = blocks('sh').flatMap((block) => block.trimEnd().split('\n'));

  it(
    'every command in it runs, one after the other',
    () => {
      expect(lines.length).toBeGreaterThan(4);
      for (const line of lines)
        expect(spawnSync('sh', ['-e', '-c', line], { ...options, cwd: folder, env }), line).toMatchObject({ status: 0, stderr: '' });
      expect(readFileSync(join(folder, 'report.html'), 'utf8')).toMatch(/^<!doctype html>/i);
      expect((JSON.parse(readFileSync(join(folder, 'before.json'), 'utf8')) as BenchDocument).complete).toBe(true);
    },
    patience,
  );

  it(
    'every program in it runs',
    () => {
      const programs = blocks('js');
      expect(programs.length).toBeGreaterThan(0);
      for (const source of programs) {
        writeFileSync(join(folder, 'program.mjs'), source);
        const { status, stdout } = spawnSync(process.execPath, ['program.mjs'], { ...options, cwd: folder, env });
        expect(status).toBe(0);
        expect(stdout).toMatch(/^set\.stays [\d,]+ samples, p50 [\d.]+ ns, p99\.9 [\d.]+ ns [\d.]+$/m);
        expect(stdout).toMatch(/^Does pinning pay here\?/m);
      }
    },
    patience,
  );

  it('names every scenario, and none that there is not', () => {
    const ids = command('--list')
      .stdout.trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
    const rows = [...text.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, names = '']) =>
      [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    );
    const named = rows.filter((name) => ids.some((id) => id.startsWith(name.split('.')[0] ?? '')));
    const isNamed = (id: string): boolean => named.some((name) => (name.endsWith('*') ? id.startsWith(name.slice(0, -1)) : id === name));
    expect(ids.filter((id) => !isNamed(id))).toEqual([]);
    expect(named.filter((name) => !ids.some((id) => (name.endsWith('*') ? id.startsWith(name.slice(0, -1)) : id === name)))).toEqual([]);
  });

  it('its numbers are those of the program', () => {
    expect(text).toContain(`through all scenarios ${passesOf(false)} times (\`--quick\`: ${passesOf(true)} times)`);
    expect(text).toContain(`at most ${mostWorkers}.`);
    expect(text).toContain(`up to ${mostCpus[1]} CPUs (\`--quick\`: ${mostCpus[0]})`);
    const out = trim(passesOf(false));
    expect(text).toMatch(
      new RegExp(`of ${passesOf(false)} sorted\\s+passes the ${out + 1}rd to the ${passesOf(false) - out}th, of 6 the whole range`),
    );
  });
});
