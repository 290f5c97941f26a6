import { range, rate as inWords } from '../quantities.ts';
import type { RateResult } from '../result.ts';
import { contrast } from '../summary.ts';
import { against, bar, mostOf } from './bar.ts';
import { counted } from './figures.ts';
import { Markup, markup } from './markup.ts';

interface Load {
  readonly name: string;
  readonly unit: string;
  readonly bars: readonly { readonly name: string; readonly result: RateResult }[];
}

/** 'throughput.memory.spread' is the bar 'spread' of the load 'memory'. */
function loads(results: readonly RateResult[]): Load[] {
  const found = new Map<string, { name: string; unit: string; bars: { name: string; result: RateResult }[] }>();
  for (const result of results) {
    const words = result.id.split('.');
    const bar = words.pop() ?? '';
    const key = `${words.join('.')} ${result.unit}`;
    const load = found.get(key) ?? { name: words.at(-1) ?? bar, unit: result.unit, bars: [] };
    found.set(key, load);
    load.bars.push({ name: bar, result });
  }
  return [...found.values()];
}

const passesOf = ({ passes, rate }: RateResult) => ({ passes, all: rate });

function workers({ workers }: RateResult): Markup {
  return markup`${workers.map(({ allowed, seen, migrations }, at) => markup`<tr><th scope="row">worker ${at}</th><td>${allowed}</td><td>${seen}</td><td class="figure">${migrations?.toLocaleString('en') ?? '–'}</td></tr>`)}`;
}

function panel({ name, unit, bars }: Load): Markup {
  const most = mostOf(bars.map(({ result: { rate, passes } }) => ({ estimate: rate, passes })));
  const free = bars.find(({ name }) => name === 'free')?.result;
  return markup`<figure class="load"><figcaption>${name} <span class="unit">${unit}</span></figcaption>
<table class="bars">
<thead class="unseen"><tr><th scope="col">Placement</th><th scope="col">Bar</th><th scope="col">${unit}, with the 95 % interval</th></tr></thead>
<tbody>${bars.map(
    ({ name, result }) =>
      markup`<tr><th scope="row" title="${result.sentence}">${name}</th><td class="drawn">${bar(result.rate, result.passes, most)}</td><td class="said"><b>${inWords(result.rate.value)}</b> <span class="interval">${range(result.rate, inWords)}</span><span class="verdict">${free !== undefined && free !== result && against(contrast(passesOf(result), passesOf(free)))}</span></td></tr>`,
  )}</tbody>
</table>
<details><summary>Where the workers ran</summary><div class="wide"><table>
<thead><tr><th scope="col">Worker</th><th scope="col">Allowed</th><th scope="col">Seen on</th><th scope="col" class="figure">Migrations</th></tr></thead>
<tbody>${bars.map(({ name, result }) => markup`<tr class="group"><th scope="rowgroup" colspan="4">${name}: ${result.sentence} ${result.where}. ${counted(result.n, 'pass', 'passes')}${result.strays > 0 && `, ${result.strays.toLocaleString('en')} thrown away`}.</th></tr>${workers(result)}`)}</tbody>
</table></div></details></figure>`;
}

/** Bars from nought, a panel a load. */
export function ratesSection(results: readonly RateResult[]): Markup {
  return markup`<div class="loads">${loads(results).map(panel)}</div>
<p class="note">Bars from nought, with the 95 % interval and each pass as a dot. “free”: placed by the scheduler.</p>`;
}
