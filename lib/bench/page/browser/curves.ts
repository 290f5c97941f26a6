import uPlot from 'uplot';
import { time } from '../../quantities.ts';
import { lineOf, valueAt, type Curve } from '../data.ts';
import { multiplicativeTicks, percentile, roundTime } from '../figures.ts';
import { colour, onTheme } from './theme.ts';

const marks = [0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9999999];
const places = marks.map((part) => -Math.log10(1 - part));

function limits(curves: readonly Curve[]): [number, number] {
  let [low, high] = [Infinity, 0];
  for (const { points } of curves)
    for (const [, ns] of points) {
      low = Math.min(low, ns);
      high = Math.max(high, ns);
    }
  if (high === 0) return [1, 10];
  return [low / 1.15, high * 1.3];
}

/** Draws percentile curves into a figure, and lets its key switch and name them. */
export function drawCurves(figure: HTMLElement, curves: readonly Curve[]): void {
  const host = figure.querySelector<HTMLElement>('.plot');
  const rows = [...figure.querySelectorAll<HTMLElement>('.key tbody tr')];
  const here = figure.querySelector<HTMLElement>('.key .here');
  if (host === null) return;
  const xs = [...new Set(curves.flatMap(({ points }) => points.map(([x]) => x)))].sort((one, other) => one - other);
  const ys = curves.map((curve) => xs.map((x) => valueAt(curve, x)));
  const end = Math.max(xs.at(-1) ?? 0, 1) * 1.01;
  const shown = curves.map(() => true);

  const tell = (at: number | null | undefined): void => {
    if (here !== null) here.textContent = at === null || at === undefined ? '' : percentile(1 - 10 ** -(xs[at] ?? 0));
    rows.forEach((row, index) => {
      const cell = row.querySelector('.at');
      const value = at === null || at === undefined ? null : ys[index]?.[at];
      if (cell !== null) cell.textContent = value === null || value === undefined ? '' : time(value);
    });
  };
  const font = '12px system-ui, sans-serif';
  const lines = { stroke: () => colour('line'), width: 1 };
  const axis = { font, stroke: () => colour('muted'), grid: lines, ticks: lines };
  const size = (): { width: number; height: number } => ({ width: host.clientWidth, height: host.clientWidth < 520 ? 300 : 380 });
  const plot = new uPlot(
    {
      ...size(),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      focus: { alpha: 0.2 },
      scales: {
        x: { time: false, range: [0, end] },
        y: {
          // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- logarithmic, by an enum that has no value at run time
          distr: 3,
          log: 10,
          range: () => limits(curves.filter((_, index) => shown[index])),
        },
      },
      axes: [
        {
          ...axis,
          splits: () => places.filter((place) => place <= end && (place > 0 || host.clientWidth >= 520)),
          values: (_, splits) => splits.map((place) => (place === 0 ? 'min' : percentile(1 - 10 ** -place))),
        },
        {
          ...axis,
          size: 64,
          splits: (_, __, low, high) => multiplicativeTicks(low, high, 7),
          filter: (_, splits) => splits,
          values: (_, splits) => splits.map((ns) => roundTime(ns)),
        },
      ],
      series: [
        {},
        ...curves.map((_, index) => {
          const { colour: name, dash } = lineOf(index);
          return { stroke: () => colour(name), width: 2, dash: [...dash], points: { show: false }, spanGaps: true };
        }),
      ],
      hooks: { setCursor: [({ cursor }) => tell(cursor.idx)] },
    },
    [xs, ...ys],
    host,
  );

  rows.forEach((row, index) => {
    const button = row.querySelector('button');
    button?.addEventListener('click', () => {
      shown[index] = !(shown[index] ?? true);
      button.setAttribute('aria-pressed', String(shown[index]));
      plot.setSeries(index + 1, { show: shown[index] });
    });
    const focus = (on: boolean) => (): void => plot.setSeries(on ? index + 1 : null, { focus: on });
    row.addEventListener('pointerenter', focus(true));
    row.addEventListener('pointerleave', focus(false));
  });
  host.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = Math.min(Math.max((plot.cursor.idx ?? -1) + step, 0), xs.length - 1);
    plot.setCursor({ left: plot.valToPos(xs[at] ?? 0, 'x'), top: 0 });
  });
  new ResizeObserver(() => {
    if (host.clientWidth !== plot.width) plot.setSize(size());
  }).observe(host);
  onTheme(() => plot.redraw(false));
}
