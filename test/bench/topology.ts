/**
 * The machine read by us and by hwloc, in one process and in turn: this one, and a recorded one of 256 CPUs. hwloc reads
 * with its component for Linux alone, which is its fastest way to the same things; koffi hands the call over.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Estimate } from '../../lib/bench/result.ts';
import { table } from '../../lib/cli/table.ts';
import { readTopology, topology } from '../../lib/machine/topology.ts';
import { scratchFolder } from '../fixtures/compose.ts';
import { checkout, Unavailable } from '../lab/lab.ts';
import { hwloc } from './peers/obtain.ts';
import { shown, type Options, type Report } from './report.ts';
import { estimate, shuffled, timed } from './rounds.ts';

const recorded = '256ppc-8n8s4t';

interface Row {
  readonly machine: string;
  /** Milliseconds, of the first reading in this process. */
  readonly first: { readonly ours: number; readonly hwloc: number };
  readonly ours: Estimate;
  readonly hwloc: Estimate;
  /** Ours to hwloc's of the same round. */
  readonly ratio: Estimate;
}

export async function run({ rounds = 100 }: Options): Promise<Report> {
  const load = await hwloc('3.3.4');
  const scratch = scratchFolder('bench-topology');
  const missing: string[] = [];
  const rows: Row[] = [];
  const measure = (machine: string, root: string, ours: () => unknown): void => {
    const works = { ours: timed(ours), hwloc: () => load(root) };
    const times = { ours: [] as number[], hwloc: [] as number[] };
    for (let round = 0; round <= rounds; round += 1)
      for (const name of shuffled(['ours', 'hwloc'] as const)) times[name].push(works[name](1) / 1e6);
    const first = { ours: times.ours.shift() ?? 0, hwloc: times.hwloc.shift() ?? 0 };
    const ratio = estimate(times.ours.map((time, at) => time / (times.hwloc[at] ?? 0)));
    rows.push({ machine, first, ours: estimate(times.ours), hwloc: estimate(times.hwloc), ratio });
  };
  try {
    measure('this machine', '/', topology);
    const recording = join(checkout, '..', 'shared', 'machines', `${recorded}.tar.xz`);
    if (existsSync(recording)) {
      const { status, stderr } = spawnSync('tar', ['xf', recording, '-C', scratch], { encoding: 'utf8' });
      if (status !== 0) throw new Unavailable(`tar: ${stderr.trim()}`);
      const root = join(scratch, recorded);
      measure(recorded, root, () => readTopology(root));
    } else missing.push(`${recorded}: ../shared/machines is not here`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return {
    text: [
      table(
        ['machine', 'topology(), ms', 'hwloc_topology_load, ms', 'ratio', 'the first, ms', "hwloc's first"],
        rows.map(({ machine, ours, hwloc: theirs, ratio, first }) => [
          machine,
          shown(ours),
          shown(theirs),
          shown(ratio),
          first.ours.toFixed(2),
          first.hwloc.toFixed(2),
        ]),
      ),
      '',
      `Medians of ${rounds} rounds, with their 95 % intervals.`,
      ...missing.map((what) => `not here: ${what}`),
    ].join('\n'),
    document: { rounds, rows, missing },
  };
}
