import type { BenchData } from '../data.ts';
import { drawCurves } from './curves.ts';
import { drawHeatmap } from './heatmap.ts';
import { startTheme } from './theme.ts';

const { heatmaps, charts } = JSON.parse(document.getElementById('data')?.textContent ?? '') as BenchData;

startTheme();
for (const host of document.querySelectorAll<HTMLElement>('[data-heatmap]')) {
  const data = heatmaps[Number(host.dataset['heatmap'])];
  if (data !== undefined) drawHeatmap(host, data);
}
for (const host of document.querySelectorAll<HTMLElement>('[data-chart]')) {
  const curves = charts[Number(host.dataset['chart'])];
  if (curves !== undefined) drawCurves(host, curves);
}
