/** What an import takes, in fresh processes: of each of the package's doors, against a module with nothing in it. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from '../../lib/cli/table.ts';
import { checkout } from '../lab/lab.ts';
import { shown, type Options, type Report } from './report.ts';
import { estimate, shuffled } from './rounds.ts';

const doors = ['groupaffinity', 'groupaffinity/storport', 'groupaffinity/wdm', 'groupaffinity/workers'];

export function run({ rounds = 40 }: Options): Report {
  const folder = join(checkout, 'build', 'bench');
  const empty = join(folder, 'empty.mjs');
  writeFileSync(empty, '');
  const importer = join(folder, 'importer.mjs');
  writeFileSync(
    importer,
    `const begun = performance.now();
     await import(process.argv[2]);
     console.log(performance.now() - begun);`,
  );
  const milliseconds = (module: string): number => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [importer, module], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`importing ${module}: status ${status}\n${stderr}`);
    return Number(stdout);
  };
  const times = new Map([empty, ...doors].map((module) => [module, [] as number[]]));
  for (const module of times.keys()) milliseconds(module);
  for (let round = 0; round < rounds; round += 1)
    for (const module of shuffled([...times.keys()])) times.get(module)?.push(milliseconds(module));

  const base = times.get(empty) ?? [];
  const rows = doors.map((door) => ({ door, milliseconds: estimate((times.get(door) ?? []).map((time, at) => time - (base[at] ?? 0))) }));
  return {
    text: [
      table(
        ['import', 'ms beyond an empty module'],
        rows.map(({ door, milliseconds: of }) => [door, shown(of)]),
      ),
      '',
      `Medians of ${rounds} processes each, with their 95 % intervals; the empty module takes ${shown(estimate(base))} ms.`,
    ].join('\n'),
    document: { rounds, empty: estimate(base), rows },
  };
}
