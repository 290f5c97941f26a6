/** Figures as people read them. */
import type { Estimate } from './result.ts';

/** Three digits that count: 0.0123, 1.23, 12.3, 123, 1,234. */
export function figure(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) * (1 + 5e-4))));
  return value.toLocaleString('en', { minimumFractionDigits: Math.min(digits, 4), maximumFractionDigits: Math.min(digits, 4) });
}

/** ns: '952 ns', '1.38 µs', '24.9 µs', '4.07 ms', '1.20 s' */
export function time(nanoseconds: number): string {
  const scale = nanoseconds < 999.5 ? 0 : nanoseconds < 999_500 ? 1 : nanoseconds < 999_500_000 ? 2 : 3;
  return `${figure(nanoseconds / 1000 ** scale)} ${['ns', 'µs', 'ms', 's'][scale]}`;
}

/** A part of 1: '0.12 %', '3.4 %', '45 %' */
export function percent(part: number): string {
  const value = part * 100;
  const digits = Math.abs(value) < 0.995 ? 2 : Math.abs(value) < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} %`;
}

/** A rate: '12.3 M', '456 k' */
export function rate(value: number): string {
  const scale = value < 999.5 ? 0 : value < 999_500 ? 1 : value < 999_500_000 ? 2 : 3;
  return `${figure(value / 1000 ** scale)}${['', ' k', ' M', ' G'][scale]}`;
}

/** Two decimals: '1.06' */
export const ratio = (value: number): string => value.toFixed(2);

/** '1.31 to 1.52 µs', '952 ns to 1.02 µs': a unit that both have is said once. */
export function range({ low, high }: Pick<Estimate, 'low' | 'high'>, as: (value: number) => string): string {
  const [from, to] = [as(low), as(high)];
  const unit = / \S+$/.exec(to)?.[0] ?? '';
  return `${unit !== '' && from.endsWith(unit) ? from.slice(0, -unit.length) : from} to ${to}`;
}

/** '1.38 µs (1.31 to 1.52 µs)' */
export const withRange = (estimate: Estimate, as: (value: number) => string): string => `${as(estimate.value)} (${range(estimate, as)})`;

/** 'CPU 3', 'CPUs 0 and 1', 'CPUs 0, 1 and 4' */
export function cpusInWords(cpus: readonly number[]): string {
  const last = cpus.at(-1);
  return cpus.length < 2 ? `CPU ${last}` : `CPUs ${cpus.slice(0, -1).join(', ')} and ${last}`;
}
