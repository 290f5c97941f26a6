import type { BenchMachine, MachineLayout } from '../result.ts';
import { cpusOf, parseCpuList } from '../../machine/cpu-list.ts';
import type { Level } from './data.ts';
import { arrange } from './layout.ts';
import { Markup, markup } from './markup.ts';

/** The places from..to of the order, as boxes in boxes: a box for each part of the outermost level that is left. */
function boxes(cpus: readonly number[], levels: readonly Level[], from: number, to: number): Markup {
  const [level, ...inner] = levels;
  if (level === undefined) return markup`${cpus.slice(from, to).map((cpu) => markup`<span class="cpu">${cpu}</span>`)}`;
  const parts: Markup[] = [];
  for (let begin = from; begin < to;) {
    let end = begin;
    while (end < to && level.of[end] === level.of[begin]) end += 1;
    const within = boxes(cpus, inner, begin, end);
    parts.push(
      level.inner === 'core'
        ? markup`<span class="core">${within}</span>`
        : markup`<div class="box"><p>${level.parts[level.of[begin] ?? 0]}</p><div class="inside">${within}</div></div>`,
    );
    begin = end;
  }
  return markup`${parts}`;
}

function diagram(layout: MachineLayout): Markup {
  const all = layout.cores.flatMap(({ cpus }) => cpusOf(parseCpuList(cpus)));
  const { cpus, levels } = arrange(all, layout);
  return markup`<div class="inside diagram">${boxes(cpus, levels, 0, cpus.length)}</div>`;
}

/** The machine as boxes where its topology is known, and as the command draws it. */
export function machineSection({ topology, picture }: BenchMachine): Markup {
  const drawn = picture !== null && markup`<div class="wide"><pre>${picture}</pre></div>`;
  if (topology === undefined || topology.cores.length === 0) return markup`${drawn}`;
  return markup`${diagram(topology)}${drawn && markup`<details><summary>As groupaffinity topology draws it</summary>${drawn}</details>`}`;
}
