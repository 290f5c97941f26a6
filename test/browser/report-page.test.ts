import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from '../../lib/report/fleet.ts';
import { html } from '../../lib/report/html.ts';
import { keep } from '../../lib/report/keep.ts';
import type { FleetReport } from '../../lib/report/result.ts';
import { composeBench } from '../fixtures/bench-document.ts';
import { skipped } from '../fixtures/bench-results.ts';
import { scaled, validateDocument } from '../fixtures/fleet.ts';
import { unless } from '../machine/own-process.ts';
import { Browser, noBrowser } from './chromium.ts';

function composeReport(): FleetReport {
  const fleet = new Fleet('here');
  for (let at = 0; at < 40; at += 1) {
    const shape = at % 4 === 0 ? { packages: 2, l3: 2, cores: 4, threads: 2 } : {};
    const whole = scaled(composeBench({ ...shape, seed: at }), at === 5 ? { 'set.stays': 3, 'throughput.memory.free': 0.3 } : {});
    const bench =
      at === 6
        ? { ...whole, complete: false, scenarios: [...whole.scenarios, { ...skipped('pin.scope', 'status 7'), kind: 'fail' as const }] }
        : whole;
    fleet.add({ file: `node-${at}.bench.json`, kept: keep(JSON.stringify(bench)) });
    fleet.add({
      file: `node-${at}.validate.json`,
      kept: keep(JSON.stringify(validateDocument(bench.machine, at > 36 ? ['set.claim-1'] : []))),
    });
  }
  fleet.add({ file: 'core.json', reason: 'it is no JSON' });
  return fleet.report();
}

describe.skipIf(noBrowser !== undefined)(unless("a report's page in Chromium", noBrowser), () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.start();
  });
  afterAll(() => browser.end());
  const report = composeReport();

  it.each([
    [400, 'light', 'rgb(244, 245, 247)'],
    [1400, 'dark', 'rgb(14, 17, 21)'],
  ] as const)('fits %i pixels, is %s as the system is, and complains of nothing', async (width, theme, background) => {
    const { page, complaints } = await browser.open(html(report), { width, theme });
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(background);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await page.locator('h2').allInnerTexts()).toEqual([
      'In words',
      'Claims that failed',
      'Scenarios that broke',
      'Machines unlike the others',
      'Layouts',
      'Machines',
      'Files without a result',
    ]);
    expect(await page.locator('#outliers + * tbody tr').count()).toBe(report.outliers.length);
    expect(await page.locator('.rug').count()).toBe(report.layouts.flatMap(({ spreads }) => spreads).length);
    await page.locator('#theme').click();
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).not.toBe(background);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows the machines whose row holds every word', async () => {
    const { page, complaints } = await browser.open(html(report), { width: 1400 });
    const rows = page.locator('#machines tbody tr:visible th');
    expect(await rows.count()).toBe(40);
    await page.fill('#filter', 'FAILED');
    expect(await rows.allInnerTexts()).toEqual(['node-37', 'node-38', 'node-39']);
    await page.fill('#filter', 'outlier node-5');
    expect(await rows.allInnerTexts()).toEqual(['node-5']);
    expect(await page.locator('#shown').innerText()).toBe('1 of 40');
    await page.fill('#filter', 'no such machine');
    expect(await rows.count()).toBe(0);
    await page.fill('#filter', '');
    expect(await rows.count()).toBe(40);
    expect(complaints).toEqual([]);
    await page.close();
  });
});
