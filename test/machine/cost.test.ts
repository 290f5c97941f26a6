import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleBenchmarks } from '../bench/bundle.mjs';
import { checkout, cpus, unless } from './own-process.ts';

const fewCpus = cpus.length < 2 ? 'needs two CPUs' : undefined;

interface Row {
  name: string;
  mode: string;
  ratio: { value: number; low: number; high: number };
}

/** Wide, against rot: what the calls are meant to cost is for `npm run bench -- calls`, on a machine that has nothing else to do. */
const gate = 1.3;

describe.skipIf(fewCpus !== undefined)(unless('what the calls cost', fewCpus), () => {
  const folder = mkdtempSync(join(checkout, 'build', 'test-'));
  let rows: Row[];
  beforeAll(async () => {
    await bundleBenchmarks(folder);
    const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'main.js'), 'calls', '--json', '--rounds', '60'], {
      encoding: 'utf8',
    });
    if (stderr !== '') throw new Error(stderr);
    ({ rows } = JSON.parse(stdout) as { rows: Row[] });
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it(`is within ${gate} of the bare system calls`, () => {
    expect(new Set(rows.map(({ name }) => name)).size).toBe(4);
    expect(rows.filter(({ ratio }) => !(ratio.low <= gate)).map(({ name, mode, ratio }) => `${name}, ${mode}: ${ratio.value}`)).toEqual([]);
  });
});
