import { statSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { html } from '../../lib/bench/html.ts';
import { ramp } from '../../lib/bench/page/browser/ramp.ts';
import { arrange } from '../../lib/bench/page/layout.ts';
import type { BenchDocument, PairsResult } from '../../lib/bench/result.ts';
import { composeBench, withTexts } from '../fixtures/bench-document.ts';
import { Browser, noBrowser, type Opened } from './chromium.ts';
import { unless } from '../machine/own-process.ts';

const shapes = {
  2: {},
  64: { packages: 2, l3: 2, cores: 8, threads: 2 },
  192: { packages: 2, nodes: 2, l3: 3, cores: 8, threads: 2 },
} as const;

const pairsOf = ({ scenarios }: BenchDocument): PairsResult => scenarios.find(({ kind }) => kind === 'pairs') as PairsResult;

/**
 * Walks through the heatmap by its keys, and reads the colour of each cell near its corner, where no text is: red, green
 * and blue of row after row.
 */
function cellColours(page: Page, n: number): Promise<number[][]> {
  return page.evaluate((n) => {
    const plot = document.querySelector<HTMLElement>('.heat-plot');
    const cursor = document.querySelector<HTMLElement>('.heat-cursor');
    const canvas = plot?.querySelector('canvas');
    if (!plot || !cursor || !canvas) throw new Error('there is no heatmap');
    const press = (key: string): void => void plot.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    const walk = (key: string, side: 'left' | 'top'): number[] =>
      Array.from({ length: n }, () => {
        const place = Number.parseFloat(cursor.style[side]);
        press(key);
        return place;
      });
    for (let step = 0; step < n; step += 1) press('ArrowUp');
    press('Home');
    const columns = walk('ArrowRight', 'left');
    const rows = walk('ArrowDown', 'top');
    const ratio = canvas.width / Number.parseFloat(canvas.style.width);
    const { width } = canvas;
    const copy = new OffscreenCanvas(width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy?.drawImage(canvas, 0, 0);
    const data = copy?.getImageData(0, 0, width, canvas.height).data ?? [];
    return rows.flatMap((y) =>
      columns.map((x) => {
        const at = (Math.round((y + 0.5) * ratio) * width + Math.round((x + 0.5) * ratio)) * 4;
        return Array.from(data.slice(at, at + 3));
      }),
    );
  }, n);
}

/** How many pixels of a chart have a colour of style.css, nearly. */
function pixelsOf(page: Page, chart: string, name: string): Promise<number> {
  return page.evaluate(
    ([chart, name]) => {
      const canvas = document.querySelector<HTMLCanvasElement>(`${chart} canvas`);
      const probe = document.createElement('i');
      probe.style.color = `var(--${name})`;
      document.body.append(probe);
      const wanted = (getComputedStyle(probe).color.match(/\d+/g) ?? []).map(Number);
      probe.remove();
      if (canvas === null) return 0;
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
      copy?.drawImage(canvas, 0, 0);
      const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      let found = 0;
      for (let at = 0; at < data.length; at += 4)
        if ((data[at + 3] ?? 0) > 200 && wanted.every((value, part) => Math.abs((data[at + part] ?? 0) - value) < 12)) found += 1;
      return found;
    },
    [chart, name],
  );
}

const background = (page: Page): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const dark = 'rgb(14, 17, 21)';
const light = 'rgb(244, 245, 247)';

describe.skipIf(noBrowser !== undefined)(unless("a benchmark's page in Chromium", noBrowser), () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.start();
  });
  afterAll(() => browser.end());

  const opened = async (
    result: BenchDocument,
    look: Parameters<Browser['open']>[1],
    use: (opened: Opened) => Promise<void>,
  ): Promise<void> => {
    const page = await browser.open(html(result), look);
    try {
      await use(page);
      expect(page.complaints).toEqual([]);
    } finally {
      await page.page.close();
    }
  };

  describe.each([2, 64, 192] as const)('of %i CPUs', (n) => {
    const result = composeBench(shapes[n]);

    it.each([400, 1400])('draws n by n cells, each in the colour of its median, %i pixels wide', async (width) => {
      await opened(result, { width }, async ({ page }) => {
        const colours = await cellColours(page, n);
        expect(colours).toHaveLength(n * n);
        const { cpus } = arrange(pairsOf(result).cpus, result.machine.topology);
        const median = new Map(
          pairsOf(result).pairs.flatMap(({ one, other, p50 }) => [
            [`${one} ${other}`, p50],
            [`${other} ${one}`, p50],
          ]),
        );
        const step = new Map(ramp.map((colour, at) => [colour.join(), at]));
        const seen: { value: number; step: number }[] = [];
        colours.forEach((colour, at) => {
          const [row, column] = [Math.floor(at / n), at % n];
          const place = step.get(colour.join());
          if (row === column) expect(place).toBeUndefined();
          else seen.push({ value: median.get(`${cpus[row]} ${cpus[column]}`) ?? Number.NaN, step: place ?? Number.NaN });
        });
        expect(seen.filter(({ value, step }) => Number.isNaN(value) || Number.isNaN(step))).toEqual([]);
        seen.sort((one, other) => one.value - other.value);
        expect(seen.every(({ step }, at) => step >= (seen[at - 1]?.step ?? 0))).toBe(true);
        if (n > 2) expect([seen[0]?.step, seen.at(-1)?.step]).toEqual([0, 255]);
      });
    });

    it.each([400, 1400])('draws every curve, and nothing wider than the window, %i pixels wide', async (width) => {
      await opened(result, { width }, async ({ page }) => {
        for (const [chart, curves] of [
          ['[data-chart="0"]', 5],
          ['[data-chart="1"]', 2],
        ] as const)
          for (let curve = 0; curve < curves; curve += 1) expect(await pixelsOf(page, chart, `series-${curve}`)).toBeGreaterThan(100);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      });
    });
  });

  const result = composeBench(shapes[64]);

  it('a pair is told under the pointer and under the cursor of the keyboard', async () => {
    await opened(result, { width: 1400 }, async ({ page }) => {
      const tip = page.locator('.tip');
      const plot = page.locator('.heat-plot');
      await plot.scrollIntoViewIfNeeded();
      expect(await tip.isVisible()).toBe(false);
      await page.keyboard.press('Tab');
      while (!(await plot.evaluate((element) => element === element.ownerDocument.activeElement))) await page.keyboard.press('Tab');
      expect(await tip.innerText()).toContain('CPU 0 ↔ CPU 32');
      await page.keyboard.press('ArrowRight');
      const { one, other, p50, n } = pairsOf(result).pairs[0] as PairsResult['pairs'][number];
      expect([one, other]).toEqual([0, 1]);
      const text = await tip.innerText();
      expect(text.split('\n')[0]).toBe('CPU 0 ↔ CPU 1');
      expect(text).toContain(`${p50.toFixed(1)} ns`);
      expect(text).toMatch(/p99 .* · least .* · most .*\nmedians of 5 passes: .* to .* \(spread .*%\)/);
      expect(text).toContain(`${n.toLocaleString('en')} samples`);
      expect(text).toContain('same L3, other core');
      const box = await page.locator('.heat-cursor').boundingBox();
      await page.keyboard.press('Escape');
      expect(await tip.isVisible()).toBe(false);
      await page.mouse.move((box?.x ?? 0) + 3, (box?.y ?? 0) + 3);
      expect(await tip.innerText()).toBe(text);
      await page.mouse.move(2, 2);
      expect(await tip.isVisible()).toBe(false);
      await page.keyboard.press('Home');
      expect(await tip.innerText()).toContain('itself');
    });
  });

  it('holds every value in a table, of what the colours show', async () => {
    await opened(result, { width: 1400 }, async ({ page }) => {
      await page.getByText('All values as a table').click();
      const cells = page.locator('.matrix td');
      await expect.poll(() => cells.count()).toBe(64 * 64);
      const { p50, p99 } = pairsOf(result).pairs.find(({ one, other }) => one === 0 && other === 32) as PairsResult['pairs'][number];
      expect(await cells.nth(0).textContent()).toBe('–');
      expect(await cells.nth(1).textContent()).toBe(p50.toFixed(1));
      await page.getByRole('button', { name: 'p99', exact: true }).click();
      expect(await cells.nth(1).textContent()).toBe(p99.toFixed(1));
      expect(await page.locator('.matrix caption').textContent()).toContain('99th percentile');
    });
  });

  it('curves are switched by their key, and told at the pointer', async () => {
    await opened(result, { width: 1400 }, async ({ page }) => {
      const chart = '[data-chart="1"]';
      const button = page.locator(`${chart} button`).first();
      await button.click();
      expect(await button.getAttribute('aria-pressed')).toBe('false');
      await page.mouse.move(2, 2);
      await expect.poll(() => pixelsOf(page, chart, 'series-0')).toBe(0);
      expect(await pixelsOf(page, chart, 'series-1')).toBeGreaterThan(100);
      await button.click();
      await page.locator(`${chart} .u-over`).hover({ position: { x: 300, y: 100 } });
      expect(await page.locator(`${chart} .here`).innerText()).toMatch(/^p\d/);
      expect(await page.locator(`${chart} .at`).allInnerTexts()).toEqual([expect.stringMatching(/\d/), expect.stringMatching(/\d/)]);
    });
  });

  it('is light or dark as the system is, the other at a click, and light on paper', async () => {
    await opened(result, { width: 1400, theme: 'dark' }, async ({ page }) => {
      expect(await background(page)).toBe(dark);
      expect(await pixelsOf(page, '[data-chart="0"]', 'series-0')).toBeGreaterThan(100);
      const button = page.locator('#theme');
      expect(await button.innerText()).toBe('Light');
      await button.click();
      expect([await background(page), await button.innerText()]).toEqual([light, 'Dark']);
      await expect.poll(() => pixelsOf(page, '[data-chart="0"]', 'series-0')).toBeGreaterThan(100);
      await button.click();
      expect(await background(page)).toBe(dark);
      await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
      expect(await background(page)).toBe(light);
      await page.evaluate(() => dispatchEvent(new Event('afterprint')));
      expect(await background(page)).toBe(dark);
    });
    await opened(result, { width: 400, theme: 'light' }, async ({ page }) => {
      expect(await background(page)).toBe(light);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await background(page)).toBe(dark);
      await expect.poll(() => pixelsOf(page, '[data-chart="0"]', 'series-0')).toBeGreaterThan(100);
    });
  });

  it('follows the window when that grows', async () => {
    await opened(result, { width: 400 }, async ({ page }) => {
      const width = (): Promise<number> => page.locator('.heat-plot canvas').evaluate((canvas) => canvas.clientWidth);
      const narrow = await width();
      await page.setViewportSize({ width: 1400, height: 900 });
      await expect.poll(width).toBeGreaterThan(1.5 * narrow);
      await expect.poll(() => page.locator('[data-chart="0"] canvas').evaluate((canvas) => canvas.clientWidth)).toBeGreaterThan(600);
    });
  });

  it('saves the heatmap as a picture', async () => {
    await opened(result, { width: 1400 }, async ({ page }) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Save as PNG').click()]);
      expect(download.suggestedFilename()).toBe('round-trips.png');
      expect(statSync(await download.path()).size).toBeGreaterThan(10_000);
    });
  });

  it('runs nothing that a result brings along', async () => {
    const hostile = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>';
    const evil = withTexts(composeBench(), hostile);
    await opened(evil, { width: 1400 }, async ({ page }) => {
      expect(await page.locator('h1').innerText()).toBe(hostile);
      expect(await page.locator('img').count()).toBe(0);
      await page.getByText('All values as a table').click();
      await page.locator('.heat-plot').hover({ position: { x: 60, y: 60 } });
      expect(await page.evaluate(() => 'ran' in globalThis)).toBe(false);
    });
  });

  it('lets no script run but its own', async () => {
    const { page, complaints } = await browser.open(html(composeBench()), { width: 1400 });
    const ran = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.ran = 1';
      document.body.append(script);
      return 'ran' in globalThis;
    });
    expect(ran).toBe(false);
    expect(complaints.join()).toContain('Content Security Policy');
    await page.close();
  });

  it.each([
    ['nothing', { scenarios: [], summary: [], complete: false }],
    ['one CPU', { scenarios: [{ ...pairsOf(composeBench()), cpus: [0], pairs: [] }] }],
    ['half of its pairs', { scenarios: [{ ...pairsOf(result), pairs: pairsOf(result).pairs.slice(0, 1000) }] }],
    [
      'round trips of no time',
      { scenarios: [{ ...pairsOf(result), pairs: pairsOf(result).pairs.map((pair, at) => ({ ...pair, min: 0, p99: at % 2 })) }] },
    ],
    ['pairs of one median', { scenarios: [{ ...pairsOf(result), pairs: pairsOf(result).pairs.map((pair) => ({ ...pair, p50: 100 })) }] }],
    [
      'a curve of one point',
      { scenarios: result.scenarios.slice(0, 1).map((scenario) => ({ ...scenario, n: 1, curve: [] }) as typeof scenario) },
    ],
  ] as [string, Partial<BenchDocument>][])('of a run with %s complains of nothing', async (_, part) => {
    await opened({ ...result, ...part }, { width: 1400 }, async ({ page }) => {
      expect(await page.locator('h2').first().innerText()).toBe('Does pinning pay here?');
      for (const button of await page.locator('.choice button').all()) await button.click();
    });
  });
});
