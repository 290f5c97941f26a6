/** What the page hands to its script. */

/** One way in which the machine parts its CPUs. Ways that part them alike are one level. */
export interface Level {
  /** 'package', 'node', 'L3', 'core': the outermost of those that part alike, and the innermost. */
  readonly outer: string;
  readonly inner: string;
  /** Of each of its parts: 'package 0'. */
  readonly parts: readonly string[];
  /** Of each CPU, in the picture's order: its part. */
  readonly of: readonly number[];
}

/** Pairs as columns of equal length, times in nanoseconds. */
export interface PairColumns {
  /** Places in `cpus`. */
  readonly one: readonly number[];
  readonly other: readonly number[];
  readonly p50: readonly number[];
  readonly p99: readonly number[];
  readonly min: readonly number[];
  readonly max: readonly number[];
  /** The lowest and the highest median of a pass. */
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly passes: readonly number[];
  readonly n: readonly number[];
  readonly strays: readonly number[];
}

export interface PairsData {
  readonly id: string;
  readonly title: string;
  /** In the picture's order. */
  readonly cpus: readonly number[];
  /** Outermost first. */
  readonly levels: readonly Level[];
  readonly pairs: PairColumns;
}

export interface Curve {
  readonly name: string;
  /** [nines of the percentile, nanoseconds] in ascending order. */
  readonly points: readonly (readonly [number, number])[];
}

export interface BenchData {
  readonly heatmaps: readonly PairsData[];
  readonly charts: readonly (readonly Curve[])[];
}

/** The innermost level that two CPUs share, as its place in `levels`; -1: none. */
export function shared(levels: readonly Level[], one: number, other: number): number {
  return levels.findLastIndex(({ of }) => of[one] === of[other]);
}

/** How CPUs stand to each other whose innermost common level is this one: 'same L3, other core'. */
export function relation(levels: readonly Level[], level: number): string {
  const parts = [];
  if (levels[level] !== undefined) parts.push(`same ${levels[level].inner}`);
  if (levels[level + 1] !== undefined) parts.push(`other ${levels[level + 1]?.outer}`);
  return parts.join(', ');
}

/** How curves differ but for their colours: dashes and gaps in pixels. */
const dashes = [[], [8, 4], [2, 3], [12, 3, 2, 3]] as const;
const colours = 7;

/** The look of the nth curve: style.css holds the colours. Neighbours differ in both, and 28 in at least one. */
export const lineOf = (at: number): { colour: string; dash: readonly number[] } => ({
  colour: `series-${at % colours}`,
  dash: dashes[at % dashes.length] ?? [],
});

/** A curve's value at a place of the axis; null beyond its ends. Between points it rises evenly on a logarithmic axis. */
export function valueAt({ points }: Curve, x: number): number | null {
  const next = points.findIndex(([place]) => place >= x);
  const right = points[next];
  if (right === undefined) return null;
  if (right[0] === x) return right[1];
  const left = points[next - 1];
  if (left === undefined) return null;
  return left[1] * (right[1] / left[1]) ** ((x - left[0]) / (right[0] - left[0]));
}
