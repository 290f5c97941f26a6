import { figure, percent, range, rate, ratio, time } from '../bench/quantities.ts';
import { counted } from '../bench/page/figures.ts';
import { Markup, markup } from '../bench/page/markup.ts';
import { page, section } from '../bench/page/shell.ts';
import { outlying } from './outliers.ts';
import { summarize } from './summary.ts';
import type { Failure, FleetReport, Layout, Machine, Outlier, Spread, Unread } from './result.ts';

/** A figure in its unit. */
export const inUnit = (unit: string): ((value: number) => string) =>
  unit === 'ns' ? time : unit === 'of the time' ? percent : (value) => `${rate(value)} ${unit}`;

/** Of many names the first few. */
function names(all: readonly string[], most = 12): Markup {
  const rest = all.slice(most);
  return markup`${all.slice(0, most).join(', ')}${rest.length > 0 && markup` <details><summary>and ${rest.length.toLocaleString('en')} more</summary>${rest.join(', ')}</details>`}`;
}

/** Machines that say the same, together. */
function sayings({ machines }: Failure): Markup {
  const found = new Map<string, string[]>();
  for (const { name, said } of machines) found.set(said, [...(found.get(said) ?? []), name]);
  return markup`${[...found].map(([said, all]) => markup`<p class="said-by">${said}<span class="interval">${counted(all.length, 'machine')}: ${names(all)}</span></p>`)}`;
}

function troubles(all: readonly Failure[], head: string): Markup {
  return markup`<div class="wide"><table>
<thead><tr><th scope="col">${head}</th><th scope="col" class="figure">Machines</th><th scope="col">What was seen, and where</th></tr></thead>
<tbody>${all.map((trouble) => markup`<tr><th scope="row"><span class="id">${trouble.id}</span><span class="sentence">${trouble.sentence}</span></th><td class="figure">${trouble.machines.length.toLocaleString('en')}</td><td>${sayings(trouble)}</td></tr>`)}</tbody>
</table></div>`;
}

function outlierSection(outliers: readonly Outlier[]): Markup {
  const most = 200;
  return markup`<div class="wide"><table>
<thead><tr><th scope="col">Machine</th><th scope="col">Scenario</th><th scope="col" class="figure">There</th><th scope="col" class="figure">Median of its layout</th><th scope="col" class="figure">Times</th><th scope="col" class="figure">Deviations</th><th scope="col">That is</th><th scope="col" class="figure">Other programs took</th></tr></thead>
<tbody>${outliers
    .slice(0, most)
    .map(
      ({ machine, id, unit, value, median, score, of, is, others }) =>
        markup`<tr><th scope="row">${machine}</th><td>${id}</td><td class="figure"><b>${inUnit(unit)(value)}</b></td><td class="figure">${inUnit(unit)(median)}<span class="interval">of ${counted(of, 'machine')}</span></td><td class="figure">${median === 0 ? '–' : ratio(value / median)}</td><td class="figure">${score > 0 ? '+' : '−'}${figure(Math.abs(score))}</td><td><span class="verdict-${is === 'worse' ? 'slower' : 'faster'}">${is}</span></td><td class="figure">${others === null ? '–' : percent(others)}</td></tr>`,
    )}</tbody>
</table></div>
${outliers.length > most && markup`<p class="note">and ${counted(outliers.length - most, 'other')} less far away; --json has them all.</p>`}
<p class="note">More than 5 deviations and more than 5 % from the median of at least 8 machines of one layout. A deviation is 1.4826 times the median absolute one. Where other programs took much, the run was not alone on its machine.</p>`;
}

/** Each machine a line, from the least value to the greatest. */
function rug(spread: Spread): Markup {
  const { values, median } = spread;
  const [low, high] = [values[0] ?? 0, values.at(-1) ?? 0];
  const at = (value: number): number => (high === low ? 500 : 5 + ((value - low) / (high - low)) * 990);
  const lines = (some: readonly number[]): string =>
    [...new Set(some.map((value) => at(value).toFixed(1)))].map((x) => `M${x} 5v14`).join('');
  const isFar = (value: number): boolean => outlying(value, spread, values.length) !== undefined;
  return markup`<svg class="rug" viewBox="0 0 1000 24" preserveAspectRatio="none" height="24" aria-hidden="true"><path class="ticks" d="${lines(values.filter((value) => !isFar(value)))}"/><path class="far" d="${lines(values.filter(isFar))}"/><path class="middle" d="M${at(median).toFixed(1)} 0v24"/></svg>`;
}

function layoutPart({ name, machines, spreads }: Layout, at: number): Markup {
  return markup`<h3>${at + 1}: ${name} <span class="unit">${counted(machines, 'machine')}</span></h3>
${
  spreads.length > 0 &&
  markup`<div class="wide"><table class="spreads">
<thead><tr><th scope="col">Scenario</th><th scope="col" class="figure">Machines</th><th scope="col" class="figure">Median</th><th scope="col" class="figure">Deviation</th><th scope="col" class="figure">From, to</th><th scope="col" class="drawn">Each machine a line</th></tr></thead>
<tbody>${spreads.map((spread) => {
    const { id, unit, n, median, deviation, values } = spread;
    const as = inUnit(unit);
    return markup`<tr><th scope="row">${id}</th><td class="figure">${n.toLocaleString('en')}</td><td class="figure"><b>${as(median)}</b></td><td class="figure">${median === 0 ? '–' : percent(deviation / median)}</td><td class="figure">${range({ low: values[0] ?? 0, high: values.at(-1) ?? 0 }, as)}</td><td class="drawn">${rug(spread)}</td></tr>`;
  })}</tbody>
</table></div>`
}`;
}

function machineRow({ name, layout, node, release, version, validate, bench, outliers }: Machine, layouts: readonly Layout[]): Markup {
  const claims =
    validate === null
      ? markup`–`
      : markup`${validate.failed > 0 ? markup`<b class="broke">${validate.failed.toLocaleString('en')} failed</b>, ` : ''}${validate.passed.toLocaleString('en')} passed, ${validate.skipped.toLocaleString('en')} skipped`;
  const ran =
    bench === null
      ? markup`–`
      : markup`${bench.broken > 0 && markup`<b class="broke">${bench.broken.toLocaleString('en')} broke</b>, `}${bench.quick ? 'quick' : 'full'}${!bench.complete && ', stopped'}<span class="interval">${bench.begun.slice(0, 16).replace('T', ' ')}</span>`;
  return markup`<tr><th scope="row">${name}</th><td title="${layouts[layout]?.name}">${layout + 1}</td><td>${claims}</td><td>${ran}</td><td class="figure">${outliers > 0 && counted(outliers, 'outlier')}</td><td>${node}</td><td>${release}</td><td>${version}</td></tr>`;
}

function machineSection(machines: readonly Machine[], layouts: readonly Layout[]): Markup {
  return markup`<p class="filter" hidden><label>Show machines with <input type="search" id="filter" placeholder="a name, failed, outlier"></label> <output id="shown"></output></p>
<div class="wide"><table id="machines">
<thead><tr><th scope="col">Machine</th><th scope="col">Layout</th><th scope="col">Claims</th><th scope="col">Benchmark</th><th scope="col" class="figure">Outliers</th><th scope="col">Node</th><th scope="col">System</th><th scope="col">groupaffinity</th></tr></thead>
<tbody>${machines.map((machine) => machineRow(machine, layouts))}</tbody>
</table></div>`;
}

function unreadSection(unread: readonly Unread[]): Markup {
  return markup`<div class="wide"><table><thead><tr><th scope="col">File</th><th scope="col">Why not</th></tr></thead>
<tbody>${unread.map(({ file, reason }) => markup`<tr><th scope="row">${file}</th><td>${reason}</td></tr>`)}</tbody></table></div>`;
}

/** Many results as one HTML file, of the same kind as a benchmark's. */
export function html(report: FleetReport): string {
  const { machines, layouts, failures, broken, outliers, unread } = report;
  const [first, ...others] = summarize(report);
  const body = markup`<main>
<header>
<div class="top"><p class="product">groupaffinity report</p><button type="button" id="theme" hidden></button></div>
<h1>${first}</h1>
</header>
${section('summary', 'In words', markup`<ul>${others.map((sentence) => markup`<li>${sentence}</li>`)}</ul>`)}
${failures.length > 0 && section('failures', 'Claims that failed', troubles(failures, 'Claim'))}
${broken.length > 0 && section('broken', 'Scenarios that broke', troubles(broken, 'Scenario'))}
${outliers.length > 0 && section('outliers', 'Machines unlike the others', outlierSection(outliers))}
${layouts.length > 0 && section('layouts', 'Layouts', markup`${layouts.map(layoutPart)}`)}
${machines.length > 0 && section('machines-head', 'Machines', machineSection(machines, layouts))}
${unread.length > 0 && section('unread', 'Files without a result', unreadSection(unread))}
</main>`;
  return page({ title: `groupaffinity report: ${first}`, script: 'report.js', data: {}, body });
}
