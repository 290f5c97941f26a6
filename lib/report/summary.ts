import { fewest } from './outliers.ts';
import type { FleetReport } from './result.ts';

const count = (many: number, one: string, others = `${one}s`): string => `${many.toLocaleString('en')} ${many === 1 ? one : others}`;

/** Values of machines and how many have each, the most frequent first. */
function versions(all: readonly string[]): string {
  const found = new Map<string, number>();
  for (const version of all) found.set(version, (found.get(version) ?? 0) + 1);
  const sorted = [...found].sort(([, one], [, other]) => other - one);
  const rest = sorted.length > 4 ? ` and ${sorted.length - 4} more` : '';
  return `${sorted
    .slice(0, 4)
    .map(([version, many]) => `${version} (${many.toLocaleString('en')})`)
    .join(', ')}${rest}`;
}

/** What there is, in a sentence each; the first says of what. */
export function summarize({ files, machines, layouts, failures, broken, outliers, unread }: FleetReport): string[] {
  const head = `${count(machines.length, 'machine')} in ${count(layouts.length, 'layout')}, from ${count(files - unread.length, 'file')}`;
  if (machines.length === 0)
    return [head, ...(unread.length > 0 ? [`${count(unread.length, 'file')} held no result.`] : ['There is no .json file in the folder.'])];
  const validated = machines.flatMap(({ validate }) => validate ?? []);
  const measured = machines.flatMap(({ bench }) => bench ?? []);
  const failing = validated.filter(({ failed }) => failed > 0).length;
  const stopped = measured.filter(({ complete }) => !complete).length;
  const alone = layouts.filter(({ spreads }) => spreads.length > 0 && spreads.every(({ n }) => n < fewest)).length;
  const far = machines.filter(({ outliers }) => outliers > 0).length;
  const lines = [head];
  if (validated.length === 0) lines.push('No claims were checked.');
  else if (failing === 0) lines.push(`Claims: none failed on ${count(validated.length, 'machine')}.`);
  else
    lines.push(
      `Claims: ${count(failures.length, 'claim')} failed on ${failing.toLocaleString('en')} of ${count(validated.length, 'machine')}.`,
    );
  if (measured.length === 0) lines.push('No benchmark was run.');
  else {
    const parts = [`${count(measured.length, 'machine')} measured`];
    if (broken.length > 0) parts.push(`${count(broken.length, 'scenario')} broke somewhere`);
    if (stopped > 0) parts.push(`${count(stopped, 'run was', 'runs were')} stopped before the end`);
    lines.push(`Benchmark: ${parts.join(', ')}.`);
    if (far > 0)
      lines.push(
        `Outliers: ${count(outliers.length, 'figure')} of ${count(far, 'machine')} ${outliers.length === 1 ? 'lies' : 'lie'} far from those of the same layout.`,
      );
    else if (alone < layouts.length) lines.push('Outliers: no figure lies far from those of the same layout.');
    if (alone > 0)
      lines.push(
        `${count(alone, 'layout has', 'layouts have')} fewer than ${fewest} measured machines: too few to call one unlike the others.`,
      );
  }
  lines.push(
    `Versions: groupaffinity ${versions(machines.map(({ version }) => version))}; Node ${versions(machines.map(({ node }) => node))}; systems ${versions(machines.map(({ release }) => release))}.`,
  );
  if (unread.length > 0) lines.push(`${count(unread.length, 'file')} held no result.`);
  return lines;
}
