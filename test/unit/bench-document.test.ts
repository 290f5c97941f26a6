import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../lib/bench/document.ts';
import { cpusInWords, figure, percent, range, rate, time } from '../../lib/bench/quantities.ts';
import { around, benchDocument, gapsResult, pairsResult, rateResult, skipped, timesResult } from '../fixtures/bench-results.ts';

const whole = benchDocument([
  timesResult('set.stays', around(1, 1), { floor: { value: 1, low: 1, high: 1 }, floorRatio: 1, floorRatioInterval: [1, 1] }),
  gapsResult('jitter.free', around(1, 1)),
  rateResult('throughput.memory.free', [null, ...around(1, 1)]),
  pairsResult({ '0-1': around(1, 1) }),
  skipped('set.moves.other-node', 'needs a node'),
]);

/** The document with something else at a path. */
function spoilt(path: readonly (string | number)[], value: unknown): string {
  const copy = structuredClone(whole) as unknown as Record<string | number, unknown>;
  const at = path.slice(0, -1).reduce((object, key) => object[key] as Record<string | number, unknown>, copy);
  at[path.at(-1) as string] = value;
  return JSON.stringify(copy);
}

describe('a document', () => {
  it('is read back as it was written', () => {
    expect(parseDocument(JSON.stringify(whole))).toEqual(whole);
  });

  it.each([
    ['it is no JSON', ''],
    ['it is no JSON', '{'],
    ['it is no object', 'null'],
    ['it is no object', '[]'],
    ['machine is no object', '{}'],
    ['machine is no object', '{"claims":[],"passed":0}'],
    ['machine.groups is no number', spoilt(['machine', 'groups'], '1')],
    ['machine.hypervisor is neither true nor false', spoilt(['machine', 'hypervisor'], undefined)],
    ['complete is neither true nor false', spoilt(['complete'], 'yes')],
    ['scenarios is no list', spoilt(['scenarios'], {})],
    ['scenarios[0].kind is none of times, rate, pairs, skip, fail', spoilt(['scenarios', 0], null)],
    ['scenarios[0].kind is none of', spoilt(['scenarios', 0, 'kind'], 'constructor')],
    ['scenarios[0].median.low is no number', spoilt(['scenarios', 0, 'median', 'low'], null)],
    ['scenarios[0].floorRatio is no number', spoilt(['scenarios', 0, 'floorRatio'], { value: 1 })],
    ['scenarios[1].interruptions.passes[3] is no number', spoilt(['scenarios', 1, 'interruptions', 'passes', 3], 'x')],
    ['scenarios[2].workers[1].seen is no text', spoilt(['scenarios', 2, 'workers', 1, 'seen'], 1)],
    ['scenarios[3].pairs[0].one is no number', spoilt(['scenarios', 3, 'pairs', 0, 'one'], undefined)],
    ['scenarios[4].reason is no text', spoilt(['scenarios', 4, 'reason'], undefined)],
    ['summary[0] is no text', spoilt(['summary', 0], 7)],
  ])('anything else is refused: %s', (reason, text) => {
    expect(() => parseDocument(text)).toThrow(SyntaxError);
    expect(() => parseDocument(text)).toThrow(reason);
  });
});

describe('figures', () => {
  it.each([
    [0, '0 ns'],
    [0.5, '0.500 ns'],
    [7, '7.00 ns'],
    [57.24, '57.2 ns'],
    [952, '952 ns'],
    [999.4, '999 ns'],
    [999.6, '1.00 µs'],
    [1384, '1.38 µs'],
    [24_900, '24.9 µs'],
    [4_070_000, '4.07 ms'],
    [1_200_000_000, '1.20 s'],
    [60_000_000_000, '60.0 s'],
  ])('%d ns are %s', (value, text) => {
    expect(time(value)).toBe(text);
  });

  it('have three digits that count, and all of the whole ones', () => {
    expect([0.01234, 1.005, 9.999, 99.96, 1234.5].map(figure)).toEqual(['0.0123', '1.01', '10.0', '100', '1,235']);
    expect([12, 456_000, 12_300_000, 1.5e9].map(rate)).toEqual(['12.0', '456 k', '12.3 M', '1.50 G']);
    expect([0, 0.0012, 0.034, 0.452, 1].map(percent)).toEqual(['0.00 %', '0.12 %', '3.4 %', '45 %', '100 %']);
  });

  it('of a range say a unit once that both have', () => {
    const between = (low: number, high: number) => ({ value: low, low, high });
    expect(range(between(1310, 1520), time)).toBe('1.31 to 1.52 µs');
    expect(range(between(952, 1020), time)).toBe('952 ns to 1.02 µs');
    expect(range(between(0.02, 0.3), percent)).toBe('2.0 to 30 %');
    expect(range(between(5e5, 9e5), rate)).toBe('500 to 900 k');
    expect(range(between(5, 9), rate)).toBe('5.00 to 9.00');
  });

  it('CPUs are told as people list things', () => {
    expect([[3], [0, 1], [0, 1, 4]].map(cpusInWords)).toEqual(['CPU 3', 'CPUs 0 and 1', 'CPUs 0, 1 and 4']);
  });
});
