import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FleetReport } from '../../lib/report/result.ts';
import { composeBench } from '../fixtures/bench-document.ts';
import { put, scaled, validateDocument } from '../fixtures/fleet.ts';
import { checkout } from './own-process.ts';

const main = join(checkout, 'dist', 'cli', 'main.js');
const command = (...args: string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [main, 'report', ...args], { encoding: 'utf8', maxBuffer: 2 ** 28 });

const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-fleet-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('groupaffinity report on 1,400 results', () => {
  const root = join(folder, 'many');
  const page = join(folder, 'report.html');
  let run: SpawnSyncReturns<string>;
  let report: FleetReport;

  beforeAll(() => {
    // A dozen different runs of either layout; the rest are those times a little.
    const runs = [{}, { packages: 2, cores: 4, threads: 2 }].map((shape) =>
      Array.from({ length: 12 }, (_, seed) => composeBench({ ...shape, seed })),
    );
    for (let at = 0; at < 700; at += 1) {
      const run = runs[at % 2]?.[at % 12] as (typeof runs)[number][number];
      const little = Object.fromEntries(run.scenarios.map(({ id }, place) => [id, 1 + 0.002 * ((at * 7 + place) % 11)]));
      const bench = scaled(run, at === 333 ? { ...little, 'set.stays': 4 } : little);
      put(root, `rack-${at % 20}/node-${at}.bench.json`, bench);
      put(root, `rack-${at % 20}/node-${at}.validate.json`, validateDocument(bench.machine, at % 100 === 7 ? ['set.claim-2'] : [], 136));
    }
    put(root, 'rack-3/core-dump.json', '{"claims"');
    run = command('--json', '--html', page, root);
    report = JSON.parse(run.stdout) as FleetReport;
  });

  it('finds what failed, what is unlike the others, and what is no result', () => {
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 1, stderr: '' });
    expect([report.files, report.machines.length, report.unread.length]).toEqual([1401, 700, 1]);
    expect(report.layouts.map(({ machines }) => machines)).toEqual([350, 350]);
    expect(report.failures.map(({ id, machines }) => [id, machines.length])).toEqual([['set.claim-2', 7]]);
    expect(report.outliers.map(({ machine, id, is }) => [machine, id, is])).toEqual([['rack-13/node-333', 'set.stays', 'worse']]);
  });

  it('writes one page of it', () => {
    const text = readFileSync(page, 'utf8');
    expect(text).toContain('<h1>700 machines in 2 layouts, from 1,400 files</h1>');
    expect(text.split('<tr><th scope="row">rack-').length - 1).toBeGreaterThanOrEqual(700);
    expect(text.length).toBeLessThan(1_500_000);
  });

  it('says it in a page of text', () => {
    const { status, stdout, stderr } = command(root);
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout.split('\n').length).toBeLessThan(80);
    expect(stdout).toMatch(/^700 machines in 2 layouts, from 1,400 files\n/);
    expect(stdout).toContain('set.claim-2  What claim 2 says.\n    on ');
    expect(stdout).toContain(' and 1 more');
    expect(stdout).toContain('expected CPU 3; observed CPU 5');
    expect(stdout).toMatch(/rack-13\/node-333 +set\.stays +1\.2\d µs +31\d ns +\d\.\d\d +\d+ +worse +2\.1 %/);
    expect(stdout).toContain('rack-3/core-dump.json: it is no JSON');
    expect(stdout).toContain('Claims: 1 claim failed on 7 of 700 machines.');
  });

  it('goes on when its reader has seen enough', () => {
    const { stdout, stderr } = spawnSync('sh', ['-c', `'${process.execPath}' '${main}' report '${root}' | head -1`], { encoding: 'utf8' });
    expect([stdout, stderr]).toEqual(['700 machines in 2 layouts, from 1,400 files\n', '']);
  });
});

describe('groupaffinity report', () => {
  it('of results without a failure is good; files that are none change nothing', () => {
    const root = join(folder, 'good');
    put(root, 'a/validate.json', validateDocument(composeBench().machine));
    put(root, 'a/bench.json', composeBench());
    put(root, 'package.json', { name: 'x' });
    const { status, stdout, stderr } = command(root);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('Claims: none failed on 1 machine.');
    expect(stdout).toContain('package.json: it is JSON, but no result of groupaffinity validate or bench');
  });

  it('reads what this build writes', () => {
    const root = join(folder, 'own');
    mkdirSync(root);
    for (const args of [
      ['validate', '--json', 'set.confines'],
      ['bench', '--quick', '--json', 'set.stays'],
    ])
      writeFileSync(join(root, `${args[0]}.json`), spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' }).stdout);
    const { status, stdout } = command('--json', root);
    const report = JSON.parse(stdout) as FleetReport;
    expect({ status, unread: report.unread }).toEqual({ status: 0, unread: [] });
    expect(report.machines.map(({ name, validate, bench }) => [name, validate?.passed, bench?.quick])).toEqual([['own', 1, true]]);
    expect(report.layouts[0]?.name).toMatch(/ · linux \w+ · \d+ CPUs? · \d+ packages? · .* groups?$/);
    expect(report.layouts[0]?.spreads.map(({ id }) => id)).toEqual(['set.stays']);
  });

  it('sends nothing to the terminal that files bring along', () => {
    const root = join(folder, 'hostile');
    const escape = '\u001b]0;title\u0007\u001b[2J\r\n';
    const { machine } = composeBench();
    const validate = validateDocument({ ...machine, cpuModel: escape, node: escape }, ['set.claim-1']);
    const claims = validate.claims.map((claim) => ({ ...claim, sentence: escape, observed: escape + 'x'.repeat(10_000) }));
    put(root, `a${escape.trim()}/validate.json`, { ...validate, claims });
    put(root, 'b.json', `{"${escape}`);
    const { status, stdout } = command(root);
    expect(status).toBe(1);
    // oxlint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(stdout.length).toBeLessThan(5_000);
  });

  it('of a folder without results says so and fails', () => {
    const root = join(folder, 'empty');
    mkdirSync(root);
    const { status, stdout } = command(root);
    expect([status, stdout]).toEqual([1, '0 machines in 0 layouts, from 0 files\n\nThere is no .json file in the folder.\n']);
  });

  it.each([
    [[], 'a folder is missing'],
    [['/nowhere/at/all'], '/nowhere/at/all is no folder'],
    [[main], 'is no folder'],
    [[checkout, checkout], 'one folder, and not'],
    [['--nonsense', checkout], "Unknown option '--nonsense'"],
    [['--html', '/nowhere/at/all.html', checkout], '--html: ENOENT'],
    [['--html', '/', checkout], '--html: EISDIR'],
  ])('%j is wrong usage: status 2, and says so', (args, message) => {
    const { status, stdout, stderr } = command(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('Usage: groupaffinity report');
  });

  it('bench --html writes its page, and nothing where it can not', () => {
    const page = join(folder, 'bench.html');
    const bench = (...args: string[]): SpawnSyncReturns<string> =>
      spawnSync(process.execPath, [main, 'bench', '--quick', ...args], { encoding: 'utf8' });
    expect(bench('--html', page, 'set.stays').status).toBe(0);
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[^]*Does pinning pay here\?[^]*<\/html>\n$/);
    const refused = bench('--html', join(folder, 'none', 'bench.html'), 'set.stays');
    expect([refused.status, refused.stderr.split('\n')[0]]).toEqual([2, expect.stringContaining('--html: ENOENT')]);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
