import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Cpuset, noCpuset } from './cpuset.ts';
import { checkout, cpus, inOwnProcess, unless } from './own-process.ts';

const [a = 0, b = a] = cpus;
const both = b === a + 1 ? `${a}-${b}` : `${a},${b}`;
const has = (command: string): boolean => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
const missing = cpus.length < 2 ? 'needs two CPUs' : has('taskset') ? undefined : 'needs taskset';
const hidden = missing ?? noCpuset;

const imports = `
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { affinity, CpuSet, pin } from 'groupaffinity';
import { STOR_GROUP_AFFINITY, StorPortRevertToUserGroupAffinityThread, StorPortSetSystemGroupAffinityThread } from 'groupaffinity/storport';
import { guard, seat, sitters, spread, workerOptions } from 'groupaffinity/workers';
const [a, b] = [${a}, ${b}];
const main = process.pid;
const allows = (thread = main) => /^Cpus_allowed_list:\\s*(.*)$/m.exec(readFileSync('/proc/self/task/' + thread + '/status', 'utf8'))[1];
const place = (list, thread = main) => execFileSync('taskset', ['-cp', String(list), String(thread)]);
const rest = (ms) => new Promise((done) => setTimeout(done, ms));
const until = async (holds, ms = 20_000) => {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error('waited in vain for ' + holds + ': ' + JSON.stringify(drifts));
    await rest(1);
  }
};
const drifts = [];
const onDrift = ({ what, cause, thread, seat, wanted, found }) =>
  drifts.push([what, cause, String(wanted), String(found), seat, thread === main ? 'main' : thread]);
const watchers = () => readdirSync('/proc/self/task').filter((thread) => readFileSync('/proc/self/task/' + thread + '/comm', 'utf8') === 'groupaffinity\\n');
const file = (name, text) => { const url = new URL(name, new URL('.', import.meta.url)); writeFileSync(url, text); return url; };
const sitting = file('sitting.mjs', \`
  import { parentPort } from 'node:worker_threads';
  import { readlinkSync } from 'node:fs';
  import { seat } from 'groupaffinity/workers';
  parentPort.postMessage({ thread: Number(readlinkSync('/proc/thread-self').split('/').at(-1)), seat: seat().seat, cpus: String(seat().cpus) });
  parentPort.on('message', () => process.exit());\`);
const seated = async (plan) => { const worker = new Worker(sitting, workerOptions(plan)); return { worker, ...(await once(worker, 'message'))[0] }; };
`;

type Seen = [what: string, cause: string, wanted: string, found: string, seat: number | null, thread: 'main' | number];

describe.skipIf(missing !== undefined)(unless('a guard', missing), () => {
  it.each([
    ['moved', `${b}`, `${a}`],
    ['widened', `${b}`, both],
    ['narrowed', both, `${a}`],
  ])('a thread that somebody has %s with taskset is put back, and both are told', async (what, wanted, found) => {
    const seen = await inOwnProcess<{ drifts: Seen[]; allowed: string }>(`${imports}
      const here = pin('${wanted}');
      const watch = guard(here, { onDrift, check: 20 });
      place('${found}');
      await until(() => drifts.length === 2);
      await rest(100);
      export default { drifts, allowed: allows() };`);
    expect(seen).toEqual({
      drifts: [
        [what, 'unknown', wanted, found, null, 'main'],
        ['mended', 'unknown', wanted, wanted, null, 'main'],
      ],
      allowed: wanted,
    });
  });

  it('is forgotten when it has stopped, by itself or with its pin', async () => {
    const seen = await inOwnProcess<boolean[]>(
      `${imports}
      const [outer, inner] = [pin('${a}'), pin('${a}')];
      const begun = (where, stops) => Array.from({ length: 20 }, () => {
        const watch = guard(where, { onDrift });
        if (stops) watch.stop();
        return new WeakRef(watch);
      });
      const watches = [...begun(outer, true), ...begun(inner, false)];
      inner.restore();
      await until(() => { gc(); return watches.every((watch) => watch.deref() === undefined); }, 10_000);
      const left = guard(outer);
      export default [left.active, (outer.restore(), left.active), (inner.restore(), left.active)];`,
      { execArgv: ['--expose-gc'] },
    );
    expect(seen).toEqual([true, false, false]);
  });

  it('puts the thread back while its JavaScript does not return', async () => {
    const seen = await inOwnProcess<{ begun: boolean; allowed: string; drifts: string[] }>(`${imports}
      import { existsSync } from 'node:fs';
      const placed = new URL('placed', import.meta.url).pathname;
      const here = pin([b]);
      guard(here, { onDrift, check: 20 });
      execFile('sh', ['-c', 'sleep 0.2; taskset -cp ' + a + ' ' + main + '; touch ' + placed]);
      await rest(50);
      const begun = !existsSync(placed);
      const end = performance.now() + 10_000;
      while (performance.now() < end && !(existsSync(placed) && allows() === String(b)));
      const allowed = allows();
      await until(() => drifts.length === 2);
      export default { begun, allowed, drifts: drifts.map(([what]) => what) };`);
    expect(seen).toEqual({ begun: true, allowed: `${b}`, drifts: ['moved', 'mended'] });
  });

  it('of a plan: every worker on its seats, those that come later too, and none that ended', async () => {
    const seen = await inOwnProcess<{ expected: Seen[]; drifts: Seen[]; allowed: string[]; seats: string[]; after: Seen[] }>(`${imports}
      const plan = spread({ by: 'cpu', within: [a, b] });
      const watch = guard(plan, { onDrift, check: 20 });
      const workers = [await seated(plan), await seated(plan)];
      const elsewhere = ({ cpus }) => (cpus === String(a) ? b : a);
      for (const worker of workers) {
        place(elsewhere(worker), worker.thread);
        await until(() => drifts.length === 2 * workers.indexOf(worker) + 2);
      }
      const expected = workers.flatMap(({ thread, seat, cpus }, at) => [
        ['moved', 'unknown', cpus, String(elsewhere({ cpus })), seat, thread],
        ['mended', 'unknown', cpus, cpus, seat, thread],
      ]);
      const allowed = workers.map(({ thread }) => allows(thread));
      const first = drifts.splice(0);
      workers[0].worker.postMessage('exit');
      await once(workers[0].worker, 'exit');
      const third = await seated(plan);
      place(a + ',' + b, third.thread);
      await until(() => drifts.length === 2);
      await workers[1].worker.terminate();
      await rest(100);
      watch.stop();
      export default { expected, drifts: first, allowed, seats: workers.map(({ cpus }) => cpus), after: drifts.map(([what, , , , seat]) => [what, seat === third.seat, third.seat === workers[0].seat]) };`);
    expect(seen.drifts).toEqual(seen.expected);
    expect(seen.allowed).toEqual(seen.seats);
    expect(seen.after).toEqual([
      ['widened', true, true],
      ['mended', true, true],
    ]);
  });

  it('a newer pin is no drift, and is kept in its turn; the older one is when that ends', async () => {
    const seen = await inOwnProcess<unknown[]>(`${imports}
      const outer = pin([b]);
      guard(outer, { onDrift, check: 10 });
      const inner = pin([a]);
      await rest(100);
      const quiet = [drifts.length, allows()];
      place(b);
      await until(() => drifts.length === 2);
      const kept = [drifts.splice(0).map(([what, , wanted]) => what + ' ' + wanted), allows()];
      inner.restore();
      await rest(50);
      const back = [drifts.length, allows()];
      place(a);
      await until(() => drifts.length === 2);
      export default [...quiet, ...kept, ...back, drifts.map(([what, , wanted]) => what + ' ' + wanted), allows()];`);
    expect(seen).toEqual([0, `${a}`, [`moved ${a}`, `mended ${a}`], `${a}`, 0, `${b}`, [`moved ${b}`, `mended ${b}`], `${b}`]);
  });

  it('where setThreadAffinity puts a worker is no drift, and is kept in its turn', async () => {
    const seen = await inOwnProcess<unknown[]>(`${imports}
      import { setThreadAffinity } from 'groupaffinity';
      const plan = spread({ by: 'cpu', within: [b] });
      guard(plan, { onDrift, check: 10 });
      const { thread } = await seated(plan);
      setThreadAffinity(thread, [a]);
      await rest(100);
      const quiet = [drifts.length, allows(thread)];
      place(b, thread);
      await until(() => drifts.length === 2);
      export default [...quiet, drifts.map(([what, , wanted]) => what + ' ' + wanted), allows(thread)];`);
    expect(seen).toEqual([0, `${a}`, [`moved ${a}`, `mended ${a}`], `${a}`]);
  });

  it('a system affinity of StorPort is left alone, whatever becomes of it, until it is reverted', async () => {
    const seen = await inOwnProcess<unknown[]>(`${imports}
      const here = pin([b]);
      guard(here, { onDrift, check: 10 });
      const [{ group, mask }] = CpuSet.of([a]).toGroups();
      const previous = new STOR_GROUP_AFFINITY();
      StorPortSetSystemGroupAffinityThread({}, null, new STOR_GROUP_AFFINITY({ Group: group, Mask: mask }), previous);
      await rest(60);
      const during = [allows()];
      place(a + ',' + b);
      await rest(60);
      during.push(allows(), drifts.length);
      StorPortRevertToUserGroupAffinityThread({}, null, previous);
      const after = [allows()];
      await rest(60);
      after.push(drifts.length);
      place(a);
      await until(() => drifts.length === 2);
      export default [...during, ...after, drifts.map(([what]) => what), allows()];`);
    expect(seen).toEqual([`${a}`, both, 0, `${b}`, 0, ['moved', 'mended'], `${b}`]);
  });

  it('sees no drift in what the library does, however often and on however many threads', async () => {
    const seen = await inOwnProcess<{ drifts: Seen[]; rounds: number; workers: boolean }>(`${imports}
      const busy = file('busy.mjs', \`
        import { parentPort } from 'node:worker_threads';
        import { CpuSet, pin } from 'groupaffinity';
        import { STOR_GROUP_AFFINITY, StorPortRevertToUserGroupAffinityThread, StorPortSetSystemGroupAffinityThread } from 'groupaffinity/storport';
        const [{ group, mask }] = CpuSet.of([${a}]).toGroups();
        const affinity = new STOR_GROUP_AFFINITY({ Group: group, Mask: mask });
        const previous = new STOR_GROUP_AFFINITY();
        const end = performance.now() + 3000;
        let rounds = 0;
        for (; performance.now() < end; rounds += 1) {
          const outer = pin([${b}]), inner = pin([${a}, ${b}]);
          StorPortSetSystemGroupAffinityThread(affinity, null, affinity, previous);
          if (rounds % 3 === 0) outer.restore();
          StorPortRevertToUserGroupAffinityThread(affinity, null, previous);
          inner.restore();
          outer.restore();
        }
        parentPort?.postMessage(rounds);
        export default rounds;\`);
      const plan = spread({ by: 'cpu', within: [a, b] });
      const watches = [guard(plan, { onDrift, check: 10 }), guard(pin([a]), { onDrift, check: 10 })];
      const workers = plan.seats.map(() => new Worker(busy, workerOptions(plan)));
      const told = Promise.all(workers.map((worker) => once(worker, 'message')));
      const { default: rounds } = await import(busy);
      export default { rounds, workers: (await told).every(([rounds]) => rounds > 100), drifts };`);
    expect(seen.rounds).toBeGreaterThan(100);
    expect(seen).toMatchObject({ drifts: [], workers: true });
  });

  it('several hear of the same drift, and one that is stopped does not; it ends with its pin', async () => {
    const seen = await inOwnProcess<unknown[]>(`${imports}
      const here = pin([b]);
      const heard = [[], [], []];
      const watches = heard.map((list, at) => guard(here, { check: [20, 3_600_000, 20][at], onDrift: ({ what }) => list.push(what) }));
      watches[2].stop();
      watches[2].stop();
      watches[2][Symbol.dispose]();
      const during = [watchers().length, watches.map(({ active }) => active)];
      place(a);
      await until(() => heard[0].length === 2);
      here.restore();
      export default [...during, heard, watches.map(({ active }) => active), watchers().length, affinity().size > 1];`);
    expect(seen).toEqual([1, [true, true, false], [['moved', 'mended'], ['moved', 'mended'], []], [false, false, false], 0, true]);
  });

  it('what onDrift throws is an uncaught exception, and the guard goes on', async () => {
    const seen = await inOwnProcess<{ thrown: string[]; drifts: string[]; allowed: string }>(`${imports}
      const thrown = [];
      process.on('uncaughtException', (error) => thrown.push(error.message));
      const here = pin([b]);
      guard(here, { check: 20, onDrift: (drift) => { onDrift(drift); throw new Error('no ' + drift.what); } });
      place(a);
      await until(() => drifts.length === 2);
      place(a);
      await until(() => thrown.length === 4);
      export default { thrown, drifts: drifts.map(([what]) => what), allowed: allows() };`);
    expect(seen).toEqual({
      thrown: ['no moved', 'no mended', 'no moved', 'no mended'],
      drifts: ['moved', 'mended', 'moved', 'mended'],
      allowed: `${b}`,
    });
  });

  it('can be stopped by its own onDrift, and says nothing more', async () => {
    const seen = await inOwnProcess<unknown[]>(`${imports}
      const here = pin([b]);
      const watch = guard(here, { check: 20, onDrift: (drift) => { onDrift(drift); watch.stop(); } });
      place(a);
      await until(() => drifts.length > 0);
      await rest(100);
      export default [drifts.map(([what]) => what), watchers().length];`);
    expect(seen).toEqual([['moved'], 0]);
  });

  it('its thread is no burden: anywhere but confined, gone with the last guard, and no reason to stay alive', async () => {
    const seen = await inOwnProcess<unknown[]>(
      `${imports}
      const here = pin([b]);
      const watch = guard(here, { check: 86_400_000 });
      await until(() => allows(watchers()[0]) !== String(b));
      const anywhere = CpuSet.parse(allows(watchers()[0])).has(a);
      watch.stop();
      const left = watchers().length;
      const program = file('lives.mjs', "import { pin } from 'groupaffinity'; import { guard } from 'groupaffinity/workers'; guard(pin([" + b + "]), { check: 86_400_000 }); process.on('exit', () => process._rawDebug('bye'));");
      const exiting = file('exits.mjs', readFileSync(program, 'utf8') + 'setTimeout(() => process.exit(4), 50);');
      const dies = file('throws.mjs', readFileSync(program, 'utf8') + "setTimeout(() => { throw new Error('x'); }, 50);");
      const run = async (url) => { try { await promisify(execFile)(process.execPath, [url.pathname], { timeout: 20_000 }); return 0; } catch (error) { return error.code; } };
      const ended = [await run(program), await run(exiting), await run(dies)];
      const worker = new Worker(program);
      const [code] = await once(worker, 'exit');
      export default [anywhere, left, ended, code, watchers().length];`.replace('allows(1)', "''"),
    );
    expect(seen).toEqual([true, 0, [0, 4, 1], 0, 0]);
  });

  it('workers that are terminated at any moment take nothing with them', async () => {
    const seen = await inOwnProcess<unknown[]>(`${imports}
      const plan = spread({ by: 'cpu' });
      const watch = guard(plan, { onDrift, check: 10 });
      const inner = file('inner.mjs', "import { pin } from 'groupaffinity'; import { guard } from 'groupaffinity/workers'; guard(pin([" + a + "]), { check: 10, onDrift() {} }); setInterval(() => {}, 1000);");
      let ended = 0;
      const lane = async (of) => {
        while (ended < 200) {
          ended += 1;
          const worker = new Worker(inner, workerOptions(plan));
          worker.on('error', () => {});
          await rest((ended * 7) % 60);
          await worker.terminate();
        }
      };
      await Promise.all([0, 1, 2].map(lane));
      const before = watchers().length;
      watch.stop();
      export default [drifts, sitters(plan).every((count) => count === 0), before, watchers().length];`);
    expect(seen).toEqual([[], true, 1, 0]);
  });

  it('wrong use is refused before anything is begun', async () => {
    const seen = await inOwnProcess<{
      refused: { name: string; code: string; message: string }[];
      watchers: number;
      fine: boolean;
    }>(`${imports}
      const ended = pin([a]);
      ended.restore();
      const here = pin([a]);
      const plan = spread({ by: 'cpu' });
      const calls = [
        () => guard(), () => guard(null), () => guard('0'), () => guard({ seats: [] }), () => guard(ended), () => guard(here, null), () => guard(here, 1000),
        () => guard(here, { onDrift: 'log' }), () => guard(here, { ondrift: () => {} }), () => guard(here, { check: '1s' }), () => guard(here, { check: 9 }), () => guard(here, { check: 10.5 }),
        () => guard(here, { check: Infinity }), () => guard(here, { check: NaN }), () => guard(plan, { check: 86_400_001 }),
      ];
      export default { refused: calls.map(failure), watchers: watchers().length, fine: guard({ ...plan, seats: plan.seats.slice(0, 1) }, {}).active };`);
    const [type, range] = ['TypeError ERR_INVALID_ARG_TYPE', 'RangeError ERR_OUT_OF_RANGE'];
    expect(seen.refused.map(({ name, code }) => `${name} ${code}`)).toEqual([
      ...Array.from({ length: 10 }, () => type),
      ...Array.from({ length: 5 }, () => range),
    ]);
    expect(seen.refused[4]?.message).toBe('guard takes a pin that is in force; this one has ended');
    expect(seen.refused[8]?.message).toBe("guard has no option 'ondrift'; its options are onDrift, check");
    expect(seen.refused[1]?.message).toBe('guard takes what pin() or spread() returned, not null');
    expect(seen).toMatchObject({ watchers: 0, fine: true });
  });

  const compiler = ['cc', 'gcc', 'clang'].find(has);
  it.skipIf(compiler === undefined)(
    unless('where threads may place themselves only, says so', compiler === undefined ? 'needs a C compiler' : undefined),
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'groupaffinity-guard-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const library = join(folder, 'sandbox.so');
      const { status, stderr } = spawnSync(
        compiler ?? '',
        ['-shared', '-fPIC', '-O1', join(import.meta.dirname, 'sandbox_preload.c'), '-o', library],
        { encoding: 'utf8' },
      );
      expect(status, stderr).toBe(0);
      const seen = await inOwnProcess<unknown[]>(
        `${imports}
      const here = pin([b]);
      export default [failure(() => guard(here)), failure(() => guard(spread({ by: 'cpu' }))), watchers().length, allows()];`,
        { env: { LD_PRELOAD: library } },
      );
      const refused = expect.objectContaining({ code: 'ERR_AFFINITY_REFUSED', errno: 1, status: 0xc1000001 }) as unknown;
      expect(seen).toEqual([refused, refused, 0, `${b}`]);
    },
  );

  const pids = '/sys/fs/cgroup/pids';
  const noPids =
    process.getuid?.() === 0 && existsSync(`${pids}/cgroup.procs`) ? undefined : 'needs root and the pids hierarchy of cgroups 1';
  it.skipIf(noPids !== undefined)(unless('where no thread can be made, says so', noPids), async () => {
    const folder = `${pids}/groupaffinity-test-${process.pid}`;
    mkdirSync(folder);
    onTestFinished(() => rmdirSync(folder));
    const seen = await inOwnProcess<unknown[]>(
      `${imports}
      const here = pin([b]);
      writeFileSync('${folder}/pids.max', readFileSync('${folder}/pids.current', 'utf8'));
      const refused = failure(() => guard(here));
      writeFileSync('${folder}/pids.max', 'max');
      export default [refused, guard(here).active, watchers().length];`,
      { under: ['sh', '-c', `echo $$ > ${folder}/cgroup.procs; exec "$@"`, 'sh'] },
    );
    expect(seen).toEqual([expect.objectContaining({ code: 'ERR_AFFINITY_REFUSED', errno: 11 }), true, 1]);
  });
});

describe.skipIf(hidden !== undefined)(unless('a guard in a cpuset', hidden), () => {
  it.each([
    ['moved', `${b}`],
    ['narrowed', both],
  ])(
    'a thread that a shrinking cpuset has %s is noticed at once, and has its CPUs at once when they are granted again',
    async (what, wanted) => {
      using cpuset = new Cpuset(both);
      const seen = await inOwnProcess<{ drifts: Seen[]; allowed: string[]; times: number[] }>(
        `${imports}
      const here = pin('${wanted}');
      // Nothing here waits for the check.
      guard(here, { onDrift, check: 3_600_000 });
      await rest(100);
      const times = [], allowed = [];
      const step = async (cpus, count) => {
        const begun = performance.now();
        writeFileSync(${JSON.stringify(cpuset.cpusFile)}, cpus);
        await until(() => drifts.length === count);
        times.push(performance.now() - begun);
        allowed.push(allows());
      };
      await step('${a}', 1);
      await rest(300);
      await step('${both}', 2);
      export default { drifts, allowed, times };`,
        { under: cpuset.under },
      );
      expect(seen.drifts).toEqual([
        [what, 'withheld', wanted, `${a}`, null, 'main'],
        ['mended', 'withheld', wanted, wanted, null, 'main'],
      ]);
      expect(seen.allowed).toEqual([`${a}`, wanted]);
      for (const time of seen.times) expect(time).toBeLessThan(10_000);
    },
  );

  it.each([
    ['pin', 'const inner = pin([a]); const end = () => inner.restore();'],
    [
      'system affinity',
      `const [at] = CpuSet.of([a]).toGroups();
      const previous = new STOR_GROUP_AFFINITY();
      StorPortSetSystemGroupAffinityThread({}, null, new STOR_GROUP_AFFINITY({ Mask: at.mask, Group: at.group }), previous);
      const end = () => StorPortRevertToUserGroupAffinityThread({}, null, previous);`,
    ],
  ])('a thread whose CPUs are withheld when an inner %s ends has them when they are granted again', async (_, begin) => {
    using cpuset = new Cpuset(both);
    const seen = await inOwnProcess<{ meanwhile: string; last: Seen | undefined }>(
      `${imports}
      const here = pin([b]);
      guard(here, { onDrift, check: 20 });
      ${begin}
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, '${a}');
      end();
      const meanwhile = allows();
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, '${both}');
      await until(() => allows() === '${b}');
      await until(() => drifts.at(-1)?.[0] === 'mended');
      export default { meanwhile, last: drifts.at(-1) };`,
      { under: cpuset.under },
    );
    expect(seen).toEqual({ meanwhile: `${a}`, last: ['mended', expect.any(String), `${b}`, `${b}`, null, 'main'] });
  });

  it('a process that is put into another cpuset is found by the check, and its own cpuset is watched from then on', async () => {
    using cpuset = new Cpuset(both);
    using other = new Cpuset(`${a}`);
    const seen = await inOwnProcess<Seen[]>(
      `${imports}
      const here = pin([b]);
      guard(here, { onDrift, check: 30 });
      writeFileSync('${other.folder}/cgroup.procs', String(main));
      await until(() => drifts.length === 1);
      here.restore();
      const again = pin([a]);
      guard(again, { onDrift, check: 3_600_000 });
      writeFileSync('${other.folder}/cpuset.cpus', String(b));
      await until(() => drifts.length === 2);
      writeFileSync('${other.folder}/cpuset.cpus', '${both}');
      await until(() => drifts.length === 3);
      export default drifts;`,
      { under: cpuset.under },
    );
    expect(seen.map(([what, cause, wanted, found]) => [what, cause, wanted, found])).toEqual([
      ['moved', 'withheld', `${b}`, `${a}`],
      ['moved', 'withheld', `${a}`, `${b}`],
      ['mended', 'withheld', `${a}`, `${a}`],
    ]);
  });
});

const online = `/sys/devices/system/cpu/cpu${b}/online`;
const fixed =
  missing ??
  (process.env['GROUPAFFINITY_TEST_HOTPLUG'] !== '1'
    ? 'needs GROUPAFFINITY_TEST_HOTPLUG=1'
    : existsSync(online) && process.getuid?.() === 0
      ? undefined
      : 'needs root and a CPU that can be taken offline');

describe.skipIf(fixed !== undefined)(unless('a guard while a CPU goes offline', fixed), () => {
  it('the thread is widened, which is noticed at once, and back at once when the CPU is', async () => {
    onTestFinished(() => writeFileSync(online, '1'));
    const seen = await inOwnProcess<{ drifts: Seen[]; allowed: string[]; seats: string[] }>(`${imports}
      const plan = spread({ by: 'cpu', within: [b] });
      const { thread } = await seated(plan);
      // A thread that sleeps may lose its only CPU first, and be given others when it wakes: that is one drift here.
      const told = () => drifts.filter(([what], at) => at === 0 || (what === 'mended') !== (drifts[at - 1][0] === 'mended'));
      const seats = [];
      guard(plan, { check: 3_600_000, onDrift: ({ what, cause, seat, thread: of }) => {
        const seen = [what === 'mended', cause, seat, of === thread].join();
        if (seats.at(-1) !== seen) seats.push(seen);
      } });
      guard(pin([b]), { onDrift, check: 3_600_000 });
      await rest(100);
      const allowed = [];
      for (const [state, count] of [['0', 1], ['1', 2], ['0', 3], ['1', 4]]) {
        writeFileSync('${online}', state);
        await until(() => told().length === count && seats.length === count);
        allowed.push(allows());
        if (state === '1') allowed.push(allows(thread));
      }
      export default { drifts: told(), allowed, seats };`);
    const went = (drift: Seen): unknown[] => [drift[0] === 'mended', drift[1], drift[2]];
    expect(seen.drifts.map(went)).toEqual([
      [false, 'offline', `${b}`],
      [true, 'offline', `${b}`],
      [false, 'offline', `${b}`],
      [true, 'offline', `${b}`],
    ]);
    expect(seen.seats).toEqual(seen.drifts.map(([what, cause]) => [what === 'mended', cause, 0, true].join()));
    expect(seen.allowed).toEqual([expect.stringContaining(`${a}`), `${b}`, `${b}`, expect.stringContaining(`${a}`), `${b}`, `${b}`]);
  });
});

it('the program of docs/guard.md runs', async () => {
  const [, program = ''] = /^```js\n(.*?)^```/ms.exec(readFileSync(join(checkout, 'docs', 'guard.md'), 'utf8')) ?? [];
  const seen = await inOwnProcess<boolean[]>(`
    import { writeFileSync } from 'node:fs';
    import { fileURLToPath } from 'node:url';
    process.chdir(fileURLToPath(new URL('.', import.meta.url)));
    writeFileSync('job.js', 'setTimeout(() => {}, 50)');
    ${program}
    export default [workers.active, main.active];`);
  expect(seen).toEqual([false, false]);
});
