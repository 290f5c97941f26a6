import { appendFileSync, closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { askedFor } from '../../lib/run/asked.ts';
import { Lines } from '../../lib/run/lines.ts';
import { exposition, type RunNow } from '../../lib/run/metrics.ts';
import type { Order } from '../../lib/run/order.ts';
import type { LivingThread } from '../../lib/run/sightings.ts';
import { Tally } from '../../lib/run/tally.ts';
import { parse } from '../fixtures/prometheus.ts';

const order: Order = { by: '', id: '', launcher: 1, stays: true };
const thread: LivingThread = {
  tid: 2,
  role: { role: 'worker', certainty: 'known', threadId: 1, workerName: null },
  seat: 0,
  asked: '0',
  allowed: '0',
  adrift: false,
  migrations: 3,
  voluntarySwitches: 4,
  involuntarySwitches: 5,
};
const now: RunNow = { name: 'app', version: '1.2.3', running: true, order, tally: new Tally(), processes: [] };

describe('the text for Prometheus', () => {
  it('of nothing is whole', async () => {
    const metrics = parse(await exposition(now));
    expect(metrics.samples.map(({ name }) => name)).toEqual(['groupaffinity_info', 'groupaffinity_running', 'groupaffinity_processes']);
    expect(metrics.families.size).toBeGreaterThan(15);
  });

  it('has the same explanations whatever is told: the collector takes no two for one name', async () => {
    const busy = { ...now, processes: [{ pid: 1, arguments: [], share: null, tally: new Tally(), threads: [thread] }] };
    expect(parse(await exposition(busy)).families).toEqual(parse(await exposition(now)).families);
  });

  it('carries any name, and no arguments', async () => {
    const script = '/srv/a "b"\\c\nd.js';
    const process = {
      pid: 7,
      arguments: ['/usr/bin/node', script, '--password=secret'],
      share: null,
      tally: new Tally(),
      threads: [thread],
    };
    const text = await exposition({ ...now, name: 'x"\\\ny', processes: [process] });
    expect(parse(text).of('groupaffinity_process_info')).toMatchObject([{ labels: { run: 'x"\\\ny', command: 'a "b"\\c\nd.js' } }]);
    expect(text).not.toContain('secret');
  });

  it('what the system does not tell has no sample', async () => {
    const tally = new Tally();
    tally.add('worker', 'migrations', null);
    const process = { pid: 7, arguments: [], share: null, tally, threads: [{ ...thread, migrations: null, voluntarySwitches: null }] };
    const metrics = parse(await exposition({ ...now, tally, processes: [process] }));
    expect(metrics.of('groupaffinity_thread_migrations_total')).toEqual([]);
    expect(metrics.of('groupaffinity_migrations_total')).toEqual([]);
    expect(metrics.of('groupaffinity_thread_context_switches_total')).toMatchObject([{ labels: { type: 'involuntary' }, value: 5 }]);
  });

  it('stays small where much runs, and is right in its sums', async () => {
    const tally = new Tally();
    const processes = Array.from({ length: 400 }, (_, at) => {
      const own = new Tally(tally);
      own.add('worker', 'migrations', 2);
      const threads = Array.from({ length: 20 }, (_, one) => ({ ...thread, tid: 1000 + at * 20 + one, seat: one }));
      return { pid: 1000 + at * 20, arguments: ['node', 'job.js'], share: at % 2, tally: own, threads };
    });
    const shares = ['0-19', '20-39'].map((cpus) => ({ cpus, workers: Array.from({ length: 20 }, () => ['0', 0, 0] as const) }));
    const begun = performance.now();
    const text = await exposition({ ...now, order: { ...order, shares }, tally, processes });
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(text.length).toBeLessThan(500_000);
    const metrics = parse(text);
    expect(metrics.sum('groupaffinity_processes')).toBe(400);
    expect(metrics.sum('groupaffinity_threads', { role: 'worker' })).toBe(8000);
    expect(metrics.sum('groupaffinity_migrations_total', { role: 'worker' })).toBe(800);
    expect(metrics.sum('groupaffinity_seat_threads')).toBe(8000);
    expect(metrics.sum('groupaffinity_share_processes')).toBe(400);
    expect(metrics.of('groupaffinity_process_info')).toHaveLength(100);
    expect(metrics.of('groupaffinity_thread_info')).toHaveLength(1000);
  });
});

describe('where an order has a thread', () => {
  const seats = [['4', 0, 0] as const, ['5', 0, 0] as const];
  const placed: Order = { ...order, main: '0-1', workers: seats };
  const shared: Order = { ...order, main: '0-1', v8: '9', shares: [{ cpus: '1-3', workers: seats }, { cpus: '6' }] };

  it.each([
    ['its main thread', placed, null, 'main', null, '0-1'],
    ['a worker on its seat', placed, null, 'worker', 1, '5'],
    ['a main thread that sits', placed, null, 'main', 0, '4'],
    ['a worker without a seat', placed, null, 'worker', null, null],
    ['a role that has no place', placed, null, 'v8', null, null],
    ['the part of a place in the share', shared, 0, 'main', null, '1'],
    ['no part of it in the share', shared, 0, 'v8', null, '1-3'],
    ['the share alone', shared, 1, 'libuv', null, '6'],
    ["a seat of the share's", shared, 0, 'worker', 1, '5'],
    ['a seat where the share has none', shared, 1, 'worker', 1, null],
    ['whoever it may be', shared, 0, 'other', null, null],
  ] as const)('%s', (_, from, share, role, seat, asked) => {
    expect(askedFor(from, share, role, seat)).toBe(asked);
  });
});

describe('lines that others append', () => {
  const made = (most?: number): { file: string; folder: string; lines: Lines } => {
    const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-lines-'));
    const file = join(folder, 'threads');
    const lines = new Lines(file, most);
    onTestFinished(() => {
      lines.close();
      rmSync(folder, { recursive: true });
    });
    return { file, folder, lines };
  };

  it('come whole, letters of several bytes on the edge of a read included', () => {
    const { file, lines } = made();
    const long = 'é€'.repeat(40_000);
    appendFileSync(file, `x${long}\nhalf`);
    expect(lines.take()).toEqual([`x${long}`]);
    appendFileSync(file, ' and half\n');
    expect(lines.take()).toEqual(['half and half']);
    expect(lines.take()).toEqual([]);
  });

  it('without the empty ones, that end what was cut', () => {
    const { file, lines } = made();
    for (const line of ['\nwhole\n', '\ncut', '\nwhole again\n']) appendFileSync(file, line);
    expect(lines.take()).toEqual(['whole', 'cut', 'whole again']);
  });

  it('are all there however often the file is put away, in one small file', () => {
    const { file, folder, lines } = made(1000);
    const got: string[] = [];
    const late: string[] = [];
    for (let at = 0; at < 500; at += 1) {
      // Opened before the file is put away, and written into after.
      const slow = openSync(file, 'a');
      for (let one = 0; one < 20; one += 1) appendFileSync(file, `line ${at} ${one}\n`);
      got.push(...lines.take());
      writeSync(slow, `late ${at}\n`);
      closeSync(slow);
      late.push(`late ${at}`);
    }
    got.push(...lines.take());
    expect(got.filter((line) => line.startsWith('line')).length).toBe(10_000);
    expect(got.filter((line) => line.startsWith('late'))).toEqual(late);
    expect(statSync(file).size).toBeLessThan(2000);
    expect(readdirSync(folder)).toEqual(['threads']);
  });
});
