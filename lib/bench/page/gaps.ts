import { figure, percent, range, time } from '../quantities.ts';
import type { Interruptions, TimesResult } from '../result.ts';
import { contrast } from '../summary.ts';
import { against, bar, mostOf } from './bar.ts';
import { Markup, markup } from './markup.ts';

type Gaps = TimesResult & { readonly interruptions: Interruptions };

const hasGaps = (result: TimesResult): result is Gaps => result.interruptions !== undefined;
const lostOf = ({ interruptions: { lost, passes } }: Gaps) => ({ passes, all: lost });

/** Of spinning threads: how much of their time was not theirs. */
export function gapsSection(results: readonly TimesResult[]): Markup {
  const gaps = results.filter(hasGaps);
  const [first] = gaps;
  if (first === undefined) return markup``;
  const most = mostOf(gaps.map(({ interruptions: { lost, passes } }) => ({ estimate: lost, passes })));
  const free = gaps.find(({ id }) => id.endsWith('.free'));
  return markup`<figure class="load"><figcaption>Time lost in gaps over ${time(first.interruptions.over)}</figcaption>
<table class="bars">
<thead class="unseen"><tr><th scope="col">Scenario</th><th scope="col">Bar</th><th scope="col">Part of the time, with the 95 % interval, and gaps in a second</th></tr></thead>
<tbody>${gaps.map((result) => {
    const { lost, passes, perSecond } = result.interruptions;
    const verdict = free !== undefined && free !== result && against(contrast(lostOf(result), lostOf(free)));
    return markup`<tr><th scope="row" title="${result.sentence}">${result.id}</th><td class="drawn">${bar(lost, passes, most)}</td><td class="said"><b>${percent(lost.value)}</b> <span class="interval">${range(lost, percent)} · ${figure(perSecond.value)} a second</span><span class="verdict">${verdict}</span></td></tr>`;
  })}</tbody>
</table></figure>`;
}
