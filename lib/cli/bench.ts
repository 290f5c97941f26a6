import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compare } from '../bench/compare.ts';
import { parseDocument } from '../bench/document.ts';
import { html } from '../bench/html.ts';
import { layoutOf } from '../bench/page/layout.ts';
import type { BenchDocument, BenchMachine, ScenarioResult } from '../bench/result.ts';
import { interrupted, passesOf, run as measure, type Progress } from '../bench/run.ts';
import { scenarios } from '../bench/scenarios.ts';
import { summarize } from '../bench/summary.ts';
import { loadError, native } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { topology, type Topology } from '../machine/topology.ts';
import { comparison, tables, wrapped } from './bench-tables.ts';
import { picture } from '../machine/picture.ts';
import { plain } from './plain-text.ts';
import { ProgressLine } from './progress-line.ts';
import { near, select } from './selection.ts';
import { StopSignals } from './stop-signals.ts';
import { thisMachine } from './this-machine.ts';
import { checkWritable, exitStatus, UsageError } from './usage.ts';

export const usage = `Usage: groupaffinity bench [--json] [--html FILE] [--quick] [--compare FILE] [--list] [SCENARIO...]

Measures on this machine what affinity costs and what it brings, and says whether pinning pays. SCENARIO is an id or the
beginning of one: set.moves, throughput.memory. Every scenario runs in several passes, each in a process of its own.

  --json           one JSON document on standard output, and nothing else
  --html FILE      also write a page with charts, one file that works offline
  --quick          some 15 seconds; a full run takes up to 3 minutes and tells smaller differences
  --compare FILE   an older document: is each scenario faster now, or slower?
  --list           the scenarios and nothing else

Exit status: 0 good, 1 a scenario broke or Ctrl-C came before the end, 2 wrong usage, 3 not supported here.
After Ctrl-C what was measured is told.`;

interface Options {
  readonly json: boolean;
  readonly quick: boolean;
  readonly list: boolean;
  readonly before: BenchDocument | undefined;
  readonly page: string | undefined;
  readonly texts: readonly string[];
}

function readDocument(option: string, file: string): BenchDocument {
  try {
    return parseDocument(readFileSync(file, 'utf8'));
  } catch (error) {
    const said = error instanceof SyntaxError ? `${file}: ${error.message}` : (error as Error).message;
    throw new UsageError(`${option}: ${plain(said)}`, usage);
  }
}

function options(args: string[]): Options {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        compare: { type: 'string' },
        html: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, usage);
  }
  const { values, positionals } = parsed;
  for (const text of positionals)
    if (text === '' || select(scenarios, [text]).length === 0)
      throw new UsageError(`no scenario begins with '${text}'; near it are ${near(scenarios, text).join(', ')} (--list tells all)`, usage);
  // Before minutes are spent on measuring.
  const before = values.compare === undefined ? undefined : readDocument('--compare', values.compare);
  if (values.html !== undefined && !values.list) checkWritable('--html', values.html, usage);
  return { json: values.json, quick: values.quick, list: values.list, before, page: values.html, texts: positionals };
}

function describe(machine: Topology): BenchMachine {
  return {
    ...thisMachine(),
    hypervisor: native.underHypervisor(),
    picture: picture(machine, 100),
    topology: layoutOf(machine),
  };
}

function inWords({ id, pass, passes, part, secondsLeft }: Progress): string {
  const seconds = Math.ceil(secondsLeft);
  const left = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.round(part * 100)} % · ${left} left · pass ${pass} of ${passes} · ${id}`;
}

export async function run(args: string[]): Promise<number> {
  const { json, quick, list, before, page, texts } = options(args);
  const selected = select(scenarios, texts);
  if (list) {
    const width = Math.max(...selected.map(({ id }) => id.length));
    console.log(selected.map(({ id, sentence }) => `${id.padEnd(width)}  ${sentence}`).join('\n'));
    return exitStatus.good;
  }
  if (loadError !== undefined) throw loadError;
  const { affinity, platform } = native.support();
  if (!affinity)
    throw new AffinityError('ERR_AFFINITY_UNSUPPORTED', `threads can't be confined to CPUs on ${platform}: there is nothing to measure`);

  const begun = new Date();
  const stop = new StopSignals();
  const line = new ProgressLine();
  const results: ScenarioResult[] = [];
  const here = topology();
  try {
    const onProgress = (progress: Progress): void => line.tell(inWords(progress));
    for await (const result of measure(selected, { machine: here, quick, signal: stop.signal, onProgress })) results.push(result);
  } finally {
    line.clear();
    stop.end();
  }

  const complete = !stop.signal.aborted;
  const facts = { machine: describe(here), quick, passes: passesOf(quick), complete, scenarios: results };
  const document: BenchDocument = {
    machine: facts.machine,
    begun: begun.toISOString(),
    seconds: (Date.now() - begun.getTime()) / 1000,
    quick,
    passes: facts.passes,
    complete,
    scenarios: results,
    summary: summarize(facts),
    ...(before === undefined ? {} : { comparison: compare(before, facts) }),
  };
  if (json) console.log(JSON.stringify(document, null, 2));
  else show(document);
  if (page !== undefined) writeFileSync(page, html(document));
  return !complete || results.some(({ kind }) => kind === 'fail') ? exitStatus.failed : exitStatus.good;
}

function show(document: BenchDocument): void {
  const width = Math.min(process.stdout.columns || 100, 140);
  const missed = document.scenarios.filter((result) => result.kind === 'skip' && result.reason === interrupted).length;
  console.log(tables(document, width));
  if (document.comparison !== undefined) console.log(`\n${comparison(document.comparison, width)}`);
  if (!document.complete) console.log(`\ninterrupted: ${missed} of ${document.scenarios.length} scenarios were not reached`);
  console.log(`\n${document.summary.map((sentence) => wrapped(sentence, width)).join('\n')}`);
}
