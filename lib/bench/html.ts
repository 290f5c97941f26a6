import { comparisonSection } from './page/comparison.ts';
import { costsSection } from './page/costs.ts';
import { curveOf, curvesSection } from './page/curves.ts';
import type { BenchData } from './page/data.ts';
import { counted } from './page/figures.ts';
import { gapsSection } from './page/gaps.ts';
import { machineSection } from './page/machine.ts';
import { Markup, markup } from './page/markup.ts';
import { pairsData, pairsSection } from './page/pairs.ts';
import { ratesSection } from './page/rates.ts';
import { page, section } from './page/shell.ts';
import { interrupted } from './run.ts';
import type { BenchDocument, PairsResult, RateResult, ScenarioResult, TimesResult } from './result.ts';

function of<K extends ScenarioResult['kind']>(scenarios: readonly ScenarioResult[], kind: K): Extract<ScenarioResult, { kind: K }>[] {
  return scenarios.filter((scenario): scenario is Extract<ScenarioResult, { kind: K }> => scenario.kind === kind);
}

const isJitter = ({ interruptions }: TimesResult): boolean => interruptions !== undefined;

/** 2026-11-25 03:30 UTC; what is no time stays as it is. */
function when(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function head({ machine, begun, seconds, quick, passes, complete, scenarios }: BenchDocument): Markup {
  const { platform, release, arch, node, version, cpuModel, hypervisor, cpus, allowed, groups } = machine;
  const missed = scenarios.filter((result) => result.kind === 'skip' && result.reason === interrupted).length;
  const facts = [
    ['System', `${platform} ${release} · ${arch}${hypervisor === true ? ' · virtual machine' : ''}`],
    ['CPUs', `${cpus}${allowed === cpus ? '' : ` (allowed ${allowed || 'none'})`} · ${counted(groups, 'processor group')}`],
    ['Node', `${node} · groupaffinity ${version}`],
    ['Run', `${when(begun)} · ${quick ? 'quick' : 'full'} · ${counted(passes, 'pass', 'passes')} · ${seconds.toFixed(0)} s`],
  ] as const;
  return markup`<header>
<div class="top"><p class="product">groupaffinity bench</p><button type="button" id="theme" hidden></button></div>
<h1>${cpuModel || 'Unknown processor'}</h1>
<dl class="facts">${facts.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${!complete && markup`<p class="warning">This run was stopped before its end: ${missed} of ${counted(scenarios.length, 'scenario')} were not reached.</p>`}
<noscript><p class="warning">The heatmap and the curves are drawn by a script, which this browser did not run. The tables hold the figures.</p></noscript>
</header>`;
}

interface Missing {
  readonly id: string;
  readonly sentence: string;
  readonly broke: boolean;
  readonly reason: string;
}

/** A scenario without figures; undefined where it has some. */
function missingOf(scenario: ScenarioResult): Missing | undefined {
  const { id, sentence } = scenario;
  switch (scenario.kind) {
    case 'skip':
    case 'fail':
      return { id, sentence, broke: scenario.kind === 'fail', reason: scenario.reason };
    case 'times':
    case 'rate':
      if (scenario.n > 0) return undefined;
      return { id, sentence, broke: false, reason: `nothing was kept: ${scenario.strays.toLocaleString('en')} thrown away` };
    case 'pairs':
      return undefined;
  }
}

function missingSection(rows: readonly Missing[]): Markup {
  return markup`<div class="wide"><table><thead><tr><th scope="col">Scenario</th><th scope="col">Why not</th></tr></thead>
<tbody>${rows.map(({ id, sentence, broke, reason }) => markup`<tr><th scope="row"><span class="id">${id}</span><span class="sentence">${sentence}</span></th><td>${broke && markup`<b class="broke">broke</b>: `}${reason}</td></tr>`)}</tbody></table></div>`;
}

const question = 'Does pinning pay here?';

function summary(sentences: readonly string[]): Markup {
  const [first, ...others] = sentences;
  if (first === undefined) return markup`<p class="verdict">Nothing was measured that answers it.</p>`;
  return markup`<p class="verdict">${first.startsWith(question) ? first.slice(question.length).trim() : first}</p>${others.length > 0 && markup`<ul>${others.map((sentence) => markup`<li>${sentence}</li>`)}</ul>`}`;
}

/**
 * A run of the benchmark as one HTML file: it works offline, asks for nothing, and shows any text in the document as text.
 * @example
 * writeFileSync('bench.html', html(parseDocument(readFileSync('bench.json', 'utf8'))));
 */
export function html(document: BenchDocument): string {
  const { machine, scenarios } = document;
  const times = of(scenarios, 'times').filter(({ n }) => n > 0);
  const rates: RateResult[] = of(scenarios, 'rate').filter(({ n }) => n > 0);
  const pairs: PairsResult[] = of(scenarios, 'pairs');
  const missing = scenarios.flatMap((scenario) => missingOf(scenario) ?? []);
  const heatmaps = pairs.map((result) => pairsData(result, machine.topology));
  const drawn = [times.filter((result) => !isJitter(result)), times.filter(isJitter)] as const;
  const charts = drawn.map((results) => results.map(curveOf));
  const [calls, jitter] = drawn;
  const data: BenchData = { heatmaps, charts };
  const body = markup`<main>
${head(document)}
${section('verdict', question, summary(document.summary))}
${document.comparison !== undefined && section('comparison', `Against the run of ${when(document.comparison.before)}`, comparisonSection(document.comparison))}
${pairs.length > 0 && section('pairs', 'Core to core', markup`${pairs.map((result, at) => pairsSection(result, heatmaps[at] as (typeof heatmaps)[number], at))}`)}
${jitter.length > 0 && section('jitter', 'Jitter of a spinning thread', markup`${curvesSection(jitter, 1, 'Jitter')}${gapsSection(jitter)}`)}
${rates.length > 0 && section('rates', 'Throughput', ratesSection(rates))}
${calls.length > 0 && section('latency', 'What a call costs', curvesSection(calls, 0, 'What a call costs'))}
${times.length > 0 && section('costs', 'In figures', costsSection(times))}
${(machine.picture !== null || machine.topology !== undefined) && section('machine', 'The machine', machineSection(machine))}
${missing.length > 0 && section('missing', 'Not measured', missingSection(missing))}
${scenarios.length === 0 && markup`<p class="empty">No scenario was run.</p>`}
</main>`;
  return page({ title: `groupaffinity bench: ${machine.cpuModel}, ${when(document.begun)}`, script: 'bench.js', data, body });
}
