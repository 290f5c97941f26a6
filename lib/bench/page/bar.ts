import { range, ratio } from '../quantities.ts';
import type { Estimate } from '../result.ts';
import type { Contrast } from '../summary.ts';
import { Markup, markup } from './markup.ts';

/** An estimate as a bar from nought, with its interval and, below that, its passes; `most` is the whole width. */
export function bar({ value, low, high }: Estimate, passes: readonly (number | null)[], most: number): Markup {
  const at = (value: number): string => `${Math.min(Math.max((value / most) * 100, 0), 100).toFixed(2)}%`;
  const line = (from: number, to: number, y1: number, y2: number): Markup =>
    markup`<line class="whisker" x1="${at(from)}" x2="${at(to)}" y1="${y1}" y2="${y2}"/>`;
  const dots = passes.flatMap((pass) => (pass === null ? [] : [markup`<circle class="sample" cx="${at(pass)}" cy="19" r="1.6"/>`]));
  return markup`<svg class="bar" height="26" aria-hidden="true"><rect class="track" x="0" y="12.5" width="100%" height="1"/><rect class="fill" x="0" y="4" width="${at(value)}" height="18"/>${dots}${line(low, high, 10, 10)}${line(low, low, 5, 15)}${line(high, high, 5, 15)}</svg>`;
}

/** The greatest of what bars are to show; 1 where all are nought. */
export function mostOf(shown: readonly { readonly estimate: Estimate; readonly passes: readonly (number | null)[] }[]): number {
  return Math.max(0, ...shown.flatMap(({ estimate, passes }) => [estimate.value, estimate.high, ...passes.map((pass) => pass ?? 0)])) || 1;
}

/** How something stands to what the scheduler makes of it. */
export function against({ ratio: paired, verdict }: Contrast): string {
  switch (verdict) {
    case 'more':
    case 'less':
      return `${ratio(paired.value)} times free (${range(paired, ratio)})`;
    case 'alike':
      return 'no difference to see to free';
    case 'too few passes':
      return 'too few passes to tell it from free';
  }
}
