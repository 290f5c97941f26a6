import { figure, percent, range, time } from '../../quantities.ts';
import { relation, shared, type PairsData } from '../data.ts';
import { additiveTicks, counted, multiplicativeTicks, roundTime } from '../figures.ts';
import { canvas, element } from './element.ts';
import { isLight, ramp, rampAt } from './ramp.ts';
import { colour, onTheme } from './theme.ts';

interface Metric {
  readonly name: string;
  readonly title: string;
  readonly isTime: boolean;
  readonly values: readonly number[];
}

interface Scale {
  readonly low: number;
  readonly high: number;
  readonly isLog: boolean;
  /** Whether values lie beyond it. */
  readonly above: boolean;
  place(value: number): number;
  readonly ticks: readonly number[];
}

function metrics({ pairs: { p50, p99, min, low, high } }: PairsData): Metric[] {
  return [
    { name: 'median', title: 'Median round trip', isTime: true, values: p50 },
    { name: 'p99', title: '99th percentile of a round trip', isTime: true, values: p99 },
    { name: 'least', title: 'Least round trip', isTime: true, values: min },
    {
      name: 'spread',
      title: 'Spread of the median between passes',
      isTime: false,
      values: p50.map((middle, at) => ((high[at] ?? 0) - (low[at] ?? 0)) / middle),
    },
  ];
}

/**
 * From the least value, for nothing is fast by accident, to the greatest, of many without the last hundredth; never so
 * narrow that noise looks like structure.
 */
function scaleOf({ values, isTime }: Metric): Scale {
  const sorted = values.toSorted((one, other) => one - other);
  const cut = sorted.length > 200 ? Math.floor(sorted.length / 100) : 0;
  let [low, high] = [sorted[0] ?? 0, sorted[sorted.length - 1 - cut] ?? 1];
  if (!isTime) [low, high] = [0, Math.max(high, 0.05)];
  else if (high < low * 1.1) [low, high] = [((low + high) / 2) * 0.95, ((low + high) / 2) * 1.05];
  if (high <= low) high = low + 1;
  const isLog = isTime && low > 0 && high > low * 2.5;
  const place = (value: number): number => (isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  const ticks = isLog ? multiplicativeTicks(low, high, 6) : additiveTicks(low, high, 5);
  return { low, high, isLog, place, ticks, above: (sorted.at(-1) ?? high) > high * 1.001 };
}

const sizes = { least: 2, most: 84, plot: 780, narrow: 380, band: 18, font: 11 } as const;
const family = 'system-ui, sans-serif';

/** Where everything lies, in CSS pixels from the corner of the canvas. */
interface Plan {
  readonly cell: number;
  readonly gap: number;
  readonly left: number;
  readonly top: number;
  /** Of each CPU: the begin of its row and column, from `left` and `top`. */
  readonly at: readonly number[];
  readonly side: number;
}

/** The median of each pair as colours, n by n, with the pair under the pointer or the keyboard's cursor in words. */
class Heatmap {
  readonly #data: PairsData;
  readonly #ratio = Math.max(2, devicePixelRatio);
  /** Of row and column: the pair's place in the columns; -1: not measured. */
  readonly #pairs: Int32Array;
  readonly #metrics: readonly Metric[];
  #metric: Metric;
  #scale: Scale;
  #plan: Plan;
  #drawn: HTMLCanvasElement;
  #legend: HTMLCanvasElement;
  #row = 0;
  #column = 1;

  readonly #figure: HTMLElement;
  readonly #plot = element('div', { class: 'heat-plot', tabindex: '0', role: 'application' });
  readonly #cursor = element('div', { class: 'heat-cursor', hidden: '' });
  readonly #tip = element('div', { class: 'tip', role: 'status', hidden: '' });
  readonly #table = element('div', { class: 'wide' });
  readonly #details = element('details', {}, element('summary', {}, 'All values as a table'), this.#table);

  constructor(host: HTMLElement, data: PairsData) {
    this.#data = data;
    this.#figure = host.querySelector<HTMLElement>('.heat-figure') ?? host;
    const n = data.cpus.length;
    this.#pairs = new Int32Array(n * n).fill(-1);
    const { one, other } = data.pairs;
    // What was measured from the other end only is shown there and here.
    one.forEach((row, at) => (this.#pairs[(other[at] ?? 0) * n + row] = at));
    one.forEach((row, at) => (this.#pairs[row * n + (other[at] ?? 0)] = at));
    this.#metrics = metrics(data);
    this.#metric = this.#metrics[0] as Metric;
    this.#scale = scaleOf(this.#metric);
    // As wide as the largest cells make it, so that what stands beside it stands near; below it where the smallest leave no room.
    const edge = this.#bands.length * sizes.band + 60;
    const most = Math.max(Math.min(n * sizes.most, sizes.plot), n * sizes.least);
    this.#figure.style.maxWidth = `${Math.max(edge + most, sizes.narrow)}px`;
    this.#figure.style.minWidth = `min(100%, ${Math.max(edge + n * sizes.least, sizes.narrow)}px)`;
    this.#plan = this.#layOut();
    [this.#drawn, this.#legend] = [this.#drawCells(), this.#drawLegend()];
    this.#plot.append(this.#drawn, this.#cursor);
    this.#figure.append(this.#choice(), element('div', { class: 'wide' }, this.#plot), this.#legend);
    const save = element('button', { type: 'button' }, 'Save as PNG');
    save.addEventListener('click', () => this.#save());
    (host.querySelector('.heat-side') ?? host).append(save);
    host.after(this.#details);
    document.body.append(this.#tip);
    this.#label();
    this.#listen();
  }

  #layOut(): Plan {
    const { cpus } = this.#data;
    const bands = this.#bands.length * sizes.band;
    const left = bands + 8 + String(Math.max(...cpus)).length * 7;
    const top = bands + 18;
    // Packages stand apart most.
    const gaps = cpus.map((_, at) => {
      const level = at === 0 ? -1 : this.#bands.findIndex(({ of }) => of[at] !== of[at - 1]);
      return level < 0 ? 0 : Math.max(4 - 1.5 * level, 1);
    });
    const room = this.#figure.clientWidth - left - gaps.reduce((sum, gap) => sum + gap, 0) - 1;
    const whole = Math.floor((room * this.#ratio) / cpus.length) / this.#ratio;
    const cell = Math.min(Math.max(whole, sizes.least), sizes.most);
    let begin = 0;
    const at = gaps.map((gap, index) => {
      begin += gap + (index === 0 ? 0 : cell);
      return begin;
    });
    return { cell, gap: cell >= 8 ? 1 : 0, left, top, at, side: begin + cell };
  }

  /** Levels drawn along the edges: cores are too small, and the whole machine says nothing. */
  get #bands(): PairsData['levels'] {
    return this.#data.levels.filter(({ outer, parts }) => outer !== 'core' && parts.length > 1 && parts.length < this.#data.cpus.length);
  }

  #drawCells(): HTMLCanvasElement {
    const { cell, gap, left, top, at, side } = this.#plan;
    const n = this.#data.cpus.length;
    const { canvas: made, context } = canvas(left + side + 1, top + side + 1, this.#ratio);
    const size = cell - gap;
    const colours = ramp.map((triple) => `rgb(${triple.join(' ')})`);
    const texts = this.#metric.values.map((value) => this.#inCell(value));
    const font = this.#fontFor(context, texts, size - 4);
    const [empty, hatch] = [colour('empty'), colour('muted')];
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    for (let row = 0; row < n; row += 1)
      for (let column = 0; column < n; column += 1) {
        const [x, y] = [left + (at[column] ?? 0), top + (at[row] ?? 0)];
        const pair = this.#pairs[row * n + column] ?? -1;
        const value = this.#metric.values[pair];
        if (value === undefined) {
          context.fillStyle = empty;
          context.fillRect(x, y, size, size);
          if (row !== column) this.#hatch(context, x, y, size, hatch);
          continue;
        }
        const place = Math.round(Math.min(Math.max(this.#scale.place(value), 0), 1) * (ramp.length - 1));
        context.fillStyle = colours[place] ?? '';
        context.fillRect(x, y, size, size);
        if (font > 0) {
          context.fillStyle = isLight(ramp[place] ?? [0, 0, 0]) ? '#10131a' : '#ffffff';
          const roomy = size >= 64 && this.#metric.name === 'median';
          context.font = `${font}px ${family}`;
          context.fillText(texts[pair] ?? '', x + size / 2, y + size / 2 + (roomy ? -7 : 0.5));
          context.font = `${sizes.font}px ${family}`;
          const passes = roomy ? this.#passes(pair) : '';
          if (context.measureText(passes).width < size - 6) context.fillText(passes, x + size / 2, y + size / 2 + 11);
        }
      }
    this.#drawEdges(context);
    return made;
  }

  #hatch(context: CanvasRenderingContext2D, x: number, y: number, size: number, stroke: string): void {
    context.strokeStyle = stroke;
    context.lineWidth = 0.75;
    context.beginPath();
    context.moveTo(x, y + size);
    context.lineTo(x + size, y);
    context.stroke();
  }

  /** Under the median of a pair, where there is room: the medians of the passes. */
  #passes(pair: number): string {
    const { low, high } = this.#data.pairs;
    return [low, high].map((values) => this.#inCell(values[pair] ?? Number.NaN)).join('–');
  }

  #inCell(value: number): string {
    if (!this.#metric.isTime) return String(Math.round(value * 100));
    return this.#unit.size === 1 && this.#scale.high >= 10 ? String(Math.round(value)) : figure(value / this.#unit.size);
  }

  /** Of all figures in cells and legend alike. */
  get #unit(): { size: number; name: string } {
    if (!this.#metric.isTime) return { size: 0.01, name: '%' };
    return this.#scale.high < 10_000 ? { size: 1, name: 'ns' } : { size: 1000, name: 'µs' };
  }

  /** The greatest size at which the widest text fits; 0: none is readable. */
  #fontFor(context: CanvasRenderingContext2D, texts: readonly string[], room: number): number {
    const widest = Math.max(0, ...new Set(texts.map(({ length }) => length)));
    context.font = `10px ${family}`;
    const size = Math.min(18, room * 0.62, (room / context.measureText('0'.repeat(widest)).width) * 10);
    return size < 8 ? 0 : Math.floor(size * 2) / 2;
  }

  #drawEdges(context: CanvasRenderingContext2D): void {
    const { cell, gap, left, top, at } = this.#plan;
    const { cpus } = this.#data;
    const bands = this.#bands;
    const edge = bands.length * sizes.band;
    context.font = `${sizes.font}px ${family}`;
    context.fillStyle = colour('muted');
    const wide = context.measureText(String(Math.max(...cpus))).width + 5;
    const every = (room: number): number => 2 ** Math.max(0, Math.ceil(Math.log2(room / cell)));
    cpus.forEach((cpu, index) => {
      const middle = (at[index] ?? 0) + (cell - gap) / 2;
      context.textAlign = 'center';
      context.textBaseline = 'alphabetic';
      if (index % every(wide) === 0) context.fillText(String(cpu), left + middle, top - 5);
      context.textAlign = 'right';
      context.textBaseline = 'middle';
      if (index % every(sizes.font + 2) === 0) context.fillText(String(cpu), left - 5, top + middle);
    });
    bands.forEach(({ of, parts }, band) => {
      for (let from = 0; from < of.length;) {
        let to = from;
        while (to + 1 < of.length && of[to + 1] === of[from]) to += 1;
        const [begin, end] = [at[from] ?? 0, (at[to] ?? 0) + cell - gap];
        this.#bracket(context, parts[of[from] ?? 0] ?? '', begin, end, band * sizes.band, edge);
        from = to + 1;
      }
    });
  }

  /** A line along a part, with its name where there is room, above and at the left. */
  #bracket(context: CanvasRenderingContext2D, name: string, begin: number, end: number, offset: number, edge: number): void {
    const { left, top } = this.#plan;
    context.fillStyle = colour('muted');
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    // Shorter names for shorter lines: 'package 0 · node 0', 'package 0', '0'.
    const fitting = [name, name.split(' · ')[0] ?? '', /\d+$/.exec(name.split(' · ')[0] ?? '')?.[0] ?? ''].find(
      (text) => context.measureText(text).width <= end - begin - 2,
    );
    const across = edge - offset;
    const line = (turn: () => void): void => {
      context.save();
      turn();
      context.fillRect(begin, sizes.band - 4, end - begin, 1.5);
      if (fitting !== undefined) context.fillText(fitting, (begin + end) / 2, sizes.band / 2 - 3);
      context.restore();
    };
    line(() => context.translate(left, edge - across));
    line(() => {
      context.transform(0, -1, 1, 0, edge - across, top);
      // Upwards: what begins below ends above.
      context.translate(-(begin + end), 0);
    });
  }

  /** The colours with what they stand for, and above them how many pairs have which. */
  #drawLegend(): HTMLCanvasElement {
    const { left, side } = this.#plan;
    const { low, high, above, ticks } = this.#scale;
    const width = Math.min(Math.max(side, 200), 420, this.#figure.clientWidth - left - 12);
    const { canvas: made, context } = canvas(
      Math.min(left + Math.max(width, 330) + 12, this.#figure.clientWidth),
      above ? 106 : 91,
      this.#ratio,
    );
    const [x, y, bars] = [left, 40, 26];
    const bins = new Array<number>(48).fill(0);
    for (const value of this.#metric.values) {
      const bin = Math.floor(Math.min(Math.max(this.#scale.place(value), 0), 0.9999) * bins.length);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    const most = Math.max(...bins);
    const step = width / bins.length;
    bins.forEach((many, bin) => {
      if (many === 0) return;
      const height = Math.max(2, (many / most) * bars);
      context.fillStyle = colour('muted');
      context.fillRect(x + bin * step, y - 3 - height, step - 1, height);
    });
    for (let at = 0; at < width; at += 0.5) {
      context.fillStyle = `rgb(${rampAt(at / width).join(' ')})`;
      context.fillRect(x + at, y, 0.5, 12);
    }
    context.font = `${sizes.font}px ${family}`;
    context.textAlign = 'center';
    context.textBaseline = 'alphabetic';
    let last = -Infinity;
    for (const tick of ticks) {
      const at = this.#scale.place(tick) * width;
      const text = this.#metric.isTime ? roundTime(tick) : percent(tick);
      const half = context.measureText(text).width / 2;
      context.fillStyle = colour('muted');
      context.fillRect(x + at - 0.5, y + 12, 1, 4);
      if (at - half < last + 6) continue;
      context.fillStyle = colour('ink');
      context.fillText(text, x + at, y + 28);
      last = at + half;
    }
    context.textAlign = 'left';
    context.fillStyle = colour('muted');
    context.fillText(`${this.#metric.title}, ${this.#unit.name}`, x, y + 44);
    if (above) context.fillText(`lightest: ${this.#tell(high)} and more`, x, y + 59);
    made.className = 'heat-legend';
    made.setAttribute('role', 'img');
    made.setAttribute('aria-label', `${this.#metric.title}: from dark, ${this.#tell(low)}, to light, ${this.#tell(high)}`);
    return made;
  }

  #tell(value: number): string {
    return this.#metric.isTime ? time(value) : percent(value);
  }

  #choice(): HTMLElement {
    const chosen = element('div', { class: 'choice', role: 'group', 'aria-label': 'What the colours show' });
    for (const metric of this.#metrics) {
      const button = element('button', { type: 'button', 'aria-pressed': String(metric === this.#metric) }, metric.name);
      button.addEventListener('click', () => {
        chosen.querySelectorAll('button').forEach((each) => each.setAttribute('aria-pressed', String(each === button)));
        this.#metric = metric;
        this.#scale = scaleOf(metric);
        this.#redraw();
        if (this.#details.open) this.#fillTable();
      });
      chosen.append(button);
    }
    return chosen;
  }

  #label(): void {
    const n = this.#data.cpus.length;
    this.#plot.setAttribute('aria-label', `Heatmap of ${n} by ${n} CPUs: ${this.#metric.title}. The arrow keys move from pair to pair.`);
  }

  #redraw(): void {
    this.#plan = this.#layOut();
    const [cells, legend] = [this.#drawCells(), this.#drawLegend()];
    this.#drawn.replaceWith(cells);
    this.#legend.replaceWith(legend);
    [this.#drawn, this.#legend] = [cells, legend];
    this.#label();
    this.#hide();
  }

  #listen(): void {
    const plot = this.#plot;
    let width = this.#figure.clientWidth;
    new ResizeObserver(() => {
      if (this.#figure.clientWidth === width) return;
      width = this.#figure.clientWidth;
      this.#redraw();
    }).observe(this.#figure);
    onTheme(() => this.#redraw());
    plot.addEventListener('pointermove', ({ offsetX, offsetY }) => this.#point(offsetX, offsetY));
    plot.addEventListener('pointerdown', ({ offsetX, offsetY }) => this.#point(offsetX, offsetY));
    plot.addEventListener('pointerleave', () => this.#hide());
    plot.addEventListener('focus', () => {
      if (plot.matches(':focus-visible')) this.#show();
    });
    plot.addEventListener('blur', () => this.#hide());
    plot.addEventListener('keydown', (event) => this.#press(event));
    this.#details.addEventListener('toggle', () => {
      if (this.#details.open) this.#fillTable();
      else this.#table.replaceChildren();
    });
  }

  #point(x: number, y: number): void {
    const { left, top, at, side } = this.#plan;
    const find = (place: number): number => (place < 0 || place > side ? -1 : at.findLastIndex((begin) => begin <= place));
    const [row, column] = [find(y - top), find(x - left)];
    if (row < 0 || column < 0) {
      this.#hide();
      return;
    }
    [this.#row, this.#column] = [row, column];
    this.#show();
  }

  #press(event: KeyboardEvent): void {
    const last = this.#data.cpus.length - 1;
    const to = {
      ArrowUp: [this.#row - 1, this.#column],
      ArrowDown: [this.#row + 1, this.#column],
      ArrowLeft: [this.#row, this.#column - 1],
      ArrowRight: [this.#row, this.#column + 1],
      Home: [this.#row, 0],
      End: [this.#row, last],
    }[event.key];
    if (event.key === 'Escape') this.#hide();
    if (to === undefined) return;
    event.preventDefault();
    [this.#row = 0, this.#column = 0] = to.map((place) => Math.min(Math.max(place, 0), last));
    this.#show();
  }

  #hide(): void {
    this.#cursor.hidden = true;
    this.#tip.hidden = true;
  }

  #show(): void {
    const { cell, gap, left, top, at } = this.#plan;
    const [x, y] = [left + (at[this.#column] ?? 0), top + (at[this.#row] ?? 0)];
    Object.assign(this.#cursor.style, { left: `${x}px`, top: `${y}px`, width: `${cell - gap}px`, height: `${cell - gap}px` });
    this.#cursor.hidden = false;
    this.#tip.replaceChildren(...this.#words());
    this.#tip.hidden = false;
    const box = this.#plot.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#tip;
    const right = box.left + x + cell + 10;
    const beside = right + width <= innerWidth - 8 ? right : Math.max(8, Math.min(box.left + x - width - 10, innerWidth - width - 8));
    const below = Math.min(box.top + y, innerHeight - height - 8);
    Object.assign(this.#tip.style, { left: `${Math.max(8, beside)}px`, top: `${Math.max(8, below)}px` });
  }

  #words(): HTMLElement[] {
    const { cpus, levels, pairs } = this.#data;
    const [row, column] = [this.#row, this.#column];
    const line = (text: string, name = ''): HTMLElement => element('div', { class: name }, text);
    if (row === column) return [line(`CPU ${cpus[row]}`, 'tip-head'), line('itself')];
    const head = line(`CPU ${cpus[row]} ↔ CPU ${cpus[column]}`, 'tip-head');
    const near = relation(levels, shared(levels, row, column));
    const at = this.#pairs[row * cpus.length + column] ?? -1;
    const of = (values: readonly number[]): number => values[at] ?? Number.NaN;
    if (at < 0) return [head, line('not measured', 'tip-value'), line(near)];
    const spread = (of(pairs.high) - of(pairs.low)) / of(pairs.p50);
    return [
      head,
      line(time(of(pairs.p50)), 'tip-value'),
      line(`p99 ${time(of(pairs.p99))} · least ${time(of(pairs.min))} · most ${time(of(pairs.max))}`),
      line(
        `medians of ${counted(of(pairs.passes), 'pass', 'passes')}: ${range({ low: of(pairs.low), high: of(pairs.high) }, time)} (spread ${percent(spread)})`,
      ),
      line(`${counted(of(pairs.n), 'sample')}${of(pairs.strays) > 0 ? `, ${of(pairs.strays).toLocaleString('en')} thrown away` : ''}`),
      line(near),
    ];
  }

  #fillTable(): void {
    const { cpus } = this.#data;
    const n = cpus.length;
    const table = element('table', { class: 'matrix' }, element('caption', {}, `${this.#metric.title}, ${this.#unit.name}`));
    const head = table.createTHead().insertRow();
    head.append(element('th', { scope: 'col' }, 'CPU'), ...cpus.map((cpu) => element('th', { scope: 'col' }, String(cpu))));
    const body = table.createTBody();
    cpus.forEach((cpu, row) => {
      const line = body.insertRow();
      line.append(element('th', { scope: 'row' }, String(cpu)));
      for (let column = 0; column < n; column += 1) {
        const value = this.#metric.values[this.#pairs[row * n + column] ?? -1];
        line.insertCell().textContent = value === undefined ? '–' : figure(value / this.#unit.size);
      }
    });
    this.#table.replaceChildren(table);
  }

  /** The picture with its legend, for a slide. */
  #save(): void {
    const [cells, legend] = [this.#drawn, this.#legend];
    const whole = document.createElement('canvas');
    const margin = 16 * this.#ratio;
    whole.width = Math.max(cells.width, legend.width) + 2 * margin;
    whole.height = cells.height + legend.height + 2 * margin;
    const context = whole.getContext('2d');
    if (context === null) return;
    context.fillStyle = colour('panel');
    context.fillRect(0, 0, whole.width, whole.height);
    context.drawImage(cells, margin, margin);
    context.drawImage(legend, margin, margin + cells.height);
    whole.toBlob((blob) => {
      if (blob === null) return;
      const link = element('a', { href: URL.createObjectURL(blob), download: `${this.#data.id}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  }
}

export function drawHeatmap(host: HTMLElement, data: PairsData): Heatmap {
  return new Heatmap(host, data);
}
