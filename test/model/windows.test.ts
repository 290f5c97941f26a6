import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiler, sanitizerEnvironment, stage } from '../fixtures/win32/stage.ts';
import { onWindows, Win32, type Place, type Version } from '../fixtures/win32/win32.ts';
import { bundled } from '../machine/bundled.ts';
import { checkout, inOwnProcess, unless } from '../machine/own-process.ts';
import { machines } from './programs.ts';
import type { CpuSet } from './reference.ts';

const run = promisify(execFile);
const missing =
  process.platform !== 'linux'
    ? 'the pretended Windows needs Linux'
    : spawnSync(compiler, ['--version']).status === 0
      ? undefined
      : `no compiler ${compiler}`;
const noSanitizer = missing ?? (sanitizerEnvironment() === undefined ? `${compiler} has no libasan.so` : undefined);

const seed = Number(process.env['GROUPAFFINITY_SEED'] ?? 20_261_123);
const versions: readonly Version[] = [7, 10, 11];

interface Size {
  readonly machines: number;
  readonly programs: number;
  /** Threads at the same time. */
  readonly threads: number;
}
const alone: Size = { machines: 20, programs: 350, threads: 1 };
const together: Size = { machines: 4, programs: 40, threads: 3 };
const sanitized: readonly Size[] = [
  { machines: 3, programs: 150, threads: 1 },
  { machines: 1, programs: 15, threads: 3 },
];

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** The library on the pretended Windows, in a folder of its own. */
class Stage {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;
  #routine = '';
  #programs = '';
  #made = 0;

  private constructor(folder: string, env: NodeJS.ProcessEnv = {}) {
    this.folder = folder;
    this.#env = env;
  }

  static async build({ sanitize = false } = {}): Promise<Stage> {
    mkdirSync(join(checkout, 'build'), { recursive: true });
    const folder = mkdtempSync(join(checkout, 'build', 'windows-'));
    folders.push(folder);
    const made = new Stage(folder, sanitize ? sanitizerEnvironment() : {});
    await stage(folder, { sanitize });
    made.#routine = await bundled('test/model/agent.ts', folder);
    made.#programs = await bundled('test/model/windows-programs.ts', folder);
    await bundled('test/model/on-windows.ts', folder);
    return made;
  }

  #machine(place: Place): { path: string; env: NodeJS.ProcessEnv } {
    this.#made += 1;
    const path = join(this.folder, `machine-${this.#made}`);
    Win32.create(path, place).close();
    return { path, env: { ...this.#env, GROUPAFFINITY_WIN32: path } };
  }

  /** What a program of its own process exports on such a machine. */
  async on<T>(place: Place, program: string): Promise<T> {
    const { path, env } = this.#machine(place);
    const imports = `
      import { affinity, allowedCpus, CpuSet, currentCpu, pin, topology } from 'groupaffinity';
      import * as wdk from 'groupaffinity/storport';
      import * as wdm from 'groupaffinity/wdm';
      import { affinityOf, attempt, extension, place, revert, set, show, statusName, win32 } from '../../on-windows.mjs';
    `;
    try {
      return await inOwnProcess<T>(`${imports}${program}`, { at: this.folder, env });
    } finally {
      rmSync(path);
    }
  }

  async validate(place: Place): Promise<{ passed: number; failed: string[] }> {
    const { path, env } = this.#machine(place);
    const command = [join(this.folder, 'dist', 'cli', 'main.js'), 'validate', '--json'];
    const { stdout } = await run(process.execPath, command, {
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      maxBuffer: 2 ** 26,
    }).catch((failed: { stdout: string }) => failed);
    rmSync(path);
    const { claims, passed } = JSON.parse(stdout) as { claims: { id: string; verdict: string }[]; passed: number };
    return { passed, failed: claims.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id) };
  }

  /** Runs programs on random machines, two at a time. */
  async random(
    version: Version,
    size: Size,
  ): Promise<{ groups: number[]; ran: number; activated: number; threads: number; spanning: number }> {
    // From the fewest groups to the most.
    const sorted = fc
      .sample(machines(), { numRuns: 400, seed: seed + size.threads })
      .sort((a, b) => a.machine.groups.length - b.machine.groups.length);
    const samples = Array.from({ length: size.machines }, (_, at) =>
      onWindows(version, sorted[Math.round((at * (sorted.length - 1)) / Math.max(1, size.machines - 1))] as (typeof sorted)[number]),
    );
    const total = { groups: samples.map(({ machine }) => machine.groups.length), ran: 0, activated: 0, threads: 0, spanning: 0 };
    const waiting = samples.entries();
    const work = async (): Promise<void> => {
      for (const [at, place] of waiting) {
        const { path, env } = this.#machine(place);
        const args = [this.#programs, this.#routine, ...[seed + at, size.programs, size.threads].map(String)];
        const { stdout } = await run(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '', ...env } });
        const { ran, activated, threads, spanning } = JSON.parse(stdout) as typeof total;
        total.ran += ran;
        total.activated += activated;
        total.threads += threads;
        total.spanning += spanning;
        rmSync(path);
      }
    };
    await Promise.all([work(), work()]);
    return total;
  }
}

const groups = [
  { maximum: 0xffn, active: 0xffn },
  { maximum: 0xffffn, active: 0xffn },
  { maximum: 0xfn, active: 0xfn },
  { maximum: 0xfn, active: 0n },
];
const alone4 = (mask: bigint, at: number): CpuSet => groups.map((_, group) => (group === at ? mask : 0n));

/** A process that starts in a group of four: of 8, of 16 with 8 inactive ones, of 4, and of 4 that are all inactive. */
function process4(version: Version, { home = 0, confined = 0n, user = 0n } = {}): Place {
  const allowed = groups.map(({ maximum }, group) => (group === home && confined !== 0n ? confined : maximum));
  const active = groups.map((group) => group.active);
  const part = user !== 0n ? user : confined !== 0n ? confined : (active[home] ?? 0n);
  const everywhere = version === 11 && confined === 0n && user === 0n;
  return {
    version,
    machine: { groups, allowed, nodes: groups.map(({ maximum }, group) => alone4(maximum, group)), primary: home },
    user: everywhere ? active : alone4(part, home),
    confined: confined !== 0n,
  };
}

describe.skipIf(missing !== undefined)(unless('the Windows backend on a pretended Windows of 1 to 20 groups', missing), () => {
  let windows: Stage;
  beforeAll(async () => {
    if (!existsSync(join(checkout, 'dist', 'index.js'))) throw new Error('npm run build comes first');
    windows = await Stage.build();
    console.log(`seed ${seed} (GROUPAFFINITY_SEED)`);
  }, 300_000);

  describe.each(versions)('Windows %i', (version) => {
    it(
      `does what the documents say: ${(alone.machines * alone.programs).toLocaleString('en')} random programs`,
      { timeout: 300_000 },
      async () => {
        const total = await windows.random(version, alone);
        expect(total.ran).toBe(alone.machines * alone.programs);
        expect(total.activated).toBeGreaterThan(20);
        expect(Math.min(...total.groups)).toBe(1);
        expect(Math.max(...total.groups)).toBeGreaterThanOrEqual(version === 7 ? 4 : 15);
        // Windows 11's threads that may run in every group: what a Revert brings back of those is their primary group's part.
        if (version === 11) expect(total.spanning).toBeGreaterThan(total.ran / 20);
        else expect(total.spanning).toBe(0);
      },
    );

    it(`does so on system threads: ${together.machines * together.programs} random programs`, { timeout: 300_000 }, async () => {
      const total = await windows.random(version, together);
      expect(total.ran).toBe(together.machines * together.programs);
      expect(total.threads).toBeGreaterThan(total.ran / 5);
    });

    // One test a row of the table of SetThreadGroupAffinity and GetThreadGroupAffinity: what the library makes of it.

    it('any group is taken, and PreviousAffinity is what was in force', async () => {
      const seen = await windows.on<string[]>(
        process4(version, { user: 0xfn }),
        `const inner = set('0:0x3'), other = set('2:0x5'), back = set('1:0xff');
         export default [inner.said, other.said, back.said, place(), revert(other.previous), place(), revert(inner.previous), place()];`,
      );
      expect(seen).toEqual(['SUCCESS 0:0xf', 'SUCCESS 0:0x3', 'SUCCESS 2:0x5', '1:0xff', 'SUCCESS', '0:0x3', 'SUCCESS', '0:0xf']);
    });

    it('Windows trims nothing: processors beyond the group never reach it', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `const answers = ['0:0xffffffffffffffff', '0:0x100', '0:0x101', '1:0x10000', '2:0x10'].map((where) => set(where).said);
         export default [answers, attempt(() => pin({ group: 0, mask: 0x1ffn })), place(), win32.thread().moves];`,
      );
      expect(seen).toEqual([Array(5).fill('INVALID_PARAMETER 0:0x0'), 'ERR_AFFINITY_UNKNOWN_CPU', '0:0xf', 0]);
    });

    it('Windows refuses inactive processors: they are left out before, as the next PreviousAffinity shows', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `const answers = [set('1:0xffff').said, set('1:0x8080').said, place(), set('1:0x100').said, set('3:0xf').said, place()];
         const refused = set('1:0x100');
         win32.activate(1, 8);
         answers.push(set('1:0x1ff').said, place(), revert('0:0x0'), place());
         const here = pin({ group: 1, mask: 0xfc00n | 1n });
         export default [...answers, String(here.cpus), String(here.dropped), place(), attempt(() => pin({ group: 3, mask: 0x1n }))];`,
      );
      expect(seen).toEqual([
        'SUCCESS 0:0xf',
        'SUCCESS 1:0xff',
        '1:0x80',
        'INVALID_PARAMETER 0:0x0',
        'INVALID_PARAMETER 0:0x0',
        '1:0x80',
        'SUCCESS 1:0x80',
        '1:0x1ff',
        'SUCCESS',
        '0:0xf',
        '8',
        '18-23',
        '1:0x1',
        'ERR_AFFINITY_OFFLINE',
      ]);
    });

    it('a set of several groups is dropped to its active part first, and refused where that still spans groups', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `const here = pin([0, 1, 28, 29]);
         const dropped = [String(here.cpus), String(here.dropped), place()];
         set('2:0x1');
         export default [...dropped, attempt(() => pin([0, 8])), attempt(() => pin([28, 29])), revert('0:0x0'), place(),
           attempt(() => pin([0, 8, 28])), attempt(() => pin([16, 28])), place()];`,
      );
      const [spans, offline] = ['ERR_AFFINITY_SPANS_GROUPS', 'ERR_AFFINITY_OFFLINE'];
      expect(seen).toEqual(['0-1', '28-29', '0:0x3', spans, offline, 'SUCCESS', '0:0x3', spans, offline, '0:0x3']);
    });

    it('no bit and no such group never reach Windows', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `export default [['0:0x0', '4:0x1', '65535:0x1', '65536:0x1'].map((where) => set(where).said), place(), win32.thread().moves];`,
      );
      expect(seen).toEqual([Array(4).fill('INVALID_PARAMETER 0:0x0'), '0:0xf', 0]);
    });

    it('Reserved is judged by the library, and is zero in what Windows gets', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `const dirty = affinityOf('1:0x1', [0, 0, 1]);
         const answers = [set(dirty).said, show(dirty), place()];
         dirty.Reserved = [0, 0, 0];
         export default [...answers, set(dirty).said, place()];`,
      );
      expect(seen).toEqual(['INVALID_PARAMETER 0:0x0', '1:0x1, Reserved 0 0 1', '0:0xf', 'SUCCESS 0:0xf', '1:0x1']);
    });

    it('NULL never reaches Windows, whose answer to it depends on its version', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `export default [set(null).said, statusName(wdk.StorPortRevertToUserGroupAffinityThread(extension, null, null)),
           statusName(wdk.StorPortSetSystemGroupAffinityThread(extension, null, affinityOf('2:0x1'), null)), place(), String(affinity())];`,
      );
      expect(seen).toEqual(['INVALID_PARAMETER 0:0x0', 'INVALID_PARAMETER', 'SUCCESS', '2:0x1', '24']);
    });

    it('one structure for both parameters gives Windows two', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `const both = affinityOf('2:0x2');
         const answers = [set(both, both).said, place()];
         const nested = affinityOf('1:0x10');
         export default [...answers, set(nested, nested).said, place(), revert(nested), place(), revert(both), place()];`,
      );
      expect(seen).toEqual(['SUCCESS 0:0xf', '2:0x2', 'SUCCESS 2:0x2', '1:0x10', 'SUCCESS', '2:0x2', 'SUCCESS', '0:0xf']);
    });

    it('what the process was confined to is withheld in its group, other groups are not', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { confined: 0x3cn }),
        `const answers = [set('0:0x3').said, set('0:0x7').said, attempt(() => pin([0])), place()];
         const machine = topology().cpus;
         answers.push(set('0:0xc').said, place(), set('1:0x1').said, place(), set('0:0x40').said, place());
         wdm.KeRaiseIrql(2, { value: 0 });
         answers.push(set('0:0x40').said, set('2:0x1').said);
         wdm.KeLowerIrql(0);
         export default [...answers, place(), revert('0:0x0'), place(), String(machine.allowed), String(allowedCpus())];`,
      );
      const withheld = 'UNSUCCESSFUL 0:0x0';
      expect(seen).toEqual([
        withheld,
        withheld,
        'ERR_AFFINITY_NOT_ALLOWED 87',
        '0:0x3c',
        'SUCCESS 0:0x3c',
        '0:0xc',
        'SUCCESS 0:0xc',
        '1:0x1',
        withheld,
        '1:0x1',
        withheld,
        'SUCCESS 1:0x1',
        '2:0x1',
        'SUCCESS',
        '0:0x3c',
        '2-5',
        '2-5',
      ]);
    });

    it('the process has threads in another group from then on, for good', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { home: 1, user: 0x3n }),
        `const told = [], tell = () => told.push(win32.get('multiGroup'), win32.get('members'));
         tell();
         const first = set('1:0x1');
         tell();
         set('2:0x1');
         tell();
         revert(first.previous);
         tell();
         export default [told, place(), String(allowedCpus())];`,
      );
      const members = version === 11 ? ['0x7', '0x7', '0x7', '0x7'] : ['0x2', '0x2', '0x6', '0x6'];
      const flags = ['0x0', '0x0', '0x1', '0x1'];
      expect(seen).toEqual([flags.flatMap((flag, at) => [flag, members[at]]), '1:0x3', '0-15,24-27']);
    });

    it('a job withholds a group: refused by Windows alone', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `win32.setJob([0xffn, 0n, 0x3n, 0n]);
         export default [set('1:0x1').said, set('2:0xc').said, set('2:0x6').said, attempt(() => pin([24]).cpus), place(), win32.get('multiGroup'),
           attempt(() => pin([8])), set('2:0x1').said, place()];`,
      );
      const withheld = 'UNSUCCESSFUL 0:0x0';
      expect(seen).toEqual([withheld, withheld, withheld, '24', '2:0x1', '0x1', 'ERR_AFFINITY_NOT_ALLOWED 87', 'SUCCESS 2:0x1', '2:0x1']);
    });

    it("a job's hard cap is the quota, as a number of the processors that are active", async () => {
      const seen = await windows.on<unknown[]>(
        process4(version),
        `const rates = [0n, (1250n << 32n) | 5n, (((2500n << 16n) | 500n) << 32n) | 0x11n, (5n << 32n) | 3n, (1250n << 32n) | 4n, (10_000n << 32n) | 5n];
         export default rates.map((rate) => (win32.set('rate', rate), topology().quota));`,
      );
      const [none, cap, range, weight, disabled, whole] = seen;
      expect([none, weight, disabled, whole]).toEqual([null, null, null, null]);
      expect([cap, range]).toEqual(version === 7 ? [null, null] : [2.5, 5]);
    });

    it('a process that is confined meanwhile keeps what is left of the affinity to come back to, or all that the process has', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `const first = set('0:0x3');
         win32.confine(0x1cn);
         const some = [revert(first.previous), place()];
         const second = set('0:0x4');
         win32.confine(0xe0n);
         const none = [revert(second.previous), place(), revert('0:0x0')];
         const here = pin([5]);
         win32.confine(0x3n);
         export default [...some, second.said, ...none, attempt(() => here.restore()), place()];`,
      );
      expect(seen).toEqual(['SUCCESS', '0:0xc', 'SUCCESS 0:0xc', 'SUCCESS', '0:0xe0', 'SUCCESS', 'done', '0:0x3']);
    });

    it('a thread that nobody placed starts in its maker’s group before Windows 11, in all groups later', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { home: 1, user: 0x3n }),
        `import { once } from 'node:events';
         import { fileURLToPath } from 'node:url';
         import { Worker } from 'node:worker_threads';
         const start = async () => {
           const worker = new Worker(\`
             require('node-gyp-build')(require('worker_threads').workerData).complete().currentThread();
             require('worker_threads').parentPort.postMessage(0);
           \`, { eval: true, workerData: fileURLToPath(new URL('../..', import.meta.url)) });
           await once(worker, 'message');
           return place(win32.threads().at(-1).id);
         };
         const first = await start();
         set('2:0x1');
         export default [first, await start(), place()];`,
      );
      expect(seen).toEqual(version === 11 ? ['0:0xff 1:0xff 2:0xf', '0:0xff 1:0xff 2:0xf', '2:0x1'] : ['1:0xff', '2:0xf', '2:0x1']);
    });

    it('a new system thread has its maker’s user affinity; an ended one is nobody’s, and no handle stays open', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `import { writeFileSync } from 'node:fs';
         const url = new URL('wait.mjs', import.meta.url);
         writeFileSync(url, 'export default (memory) => void Atomics.wait(new Int32Array(memory), 0, 0);');
         set('2:0x1');
         const memory = new SharedArrayBuffer(4), out = { value: null };
         const create = (priority) => statusName(wdk.StorPortCreateSystemThread(extension, url, memory, priority, out));
         const answers = [create({ value: 4 })];
         const own = out.value, thread = win32.threads().at(-1);
         const raise = (priority) => statusName(wdk.StorPortSetPriorityThread(extension, own, priority));
         answers.push(place(thread.id), thread.priority, raise(0), win32.thread(thread.id).priority, raise(6), win32.thread(thread.id).priority);
         win32.set('denied', 0x20n);
         answers.push(raise(1), win32.thread(thread.id).priority, create(null), out.value);
         win32.set('denied', 0n);
         answers.push(create({ value: 6 }), out.value);
         Atomics.store(new Int32Array(memory), 0, 1);
         Atomics.notify(new Int32Array(memory), 0);
         answers.push(statusName(wdk.StorPortWaitForSingleObject(extension, own, false, null)), raise(1));
         export default [...answers, win32.get('handles'), place()];`,
      );
      expect(seen).toEqual([
        'SUCCESS',
        '0:0xf',
        2,
        'SUCCESS',
        -1,
        'UNSUCCESSFUL',
        -1,
        'UNSUCCESSFUL',
        -1,
        'UNSUCCESSFUL',
        null,
        'UNSUCCESSFUL',
        null,
        'SUCCESS',
        'INVALID_PARAMETER',
        '0x0',
        '2:0x1',
      ]);
    });

    it('when a Set returns the thread is there, even where Windows takes a while', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0x1n }),
        `currentCpu();
         win32.set('lag', 5n);
         const one = [set('2:0x4').said, currentCpu()];
         export default [...one, pin([8]) && 'pinned', revert('0:0x0'), currentCpu()];`,
      );
      expect(seen).toEqual([
        'SUCCESS 0:0x1',
        { cpu: 26, group: 2, number: 2, node: 2 },
        'pinned',
        'SUCCESS',
        { cpu: 8, group: 1, number: 0, node: 1 },
      ]);
    });

    it('counts and masks are those of Windows', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { home: 2 }),
        `const { groups, numaNodes, packages, caches, cpus } = topology();
         const node = new wdk.STOR_GROUP_AFFINITY();
         const nodes = [0, 1, 2, 3, 4].map((id) => statusName(wdk.StorPortGetNodeAffinity(extension, id, node)) + ' ' + show(node));
         export default [wdm.KeQueryActiveGroupCount(), wdm.KeQueryMaximumGroupCount(), wdm.KeQueryActiveProcessorCountEx(0xffff), wdm.KeQueryMaximumProcessorCountEx(0xffff),
           groups.map(({ maximumMask, activeMask }) => maximumMask.toString(16) + '/' + activeMask.toString(16)), nodes, packages.length, caches.length, String(cpus.online), String(affinity())];`,
      );
      expect(seen).toEqual([
        3,
        4,
        20,
        32,
        ['ff/ff', 'ffff/ff', 'f/f', 'f/0'],
        ['SUCCESS 0:0xff', 'SUCCESS 1:0xff', 'SUCCESS 2:0xf', 'SUCCESS 3:0x0', 'INVALID_PARAMETER 3:0x0'],
        3,
        3,
        '0-15,24-27',
        '24-27',
      ]);
    });

    const teller = `
      import { once } from 'node:events';
      import { readlinkSync, writeFileSync } from 'node:fs';
      import { Worker } from 'node:worker_threads';
      import { sitters, spread, workerOptions } from 'groupaffinity/workers';
      const url = new URL('teller.mjs', import.meta.url);
      writeFileSync(url, \`
        import { readlinkSync } from 'node:fs';
        import { parentPort } from 'node:worker_threads';
        import { seat } from 'groupaffinity/workers';
        const own = seat();
        parentPort.postMessage({ thread: Number(readlinkSync('/proc/thread-self').split('/').at(-1)), seat: own.seat, group: own.group });
        parentPort.once('message', () => {});
      \`);
      const seated = (plan) => Promise.all(plan.seats.map(async () => {
        const worker = new Worker(url, workerOptions(plan));
        return { worker, ...(await once(worker, 'message'))[0] };
      }));
    `;

    it('workers sit in the groups of their seats, and are seen there', async () => {
      const sizes = Array.from({ length: version === 7 ? 4 : 20 }, (_, at) => [64, 16, 2, 36][at % 4] ?? 1);
      const many = sizes.map((size, at) => {
        const maximum = (1n << BigInt(size)) - 1n;
        return { maximum, active: at % 3 === 2 ? maximum & 0x5555_5555_5555_5555n : maximum };
      });
      const only = (mask: bigint, at: number): CpuSet => many.map((_, group) => (group === at ? mask : 0n));
      const home = sizes.length - 2;
      const user = version === 11 ? many.map(({ active }) => active) : only(many[home]?.active ?? 0n, home);
      const all = many.map(({ maximum }) => maximum);
      const machine = { groups: many, allowed: all, nodes: all.map(only), primary: home };
      const seen = await windows.on<{
        seats: (number | null)[];
        seen: [number, number, string][];
        during: number[];
        after: number[];
        main: string;
      }>(
        { version, machine, user, confined: false },
        `${teller}
         const plan = spread({ by: 'group' });
         const main = place();
         const workers = await seated(plan);
         const seen = workers.map(({ thread, seat, group }) => [seat, group, place(thread)]).sort(([a], [b]) => a - b);
         const during = sitters(plan);
         await Promise.all(workers.map(({ worker }) => worker.terminate()));
         if (place() !== main) throw new Error('the main thread moved');
         export default { seats: plan.seats.map(({ group }) => group), seen, during, after: sitters(plan), main };`,
      );
      expect(seen.seats.toSorted((a, b) => (a ?? 0) - (b ?? 0))).toEqual(many.map((_, group) => group));
      expect(seen.seen).toEqual(seen.seats.map((group, at) => [at, group, `${group}:0x${many[group ?? 0]?.active.toString(16)}`]));
      expect([seen.during, seen.after]).toEqual([many.map(() => 1), many.map(() => 0)]);
    });

    it('a seat that the process’s job withholds is passed over', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version),
        `${teller}
         const plan = spread({ by: 'group' });
         win32.setJob([0xffn, 0n, 0xfn, 0n]);
         const workers = await seated(plan);
         export default [plan.seats.length, sitters(plan)[plan.seats.findIndex(({ group }) => group === 1)],
           workers.map(({ thread, group }) => place(thread) === ['0:0xff', '1:0xff', '2:0xf'][group] && group !== 1)];`,
      );
      expect(seen).toEqual([3, 0, [true, true, true]]);
    });

    const guarding = `
      import { guard } from 'groupaffinity/workers';
      const drifts = [];
      const onDrift = ({ what, cause, seat, wanted, found }) => drifts.push(\`\${what} \${cause} \${seat} \${wanted} \${found}\`);
      const until = async (count) => {
        const end = performance.now() + 20_000;
        while (drifts.length < count && performance.now() < end) await new Promise((done) => setTimeout(done, 1));
        return drifts.splice(0);
      };
    `;

    it('a guard looks from time to time, and puts a worker back on its seat as soon as the job lets it', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version),
        `${teller}${guarding}
         const plan = spread({ by: 'group', within: 'group:1' });
         const watch = guard(plan, { onDrift, check: 10 });
         const [{ worker, thread }] = await seated(plan);
         const at = win32.threads().findIndex(({ id }) => id === thread);
         const seen = [];
         win32.put(at, [0n, 0x3n, 0n, 0n], 1);
         seen.push(await until(2), place(thread));
         win32.setJob([0xffn, 0n, 0xffn, 0n]);
         win32.put(at, [0x1n, 0n, 0n, 0n], 0);
         seen.push(await until(1), place(thread));
         win32.setJob([0xffn, 0xffn, 0xffn, 0n]);
         seen.push(await until(1), place(thread));
         await worker.terminate();
         watch.stop();
         export default [...seen, win32.threads().filter(({ ended }) => !ended).length];`,
      );
      expect(seen).toEqual([
        ['narrowed unknown 0 8-15 8-9', 'mended unknown 0 8-15 8-15'],
        '1:0xff',
        ['moved unknown 0 8-15 0'],
        '0:0x1',
        ['mended unknown 0 8-15 8-15'],
        '1:0xff',
        1,
      ]);
    });

    it('a guarded thread of a process that is confined has what is left of its pin, and all of it again afterwards', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version),
        `${guarding}
         const here = pin([2, 3]);
         guard(here, { onDrift, check: 10 });
         win32.confine(0x6n);
         const seen = [await until(2), place()];
         win32.confine(0xffn);
         seen.push((await until(2)).at(-1), place());
         here.restore();
         export default seen;`,
      );
      expect(seen).toEqual([
        ['moved withheld null 2-3 1-2', 'narrowed withheld null 2-3 2'],
        '0:0x4',
        'mended unknown null 2-3 2-3',
        '0:0xc',
      ]);
    });

    it('what Windows tells of other threads is read, and an ended one is gone even while someone holds it', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version),
        `${teller}
         import { createRequire } from 'node:module';
         import { fileURLToPath } from 'node:url';
         const native = createRequire(import.meta.url)('node-gyp-build')(fileURLToPath(new URL('../..', import.meta.url))).complete();
         const plan = spread({ by: 'group', within: 'group:2' });
         const [{ worker, thread }] = await seated(plan);
         const look = () => [native.readThread(thread)?.allowed ?? null, native.setPriority(thread, 9).outcome, native.threadLevel(thread)];
         const alive = look();
         await worker.terminate();
         while (!win32.thread(thread).ended) await new Promise((done) => setTimeout(done, 1));
         const ended = look();
         win32.set('held', 1n);
         export default [alive, ended, look(), native.readThread(0), native.readThread(2 ** 40), win32.get('handles')];`,
      );
      const gone = [null, 9, null];
      expect(seen).toEqual([['0xf000000', 0, 9], gone, gone, null, null, '0x0']);
    });

    it('threads() lists the threads of this process: who they are, where they may run, what they are called', async () => {
      const seen = await windows.on<Record<string, unknown>>(
        process4(version, { user: 0xfn }),
        `${teller}
         import { setThreadAffinity, threads } from 'groupaffinity';
         const [{ worker, thread }] = await seated(spread({ by: 'group', within: 'group:2' }));
         await seated(spread({ by: 'group', within: 'group:2' }));
         const pool = setThreadAffinity('libuv', { group: 1, mask: 0x6n });
         const all = threads();
         const alive = win32.threads().filter(({ ended }) => !ended).map(({ id }) => id).sort((a, b) => a - b);
         export default {
           same: JSON.stringify(all.map(({ tid }) => tid)) === JSON.stringify(alive),
           roles: all.map(({ role, certainty, threadId }) => [role, certainty, threadId]).sort().join(' '),
           main: all.filter(({ role }) => role === 'main').map(({ tid, allowed, priority }) => [tid === process.pid, allowed, priority]),
           workers: all.filter(({ role }) => role === 'worker').map(({ allowed }) => allowed),
           pool: pool.map(({ tid, before, after, dropped }) => [place(tid), String(after), String(dropped), before.size > 0]),
           unknown: all.every(({ lastCpu, voluntarySwitches, involuntarySwitches, migrations }) => [lastCpu, voluntarySwitches, involuntarySwitches, migrations].every((value) => value === null)),
           names: [...new Set(all.map(({ role, name }) => role + ':' + name))],
           handles: win32.get('handles'),
         };`,
      );
      expect(seen).toMatchObject({
        same: true,
        roles: 'libuv,known, libuv,known, libuv,known, libuv,known, main,known,0 worker,known,1 worker,known,2',
        main: [[true, '0-3', 0]],
        workers: ['24-27', '24-27'],
        pool: Array.from({ length: 4 }, () => ['1:0x6', '9-10', '', true]),
        unknown: true,
        handles: '0x0',
      });
    });

    it('threads of this process are placed in any group, whole or not at all, and get back what they had', async () => {
      const seen = await windows.on<Record<string, unknown>>(
        process4(version, { user: 0xfn }),
        `${teller}
         import { placeProcess, setThreadAffinity } from 'groupaffinity';
         const workers = (await seated(spread({ by: 'group', within: 'group:0-2' }))).sort((a, b) => a.group - b.group);
         const places = () => workers.map(({ thread }) => place(thread)).join(' ');
         const [first] = workers;
         const seats = places();
         const one = setThreadAffinity(first.thread, { group: 1, mask: 0xff06n });
         const alone = places();
         const done = { seats, dropped: one.map(({ before, after, dropped }) => [before, after, dropped].join(' / ')), alone };
         done.spans = attempt(() => setThreadAffinity('workers', [0, 24]));
         done.inactive = attempt(() => setThreadAffinity('workers', { group: 1, mask: 0xff00n }));
         // Whichever call is refused first, and however often: none is placed, and all are where they were.
         const refusals = { SetThreadGroupAffinity: 0, GetThreadGroupAffinity: 0, OpenThread: 0, GetThreadId: 0, GetProcessIdOfThread: 0, CreateToolhelp32Snapshot: 0 };
         const wrong = [];
         for (const call of Object.keys(refusals))
           for (let after = 0; ; after += 1) {
             win32.fail(call, 5, { after, times: 1 });
             const said = attempt(() => void setThreadAffinity('workers', { group: 2, mask: 1n }));
             const isUsed = win32.get('failingTimes') === 0n;
             win32.heal();
             if (!isUsed) {
               if (said !== 'done' || places() !== '2:0x1 2:0x1 2:0x1') wrong.push(call + ' ' + after + ': ' + said + ' ' + places());
               workers.forEach(({ thread }, at) => setThreadAffinity(thread, [{ group: 1, mask: 6n }, 'group:1', 'group:2'][at]));
               break;
             }
             refusals[call] += 1;
             if (said !== 'ERR_AFFINITY_REFUSED 5' || places() !== alone) wrong.push(call + ' ' + after + ': ' + said + ' ' + places());
           }
         done.refusals = Object.values(refusals).every((times) => times >= 2);
         done.wrong = wrong;
         win32.set('denied', 0x20n);
         done.denied = attempt(() => setThreadAffinity('workers', { group: 2, mask: 1n })) + ' ' + places();
         win32.set('denied', 0n);
         done.process = placeProcess({ main: { group: 0, mask: 1n }, workers: { by: 'group', within: 'group:0-2' }, libuv: { group: 2, mask: 8n } }).length;
         done.after = [place(), places().split(' ').sort().join(' ')];
         const { worker, thread } = workers.pop();
         await worker.terminate();
         while (!win32.thread(thread).ended) await new Promise((ready) => setTimeout(ready, 1));
         done.ended = attempt(() => setThreadAffinity(thread, '0'));
         win32.set('held', 1n);
         done.held = attempt(() => setThreadAffinity(thread, '0'));
         done.foreign = [attempt(() => setThreadAffinity(8, '0')), attempt(() => setThreadAffinity(2 ** 33, '0'))].join();
         done.handles = win32.get('handles');
         export default done;`,
      );
      const alone = '1:0x6 1:0xff 2:0xf';
      const none = 'ERR_AFFINITY_NO_THREAD';
      expect(seen).toMatchObject({
        seats: '0:0xff 1:0xff 2:0xf',
        dropped: ['0-7 / 9-10 / 16-23'],
        alone,
        spans: 'ERR_AFFINITY_SPANS_GROUPS',
        inactive: 'ERR_AFFINITY_OFFLINE',
        refusals: true,
        wrong: [],
        denied: `ERR_AFFINITY_REFUSED 5 ${alone}`,
        process: 8,
        after: ['0:0x1', '0:0xff 1:0xff 2:0xf'],
        ended: none,
        held: none,
        foreign: `${none},${none}`,
        handles: '0x0',
      });
    });

    it('a list of threads that Windows does not give, and one that it breaks off, is an error and no shorter list', async () => {
      const seen = await windows.on<Record<string, string>>(
        process4(version, { user: 0xfn }),
        `import { threads } from 'groupaffinity';
         const answers = { none: String(threads().length > 0) };
         for (const [call, after] of [['CreateToolhelp32Snapshot', 0], ['Thread32First', 0], ['Thread32Next', 1], ['GetThreadGroupAffinity', 0], ['OpenThread', 0], ['GetThreadId', 0]]) {
           win32.fail(call, 8, { after });
           answers[call] = attempt(() => threads().length);
           win32.heal();
         }
         for (const call of ['GetThreadTimes', 'GetThreadDescription', 'GetThreadPriority']) {
           win32.fail(call, 8);
           answers[call] = String(threads().length > 0);
           win32.heal();
         }
         export default { ...answers, handles: String(win32.get('handles')) };`,
      );
      const refused = 'ERR_AFFINITY_REFUSED 8';
      expect(seen).toEqual({
        none: 'true',
        CreateToolhelp32Snapshot: refused,
        Thread32First: refused,
        Thread32Next: refused,
        GetThreadGroupAffinity: refused,
        OpenThread: refused,
        GetThreadId: refused,
        GetThreadTimes: 'true',
        GetThreadDescription: 'true',
        GetThreadPriority: 'true',
        handles: '0',
      });
    });

    it('a priority becomes the highest step of Windows that is no higher, and is read back', async () => {
      const seen = await windows.on<Record<string, unknown>>(
        process4(version, { user: 0xfn }),
        `import { getThreadPriority, setThreadPriority } from 'groupaffinity';
         const steps = [19, 12, 10, 7, 5, 1, 0, -1, -5, -9, -10, -19, -20].map((nice) => {
           const [{ after }] = setThreadPriority('main', nice);
           return [nice, after, win32.thread().priority, getThreadPriority()].join(' ');
         });
         const realtime = attempt(() => setThreadPriority('main', 'realtime'));
         const unchanged = win32.thread().priority;
         win32.set('priorityClass', 0x100n);
         const inClass = [attempt(() => setThreadPriority('main', 'low')), getThreadPriority(), setThreadPriority('main', 'realtime')[0].after];
         win32.set('priorityClass', 0x20n);
         win32.fail('SetThreadPriority', 5);
         const refused = attempt(() => setThreadPriority('main', 'normal'));
         export default { steps, realtime, unchanged, inClass, refused, handles: win32.get('handles') };`,
      );
      expect(seen).toEqual({
        steps: [
          '19 19 -15 19',
          '12 19 -15 19',
          '10 10 -2 10',
          '7 10 -2 10',
          '5 5 -1 5',
          '1 5 -1 5',
          '0 0 0 0',
          '-1 0 0 0',
          '-5 -5 1 -5',
          '-9 -5 1 -5',
          '-10 -10 2 -10',
          '-19 -10 2 -10',
          '-20 -20 15 -20',
        ],
        realtime: 'ERR_AFFINITY_REFUSED 5',
        unchanged: 15,
        inClass: ['ERR_AFFINITY_REFUSED 5', 'realtime', 'realtime'],
        refused: 'ERR_AFFINITY_REFUSED 5',
        handles: '0x0',
      });
    });

    it('a node that spans groups is told whole from Windows 11 on, and is several before', async () => {
      const nodes = [
        groups.map(({ maximum }, group) => (group < 2 ? maximum : 0n)),
        groups.map(({ maximum }, group) => (group < 2 ? 0n : maximum)),
      ];
      const place = process4(version);
      const seen = await windows.on<unknown[]>(
        onWindows(version, { ...place, machine: { ...place.machine, nodes } }),
        `export default topology().numaNodes.map(({ id, cpus }) => id + ': ' + cpus);`,
      );
      expect(seen).toEqual(version === 11 ? ['0: 0-15', '1: 24-27'] : ['0: 0-7', '1: 8-15', '2: 24-27', '3: ']);
    });

    it('validate holds its claims, but for those that ask the processor itself, which is another', { timeout: 120_000 }, async () => {
      const { passed, failed } = await windows.validate(process4(version));
      expect(failed.filter((id) => !id.endsWith('-hardware'))).toEqual([]);
      expect(passed).toBeGreaterThan(100);
    });

    it('a call that fails changes nothing, whichever it is and whatever its error, and the next one does what it should', async () => {
      const seen = await windows.on<{ tried: number; wrong: string[]; refused: Record<string, number> }>(
        process4(version, { user: 0xfn }),
        `const calls = ['SetThreadGroupAffinity', 'GetThreadGroupAffinity', 'GetLogicalProcessorInformationEx', 'GetProcessAffinityMask',
           'GetProcessGroupAffinity', 'OpenThread', 'GetThreadId', 'GetProcessIdOfThread', 'SetThreadPriority', 'GetThreadPriority'];
         const errors = [5, 6, 8, 87, 122, 998, 1450];
         const raised = (act) => { wdm.KeRaiseIrql(2, { value: 0 }); return act(); };
         const node = new wdk.STOR_GROUP_AFFINITY(), number = new wdk.PROCESSOR_NUMBER();
         const query = (call) => attempt(() => statusName(call({ value: 0 })));
         let kept;
         const operations = {
           'Set over U': { act: () => set('2:0x3').said, done: 'SUCCESS 0:0xf', refused: 'UNSUCCESSFUL 0:0x0' },
           'nested Set': { arrange: () => set('1:0x6'), act: () => set('2:0x3').said, done: 'SUCCESS 1:0x6', refused: 'UNSUCCESSFUL 0:0x0' },
           'Set with inactive processors': { act: () => set('1:0xf000f').said.replace('INVALID_PARAMETER', 'X') === 'X 0:0x0' && set('1:0xff0f').said, done: 'SUCCESS 0:0xf', refused: 'UNSUCCESSFUL 0:0x0' },
           'Revert to an outer one': { arrange: () => { set('1:0x6'); kept = set('2:0x1').previous; }, act: () => revert(kept), done: 'SUCCESS', refused: 'UNSUCCESSFUL' },
           'Revert to U': { arrange: () => { kept = set('1:0x6').previous; }, act: () => revert(kept), done: 'SUCCESS', refused: 'UNSUCCESSFUL' },
           'Set at DISPATCH_LEVEL': { act: () => raised(() => set('2:0x3').said), done: 'SUCCESS 0:0xf', refused: 'UNSUCCESSFUL 0:0x0' },
           'nested Set at DISPATCH_LEVEL': { arrange: () => set('1:0x6'), act: () => raised(() => set('2:0x3').said), done: 'SUCCESS 1:0x6', refused: 'UNSUCCESSFUL 0:0x0' },
           'Revert at DISPATCH_LEVEL': { arrange: () => { set('1:0x6'); kept = set('2:0x1').previous; }, act: () => raised(() => revert(kept)), done: 'SUCCESS', refused: 'UNSUCCESSFUL' },
           'pin': { act: () => attempt(() => (kept = pin([8])) && 'pinned'), done: 'pinned', refused: 'ERR' },
           'pin below a system affinity': { arrange: () => set('1:0x6'), act: () => attempt(() => (kept = pin([24])) && 'pinned'), done: 'pinned', refused: 'ERR' },
           'restore': { arrange: () => { kept = pin([8]); }, act: () => attempt(() => kept.restore()), done: 'done', refused: 'ERR' },
           'affinity': { act: () => attempt(() => affinity()), done: '0-3', refused: 'ERR' },
           'StorPortGetActiveGroupCount': { act: () => query((out) => wdk.StorPortGetActiveGroupCount(extension, out)), done: 'SUCCESS', refused: 'UNSUCCESSFUL' },
           'StorPortGetGroupAffinity': { act: () => query((out) => wdk.StorPortGetGroupAffinity(extension, 1, out)), done: 'SUCCESS', refused: 'UNSUCCESSFUL' },
           'StorPortGetNodeAffinity': { act: () => query(() => wdk.StorPortGetNodeAffinity(extension, 1, node)), done: 'SUCCESS', refused: 'UNSUCCESSFUL' },
           'StorPortGetCurrentProcessorNumber': { act: () => query(() => wdk.StorPortGetCurrentProcessorNumber(extension, number)), done: 'SUCCESS', refused: 'UNSUCCESSFUL' },
         };
         const state = () => [place(), win32.get('multiGroup'), win32.thread().moves, wdm.KeGetCurrentIrql()].join();
         const refused = {}, wrong = [];
         let tried = 0;
         for (const [name, { arrange, act, done, refused: no }] of Object.entries(operations))
           for (const call of calls)
             for (const error of errors) {
               tried += 1;
               const complain = (what) => wrong.push(name + ', ' + call + ' fails with ' + error + ': ' + what);
               win32.begin();
               arrange?.();
               const before = state();
               win32.fail(call, error);
               const said = act();
               win32.heal();
               wdm.KeLowerIrql(0);
               if (said !== done) {
                 refused[name + ' / ' + call] = (refused[name + ' / ' + call] ?? 0) + 1;
                 if (!(no === 'ERR' ? said === (error === 87 && call.startsWith('Set') ? 'ERR_AFFINITY_NOT_ALLOWED 87' : 'ERR_AFFINITY_REFUSED ' + error) : said === no)) complain(said);
                 if (state() !== before) complain(before + ' became ' + state());
                 const again = act();
                 wdm.KeLowerIrql(0);
                 if (again !== done) complain('then ' + again);
               }
               wdk.StorPortRevertToUserGroupAffinityThread(extension, null, new wdk.STOR_GROUP_AFFINITY());
               kept?.restore?.();
               kept = undefined;
               if (place() !== '0:0xf') complain('ended on ' + place());
               if (win32.get('handles') !== 0n) complain('a handle is open');
             }
         export default { tried, wrong, refused };`,
      );
      expect(seen.wrong).toEqual([]);
      expect(seen.tried).toBe(16 * 10 * 7);
      const refusing = {
        SetThreadGroupAffinity: [
          'Set over U',
          'nested Set',
          'Set with inactive processors',
          'Revert to an outer one',
          'Revert to U',
          'pin',
          'restore',
        ],
        GetThreadGroupAffinity: ['Set at DISPATCH_LEVEL', 'nested Set at DISPATCH_LEVEL', 'affinity'],
        GetLogicalProcessorInformationEx: [
          'Set with inactive processors',
          'Set at DISPATCH_LEVEL',
          'nested Set at DISPATCH_LEVEL',
          'Revert at DISPATCH_LEVEL',
          'pin below a system affinity',
          'StorPortGetActiveGroupCount',
          'StorPortGetGroupAffinity',
          'StorPortGetNodeAffinity',
        ],
      };
      const expected = Object.entries(refusing).flatMap(([call, names]) => names.map((each) => [`${each} / ${call}`, 7] as const));
      expect(seen.refused).toEqual(Object.fromEntries(expected));
    });

    it('a system thread that Windows refuses anything is none', async () => {
      const seen = await windows.on<{ answers: Record<string, string>; left: unknown[] }>(
        process4(version, { user: 0xfn }),
        `import { writeFileSync } from 'node:fs';
         const url = new URL('nothing.mjs', import.meta.url);
         writeFileSync(url, 'export default () => {};');
         const answers = {};
         affinity();
         for (const call of ['none', 'SetThreadGroupAffinity', 'GetThreadGroupAffinity', 'GetLogicalProcessorInformationEx', 'OpenThread', 'GetThreadId',
           'GetProcessIdOfThread', 'SetThreadPriority']) {
           const out = { value: 'untouched' };
           win32.fail(call, 5);
           const said = attempt(() => statusName(wdk.StorPortCreateSystemThread(extension, url, null, null, out)));
           win32.heal();
           answers[call] = said + (out.value?.StorPortThread === undefined ? ' ' + out.value : '');
           if (said === 'SUCCESS') wdk.StorPortWaitForSingleObject(extension, out.value, false, null);
         }
         export default { answers, left: [place(), win32.get('handles'), win32.thread().moves] };`,
      );
      const no = 'UNSUCCESSFUL null';
      expect(seen).toEqual({
        answers: {
          none: 'SUCCESS',
          SetThreadGroupAffinity: no,
          GetThreadGroupAffinity: no,
          GetLogicalProcessorInformationEx: 'UNSUCCESSFUL untouched',
          OpenThread: no,
          GetThreadId: no,
          GetProcessIdOfThread: no,
          SetThreadPriority: no,
        },
        left: ['0:0xf', '0x0', 0],
      });
    });

    it.each(['set', 'raised', 'revert', 'pin', 'affinity', 'query', 'create'])(
      'where Windows does not tell its processors the first call is refused, and the next one works: %s',
      async (which) => {
        const [first, second, after, moves] = await windows.on<[string, string, string, number]>(
          process4(version, { user: 0xfn }),
          `const out = { value: null };
           const acts = {
             set: () => set('2:0x1').said,
             raised: () => { wdm.KeRaiseIrql(2, out); try { return set('2:0x1').said; } finally { wdm.KeLowerIrql(0); } },
             revert: () => revert('2:0x1'),
             pin: () => attempt(() => pin('2:0x1').cpus),
             affinity: () => attempt(() => affinity()),
             query: () => attempt(() => statusName(wdk.StorPortGetActiveGroupCount(extension, out))),
             create: () => attempt(() => statusName(wdk.StorPortCreateSystemThread(extension, 'data:text/javascript,export default () => {}', null, null, out))),
           };
           const act = acts[${JSON.stringify(which)}];
           win32.fail('GetLogicalProcessorInformationEx', 8);
           const first = act(), between = place();
           win32.heal();
           export default [first, act(), between, win32.thread().moves];`,
        );
        const refused = {
          set: 'UNSUCCESSFUL 0:0x0',
          raised: 'UNSUCCESSFUL 0:0x0',
          pin: 'ERR_AFFINITY_REFUSED 8',
          affinity: 'ERR_AFFINITY_REFUSED 8',
        };
        const done = { set: 'SUCCESS 0:0xf', raised: 'SUCCESS 0:0xf', pin: '24', affinity: '0-3' };
        const of = (answers: Record<string, string>, rest: string): string => answers[which] ?? rest;
        expect([first, second, after]).toEqual([of(refused, 'UNSUCCESSFUL'), of(done, 'SUCCESS'), '0:0xf']);
        expect(moves).toBe(['set', 'raised', 'pin'].includes(which) ? 1 : 0);
      },
    );

    it('a list of processors that grows while it is read is read again', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `win32.fail('GetLogicalProcessorInformationEx', 122, { times: 3 });
         const patient = set('2:0x1').said;
         win32.fail('GetLogicalProcessorInformationEx', 122);
         const endless = [set('1:0x101').said, place()];
         win32.heal();
         export default [patient, ...endless, set('1:0x101').said, place()];`,
      );
      expect(seen).toEqual(['SUCCESS 0:0xf', 'UNSUCCESSFUL 0:0x0', '2:0x1', 'SUCCESS 2:0x1', '1:0x1']);
    });

    it('a move that Windows refuses when the IRQL falls is warned of, and the thread stays', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `const warnings = [];
         process.on('warning', ({ code }) => warnings.push(code));
         const defer = (act) => { wdm.KeRaiseIrql(2, { value: 0 }); const said = act(); win32.fail('SetThreadGroupAffinity', 5, { times: 1 }); wdm.KeLowerIrql(0); return said; };
         const over = [defer(() => set('2:0x1').said), place()];
         const outer = set('1:0x1');
         const nested = [defer(() => set('2:0x1').said), place()];
         const back = [revert(outer.previous), place()];
         await new Promise((done) => setImmediate(done));
         export default [...over, outer.said, ...nested, ...back, warnings];`,
      );
      const warning = 'GROUPAFFINITY_DEFERRED';
      expect(seen).toEqual(['SUCCESS 0:0xf', '0:0xf', 'SUCCESS 0:0xf', 'SUCCESS 1:0x1', '1:0x1', 'SUCCESS', '0:0xf', [warning, warning]]);
    });

    it('a thread on processors that no group had when the groups were formed is left there', async () => {
      const seen = await windows.on<unknown[]>(
        process4(version, { user: 0xfn }),
        `topology();
         win32.put(0, [0n, 0n, 0n, 0n, 0x3n], 4);
         win32.grow(0x3n);
         const group = () => win32.thread().primary;
         const answers = [set('1:0x1').said, group(), attempt(() => pin([8])), group(), attempt(() => affinity()), group()];
         export default answers;`,
      );
      expect(seen).toEqual(['UNSUCCESSFUL 0:0x0', 4, 'ERR_AFFINITY_REFUSED 13', 4, 'ERR_AFFINITY_REFUSED 13', 4]);
    });
  });

  it.each(versions)('the pretended Windows %i answers as Windows was seen to', async (version) => {
    const program = join(windows.folder, 'win32-calls');
    const fixture = join(checkout, 'test', 'fixtures', 'win32');
    const flags = ['-std=c++20', '-g', '-Wall', '-Wextra', '-Wconversion', '-Werror', '-fsanitize=address,undefined', '-I', fixture];
    if (!existsSync(program))
      await run(compiler, [...flags, join(checkout, 'test', 'unit', 'win32_calls.cc'), join(fixture, 'win32.cc'), '-o', program]);
    const machine = join(windows.folder, `calls-${version}`);
    Win32.create(machine, process4(version)).close();
    const { stdout } = await run(program, [], { env: { ...process.env, GROUPAFFINITY_WIN32: machine } });
    const cases: Record<string, string[]> = {};
    for (const line of stdout.trim().split('\n')) {
      const [name = '', what = ''] = line.split(': ');
      (cases[name] ??= []).push(what);
    }
    const refused = ['set 87', 'previous 0:3', 'is 0:3'];
    const everywhere = version === 11;
    expect(cases).toEqual({
      start: ['is 0:ff', 'affinity 0', `process ff of ff, groups 0${everywhere ? ' 1 2' : ''}`],
      'same group': ['set 0', 'previous 0:ff', 'is 0:3'],
      'beyond the processors': refused,
      'one inactive': refused,
      'no bit': refused,
      'no such group': refused,
      'inactive group': refused,
      Reserved: refused,
      NULL: ['set 998', `get ${version === 7 ? 998 : 87}`],
      'no handle': ['set 6', 'get 6', 'close 6'],
      SET_LIMITED: ['set 5', 'set for previous 5', 'get 5'],
      SET: ['set 0', 'set for previous 5', 'get 5'],
      QUERY: ['set 5', 'set for previous 5', 'get 0'],
      QUERY_LIMITED: ['set 5', 'set for previous 5', 'get 0'],
      'one structure': ['set 0', 'is 0:1'],
      'other group': [
        'set 0',
        'previous 0:1',
        'is 2:5',
        'affinity 0',
        everywhere ? 'process f of f, groups 0 1 2' : 'process 0 of 0, groups 0 2',
      ],
      // Windows 11 gives it all groups, of which one is told.
      'new thread': [everywhere ? 'is 1:ff' : 'is 2:f'],
      'ended thread': ['set 5', 'get 0', 'wait 0', 'open 87'],
      back: [
        'set 0',
        'previous 2:5',
        'is 0:ff',
        'affinity 0',
        everywhere ? 'process ff of ff, groups 0 1 2' : 'process 0 of 0, groups 0 2',
      ],
      'process mask': ['set 87'],
    });
  });

  describe('threads that span groups (Windows 11 and Server 2022)', () => {
    const spanning = '0:0xff 1:0xff 2:0xf';

    it('Set stores the slice in the primary group, and Revert brings back that slice only: the thread has lost its other groups', async () => {
      const seen = await windows.on<unknown[]>(
        process4(11, { home: 1 }),
        `const before = [place(), String(affinity()), String(allowedCpus())];
         const { said, previous } = set('2:0x3');
         export default [...before, said, place(), revert(previous), place(), win32.thread().primary, String(affinity()), String(allowedCpus())];`,
      );
      expect(seen).toEqual([spanning, '8-15', '0-15,24-27', 'SUCCESS 1:0xff', '2:0x3', 'SUCCESS', '1:0xff', 1, '8-15', '0-15,24-27']);
    });

    it('so does the end of a pin', async () => {
      const seen = await windows.on<unknown[]>(
        process4(11, { home: 2 }),
        `const here = pin([0, 1]);
         const pinned = place();
         here.restore();
         export default [pinned, place(), attempt(() => pin([0, 8]))];`,
      );
      expect(seen).toEqual(['0:0x3', '2:0xf', 'ERR_AFFINITY_SPANS_GROUPS']);
    });

    it('so does a Revert that comes before the IRQL falls, although the thread never moved', async () => {
      const seen = await windows.on<unknown[]>(
        process4(11, { home: 1 }),
        `wdm.KeRaiseIrql(2, { value: 0 });
         const { said, previous } = set('2:0x3');
         const raised = [said, place(), revert(previous), place()];
         wdm.KeLowerIrql(0);
         export default [...raised, place()];`,
      );
      expect(seen).toEqual(['SUCCESS 1:0xff', spanning, 'SUCCESS', spanning, '1:0xff']);
    });

    it('what is refused or has no effect leaves it in all groups', async () => {
      const seen = await windows.on<unknown[]>(
        process4(11, { home: 1 }),
        `const answers = [set('9:0x1').said, set('3:0x1').said, revert('2:0x1'), revert('0:0x0'), attempt(() => pin([0, 8]))];
         win32.fail('SetThreadGroupAffinity', 5);
         answers.push(set('2:0x1').said, attempt(() => pin([0])));
         export default [answers.length, place(), String(affinity()), win32.thread().moves];`,
      );
      expect(seen).toEqual([7, spanning, '8-15', 0]);
    });

    it('a system thread gets the slice that its maker’s affinity is told by; its maker keeps all groups', async () => {
      const seen = await windows.on<unknown[]>(
        process4(11, { home: 2 }),
        `import { writeFileSync } from 'node:fs';
         const url = new URL('wait.mjs', import.meta.url);
         writeFileSync(url, 'export default (memory) => void Atomics.wait(new Int32Array(memory), 0, 0);');
         const memory = new SharedArrayBuffer(4), out = { value: null };
         const created = statusName(wdk.StorPortCreateSystemThread(extension, url, memory, null, out));
         const seen = [created, place(win32.threads().at(-1).id), place()];
         Atomics.store(new Int32Array(memory), 0, 1);
         Atomics.notify(new Int32Array(memory), 0);
         export default seen;`,
      );
      expect(seen).toEqual(['SUCCESS', '2:0xf', spanning]);
    });
  });

  describe.skipIf(noSanitizer !== undefined)(unless('built with the address and undefined behaviour sanitizers', noSanitizer), () => {
    let checked: Stage;
    beforeAll(async () => {
      checked = await Stage.build({ sanitize: true });
    }, 300_000);

    it.each(versions)('nothing is read or written out of bounds on Windows %i', { timeout: 300_000 }, async (version) => {
      for (const size of sanitized) {
        const { ran } = await checked.random(version, size);
        expect(ran).toBe(size.machines * size.programs);
      }
    });

    it('the sanitizers are at work', async () => {
      const broken = checked.on(
        process4(10),
        "export default [set('0:0x1').said, process.report.getReport().sharedObjects.filter((name) => /lib(a|ub)san/.test(name)).length];",
      );
      expect(await broken).toEqual(['SUCCESS 0:0xff', 2]);
    });
  });
});
