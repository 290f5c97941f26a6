import { rmSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readTopology, type Topology } from '../../lib/machine/topology.ts';
import { planOn, type SpreadOptions } from '../../lib/workers/plan.ts';
import { compose, type Description } from '../fixtures/compose.ts';

function machine(description: Description): Topology {
  const { root } = compose(description);
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return readTopology(root);
}

const seats = (of: Topology, options: SpreadOptions): string[] => planOn(options, of).seats.map(({ cpus }) => String(cpus));
const l3 = { level: 3, type: 'unified', size: 2 ** 25, cores: 2 } as const;
const twoSockets: Description = { packages: 2, nodes: 2, cores: 4, threads: 2, numbering: 'siblings-apart', caches: [l3] };

describe('a plan spreads', () => {
  it('cores over sockets first, then over caches; a seat is a core with its siblings', () => {
    expect(seats(machine(twoSockets), { by: 'core' })).toEqual(['0,8', '4,12', '2,10', '6,14', '1,9', '5,13', '3,11', '7,15']);
  });

  it('CPUs so that no core gets a second one while another has none', () => {
    const of = machine(twoSockets);
    const first = planOn({ by: 'cpu', count: 8 }, of).seats.flatMap(({ cpus }) => cpus.toArray());
    expect(new Set(first.map((cpu) => cpu % 8)).size).toBe(8);
    expect(seats(of, { by: 'cpu' })).toHaveLength(16);
  });

  it('over caches, nodes, packages and groups, one seat each, shared evenly where more are wanted', () => {
    const of = machine(twoSockets);
    expect(seats(of, { by: 'l3' })).toEqual(['0-1,8-9', '4-5,12-13', '2-3,10-11', '6-7,14-15']);
    expect(seats(of, { by: 'numa' })).toEqual(['0-3,8-11', '4-7,12-15']);
    expect(seats(of, { by: 'package', count: 4 })).toEqual(['0-3,8-11', '4-7,12-15', '0-3,8-11', '4-7,12-15']);
    expect(seats(of, { by: 'group' })).toEqual(['0-15']);
    expect(planOn({ by: 'numa' }, of).seats.map(({ seat, group, node }) => [seat, group, node])).toEqual([
      [0, 0, 0],
      [1, 0, 1],
    ]);
  });

  it('over groups where there are several, sockets in turn', () => {
    const of = machine({ packages: 2, nodes: 2, cores: 36, threads: 2 });
    expect(planOn({ by: 'group' }, of).seats.map(({ cpus, group }) => [cpus.size, group])).toEqual([
      [64, 0],
      [64, 2],
      [16, 1],
    ]);
  });

  it('over what is online and allowed, and nothing else', () => {
    const of = machine({ ...twoSockets, offline: '8', cpuset: { from: 'v2', cpus: '0,8-10' } });
    const used = planOn({ by: 'core' }, of).seats.map(({ cpus }) => String(cpus));
    expect(used.join().split(',').sort()).toEqual(['0', '10', '9']);
    expect(() => planOn({ by: 'cpu', count: 4 }, of)).toThrow(RangeError);
  });

  it('not at all over what the machine does not have', () => {
    expect(() => planOn({ by: 'l3' }, machine({ cores: 2 }))).toThrow(expect.objectContaining({ code: 'ERR_AFFINITY_EMPTY' }));
  });
});
