import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { layoutOf } from '../bench/page/layout.ts';
import { loadError, native } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { topology } from '../machine/topology.ts';
import { claims } from '../validate/claims.ts';
import { interrupted, run as check, type Checked } from '../validate/run.ts';
import { junit } from './junit.ts';
import { ProgressLine } from './progress-line.ts';
import { near, select } from './selection.ts';
import { StopSignals } from './stop-signals.ts';
import { thisMachine } from './this-machine.ts';
import { checkWritable, exitStatus, UsageError } from './usage.ts';

export const usage = `Usage: groupaffinity validate [--json] [--junit FILE] [--moves N] [--hotplug] [--list] [CLAIM...]

Checks on this machine what Microsoft's documents promise of StorPort group affinity, and what groupaffinity adds, and
tells for each claim what was expected and what was seen. CLAIM is an id or the beginning of one: set, irql.dispatch.

  --json         one JSON document on standard output, and nothing else
  --junit FILE   also write a report that CI servers read
  --moves N      forced moves to each CPU (1000)
  --hotplug      as root: take a CPU offline for a moment, several times, to see what becomes of it (Linux). It is put
                 back whatever happens, this program's death included. Threads of other programs that are pinned to
                 that CPU alone lose their pin, and cpusets of cgroup version 1 lose the CPU for good.
  --list         the claims and nothing else

Exit status: 0 no claim failed, 1 a claim failed or Ctrl-C came before the end, 2 wrong usage, 3 not supported here.
After Ctrl-C the claims that were not checked are told as skipped.`;

interface Options {
  json: boolean;
  junit: string | undefined;
  moves: number;
  hotplug: boolean;
  list: boolean;
  texts: string[];
}

const mostMoves = 1_000_000;

function options(args: string[]): Options {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        junit: { type: 'string' },
        moves: { type: 'string', default: '1000' },
        hotplug: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, usage);
  }
  const { values, positionals } = parsed;
  const moves = /^\d+$/.test(values.moves) ? Number(values.moves) : 0;
  if (moves < 1 || moves > mostMoves)
    throw new UsageError(`--moves is a whole number from 1 to ${mostMoves}, not '${values.moves}'`, usage);
  for (const text of positionals)
    if (text === '' || select(claims, [text]).length === 0)
      throw new UsageError(`no claim begins with '${text}'; near it are ${near(claims, text).join(', ')} (--list tells all)`, usage);
  if (values.junit !== undefined && !values.list) checkWritable('--junit', values.junit, usage);
  return { ...values, junit: values.junit, moves, texts: positionals };
}

const labels = { pass: 'ok   ', fail: 'FAIL ', skip: 'skip ' } as const;

function lines({ id, sentence, source, verdict, expected, observed, reason }: Checked, width: number): string {
  const line = `${labels[verdict]} ${id.padEnd(width)}  ${sentence}`;
  if (verdict === 'pass') return line;
  if (verdict === 'skip') return `${line}\n${' '.repeat(width + 8)}${reason}`;
  return [line, `        expected  ${expected}`, `        observed  ${observed}`, `        source    ${source}`].join('\n');
}

export async function run(args: string[]): Promise<number> {
  const { json, junit: file, moves, hotplug, list, texts } = options(args);
  const selected = select(claims, texts);
  const width = Math.max(...selected.map(({ id }) => id.length));
  if (list) {
    console.log(selected.map(({ id, sentence }) => `${id.padEnd(width)}  ${sentence}`).join('\n'));
    return exitStatus.good;
  }
  if (loadError !== undefined) throw loadError;

  const begun = new Date();
  const stop = new StopSignals();
  const machine = thisMachine();
  const line = new ProgressLine();
  const checked: Checked[] = [];
  let lost: AffinityError | undefined;
  try {
    const onProgress = (id: string, part: number): void =>
      line.tell(`${checked.length + 1}/${selected.length} ${id}${part > 0 ? ` ${Math.round(part * 100)} %` : ''}`);
    for await (const claim of check(selected, { moves, hotplug, signal: stop.signal, onProgress })) {
      checked.push(claim);
      line.clear();
      if (!json && claim.reason !== interrupted) console.log(lines(claim, width));
    }
  } catch (error) {
    // Of CPUs that did not come back: what was checked is told all the same.
    if (!(error instanceof AffinityError)) throw error;
    lost = error;
  } finally {
    line.clear();
    stop.end();
  }

  const count = (verdict: Checked['verdict']): number => checked.filter((claim) => claim.verdict === verdict).length;
  const totals = { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
  if (json) {
    const layout = native.support().topology ? { topology: layoutOf(topology()) } : {};
    const document = { machine: { ...machine, ...layout }, claims: checked, ...totals };
    console.log(JSON.stringify(document, (key, value: unknown) => (key === 'milliseconds' ? undefined : value), 2));
  } else {
    const missed = checked.filter(({ reason }) => reason === interrupted).length;
    if (missed > 0) console.log(`interrupted: ${missed} claims were not checked`);
    console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped, of ${claims.length} claims`);
  }
  if (file !== undefined) writeFileSync(file, junit(checked, begun, machine));
  if (lost !== undefined) console.error(`groupaffinity: ${lost.message}`);
  if (totals.failed > 0 || lost !== undefined || stop.signal.aborted) return exitStatus.failed;
  return native.support().affinity ? exitStatus.good : exitStatus.unsupported;
}
