/** What the page and its script say beyond lib/bench/quantities.ts, and where its axes have ticks. */

const units = [
  { size: 1, name: 'ns' },
  { size: 1e3, name: 'µs' },
  { size: 1e6, name: 'ms' },
  { size: 1e9, name: 's' },
] as const;

/** 1,234 samples; 1 sample. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString('en')} ${value === 1 ? one : many}`;
}

/** A percentile's name: p50, p99.9. */
export function percentile(part: number): string {
  const digits = part <= 0.99 ? 0 : Math.ceil(-Math.log10(1 - part) - 2 - 1e-9);
  return `p${(part * 100).toFixed(Math.min(Math.max(digits, 0), 6))}`;
}

/** Where a part of 1 lies on an axis that shows tails: how many nines it has, 0.9 is 1 and 0.999 is 3. */
export const nines = (part: number): number => -Math.log10(1 - part);

/** A round time, as an axis names it: 50 ns, 1 µs. */
export function roundTime(ns: number): string {
  const { size, name } = units.findLast(({ size }) => ns >= size * 0.9995) ?? units[0];
  return `${Number((ns / size).toPrecision(3))} ${name}`;
}

/** Round values between two positive ones for an axis that multiplies: about `many`, in steps of 1, 2 and 5 or of tens. */
export function multiplicativeTicks(low: number, high: number, many: number): number[] {
  const decades = Math.log10(high / low);
  const every = Math.max(1, Math.ceil(decades / many));
  const steps = decades * 3 <= many ? [1, 1.5, 2, 3, 5, 7] : decades * 1.5 <= many ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1)
    if (power % every === 0) ticks.push(...steps.map((step) => step * 10 ** power));
  const inside = ticks.filter((tick) => tick >= low * 0.9999 && tick <= high * 1.0001);
  return inside.length >= 2 ? inside : additiveTicks(low, high, many);
}

/** Round values between two for an axis that adds. */
export function additiveTicks(low: number, high: number, many: number): number[] {
  const rough = (high - low) / many;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((step) => step * power >= rough) ?? 10) * power;
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step - 1e-9); tick * step <= high + step * 1e-9; tick += 1)
    ticks.push(Number((tick * step).toPrecision(9)));
  return ticks;
}
