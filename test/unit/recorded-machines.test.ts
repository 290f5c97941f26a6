/** Machines of others, as their kernels described them, against what hwloc found in the same files. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readTopology } from '../../lib/machine/topology.ts';
import { fromList, scratchFolder, toList, type MachineTruth } from '../fixtures/compose.ts';

interface RecordedTruth {
  cpus: { possible: string | null; present: string | null; dirs: string; online: string; allowed: string };
  packages: { id: number | null; cpus: string }[];
  cores: RecordedCore[];
  numa: { id: number; cpus: string }[];
  l2: { cpus: string }[];
  l3: { cpus: string }[];
  /** Slowest first. Empty: all CPUs are of one kind. */
  kinds: { cpus: string }[];
  /** Among others "4 groups", where there is more than one. */
  traps: string[];
  /** Where hwloc departs from the kernel's files on purpose. */
  kernel_view?: { cores?: RecordedCore[]; numa?: { id: number; cpus: string }[] };
}

interface RecordedCore {
  package: number | string | null;
  core_id: number | string | null;
  cpus: string;
}

const recordings = join(import.meta.dirname, '..', '..', '..', 'shared', 'machines');
const names = existsSync(recordings)
  ? readdirSync(recordings)
      .filter((file) => file.endsWith('.tar.xz'))
      .map((file) => file.slice(0, -'.tar.xz'.length))
  : [];

const sorted = (items: readonly object[]): string[] => items.map((item) => JSON.stringify(item)).sort();
const number = (id: number | string | null): number | null => (id === null ? null : Number(id));
const cores = (truth: readonly RecordedCore[]): string[] =>
  sorted(truth.map((core) => ({ package: number(core.package), id: number(core.core_id), cpus: core.cpus })));
const nodes = (truth: readonly { id: number; cpus: string }[]): object[] => truth.map(({ id, cpus }) => ({ id, cpus }));

describe.skipIf(names.length === 0)(names.length === 0 ? 'recorded machines: ../shared/machines is not here' : 'recorded machines', () => {
  it.each(names.length === 0 ? ['every one'] : names)('%s', { timeout: 60_000 }, (name) => {
    const folder = scratchFolder('recorded-machine');
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const unpacked = spawnSync('tar', ['xf', join(recordings, `${name}.tar.xz`), '-C', folder], { encoding: 'utf8' });
    expect(unpacked.status, unpacked.stderr).toBe(0);
    const truth = JSON.parse(readFileSync(join(recordings, `${name}.json`), 'utf8')) as RecordedTruth;
    const found = JSON.parse(JSON.stringify(readTopology(join(folder, name)))) as MachineTruth;

    expect(found.cpus).toMatchObject({
      possible: truth.cpus.possible ?? truth.cpus.dirs,
      present: truth.cpus.present ?? truth.cpus.dirs,
      online: truth.cpus.online,
      allowed: truth.cpus.allowed,
    });
    expect(sorted(found.packages)).toEqual(sorted(truth.packages.map(({ id, cpus }) => ({ id, cpus }))));
    expect([cores(truth.cores), cores(truth.kernel_view?.cores ?? [])]).toContainEqual(
      sorted(found.cores.map(({ package: pack, id, cpus }) => ({ package: pack, id, cpus }))),
    );
    expect([nodes(truth.numa), nodes(truth.kernel_view?.numa ?? [])]).toContainEqual(nodes(found.numaNodes));
    for (const [level, expected] of [
      [2, truth.l2],
      [3, truth.l3],
    ] as const)
      expect(sorted(found.caches.filter((cache) => cache.level === level).map(({ cpus }) => ({ cpus })))).toEqual(
        sorted(expected.map(({ cpus }) => ({ cpus }))),
      );
    expect(found.kinds.map(({ cpus }) => cpus)).toEqual(
      truth.kinds.length === 0 ? [truth.cpus.online] : truth.kinds.map(({ cpus }) => cpus),
    );
    expect(toList(found.groups.flatMap(({ cpus }) => cpus.split(',').flatMap(fromList)))).toBe(found.cpus.present);
    const count = truth.traps.map((trap) => /^(\d+) groups$/.exec(trap)?.[1]).find((digits) => digits !== undefined);
    expect(found.groups.length).toBe(Number(count ?? 1));
  });
});
