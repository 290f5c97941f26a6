import { percent, range, ratio, time } from '../quantities.ts';
import type { Noise, TimesResult } from '../result.ts';
import { Markup, markup } from './markup.ts';

/** What a scenario's place on a logarithmic axis that all of them share is, in per cent. */
type Place = (ns: number) => string;

function axis(results: readonly TimesResult[]): Place {
  const values = results.flatMap(({ min, p50, p999 }) => [min, p50, p999]).filter((value) => value > 0 && Number.isFinite(value));
  const low = values.reduce((low, value) => Math.min(low, value), Infinity);
  const high = values.reduce((high, value) => Math.max(high, value), 0);
  const span = Math.log(high / low) || 1;
  return (ns) => `${(2 + Math.min(Math.max(Math.log(Math.max(ns, low) / low) / span, 0), 1) * 96).toFixed(1)}%`;
}

/** From the least to p99.9 a line, from p50 to p99 a bar, the median a mark. */
function strip({ min, p50, p99, p999 }: TimesResult, at: Place): Markup {
  return markup`<svg class="strip" width="130" height="16" aria-hidden="true"><line class="whisker" x1="${at(min)}" x2="${at(p999)}" y1="8" y2="8"/><line class="body" x1="${at(p50)}" x2="${at(p99)}" y1="8" y2="8"/><line class="median" x1="${at(p50)}" x2="${at(p50)}" y1="2" y2="14"/></svg>`;
}

/** What else went on, in few words. */
function noise({ voluntarySwitches, involuntarySwitches, steal, others, floorSpread }: Noise): string[] {
  return [
    `${voluntarySwitches.toLocaleString('en')} + ${involuntarySwitches.toLocaleString('en')} switches`,
    others !== null && `others ${percent(others)}`,
    steal !== null && `steal ${percent(steal)}`,
    floorSpread !== null && `floor spread ${percent(floorSpread)}`,
  ].filter((part) => part !== false);
}

function againstFloor({ floor, floorRatio, floorRatioInterval: [low, high] = [0, 0] }: TimesResult): Markup {
  if (floorRatio === undefined) return markup`–`;
  return markup`<b>${ratio(floorRatio)}</b><span class="interval">${range({ low, high }, ratio)}</span>${floor !== undefined && markup`<span class="interval">of ${time(floor.value)}</span>`}`;
}

const heads = ['n', 'min', 'median', 'p90', 'p99', 'p99.9', 'max'] as const;

export function costsSection(results: readonly TimesResult[]): Markup {
  const at = axis(results);
  return markup`<div class="wide"><table class="costs">
<thead><tr><th scope="col">Scenario</th><th scope="col" class="drawn">min to p99.9</th>${heads.map((head) => markup`<th scope="col" class="figure">${head}</th>`)}<th scope="col" class="figure">of bare calls</th><th scope="col" class="figure">Strays</th><th scope="col">Noise</th></tr></thead>
<tbody>${results.map(
    (result) =>
      markup`<tr><th scope="row"><span class="id">${result.id}</span><span class="sentence">${result.sentence}</span><span class="sentence">${result.where}</span></th><td class="drawn">${strip(result, at)}</td><td class="figure">${result.n.toLocaleString('en')}</td><td class="figure">${time(result.min)}</td><td class="figure"><b>${time(result.median.value)}</b><span class="interval">${range(result.median, time)}</span></td>${[result.p90, result.p99, result.p999, result.max].map((value) => markup`<td class="figure">${time(value)}</td>`)}<td class="figure">${againstFloor(result)}</td><td class="figure">${result.strays.toLocaleString('en')}</td><td class="noise">${noise(result.noise).map((part) => markup`<span>${part}</span>`)}</td></tr>`,
  )}</tbody>
</table></div>
<p class="note">Times are of one call or event each, on one logarithmic axis. Median: of the passes' medians, with its 95 % interval; the curves and the other figures are of all samples together. Of bare calls: it against the bare system calls that do the same, in the same run. Strays: samples thrown away because a thread was not where it claimed to be. Switches: voluntary + involuntary. Others: CPU time of other programs; steal: of other machines; both of all CPUs.</p>`;
}
