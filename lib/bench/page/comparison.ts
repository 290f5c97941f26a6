import { percent, range, rate, ratio, time } from '../quantities.ts';
import type { Comparison, Difference, Estimate } from '../result.ts';
import { Markup, markup } from './markup.ts';

function inUnit(unit: string | undefined, estimate: Estimate | undefined): Markup {
  if (estimate === undefined) return markup`–`;
  const as = unit === 'ns' ? time : unit === 'of the time' ? percent : rate;
  return markup`${as(estimate.value)}<span class="interval">${range(estimate, as)}</span>`;
}

function speed(estimate: Estimate | undefined): Markup {
  if (estimate === undefined) return markup`–`;
  return markup`<b>${ratio(estimate.value)}</b><span class="interval">${range(estimate, ratio)}</span>`;
}

function row({ id, verdict, reason, unit, before, after, speed: all, floorSpeed, ratioSpeed }: Difference): Markup {
  return markup`<tr><th scope="row">${id}</th><td><span class="verdict-${verdict === 'faster' || verdict === 'slower' ? verdict : 'none'}">${verdict}</span>${reason !== undefined && markup`<span class="interval">${reason}</span>`}</td><td class="figure">${inUnit(unit, before)}</td><td class="figure">${inUnit(unit, after)}</td><td class="figure">${speed(all)}</td><td class="figure">${speed(floorSpeed)}</td><td class="figure">${speed(ratioSpeed)}</td></tr>`;
}

const lines = (title: string, all: readonly string[]): Markup =>
  markup`${all.length > 0 && markup`<p class="lead">${title}</p><ul>${all.map((line) => markup`<li>${line}</li>`)}</ul>`}`;

/** This run against an older one. */
export function comparisonSection({ machines, changes, differences }: Comparison): Markup {
  return markup`${lines('Another machine, so nothing can be compared:', machines)}${lines('Also changed:', changes)}
<div class="wide"><table>
<thead><tr><th scope="col">Scenario</th><th scope="col">Verdict</th><th scope="col" class="figure">Before</th><th scope="col" class="figure">Now</th><th scope="col" class="figure">Speed</th><th scope="col" class="figure">Of the bare calls</th><th scope="col" class="figure">Against them</th></tr></thead>
<tbody>${differences.map(row)}</tbody>
</table></div>
<p class="note">Speed: how many times as fast as before, with the widest range that the two intervals allow. Where the bare calls changed as much, the machine did.</p>`;
}
