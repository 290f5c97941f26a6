import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rolesOf, type Knowledge, type MadeWorker, type Role, type SeenThread, type ThreadRole } from '../../lib/threads/roles.ts';

interface Recorded extends SeenThread {
  readonly role: ThreadRole;
  readonly threadId: number | null;
}

interface Recording {
  readonly node: string;
  readonly flags: readonly string[];
  readonly poolSize: number;
  readonly steps: string;
  readonly threads: readonly Recorded[];
}

/** Of record-node-threads.cjs, a line each. */
const recordings: Recording[] = readFileSync(new URL('../fixtures/node-threads.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => {
    type Row = [number, string, number, string, boolean, ThreadRole, number?];
    const { threads, ...rest } = JSON.parse(line) as Omit<Recording, 'threads'> & { threads: Row[] };
    const rows = threads.map(([thread, name, started, blocked, waitsForEvents, role, threadId = null]) => ({
      thread: 1000 + thread,
      name,
      started,
      blockedSignals: BigInt(blocked),
      waitsForEvents,
      role,
      threadId,
    }));
    return { ...rest, threads: rows };
  });

const main = 1000;
const title = ({ node, flags, steps }: Recording): string => `${node} ${flags.join(' ')}${flags.length > 0 ? ' ' : ''}${steps}`;
const each = recordings.map((recording) => [title(recording), recording] as const);
const major = ({ node }: Recording): number => Number(/^v(\d+)/.exec(node)?.[1]);

/** What the process itself knows: its pool, when it made which worker, whether a debugger may come. */
function ownKnowledge({ threads, poolSize, flags }: Recording): Knowledge {
  const v8 = threads.find(({ role }) => role === 'v8')?.started ?? 0;
  const names = threads.some(({ name }) => name.includes('V8Worker'));
  const strangers = threads
    .filter(({ role }) => role === 'worker')
    .map(({ threadId, started, name }): MadeWorker => {
      const isNamed = names && name !== 'WorkerThread';
      return { threadId: threadId ?? 0, name: isNamed ? 'a worker with a long name' : null, at: (started ?? 0) - v8 + 12 };
    });
  const pool = new Set(threads.filter(({ role }) => role === 'libuv').map(({ thread }) => thread));
  return {
    main,
    strangers,
    pool,
    poolComplete: true,
    poolSize,
    v8PoolSize: flags.includes('--v8-pool-size=2') ? 2 : 4,
    debuggable: threads.filter(({ role }) => role === 'inspector').length > 1,
  };
}

/** Threads whose role is not the recorded one, as `name: role, should be role`. */
function wrong(threads: readonly Recorded[], roles: ReadonlyMap<number, Role>): string[] {
  return threads
    .filter(({ thread, role }) => roles.get(thread)?.role !== role)
    .map(({ thread, name, role }) => `${name}: ${roles.get(thread)?.role} (${roles.get(thread)?.certainty}), should be ${role}`);
}

describe('the roles of recorded threads', () => {
  it('are recorded of four lines of Node', () => {
    expect([...new Set(recordings.map(major))]).toEqual([20, 22, 24, 26]);
  });

  it.each(each)('%s: the process itself knows every one', (_, recording) => {
    const roles = rolesOf(recording.threads, ownKnowledge(recording));
    expect(wrong(recording.threads, roles)).toEqual([]);
    for (const { thread, role, threadId } of recording.threads) if (role === 'worker') expect(roles.get(thread)?.threadId).toBe(threadId);
  });

  it.each(each)('%s: seen from outside, all but a debugger of a Node that names no threads', (_, recording) => {
    const { threads, poolSize, flags } = recording;
    const roles = rolesOf(threads, { main, poolSize, v8PoolSize: flags.includes('--v8-pool-size=2') ? 2 : 4 });
    const debuggers = threads.filter(({ role, blockedSignals }) => role === 'inspector' && blockedSignals === 0n);
    const expected = major(recording) < 24 ? debuggers.map(() => 'node: worker (inferred), should be inspector') : [];
    expect(wrong(threads, roles)).toEqual(expected);
  });

  it.each(each.filter(([, recording]) => major(recording) >= 24))('%s: by name, whatever began when and blocks what', (_, recording) => {
    const bare = recording.threads.map((thread) => ({ ...thread, started: null, blockedSignals: null, waitsForEvents: null }));
    const known: Knowledge = { main, strangers: ownKnowledge(recording).strangers ?? [] };
    const roles = rolesOf(bare, known);
    expect(wrong(bare, roles)).toEqual([]);
    for (const { thread, role } of bare) if (role !== 'main') expect(roles.get(thread)?.certainty).toBe('named');
  });

  const of = (node: number, steps: string): Recording => {
    const found = recordings.find((recording) => major(recording) === node && recording.steps === steps && recording.flags.length === 0);
    if (found === undefined) throw new RangeError(`nothing is recorded of Node ${node}, ${steps}`);
    return found;
  };

  it('a worker that told its number is known, and those that did not are counted without it', () => {
    const recording = of(20, 'worker,named,pool,worker');
    const known = ownKnowledge(recording);
    const [first, second, third] = recording.threads.filter(({ role }) => role === 'worker');
    const told = new Map([[second?.thread ?? 0, { threadId: 2, name: 'told' }]]);
    const roles = rolesOf(recording.threads, {
      ...known,
      workers: told,
      strangers: known.strangers?.filter(({ threadId }) => threadId !== 2) ?? [],
    });
    expect(roles.get(second?.thread ?? 0)).toEqual({ role: 'worker', certainty: 'known', threadId: 2, workerName: 'told' });
    expect(roles.get(first?.thread ?? 0)).toEqual({ role: 'worker', certainty: 'inferred', threadId: 1, workerName: null });
    expect(roles.get(third?.thread ?? 0)).toEqual({ role: 'worker', certainty: 'inferred', threadId: 3, workerName: null });
  });

  it('an ended worker and one more thread of a library do not make each other out', () => {
    const recording = of(20, 'pool,worker,named,pause,debugger');
    const known = { ...ownKnowledge(recording), debuggable: false };
    // Worker 1 is gone; what was the debugger's is a library's, which began 200 ms later.
    const threads = recording.threads.filter(({ threadId }) => threadId !== 1);
    const strangers = (known.strangers ?? []).filter(({ threadId }) => threadId !== 1);
    const roles = rolesOf(threads, { ...known, strangers });
    expect(threads.filter(({ role }) => role === 'worker').map(({ thread }) => roles.get(thread)?.threadId)).toEqual([2]);
    const librarys = threads.findLast(({ role }) => role === 'inspector');
    expect(roles.get(librarys?.thread ?? 0)).toMatchObject({ certainty: 'unsure', threadId: null });
  });

  it('a busy pool: those that were met are known, the rest of it is not sure', () => {
    const recording = of(20, 'pool,worker,named,pause,debugger');
    const pool = recording.threads.filter(({ role }) => role === 'libuv').map(({ thread }) => thread);
    const { strangers = [] } = ownKnowledge(recording);
    const met = rolesOf(recording.threads, { main, strangers, pool: new Set(pool.slice(1, 3)), poolComplete: false });
    expect(pool.map((thread) => met.get(thread))).toMatchObject(
      ['unsure', 'known', 'known', 'unsure'].map((certainty) => ({ role: 'libuv', certainty })),
    );
    const none = rolesOf(recording.threads, { main, strangers, pool: new Set(), poolComplete: false });
    expect(pool.map((thread) => none.get(thread))).toMatchObject(pool.map(() => ({ role: 'libuv', certainty: 'unsure' })));
  });

  it("the kernel's threads and those of named libraries are nobody's workers", () => {
    const recording = of(22, 'worker,worker,worker,worker,worker');
    const foreign = ['iou-sqp-1000', 'tokio-runtime-w', 'vips worker'].map((name, at) => ({
      thread: 2000 + at,
      name,
      started: 400,
      blockedSignals: 0n,
      waitsForEvents: name.startsWith('tokio'),
    }));
    const roles = rolesOf([...recording.threads, ...foreign], ownKnowledge(recording));
    expect(foreign.map(({ thread }) => roles.get(thread))).toMatchObject([
      { role: 'other', certainty: 'named' },
      { role: 'other', certainty: 'unsure' },
      { role: 'other', certainty: 'unsure' },
    ]);
    expect(wrong(recording.threads, roles)).toEqual([]);
  });

  it("a worker that bears one of Node's own names is what it said it is", () => {
    const recording = of(24, 'worker,named,pool,worker');
    const named = recording.threads.find(({ name }) => name.startsWith('a worker'));
    const threads = recording.threads.map((thread) => (thread === named ? { ...thread, name: 'libuv-worker' } : thread));
    const known = ownKnowledge(recording);
    const strangers = (known.strangers ?? []).map((one) => (one.name === null ? one : { ...one, name: 'libuv-worker' }));
    expect(rolesOf(threads, { ...known, strangers }).get(named?.thread ?? 0)).toMatchObject({ role: 'worker', threadId: 2 });
  });

  it('nobody at all has no roles, and a thread alone is the main one', () => {
    expect(rolesOf([]).size).toBe(0);
    const alone: SeenThread = { thread: 7, name: 'x', started: null, blockedSignals: null, waitsForEvents: null };
    expect(rolesOf([alone]).get(7)).toMatchObject({ role: 'main', certainty: 'inferred' });
    expect(rolesOf([alone], { main: 7 }).get(7)).toMatchObject({ role: 'main', certainty: 'known', threadId: 0 });
  });
});

const threadSeen = fc.record({
  name: fc.constantFrom('node', 'MainThread', 'V8Worker', 'libuv-worker', 'DelayedTaskSche', 'InspectorIo', 'WorkerThread', '', 'x'),
  started: fc.option(fc.nat(1000)),
  blockedSignals: fc.option(fc.constantFrom(0n, 0x200n, 0xfffffffe7ffbfeffn)),
  waitsForEvents: fc.option(fc.boolean()),
});

describe('whatever is seen', () => {
  it('every thread has one role, one is main, and only who was met or told is known', () => {
    const seen = fc
      .array(threadSeen, { minLength: 1, maxLength: 30 })
      .map((list) => list.map((thread, at) => ({ ...thread, thread: at + 1 })));
    const strangers = fc.array(
      fc.record({ name: fc.option(fc.constantFrom('x', 'V8Worker')), at: fc.option(fc.nat(1000)) }).map((one) => one),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        seen,
        strangers,
        fc.subarray([2, 3, 5, 8]),
        fc.option(fc.boolean(), { nil: undefined }),
        (threads, made, pool, complete) => {
          const known: Knowledge = {
            main: 1,
            pool: new Set(pool),
            strangers: made.map((one, at) => ({ ...one, threadId: at + 1 })),
            ...(complete === undefined ? {} : { poolComplete: complete }),
            debuggable: true,
          };
          const roles = rolesOf(threads, known);
          expect([...roles.keys()].sort((a, b) => a - b)).toEqual(threads.map(({ thread }) => thread));
          const all = [...roles.entries()];
          expect(all.filter(([, { role }]) => role === 'main').map(([thread]) => thread)).toEqual([1]);
          for (const [thread, { certainty }] of all) if (certainty === 'known') expect([1, ...pool]).toContain(thread);
          // Nobody is two threads.
          const ids = all.flatMap(([, { threadId }]) => (threadId === null ? [] : [threadId]));
          expect(new Set(ids).size).toBe(ids.length);
          expect(rolesOf(threads.toReversed(), known)).toEqual(new Map(roles));
        },
      ),
    );
  });
});
