import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadError, native, packageRoot } from '../binding.ts';
import { AffinityError } from '../errors.ts';
import { topology } from '../machine/topology.ts';
import { claims, near, select } from '../validate/claims.ts';
import { interrupted, run as check, type Checked } from '../validate/run.ts';
import { junit } from './junit.ts';
import { exitStatus, UsageError } from './usage.ts';

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
    if (text === '' || select([text]).length === 0)
      throw new UsageError(`no claim begins with '${text}'; near it are ${near(text).join(', ')} (--list tells all)`, usage);
  if (values.junit !== undefined) {
    try {
      writeFileSync(values.junit, '');
    } catch (error) {
      throw new UsageError(`--junit: ${(error as Error).message}`, usage);
    }
  }
  return { ...values, junit: values.junit, moves, texts: positionals };
}

function describe(): Record<string, string | number> {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  const { platform, topology: known } = native.support();
  const machine = { platform, release: release(), arch: process.arch, node: process.versions.node, version };
  if (!known) return { ...machine, cpus: '', allowed: '', groups: 0 };
  const { cpus, groups } = topology();
  return { ...machine, cpus: String(cpus.online), allowed: String(cpus.allowed), groups: groups.length };
}

const labels = { pass: 'ok   ', fail: 'FAIL ', skip: 'skip ' } as const;

function lines({ id, sentence, source, verdict, expected, observed, reason }: Checked, width: number): string {
  const line = `${labels[verdict]} ${id.padEnd(width)}  ${sentence}`;
  if (verdict === 'pass') return line;
  if (verdict === 'skip') return `${line}\n${' '.repeat(width + 8)}${reason}`;
  return [line, `        expected  ${expected}`, `        observed  ${observed}`, `        source    ${source}`].join('\n');
}

/** One line on a terminal that the next one replaces. */
class ProgressLine {
  readonly #shown = process.stderr.isTTY;

  tell(text: string): void {
    if (this.#shown) process.stderr.write(`\r\u001b[K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  clear(): void {
    this.tell('');
  }
}

export async function run(args: string[]): Promise<number> {
  const { json, junit: file, moves, hotplug, list, texts } = options(args);
  const selected = select(texts);
  const width = Math.max(...selected.map(({ id }) => id.length));
  if (list) {
    console.log(selected.map(({ id, sentence }) => `${id.padEnd(width)}  ${sentence}`).join('\n'));
    return exitStatus.good;
  }
  if (loadError !== undefined) throw loadError;

  const begun = new Date();
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  const machine = describe();
  const line = new ProgressLine();
  const checked: Checked[] = [];
  let lost: AffinityError | undefined;
  try {
    const onProgress = (id: string, part: number): void =>
      line.tell(`${checked.length + 1}/${selected.length} ${id}${part > 0 ? ` ${Math.round(part * 100)} %` : ''}`);
    for await (const claim of check(selected, { moves, hotplug, signal: stopped.signal, onProgress })) {
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
    process.off('SIGINT', stop).off('SIGTERM', stop).off('SIGHUP', stop);
  }

  const count = (verdict: Checked['verdict']): number => checked.filter((claim) => claim.verdict === verdict).length;
  const totals = { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
  if (json) {
    const document = { machine, claims: checked, ...totals };
    console.log(JSON.stringify(document, (key, value: unknown) => (key === 'milliseconds' ? undefined : value), 2));
  } else {
    const missed = checked.filter(({ reason }) => reason === interrupted).length;
    if (missed > 0) console.log(`interrupted: ${missed} claims were not checked`);
    console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped, of ${claims.length} claims`);
  }
  if (file !== undefined) writeFileSync(file, junit(checked, begun, machine));
  if (lost !== undefined) console.error(`groupaffinity: ${lost.message}`);
  if (totals.failed > 0 || lost !== undefined || stopped.signal.aborted) return exitStatus.failed;
  return native.support().affinity ? exitStatus.good : exitStatus.unsupported;
}
