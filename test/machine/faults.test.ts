import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokenSystem, noCompiler } from './broken-system.ts';
import { Cpuset, noCpuset } from './cpuset.ts';
import { checkout, cpus } from './own-process.ts';

const missing = noCompiler ?? (cpus.length < 2 ? 'needs two CPUs' : undefined);
const because = missing === undefined ? '' : `: ${missing}`;

interface Claim {
  id: string;
  verdict: 'pass' | 'fail' | 'skip';
  expected: string;
  observed: string;
}

const everyMove = ['set', 'revert', 'pin'].flatMap((way) => ['os', 'hardware', 'record'].map((witness) => `moves.${way}-${witness}`));

/** How a system is broken, the claims that must see it, and claims that have nothing to do with it. */
const faults: Record<string, { what: string; caught: string[]; untouched: string[] }> = {
  'does-nothing': {
    what: 'sched_setaffinity succeeds and does nothing',
    caught: [
      'set.confines',
      'set.several',
      'revert.outer',
      'ke.zero-over-user',
      'irql.dispatch-set',
      'pins.confine',
      'moves.counted',
      ...everyMove,
    ],
    untouched: ['set.invalid-group', 'revert.never-set-zero', 'status.codes', 'groups.affinity', 'threads.create'],
  },
  'lowest-only': {
    what: 'sched_setaffinity takes only the lowest CPU of a mask',
    caught: ['set.several', 'set.whole-group', 'revert.restores-user', 'revert.trims-nothing', 'pins.confine'],
    untouched: ['set.zero-mask', 'status.codes', 'irql.raise-lower', 'groups.counts'],
  },
  'one-more': {
    what: 'sched_setaffinity adds a CPU that nobody named',
    caught: ['set.confines', 'revert.outer', 'ke.nested-previous', 'pins.confine', 'groups.current', 'threads.user-affinity-pinned'],
    untouched: ['set.whole-group', 'set.reserved', 'status.codes'],
  },
  late: {
    what: 'sched_setaffinity returns before it is in force',
    caught: ['set.confines', 'revert.restores-user', 'irql.apc-at-once', 'irql.dispatch-set', 'pins.confine', ...everyMove],
    untouched: ['set.affinity-null', 'structure.types', 'groups.affinity'],
  },
  'refuses-afterwards': {
    what: 'sched_setaffinity answers EPERM after it has changed the mask',
    caught: ['set.confines', 'set.previous-null', 'revert.restores-user', 'pins.confine', 'threads.create', ...everyMove],
    untouched: ['set.invalid-group', 'revert.never-set-mask', 'status.names'],
  },
  'whole-process': {
    what: 'sched_setaffinity changes the first thread of the process as well',
    caught: ['set.calling-thread-only'],
    untouched: ['set.confines', 'revert.restores-user', 'pins.confine', 'groups.affinity', ...everyMove],
  },
  'shows-all': {
    what: 'sched_getaffinity tells all CPUs, whatever is in force',
    caught: ['set.confines', 'set.nested-previous', 'revert.outer', 'ke.nested-previous', 'pins.previous', 'pins.allowed'],
    untouched: ['set.whole-group', 'moves.set-os', 'moves.set-hardware', 'moves.set-record', 'moves.pin-hardware'],
  },
  'shows-previous': {
    what: 'sched_getaffinity tells the mask from before',
    caught: ['set.confines', 'set.nested-previous', 'revert.restores-user', 'pins.nest', 'irql.dispatch-revert'],
    untouched: ['set.invalid-group', 'moves.set-hardware', 'moves.set-record', 'moves.pin-record'],
  },
  'one-cpu-only': {
    what: 'getcpu always tells CPU 0',
    caught: ['groups.current', 'groups.current-index', 'moves.set-os', 'moves.revert-os', 'moves.pin-os'],
    untouched: ['moves.set-hardware', 'moves.set-record', 'moves.revert-hardware', 'moves.pin-record', 'set.several', 'groups.affinity'],
  },
  'pretends-priority': {
    what: 'setpriority succeeds and does nothing',
    caught: ['priority.at-create', 'priority.background', 'priority.levels'],
    untouched: ['priority.normal-by-default', 'priority.wrong', 'priority.irql', 'set.confines', ...everyMove],
  },
};

describe.skipIf(missing !== undefined)('a broken operating system', () => {
  let system: BrokenSystem;
  afterAll(() => system[Symbol.dispose]());

  function validate(fault: string, under: string[] = []): { status: number | null; claims: Claim[]; verdictOf: Map<string, string> } {
    const command = [...under, process.execPath, join(checkout, 'dist', 'cli', 'main.js'), 'validate', '--json', '--moves', '20'];
    const { status, stdout, stderr } = spawnSync(command[0] ?? '', command.slice(1), {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      env: system.with(fault),
    });
    expect(stderr).toBe('');
    const { claims } = JSON.parse(stdout) as { claims: Claim[] };
    return { status, claims, verdictOf: new Map(claims.map(({ id, verdict }) => [id, verdict])) };
  }

  let whole: ReturnType<typeof validate>;
  beforeAll(() => {
    system = new BrokenSystem();
    whole = validate('none');
  });

  it(`nothing fails while the library tells the truth${because}`, () => {
    expect(whole.claims.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
    expect(whole.status).toBe(0);
  });

  it.each(Object.entries(faults).map(([fault, { what }]) => [what, fault]))(
    `%s: the claims that should see it do${because}`,
    (_, fault) => {
      const { caught, untouched } = faults[fault] as (typeof faults)[string];
      const { status, verdictOf } = validate(fault);
      expect(status).toBe(1);
      // What cannot be checked on this machine catches nothing.
      const checked = (id: string): boolean => whole.verdictOf.get(id) !== 'skip';
      expect(caught.filter(checked).length).toBeGreaterThan(0);
      expect(caught.filter((id) => checked(id) && verdictOf.get(id) !== 'fail')).toEqual([]);
      expect(untouched.filter((id) => checked(id) && verdictOf.get(id) !== 'pass')).toEqual([]);
    },
  );

  it.skipIf(noCpuset !== undefined)(
    `sched_setaffinity takes CPUs that the cpuset forbids, and sched_getaffinity tells them: seen${noCpuset === undefined ? '' : `: ${noCpuset}`}`,
    () => {
      using cpuset = new Cpuset(`${cpus[0]}`);
      const under = ['sh', '-c', `echo $$ > ${cpuset.folder}/tasks; exec "$@"`, 'sh'];
      expect(validate('none', under).verdictOf.get('set.withheld')).toBe('pass');
      const { status, verdictOf } = validate('keeps-forbidden', under);
      expect({ status, withheld: verdictOf.get('set.withheld') }).toEqual({ status: 1, withheld: 'fail' });
    },
  );
});
