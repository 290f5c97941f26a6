import { range, time } from '../quantities.ts';
import type { CorePair, MachineLayout, PairsResult } from '../result.ts';
import { relation, shared, type PairColumns, type PairsData } from './data.ts';
import { counted } from './figures.ts';
import { arrange } from './layout.ts';
import { Markup, markup } from './markup.ts';

/** Four figures are more than any measurement here holds. */
const short = (value: number): number => Number(value.toPrecision(4));

function columns(pairs: readonly CorePair[], place: ReadonlyMap<number, number>): PairColumns {
  const of = (figure: (pair: CorePair) => number): number[] => pairs.map((pair) => short(figure(pair)));
  return {
    one: pairs.map(({ one }) => place.get(one) ?? 0),
    other: pairs.map(({ other }) => place.get(other) ?? 0),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    min: of(({ min }) => min),
    max: of(({ max }) => max),
    low: of(({ passes, p50 }) => passes.reduce((low, pass) => Math.min(low, pass), passes[0] ?? p50)),
    high: of(({ passes, p50 }) => passes.reduce((high, pass) => Math.max(high, pass), passes[0] ?? p50)),
    passes: pairs.map(({ passes }) => passes.length),
    n: pairs.map(({ n }) => n),
    strays: pairs.map(({ strays }) => strays),
  };
}

export function pairsData({ id, sentence, cpus, pairs }: PairsResult, layout: MachineLayout | undefined): PairsData {
  const arranged = arrange(cpus, layout);
  const place = new Map(arranged.cpus.map((cpu, at) => [cpu, at]));
  const measured = pairs.filter(({ one, other, n, p50 }) => place.has(one) && place.has(other) && n > 0 && p50 > 0);
  return { id, title: sentence, ...arranged, pairs: columns(measured, place) };
}

/** By how near two CPUs are: how many pairs, and what a round trip takes. */
function relations({ levels, pairs: { one, other, p50 } }: PairsData): Markup {
  if (p50.length === 0) return markup``;
  const kinds = new Map<number, number[]>();
  p50.forEach((value, at) => {
    const level = shared(levels, one[at] ?? 0, other[at] ?? 0);
    const values = kinds.get(level) ?? [];
    kinds.set(level, values);
    values.push(value);
  });
  // Nearest first.
  const rows = [...kinds].sort(([one], [other]) => other - one);
  return markup`<table class="relations">
<thead><tr><th scope="col">Pairs</th><th scope="col" class="figure">How many</th><th scope="col" class="figure">Median</th><th scope="col" class="figure">From, to</th></tr></thead>
<tbody>${rows.map(([level, values]) => {
    const sorted = values.sort((one, other) => one - other);
    return markup`<tr><th scope="row">${relation(levels, level) || 'all'}</th><td class="figure">${sorted.length.toLocaleString('en')}</td><td class="figure strong">${time(sorted[sorted.length >> 1] ?? 0)}</td><td class="figure">${range({ low: sorted[0] ?? 0, high: sorted.at(-1) ?? 0 }, time)}</td></tr>`;
  })}</tbody>
</table>`;
}

/** The place of a heatmap, which the script draws, with the figures beside it. */
export function pairsSection(result: PairsResult, data: PairsData, index: number): Markup {
  const { cpus, pairs } = data;
  const wanted = (cpus.length * (cpus.length - 1)) / 2;
  const met = new Set(pairs.one.map((one, at) => `${Math.min(one, pairs.other[at] ?? 0)} ${Math.max(one, pairs.other[at] ?? 0)}`)).size;
  const missing = wanted - met;
  if (met === 0) return markup`<p class="lead">${result.sentence}</p><p class="empty">No pair of CPUs was measured.</p>`;
  return markup`<p class="lead">${result.sentence}${missing > 0 && markup` <span class="mark">${counted(missing, 'pair')} of ${wanted.toLocaleString('en')} not measured</span>`}${result.omitted !== '' && markup` <span class="mark">Too many for all pairs: CPUs ${result.omitted} were left out.</span>`}</p>
<div class="heat" data-heatmap="${index}">
<div class="heat-figure"></div>
<div class="heat-side">${relations(data)}</div>
</div>`;
}
