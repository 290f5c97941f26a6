// How the examples measure: in rounds, each way in turn, with a range for every figure.
import { cpus, release, type } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { allowedCpus, topology } from 'groupaffinity';

function askedSeconds() {
  const usage = `Usage: node ${basename(process.argv[1])} [--seconds N]\n\n  --seconds N   how long to measure (8)`;
  const options = { seconds: { type: 'string', default: '8' }, help: { type: 'boolean' } };
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const seconds = Number(values.seconds);
    if (!(seconds > 0 && seconds < 3600)) throw new RangeError(`--seconds ${values.seconds}: a number up to an hour is meant`);
    return seconds;
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    process.exit(2);
  }
}

/** How long to measure: `--seconds N`. */
export const seconds = askedSeconds();

/** The range of six values holds the true median in 97 of 100 cases. */
const rounds = 6;

/** This machine in one line. */
export function machine() {
  const { cpus: installed, numaNodes } = topology();
  const system = `${type()} ${release().split('.', 2).join('.')}, Node ${process.versions.node}`;
  return `${cpus()[0]?.model.trim() ?? process.arch}: CPUs ${allowedCpus()} of ${installed.online}, NUMA nodes: ${numaNodes.length}; ${system}`;
}

/**
 * Measures each way once a round. They change places from round to round, so that what else the machine does meets all.
 * A way is given milliseconds, and returns its figures by name.
 */
export async function interleave(seconds, ways) {
  const order = Object.keys(ways);
  const found = Object.fromEntries(order.map((way) => [way, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const way of order) found[way].push(await ways[way]((seconds * 1000) / rounds / order.length));
    order.reverse();
  }
  return found;
}

const ascending = (numbers) => [...numbers].sort((a, b) => a - b);
export const percentile = (numbers, part) => ascending(numbers)[Math.ceil(part * numbers.length) - 1];
export const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function median(numbers) {
  const sorted = ascending(numbers);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** The median of some numbers with their range. */
export function withRange(numbers) {
  return `${short.format(median(numbers))} (${short.format(Math.min(...numbers))} to ${short.format(Math.max(...numbers))})`;
}

/**
 * What `interleave` found, as a table, and in words what the first way has of each other one. `better` says of each figure
 * whether 'more' or 'less' of it is better; those with null are shown only.
 */
export function compare(found, better) {
  const [ours, ...others] = Object.keys(found);
  const figures = Object.keys(better);
  const all = (way, figure) => found[way].map((round) => round[figure]);
  table(
    figures.map((figure) => ({ '': figure, ...Object.fromEntries(Object.keys(found).map((way) => [way, withRange(all(way, figure))])) })),
  );
  for (const figure of figures.filter((figure) => better[figure] !== null))
    for (const other of others) {
      // Round by round: a machine that changes its speed meanwhile changes both.
      const ratios = all(ours, figure).map((value, round) => value / all(other, figure)[round]);
      if (!ratios.every(Number.isFinite)) {
        console.log(`${figure}: there was none in some round, and so nothing to compare.`);
        continue;
      }
      const [more, less] = [ratios.every((ratio) => ratio > 1), ratios.every((ratio) => ratio < 1)];
      const verdict = more || less ? (more === (better[figure] === 'more') ? 'better' : 'worse') : 'no difference to be seen here';
      console.log(`${figure}: ${ours} has ${withRange(ratios)} times what ${other} has, ${verdict}.`);
    }
}

/** Rows with the same keys. */
export function table(rows) {
  const lines = [Object.keys(rows[0]), ...rows.map((row) => Object.values(row).map(String))];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
  console.log();
}
