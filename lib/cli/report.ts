import { statSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { figure, percent, ratio } from '../bench/quantities.ts';
import { Fleet } from '../report/fleet.ts';
import { html, inUnit } from '../report/html.ts';
import { readResults } from '../report/read.ts';
import type { Failure, FleetReport } from '../report/result.ts';
import { summarize } from '../report/summary.ts';
import { wrapped } from './bench-tables.ts';
import { plain } from './plain-text.ts';
import { ProgressLine } from './progress-line.ts';
import { table } from './table.ts';
import { checkWritable, exitStatus, UsageError } from './usage.ts';

export const usage = `Usage: groupaffinity report [--json] [--html FILE] DIR

Reads what validate --json and bench --json wrote on many machines, every .json file in DIR and its folders, and says
what they are together: layouts, claims that failed, figures unlike those of machines of the same layout. A machine goes
by its files' names: node-7/bench.json, node-7.validate.json and validate-node-7.json are all of node-7.

  --json           one JSON document on standard output, and nothing else
  --html FILE      also write a page, one file that works offline

Exit status: 0 good, 1 a claim failed, a scenario broke or there is no result, 2 wrong usage.
Files that hold no result are named, and change nothing.`;

interface Options {
  readonly json: boolean;
  readonly page: string | undefined;
  readonly folder: string;
}

function options(args: string[]): Options {
  let parsed;
  try {
    parsed = parseArgs({ args, allowPositionals: true, options: { json: { type: 'boolean', default: false }, html: { type: 'string' } } });
  } catch (error) {
    throw new UsageError((error as Error).message, usage);
  }
  const { values, positionals } = parsed;
  const [folder, ...others] = positionals;
  if (folder === undefined) throw new UsageError('a folder is missing', usage);
  if (others.length > 0) throw new UsageError(`one folder, and not ${others.join(', ')} as well`, usage);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw new UsageError(`${folder} is no folder`, usage);
  if (values.html !== undefined) checkWritable('--html', values.html, usage);
  return { json: values.json, page: values.html, folder };
}

/** The report as a terminal may show it. */
function harmless(report: FleetReport): FleetReport {
  const most = 500;
  return JSON.parse(JSON.stringify(report), (_, value: unknown) => {
    if (typeof value !== 'string') return value;
    return plain(value.length > most ? `${value.slice(0, most)}…` : value);
  }) as FleetReport;
}

/** As many names as a line holds. */
function some(names: readonly string[]): string {
  const most = 6;
  return names.length > most
    ? `${names.slice(0, most).join(', ')} and ${(names.length - most).toLocaleString('en')} more`
    : names.join(', ');
}

function troubles(title: string, all: readonly Failure[], width: number): string[] {
  if (all.length === 0) return [];
  const lines = all.flatMap(({ id, sentence, machines }) => [
    wrapped(`${id}${sentence === '' ? '' : `  ${sentence}`}`, width, 4),
    `    ${wrapped(`on ${some(machines.map(({ name }) => name))}`, width - 4, 6)}`,
    `    ${wrapped(machines[0]?.said ?? '', width - 4, 6)}`,
  ]);
  return [`${title}\n\n${lines.join('\n')}`];
}

function text(report: FleetReport, width: number): string {
  const { machines, layouts, failures, broken, outliers, unread } = report;
  const most = 30;
  const more = (all: readonly unknown[], what: string): string =>
    all.length > most ? `\nand ${(all.length - most).toLocaleString('en')} ${what}` : '';
  const [head = '', ...sentences] = summarize(report);
  const parts = [head];
  if (layouts.length > 0)
    parts.push(
      `Layouts\n\n${table(
        ['layout', 'machines', 'with failed claims', 'with outliers', ''],
        layouts.slice(0, most).map(({ name, machines: many }, at) => {
          const mine = machines.filter(({ layout }) => layout === at);
          const failing = mine.filter(({ validate }) => (validate?.failed ?? 0) > 0).length;
          return [String(at + 1), many, failing, mine.filter(({ outliers }) => outliers > 0).length, name];
        }),
      )}${more(layouts, 'more')}`,
    );
  parts.push(...troubles('Claims that failed', failures, width), ...troubles('Scenarios that broke', broken, width));
  if (outliers.length > 0) {
    const rows = outliers
      .slice(0, most)
      .map(({ machine, id, unit, value, median, score, is, others }) => [
        machine,
        id,
        inUnit(unit)(value),
        inUnit(unit)(median),
        median === 0 ? '' : ratio(value / median),
        figure(score),
        is,
        others === null ? '' : percent(others),
      ]);
    const heads = ['machine', 'scenario', 'there', 'median', 'times', 'deviations', 'is', 'other programs'];
    parts.push(
      `Unlike the others of their layout\n\n${table(heads, rows, ['there', 'median', 'times', 'deviations', 'other programs'])}${more(outliers, 'less far away')}`,
    );
  }
  if (unread.length > 0) {
    const lines = unread.slice(0, most).map(({ file, reason }) => wrapped(`${file}: ${reason}`, width, 4));
    parts.push(`Files without a result\n\n${lines.join('\n')}${more(unread, 'more')}`);
  }
  parts.push(sentences.map((sentence) => wrapped(sentence, width)).join('\n'));
  return parts.join('\n\n');
}

export async function run(args: string[]): Promise<number> {
  const { json, page, folder } = options(args);
  const fleet = new Fleet(basename(resolve(folder)));
  const line = new ProgressLine();
  let files = 0;
  try {
    for await (const read of readResults(folder)) {
      fleet.add(read);
      files += 1;
      if (files % 50 === 0) line.tell(`${files.toLocaleString('en')} files read · ${read.file}`);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UsageError(`${folder} can't be read: ${(error as Error).message}`, usage);
  } finally {
    line.clear();
  }
  const report = fleet.report();
  if (json) console.log(JSON.stringify(report, null, 2));
  else console.log(text(harmless(report), Math.min(process.stdout.columns || 100, 140)));
  if (page !== undefined) writeFileSync(page, html(report));
  return report.failures.length > 0 || report.broken.length > 0 || report.machines.length === 0 ? exitStatus.failed : exitStatus.good;
}
