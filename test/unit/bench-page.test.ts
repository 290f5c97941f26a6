import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { html } from '../../lib/bench/html.ts';
import { ramp, rampAt } from '../../lib/bench/page/browser/ramp.ts';
import { curveOf } from '../../lib/bench/page/curves.ts';
import { lineOf, relation, shared, valueAt } from '../../lib/bench/page/data.ts';
import { additiveTicks, counted, multiplicativeTicks, percentile, roundTime } from '../../lib/bench/page/figures.ts';
import { arrange } from '../../lib/bench/page/layout.ts';
import { markup } from '../../lib/bench/page/markup.ts';
import { pairsData } from '../../lib/bench/page/pairs.ts';
import type { BenchDocument, PairsResult, TimesResult } from '../../lib/bench/result.ts';
import { composeBench, withTexts } from '../fixtures/bench-document.ts';
import { skipped } from '../fixtures/bench-results.ts';

const hostile = `"><img src=x onerror="pwned=1"></td></script><script>pwned=1</script><!--'&amp;\u0000\ud800\u2028`;

const small = composeBench();
const smt = { packages: 2, l3: 2, cores: 4, threads: 2 };
const tags = (page: string, name: string): number => page.split(`<${name}`).length - 1;
const element = (page: string, name: string): string => {
  const [, text] = new RegExp(`<${name}>([^]*?)</${name}>`).exec(page) ?? [];
  return text ?? '';
};
/** Without what the page was made with, and its policy. */
const shown = (page: string): string => page.replace(/<(script|style)>[^]*?<\/\1>/g, '').replace(/<meta http-equiv.*>/, '');
const dataOf = (page: string): unknown => JSON.parse(/<script type="application\/json" id="data">([^]*?)<\/script>/.exec(page)?.[1] ?? '');

describe('text in HTML', () => {
  it('is text, whatever it holds', () => {
    const { text } = markup`<p title="${hostile}">${hostile}</p>`;
    expect(text).toBe(
      `<p title="X">X</p>`.replaceAll(
        'X',
        '&quot;&gt;&lt;img src=x onerror=&quot;pwned=1&quot;&gt;&lt;/td&gt;&lt;/script&gt;&lt;script&gt;pwned=1&lt;/script&gt;&lt;!--&#39;&amp;amp;\ufffd\ufffd\u2028',
      ),
    );
  });

  it('pairs of surrogates, tabs and line ends stay', () => {
    expect(markup`${'\u{1f9f5}\t\n'}`.text).toBe('\u{1f9f5}\t\n');
  });

  it('lists are joined; null, undefined and false are nothing; 0 is 0', () => {
    expect(markup`${[markup`<b>${1}</b>`, '<', 0]}${null}${undefined}${false}`.text).toBe('<b>1</b>&lt;0');
  });
});

describe("a benchmark's page", () => {
  it('runs and styles nothing but what its policy names by hash', () => {
    const page = html(small);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1]?.replaceAll('&#39;', "'");
    const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src ${hash(element(page, 'script'))};`);
    expect(policy).toContain(`style-src ${hash(element(page, 'style'))};`);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<style'));
    expect(page).not.toMatch(/ (style|on\w+)="/);
    expect([tags(page, 'script'), tags(page, 'style')]).toEqual([2, 1]);
  });

  it('names no address', () => {
    const page = html(composeBench(smt));
    expect(page).not.toMatch(/https?:|\burl\(|@import/);
    expect(shown(page)).not.toMatch(/\/\/|\s(src|srcset|action|formaction|ping|poster|background)=/i);
    expect([...page.matchAll(/ href="([^"]*)"/g)].map(([, target]) => target)).toEqual(['data:,']);
  });

  it("carries uPlot's notice", () => {
    const page = html(small);
    expect(page).toContain('uPlot 1.6.32');
    expect(page).toContain('Leon Sorokin');
    expect(page).toContain('The above copyright notice and this permission notice shall be included');
  });

  it('holds hostile text as text, wherever it stands', () => {
    const page = html(withTexts(composeBench({ ...smt, layout: false }), hostile));
    const plain = html(withTexts(composeBench({ ...smt, layout: false }), 'text'));
    for (const name of ['img', 'script', 'td', 'th', 'tr', 'section', '!--', 'button', '/script', '/td'])
      expect([name, tags(page, name)]).toEqual([name, tags(plain, name)]);
    expect(tags(page, 'img')).toBe(0);
    expect(page).toContain('&lt;img src=x onerror=&quot;pwned=1&quot;&gt;');
    expect(JSON.stringify(dataOf(page))).toContain('<script>pwned=1</script>');
  });

  it('keeps its size: what a machine adds is its pairs', () => {
    expect(html(small).length).toBeLessThan(130_000);
    const n = 192;
    const page = html(composeBench({ packages: 2, nodes: 2, l3: 3, cores: 8, threads: 2 }));
    expect(page.length).toBeLessThan(130_000 + ((n * (n - 1)) / 2) * 70);
  });

  it('shows each scenario by id and sentence, and those without figures with their reason', () => {
    const page = shown(html(small));
    for (const scenario of small.scenarios) {
      expect(page).toContain(markup`${scenario.sentence}`.text);
      if (scenario.kind === 'times' || scenario.kind === 'skip') expect(page).toContain(`<span class="id">${scenario.id}</span>`);
      if (scenario.kind === 'skip') expect(page).toContain(`<td>${scenario.reason}</td>`);
    }
    const [answer, ...others] = small.summary;
    expect(answer).toMatch(/^Does pinning pay here\? Yes/);
    expect(page.split('Does pinning pay here?')).toHaveLength(2);
    for (const sentence of others) expect(page).toContain(markup`<li>${sentence}</li>`.text);
    expect(page).toContain('Intel(R) Xeon(R) Processor @ 2.80GHz');
    expect(page).toContain('2026-01-02 03:04 UTC · full · 15 passes · 150 s');
    expect(page).not.toContain('stopped before its end');
    const broken = { ...small, quick: true, scenarios: [{ ...skipped('pin.scope', 'status 7'), kind: 'fail' as const }] };
    expect(shown(html(broken))).toMatch(/ · quick · [^]*<b class="broke">broke<\/b>: status 7/);
  });

  it('a run that was stopped says so', () => {
    const scenarios = [...small.scenarios.slice(0, 3), skipped('pin.scope', 'interrupted'), skipped('jitter.free', 'interrupted')];
    expect(shown(html({ ...small, complete: false, scenarios }))).toContain(
      'This run was stopped before its end: 2 of 5 scenarios were not reached.',
    );
  });

  it('a rate and lost time are told better or worse only where the summary would', () => {
    const page = shown(html(small));
    expect(page).toMatch(/1\.1\d times free \(1\.\d\d to 1\.\d\d\)/);
    expect(page).toMatch(/0\.18 times free \(/);
    expect(page.split('no difference to see to free')).toHaveLength(2);
    const few = small.scenarios.map((scenario) =>
      'passes' in scenario && scenario.kind === 'rate' ? { ...scenario, passes: scenario.passes.slice(0, 3) } : scenario,
    );
    expect(shown(html({ ...small, scenarios: few })).split('too few passes to tell it from free')).toHaveLength(5);
  });

  it('a run that is compared shows each verdict, with its reason', () => {
    const slower = { value: 0.5, low: 0.4, high: 0.6 };
    const comparison = {
      before: '2026-01-01T00:00:00.000Z',
      machines: [],
      changes: ['Node 20.20.2, 22.1.0 before'],
      differences: [
        {
          id: 'set.stays',
          verdict: 'slower',
          unit: 'ns',
          before: { value: 100, low: 90, high: 110 },
          after: { value: 200, low: 190, high: 210 },
          speed: slower,
          floorSpeed: slower,
          ratioSpeed: { value: 1, low: 0.9, high: 1.1 },
        },
        { id: 'pin.scope', verdict: "can't be compared", reason: 'it was not measured before' },
      ],
    } as const;
    const page = shown(html({ ...small, comparison }));
    expect(page).toContain('Against the run of 2026-01-01 00:00 UTC');
    expect(page).toContain('<li>Node 20.20.2, 22.1.0 before</li>');
    expect(page).toContain('<span class="verdict-slower">slower</span>');
    expect(page).toContain('100 ns<span class="interval">90.0 to 110 ns</span>');
    expect(page).toContain('<b>0.50</b><span class="interval">0.40 to 0.60</span>');
    expect(page).toContain('it was not measured before');
    expect(shown(html(small))).not.toContain('Against the run');
  });

  const none = { ...small, scenarios: [], summary: [] };
  const pairs = small.scenarios.find((scenario): scenario is PairsResult => scenario.kind === 'pairs') as PairsResult;
  const timed = small.scenarios.find((scenario): scenario is TimesResult => scenario.kind === 'times') as TimesResult;
  it.each<[string, BenchDocument, string]>([
    ['no scenario', none, 'No scenario was run.'],
    ['skips only', { ...none, scenarios: small.scenarios.filter(({ kind }) => kind === 'skip') }, 'needs a second package'],
    ['no pairs', { ...none, scenarios: [{ ...pairs, pairs: [] }] }, 'No pair of CPUs was measured.'],
    ['pairs of no CPUs', { ...none, scenarios: [{ ...pairs, pairs: [], cpus: [] }] }, 'No pair of CPUs was measured.'],
    [
      'times without a sample',
      { ...none, scenarios: [{ ...timed, n: 0, strays: 12, curve: [], min: Number.NaN, p50: Number.NaN }] },
      'nothing was kept: 12 thrown away',
    ],
    [
      'rates without a repetition',
      {
        ...none,
        scenarios: small.scenarios.filter(({ kind }) => kind === 'rate').map((rate) => ({ ...rate, n: 0, samples: [] }) as never),
      },
      'nothing was kept: 0 thrown away',
    ],
    [
      'rates of nought',
      {
        ...none,
        scenarios: small.scenarios
          .filter(({ kind }) => kind === 'rate')
          .map((rate) => ({ ...rate, passes: [], rate: { value: 0, low: 0, high: 0 }, workers: [] }) as never),
      },
      'Throughput',
    ],
    ['no picture', { ...none, machine: { ...small.machine, picture: null } }, 'Nothing was measured that answers it.'],
    [
      'no word on the machine',
      { ...none, begun: 'yesterday', machine: { ...small.machine, cpuModel: '', allowed: '', cpus: '' } },
      'Unknown processor',
    ],
  ])('of a run with %s is whole', (_, document, text) => {
    const page = html(document);
    expect(shown(page)).toContain(text);
    expect(shown(page)).not.toMatch(/NaN|undefined|Infinity|\[object/);
    expect(dataOf(page)).toHaveProperty('heatmaps');
  });

  it('pairs that were not measured are counted', () => {
    const many = composeBench(smt);
    const scenarios = many.scenarios.map((scenario) =>
      scenario.kind === 'pairs' ? { ...scenario, pairs: scenario.pairs.slice(20) } : scenario,
    );
    expect(html({ ...many, scenarios })).toContain('20 pairs of 496 not measured');
  });

  it('pairs measured both ways count once, and each way is kept', () => {
    const [pair] = pairs.pairs;
    const both: PairsResult = { ...pairs, pairs: [pair as never, { ...pair, one: 1, other: 0, p50: 99 } as never] };
    expect(shown(html({ ...none, scenarios: [both] }))).not.toContain('not measured');
    expect(pairsData(both, undefined).pairs.one).toEqual([0, 1]);
  });
});

describe('the order of CPUs', () => {
  it('brings together what shares a core, an L3, a node, a package', () => {
    const { machine, scenarios } = composeBench(smt);
    const { cpus } = scenarios.find(({ kind }) => kind === 'pairs') as PairsResult;
    const { cpus: ordered, levels } = arrange(cpus, machine.topology);
    expect(ordered.slice(0, 8)).toEqual([0, 16, 1, 17, 2, 18, 3, 19]);
    expect(levels.map(({ outer, inner, parts }) => [outer, inner, parts.length])).toEqual([
      ['package', 'node', 2],
      ['L3', 'L3', 4],
      ['core', 'core', 16],
    ]);
    expect(levels[0]?.parts).toEqual(['package 0 · node 0', 'package 1 · node 1']);
    const said = (one: number, other: number): string => relation(levels, shared(levels, ordered.indexOf(one), ordered.indexOf(other)));
    expect(said(0, 16)).toBe('same core');
    expect(said(0, 1)).toBe('same L3, other core');
    expect(said(0, 4)).toBe('same node, other L3');
    expect(said(0, 8)).toBe('other package');
  });

  it('nodes that hold several packages are outside them', () => {
    const set = (cpus: string): { id: number; cpus: string } => ({ id: Number(cpus[0]), cpus });
    const layout = {
      packages: ['0', '1', '2', '3'].map(set),
      numaNodes: ['0,2', '1,3'].map(set),
      caches: [],
      cores: ['0', '1', '2', '3'].map(set),
    };
    const { cpus, levels } = arrange([3, 1, 0, 2], layout);
    expect(cpus).toEqual([0, 2, 1, 3]);
    expect(levels[0]).toEqual({ outer: 'node', inner: 'node', parts: ['node 0', 'node 1'], of: [0, 0, 1, 1] });
    expect(relation(levels, shared(levels, 0, 1))).toBe('same node, other package');
  });

  it('is ascending where nothing is known; a CPU that the topology lacks shares nothing', () => {
    expect(arrange([5, 1, 3, 1], undefined)).toEqual({ cpus: [1, 3, 5], levels: [] });
    const set = (cpus: string) => [{ id: 0, cpus }];
    const { cpus, levels } = arrange([0, 1, 7], { packages: set('0-1'), numaNodes: set('0-1'), caches: [], cores: [] });
    expect(cpus).toEqual([0, 1, 7]);
    expect(shared(levels, 0, 1)).toBe(0);
    expect(shared(levels, 1, 2)).toBe(-1);
  });
});

describe('curves', () => {
  const times = { ...(small.scenarios[0] as TimesResult), n: 1000, max: 900 };

  it('end at the greatest sample, where one of n stands', () => {
    const { points } = curveOf({
      ...times,
      curve: [
        [0, 100],
        [0.5, 200],
        [0.99, 300],
      ],
    });
    expect(points).toEqual([
      [0, 100],
      [0.301, 200],
      [2, 300],
      [3, 900],
    ]);
  });

  it('leave out what a logarithmic axis has no place for, and points that go back', () => {
    const { points } = curveOf({
      ...times,
      curve: [
        [0, 0],
        [0.1, -1],
        [0.5, 200],
        [0.5, 250],
        [0.2, 9],
        [0.9, Number.NaN],
      ],
    });
    expect(points).toEqual([
      [0.301, 200],
      [3, 900],
    ]);
  });

  it('are read between their points, and nowhere else', () => {
    const curve = {
      name: '',
      points: [
        [1, 100],
        [3, 10_000],
      ] as const,
    };
    expect([0.9, 1, 2, 3, 3.1].map((x) => valueAt(curve, x))).toEqual([null, 100, 1000, 10_000, null]);
  });

  it('look different: neighbours in colour and dash, 28 in one of them', () => {
    const lines = Array.from({ length: 28 }, (_, at) => lineOf(at));
    expect(new Set(lines.map((line) => JSON.stringify(line))).size).toBe(28);
    lines
      .slice(1)
      .forEach(({ colour, dash }, at) => expect([colour === lines[at]?.colour, dash === lines[at]?.dash]).toEqual([false, false]));
  });
});

describe('figures', () => {
  it('percentiles have as many digits as they have nines', () => {
    expect([0.5, 0.9, 0.99, 0.999, 0.9999, 0.995].map(percentile)).toEqual(['p50', 'p90', 'p99', 'p99.9', 'p99.99', 'p99.5']);
  });

  it('one is told from many, and round times have no more digits than they need', () => {
    expect([counted(1, 'pass', 'passes'), counted(1200, 'pass', 'passes'), counted(0, 'pair')]).toEqual([
      '1 pass',
      '1,200 passes',
      '0 pairs',
    ]);
    expect([0.5, 50, 1000, 1500, 2e6, 5e9].map(roundTime)).toEqual(['0.5 ns', '50 ns', '1 µs', '1.5 µs', '2 ms', '5 s']);
  });

  it.each([
    [1, 10],
    [30, 31],
    [57, 63],
    [20, 400],
    [3, 3e6],
    [1e2, 1e9],
    [999, 1001],
  ])('an axis from %f to %f has 2 to 12 round ticks within it', (low, high) => {
    for (const ticks of [multiplicativeTicks(low, high, 6), additiveTicks(low, high, 6)]) {
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(12);
      expect(ticks).toEqual(ticks.toSorted((one, other) => one - other));
      expect(ticks.every((tick) => tick >= low * 0.999 && tick <= high * 1.001 && !roundTime(tick).includes('e'))).toBe(true);
    }
  });
});

describe('the colours of the heatmap', () => {
  const toLinear = (value: number): number => (value <= 0.04045 * 255 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]: readonly number[]): number => 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
  /** Machado, Oliveira, Fernandes 2009, severity 1, on linear sRGB. */
  const eyes = {
    full: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    protanopia: [
      [0.152286, 1.052583, -0.204868],
      [0.114503, 0.786281, 0.099216],
      [-0.003882, -0.048116, 1.051998],
    ],
    deuteranopia: [
      [0.367322, 0.860646, -0.227968],
      [0.280085, 0.672501, 0.047413],
      [-0.01182, 0.04294, 0.968881],
    ],
    tritanopia: [
      [1.255528, -0.076749, -0.178779],
      [-0.078411, 0.930809, 0.147602],
      [0.004733, 0.691367, 0.3039],
    ],
  };

  it.each(Object.entries(eyes))('grow lighter all the way for %s', (_, matrix) => {
    const seen = ramp.map((colour) => matrix.map((row) => row.reduce((sum, part, at) => sum + part * toLinear(colour[at] ?? 0), 0)));
    const lightness = seen.map((colour) => luminance(colour) ** (1 / 3));
    // Of eight bits a step may round down; of sixteen steps none.
    lightness.forEach((value, at) => expect(value).toBeGreaterThan((lightness[at - 16] ?? -1) + (at >= 16 ? 0.015 : 0)));
  });

  it('end where the scale ends', () => {
    expect([rampAt(-3), rampAt(0), rampAt(1), rampAt(7)]).toEqual([ramp[0], ramp[0], ramp[255], ramp[255]]);
    expect(ramp.flat().every((value) => Number.isInteger(value) && value >= 0 && value <= 255)).toBe(true);
  });
});
