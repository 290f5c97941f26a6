import { time } from '../quantities.ts';
import type { TimesResult } from '../result.ts';
import { lineOf, type Curve } from './data.ts';
import { nines } from './figures.ts';
import { Markup, markup } from './markup.ts';

/** What a logarithmic axis can show of a percentile curve. The greatest of n samples stands at 1 - 1/n. */
export function curveOf({ id, n, curve, max }: TimesResult): Curve {
  const points: [number, number][] = [];
  for (const [part, ns] of [...curve, [1, max] as const]) {
    const x = Number((part < 1 ? nines(Math.max(part, 0)) : Math.log10(Math.max(n, 1))).toFixed(4));
    if (!(ns > 0) || !Number.isFinite(ns) || !(x > (points.at(-1)?.[0] ?? -1))) continue;
    points.push([x, Number(ns.toPrecision(4))]);
  }
  return { name: id, points };
}

function sample(at: number): Markup {
  const { colour, dash } = lineOf(at);
  return markup`<svg class="sample" width="34" height="10" aria-hidden="true"><line class="${colour}" x1="1" x2="33" y1="5" y2="5" stroke-width="2.5" stroke-dasharray="${dash.join(' ') || 'none'}"/></svg>`;
}

/** The place of a chart, which the script draws, and its key. */
export function curvesSection(results: readonly TimesResult[], index: number, label: string): Markup {
  return markup`<figure class="curves" data-chart="${index}">
<div class="plot" tabindex="0" role="img" aria-label="${label}: percentiles from the median to the tail, on a logarithmic axis of time. The table beside it holds the figures."></div>
<div class="wide"><table class="key">
<thead><tr><th scope="col"><span class="unseen">Curve</span></th><th scope="col" class="figure">p50</th><th scope="col" class="figure">p99</th><th scope="col" class="figure tail">p99.9</th><th scope="col" class="figure here"></th></tr></thead>
<tbody>${results.map(
    ({ id, sentence, p50, p99, p999 }, at) =>
      markup`<tr><th scope="row"><button type="button" aria-pressed="true" title="${sentence}">${sample(at)} ${id}</button></th><td class="figure">${time(p50)}</td><td class="figure">${time(p99)}</td><td class="figure tail">${time(p999)}</td><td class="figure at"></td></tr>`,
  )}</tbody>
</table></div>
</figure>`;
}
