import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fleet } from '../../lib/report/fleet.ts';
import { html } from '../../lib/report/html.ts';
import { keep } from '../../lib/report/keep.ts';
import { centerOf, outlying } from '../../lib/report/outliers.ts';
import { machineOf, readResults } from '../../lib/report/read.ts';
import type { FleetReport } from '../../lib/report/result.ts';
import { summarize } from '../../lib/report/summary.ts';
import { composeBench, withTexts } from '../fixtures/bench-document.ts';
import { benchDocument, skipped, timesResult } from '../fixtures/bench-results.ts';
import { put, scaled, validateDocument } from '../fixtures/fleet.ts';

const small = composeBench();
const large = composeBench({ packages: 2, cores: 4, threads: 2 });

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'groupaffinity-report-'));
});
afterEach(() => rmSync(root, { recursive: true }));

async function reportOf(folder = root): Promise<FleetReport> {
  const fleet = new Fleet('here');
  for await (const read of readResults(folder)) fleet.add(read);
  return fleet.report();
}

describe('the name of a machine', () => {
  it.each([
    ['node-7/bench.json', 'node-7'],
    ['node-7/validate.json', 'node-7'],
    ['node-7.validate.json', 'node-7'],
    ['node-7-bench.JSON', 'node-7'],
    ['validate-node-7.json', 'node-7'],
    ['bench_node-7.json', 'node-7'],
    ['bench/node-7.json', 'node-7'],
    ['Validate/rack-2/node-7.json', 'rack-2/node-7'],
    ['bench-3.bench.json', 'bench-3'],
    ['workbench.json', 'workbench'],
    ['node-7.json', 'node-7'],
    ['bench.json', ''],
  ])('%s is of %j', (file, name) => {
    expect(machineOf(file)).toBe(name);
  });

  it('is that of the folder where the file has none', async () => {
    put(root, 'bench.json', small);
    put(root, 'validate.json', validateDocument(small.machine));
    const { machines } = await reportOf();
    expect(machines.map(({ name, files }) => [name, files])).toEqual([['here', ['bench.json', 'validate.json']]]);
  });

  it('a second result of one kind goes by its path', async () => {
    put(root, 'a/bench.json', small);
    put(root, 'a.bench.json', small);
    put(root, 'a.validate.json', validateDocument(small.machine));
    const { machines } = await reportOf();
    expect(machines.map(({ name, files }) => [name, files])).toEqual([
      ['a', ['a/bench.json', 'a.validate.json']],
      ['a.bench.json', ['a.bench.json']],
    ]);
  });
});

describe('what a file holds', () => {
  it.each([
    ['it is no JSON', ''],
    ['it is no JSON', '{"machine":'],
    ['it is JSON, but no result', '{}'],
    ['it is JSON, but no result', '[1]'],
    ['it is JSON, but no result', 'null'],
    ['it is JSON, but no result', '"claims"'],
    ['it is no result of groupaffinity validate --json: machine is no object', '{"claims":[]}'],
    ['it is no result of groupaffinity bench --json: machine is no object', '{"scenarios":[]}'],
    [
      'claims[0].verdict is none of',
      JSON.stringify({
        ...validateDocument(small.machine),
        claims: [{ id: 'x', sentence: 'x', expected: '', observed: '', verdict: 'PASS' }],
      }),
    ],
    [
      'machine.topology.cores[0].cpus is no list of CPUs',
      JSON.stringify({
        ...small,
        machine: { ...small.machine, topology: { packages: [], numaNodes: [], caches: [], cores: [{ cpus: 'x' }] } },
      }),
    ],
  ])('%s: %s', (reason, text) => {
    expect(() => keep(text)).toThrow(SyntaxError);
    expect(() => keep(text)).toThrow(reason);
  });

  it('of a benchmark one figure a scenario is kept, whatever its size', () => {
    const kept = keep(JSON.stringify(large));
    expect(kept.kind === 'bench' && kept.headlines.map(({ id, unit }) => [id, unit])).toEqual([
      ['set.stays', 'ns'],
      ['set.moves.same-l3', 'ns'],
      ['set.moves.other-package', 'ns'],
      ['set.revert', 'ns'],
      ['pin.scope', 'ns'],
      ['remote.arrival', 'ns'],
      ['jitter.pinned', 'of the time'],
      ['jitter.free', 'of the time'],
      ...['memory', 'compute'].flatMap((load) =>
        ['spread', 'packed', 'free'].map((way) => [`throughput.${load}.${way}`, load === 'memory' ? 'loads/s' : 'steps/s']),
      ),
      ['round-trips', 'ns'],
      ['round-trips.farthest', 'ns'],
    ]);
    expect(JSON.stringify(kept).length).toBeLessThan(4_000);
  });

  it('what was thrown away, broke or was skipped has no figure', () => {
    const document = benchDocument([
      timesResult('set.stays', [], { median: { value: 0, low: 0, high: 0 } }),
      skipped('pin.scope', 'x'),
      { ...skipped('set.revert', 'status 7'), kind: 'fail' },
    ]);
    expect(keep(JSON.stringify(document))).toMatchObject({ headlines: [], broken: [{ id: 'set.revert', reason: 'status 7' }] });
  });

  it('a document of before it told its processor and topology is read', () => {
    const { cpuModel: _, topology: __, ...old } = small.machine;
    const { claims } = validateDocument(small.machine);
    expect(keep(JSON.stringify({ machine: old, claims, passed: 19, failed: 0, skipped: 1 }))).toMatchObject({
      kind: 'validate',
      passed: 19,
      skipped: 1,
      machine: { cpuModel: '' },
    });
  });
});

describe('files', () => {
  it('that hold no result are told with their reason, and the others are read', async () => {
    put(root, 'good/bench.json', small);
    put(root, 'broken.json', '{"claims": [');
    put(root, 'other.json', '{"name": "package"}');
    put(root, 'empty.json', '');
    put(root, 'notes.txt', 'not of interest');
    put(root, 'binary.json', '\u0000\u0001\ufffd');
    symlinkSync('/nowhere/at/all.json', join(root, 'dangling.json'));
    symlinkSync(root, join(root, 'loop'));
    mkdirSync(join(root, 'folder.json'));
    const { machines, unread, files } = await reportOf();
    expect(machines.map(({ name }) => name)).toEqual(['good']);
    expect(files).toBe(6);
    expect(unread.map(({ file, reason }) => [file, reason.replace(/ \(.*/, '')])).toEqual([
      ['binary.json', 'it is no JSON'],
      ['broken.json', 'it is no JSON'],
      ['dangling.json', "it can't be read: ENOENT"],
      ['empty.json', 'it is empty'],
      ['other.json', 'it is JSON, but no result of groupaffinity validate or bench'],
    ]);
  });

  it('that are pipes or devices are not waited for', async () => {
    expect(spawnSync('mkfifo', [join(root, 'pipe.json')]).status).toBe(0);
    symlinkSync('/dev/zero', join(root, 'zero.json'));
    const { unread } = await reportOf();
    expect(unread).toEqual([
      { file: 'pipe.json', reason: 'it is no file' },
      { file: 'zero.json', reason: 'it is no file' },
    ]);
  });

  it('larger than any result are not read', async () => {
    writeFileSync(join(root, 'huge.json'), '');
    expect(spawnSync('truncate', ['-s', '300M', join(root, 'huge.json')]).status).toBe(0);
    const { unread } = await reportOf();
    expect(unread[0]?.reason).toBe('it has 314,572,800 bytes, more than any result');
  });

  it('of none there is a report of nothing', async () => {
    const report = await reportOf();
    expect(report).toEqual({ files: 0, machines: [], layouts: [], failures: [], broken: [], outliers: [], unread: [] });
    expect(summarize(report)).toEqual(['0 machines in 0 layouts, from 0 files', 'There is no .json file in the folder.']);
    expect(html(report)).toContain('There is no .json file in the folder.');
  });

  it('of a folder that is not there are an error', async () => {
    await expect(reportOf(join(root, 'none'))).rejects.toThrow('ENOENT');
  });
});

describe('layouts', () => {
  it('are machines whose CPUs are alike, under the same numbers', async () => {
    const adjacent = {
      ...large.machine,
      topology: { ...large.machine.topology, cores: Array.from({ length: 8 }, (_, core) => ({ cpus: `${2 * core}-${2 * core + 1}` })) },
    } as typeof large.machine;
    put(root, 'a/bench.json', large);
    put(root, 'b/bench.json', large);
    put(root, 'c/validate.json', validateDocument(large.machine));
    put(root, 'd/validate.json', validateDocument(adjacent));
    put(root, 'e/bench.json', small);
    const { layouts, machines } = await reportOf();
    expect(machines.map(({ name, layout }) => [name, layout])).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 0],
      ['d', 1],
      ['e', 2],
    ]);
    expect(layouts.map(({ name, machines }) => [name, machines])).toEqual([
      ['AMD EPYC 9654 96-Core Processor · linux x64 · 16 CPUs · 2 packages · 2 nodes · 2 L3 · 8 cores · core 0 is 0,8 · 1 group', 3],
      ['AMD EPYC 9654 96-Core Processor · linux x64 · 16 CPUs · 2 packages · 2 nodes · 2 L3 · 8 cores · core 0 is 0-1 · 1 group', 1],
      ['Intel(R) Xeon(R) Processor @ 2.80GHz · linux x64 · 2 CPUs · 1 package · 1 node · 1 L3 · 2 cores · 1 group', 1],
    ]);
  });
});

describe('failures', () => {
  it('are told once a claim, with the machines and what they saw', async () => {
    put(root, 'a/validate.json', validateDocument(small.machine, ['set.claim-3']));
    put(root, 'b/validate.json', validateDocument(small.machine, ['set.claim-3', 'set.claim-1']));
    put(root, 'c/validate.json', validateDocument(small.machine));
    put(root, 'c/bench.json', { ...small, complete: false, scenarios: [{ ...skipped('pin.scope', 'status 7'), kind: 'fail' }] });
    const report = await reportOf();
    const said = 'expected CPU 3; observed CPU 5';
    expect(report.failures).toEqual([
      {
        id: 'set.claim-3',
        sentence: 'What claim 3 says.',
        machines: [
          { name: 'a', said },
          { name: 'b', said },
        ],
      },
      { id: 'set.claim-1', sentence: 'What claim 1 says.', machines: [{ name: 'b', said }] },
    ]);
    expect(report.broken).toEqual([{ id: 'pin.scope', sentence: '', machines: [{ name: 'c', said: 'status 7' }] }]);
    expect(report.machines.map(({ name, validate, bench }) => [name, validate, bench])).toEqual([
      ['a', { passed: 18, failed: 1, skipped: 1 }, null],
      ['b', { passed: 17, failed: 2, skipped: 1 }, null],
      ['c', { passed: 19, failed: 0, skipped: 1 }, { begun: small.begun, quick: false, complete: false, broken: 1 }],
    ]);
    expect(summarize(report)).toContain('Claims: 2 claims failed on 2 of 3 machines.');
    expect(summarize(report)).toContain('Benchmark: 1 machine measured, 1 scenario broke somewhere, 1 run was stopped before the end.');
  });
});

describe('outliers', () => {
  it('lie more than five deviations and five per cent from the median', () => {
    const values = [96, 97, 98, 99, 100, 101, 102, 103, 104];
    const center = centerOf(values);
    expect(center.median).toBe(100);
    expect(center.deviation).toBeCloseTo(2 * 1.4826, 9);
    expect(outlying(114, center, 9)).toBeUndefined();
    expect(outlying(115, center, 9)).toBeCloseTo(15 / 2.9652, 9);
    expect(outlying(85, center, 9)).toBeCloseTo(-15 / 2.9652, 9);
    expect(outlying(115, center, 7)).toBeUndefined();
    expect(outlying(104, { median: 100, deviation: 0.1 }, 9)).toBeUndefined();
  });

  it('are found where most machines have one value, and not where all have', () => {
    const [alike, one] = [centerOf([5, 5, 5, 5, 5, 5, 5, 5]), centerOf([5, 5, 5, 5, 5, 5, 5, 5, 5, 9])];
    expect(alike.deviation).toBe(0);
    expect(outlying(5, alike, 8)).toBeUndefined();
    expect(one.deviation).toBeCloseTo(0.4 * 1.2533, 9);
    expect(outlying(9, one, 10)).toBeGreaterThan(5);
  });

  it('are looked for within a layout, each scenario for itself, and told as better or worse', async () => {
    for (let at = 0; at < 12; at += 1) {
      put(root, `small-${at}/bench.json`, composeBench({ seed: at }));
      put(root, `large-${at}/bench.json`, composeBench({ packages: 2, cores: 4, threads: 2, seed: 100 + at }));
    }
    put(
      root,
      'slow/bench.json',
      scaled(composeBench({ seed: 50 }), { 'set.stays': 3, 'throughput.memory.spread': 0.5, 'jitter.pinned': 40 }),
    );
    put(root, 'fast/bench.json', scaled(composeBench({ seed: 51 }), { 'pin.scope': 0.5, 'throughput.compute.free': 1.6 }));
    put(root, 'far/bench.json', scaled(composeBench({ packages: 2, cores: 4, threads: 2, seed: 52 }), { 'round-trips': 2 }));
    const report = await reportOf();
    const found = report.outliers.map(({ machine, id, is }) => `${machine} ${id} ${is}`).sort();
    expect(found).toEqual([
      'far round-trips worse',
      'far round-trips.farthest worse',
      'fast pin.scope better',
      'fast throughput.compute.free better',
      'slow jitter.pinned worse',
      'slow set.stays worse',
      'slow throughput.memory.spread worse',
    ]);
    const scores = report.outliers.map(({ score }) => Math.abs(score));
    expect(scores).toEqual(scores.toSorted((one, other) => other - one));
    expect(report.outliers.find(({ id }) => id === 'set.stays')).toMatchObject({ unit: 'ns', of: 14, others: 0.021 });
    expect(report.machines.find(({ name }) => name === 'slow')?.outliers).toBe(3);
    expect(summarize(report)).toContain('Outliers: 7 figures of 3 machines lie far from those of the same layout.');
  });

  it('are not looked for among a few', async () => {
    for (let at = 0; at < 6; at += 1)
      put(root, `n${at}.bench.json`, scaled(composeBench({ seed: at }), at === 0 ? { 'set.stays': 9 } : {}));
    const report = await reportOf();
    expect(report.outliers).toEqual([]);
    expect(summarize(report)).toContain('1 layout has fewer than 8 measured machines: too few to call one unlike the others.');
  });
});

describe('the page of a report', () => {
  it('shows hostile text as text', async () => {
    const hostile = '<img src=x onerror="window.ran=1"></script><script>window.ran=1</script>';
    const put1 = (text: string): void => {
      put(root, '<b>.validate.json', withTexts(validateDocument(small.machine, ['set.claim-1']), text));
      put(
        root,
        '<b>.bench.json',
        withTexts({ ...small, scenarios: [...small.scenarios, { ...skipped('x', 'y'), kind: 'fail' as const }] }, text),
      );
      put(root, '<i>.json', `{"${text.replace(/"/g, '')}`);
    };
    put1(hostile);
    // Verdicts are no text.
    const fixed = validateDocument(small.machine, ['set.claim-1']);
    put(root, '<b>.validate.json', {
      ...withTexts(fixed, hostile),
      claims: fixed.claims.map((claim) => ({ ...withTexts(claim, hostile), verdict: claim.verdict })),
    });
    const report = await reportOf();
    expect(report.unread.map(({ file }) => file)).toEqual(['<i>.json']);
    const page = html(report);
    expect(page.split('<script')).toHaveLength(3);
    expect(page).not.toContain('<img');
    expect(page).not.toMatch(/<[bi]>\.(bench|validate|json)/);
    expect(page).toContain('&lt;img src=x onerror=&quot;window.ran=1&quot;&gt;');
    expect(page).not.toMatch(/https?:|\burl\(/);
  });
});
