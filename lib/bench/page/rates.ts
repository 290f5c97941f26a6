import type { Estimate, RateResult } from '../result.ts';
import { counted, three } from './figures.ts';
import { Markup, markup } from './markup.ts';

/** The placement that the others are held against. */
const reference = 'scheduler';

interface Load {
  readonly name: string;
  readonly unit: string;
  readonly bars: readonly { readonly name: string; readonly result: RateResult }[];
}

/** 'throughput.memory.spread' is the bar 'spread' of the load 'throughput.memory'. */
function loads(results: readonly RateResult[]): Load[] {
  const found = new Map<string, { name: string; result: RateResult }[]>();
  for (const result of results) {
    const cut = result.id.lastIndexOf('.');
    const load = `${cut < 0 ? result.id : result.id.slice(0, cut)} ${result.unit}`;
    const bars = found.get(load) ?? [];
    found.set(load, bars);
    bars.push({ name: result.id.slice(cut + 1), result });
  }
  return [...found.values()].map((bars) => {
    const [{ result }] = bars as [{ name: string; result: RateResult }];
    const words = result.id.split('.').slice(0, -1);
    return { name: words.length > 1 ? words.slice(1).join(' ') : words.join(' '), unit: result.unit, bars };
  });
}

/** Against the scheduler's: no claim where the intervals overlap. */
function verdict(rate: Estimate, free: Estimate | undefined): string {
  if (free === undefined || free === rate) return '';
  if (rate.low <= free.high && free.low <= rate.high) return 'no difference shown';
  const part = rate.value / free.value - 1;
  return `${part > 0 ? '+' : '−'}${three(Math.abs(part) * 100)} % against the scheduler`;
}

function bar({ rate, samples }: RateResult, most: number): Markup {
  const at = (value: number): string => `${Math.min(Math.max((value / most) * 100, 0), 100).toFixed(2)}%`;
  return markup`<svg class="bar" height="26" aria-hidden="true"><rect class="track" x="0" y="12.5" width="100%" height="1"/><rect class="fill" x="0" y="4" width="${at(rate.value)}" height="18"/>${samples.map((sample) => markup`<circle class="sample" cx="${at(sample)}" cy="19" r="1.6"/>`)}<line class="whisker" x1="${at(rate.low)}" x2="${at(rate.high)}" y1="10" y2="10"/><line class="whisker" x1="${at(rate.low)}" x2="${at(rate.low)}" y1="5" y2="15"/><line class="whisker" x1="${at(rate.high)}" x2="${at(rate.high)}" y1="5" y2="15"/></svg>`;
}

function workers({ workers }: RateResult): Markup {
  return markup`${workers.map(({ allowed, seen, migrations }, at) => markup`<tr><th scope="row">worker ${at}</th><td>${allowed}</td><td>${seen}</td><td class="figure">${migrations.toLocaleString('en')}</td></tr>`)}`;
}

/** Bars from nought, a panel a load. */
export function ratesSection(results: readonly RateResult[]): Markup {
  return markup`<div class="loads">${loads(results).map(({ name, unit, bars }) => {
    const most = bars.reduce((most, { result: { rate, samples } }) => Math.max(most, rate.value, rate.high, ...samples), 0) || 1;
    const free = bars.find(({ name }) => name === reference)?.result.rate;
    return markup`<figure class="load"><figcaption>${name} <span class="unit">${unit}</span></figcaption>
<table class="bars">
<thead class="unseen"><tr><th scope="col">Placement</th><th scope="col">Bar</th><th scope="col">${unit}, with the 95 % interval</th></tr></thead>
<tbody>${bars.map(
      ({ name, result }) =>
        markup`<tr><th scope="row" title="${result.sentence}">${name}</th><td class="drawn">${bar(result, most)}</td><td class="said"><b>${three(result.rate.value)}</b> <span class="interval">${three(result.rate.low)} to ${three(result.rate.high)}</span><span class="verdict">${verdict(result.rate, free)}</span></td></tr>`,
    )}</tbody>
</table>
<details><summary>Where the workers ran</summary><div class="wide"><table>
<thead><tr><th scope="col">Worker</th><th scope="col">Allowed</th><th scope="col">Seen on</th><th scope="col" class="figure">Migrations</th></tr></thead>
<tbody>${bars.map(({ name, result }) => markup`<tr class="group"><th scope="rowgroup" colspan="4">${name}: ${result.sentence} ${counted(result.n, 'repetition')}${result.strays > 0 && `, ${counted(result.strays, 'sample')} thrown away`}</th></tr>${workers(result)}`)}</tbody>
</table></div></details></figure>`;
  })}</div>`;
}
