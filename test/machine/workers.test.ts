import { describe, expect, it } from 'vitest';
import { Cpuset, noCpuset } from './cpuset.ts';
import { cpus, inOwnProcess } from './own-process.ts';

const two = cpus.length >= 2;
const [a = 0, b = a] = cpus;

const imports = `
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { pin } from 'groupaffinity';
import { seat, sitters, spread, workerOptions } from 'groupaffinity/workers';
const folder = new URL('.', import.meta.url);
const file = (name, text) => { const url = new URL(name, folder); writeFileSync(url, text); return url; };
const teller = file('teller.mjs', \`
  import { parentPort } from 'node:worker_threads';
  import { readFileSync, readlinkSync } from 'node:fs';
  import { seat } from 'groupaffinity/workers';
  const byProc = /^Cpus_allowed_list:\\\\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))[1];
  const own = seat();
  parentPort.postMessage({ byProc, thread: readlinkSync('/proc/thread-self').split('/').at(-1), plan: process.env.GROUPAFFINITY_PLAN ?? null, ...(own && { ...own, cpus: String(own.cpus) }) });
  parentPort.on('message', (what) => { if (what === 'spin') for (;;); if (what === 'crash') throw new Error('crash'); if (what === 'exit') process.exit(3); parentPort.close(); });
\`);
const told = async (worker) => (await once(worker, 'message'))[0];
`;

interface Told {
  byProc: string;
  seat: number;
  cpus: string;
  of: number;
  sharers: number;
  plan: string | null;
}

describe('workers', () => {
  it('each takes a seat of its own before its code runs, and the kernel confines it there', async () => {
    const all = await inOwnProcess<{ seats: string[]; told: Told[] }>(`${imports}
      const plan = spread({ by: 'cpu' });
      const workers = plan.seats.map(() => new Worker(teller, workerOptions(plan)));
      export default { seats: plan.seats.map(({ cpus }) => String(cpus)), told: await Promise.all(workers.map(told)) };`);
    expect(all.told.map(({ seat }) => seat).sort((x, y) => x - y)).toEqual(all.seats.map((_, at) => at));
    for (const worker of all.told) {
      expect(worker.cpus).toBe(all.seats[worker.seat]);
      expect(worker.byProc).toBe(worker.cpus);
      expect(worker).toMatchObject({ sharers: 1, of: all.seats.length, plan: null });
    }
  });

  it('without a seat, made within withAffinity, are born where that is, and their maker is back at once', async () => {
    const seen = await inOwnProcess<{
      seats: string[];
      told: Partial<Told>[];
      before: string;
      after: string[];
      sitters: number[];
    }>(`${imports}
      import { withAffinity } from 'groupaffinity';
      const plan = spread({ by: 'cpu' });
      const here = () => /^Cpus_allowed_list:\\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))[1];
      const before = here();
      const after = [];
      const workers = plan.seats.map(({ cpus }) => {
        const worker = withAffinity(cpus, () => new Worker(teller));
        after.push(here());
        return worker;
      });
      const seats = plan.seats.map(({ cpus }) => String(cpus));
      export default { seats, told: await Promise.all(workers.map(told)), before, after, sitters: sitters(plan) };`);
    expect(seen.told.map(({ byProc }) => byProc)).toEqual(seen.seats);
    for (const worker of seen.told) expect(worker).not.toHaveProperty('seat');
    expect(seen).toMatchObject({ after: seen.seats.map(() => seen.before), sitters: seen.seats.map(() => 0) });
  });

  it.each(['close', 'exit', 'crash', 'terminate', 'spin, then terminate'])('a seat is free again after: %s', async (how) => {
    const seen = await inOwnProcess<{ during: number[]; after: number[]; next: Told }>(`${imports}
      const plan = spread({ by: 'cpu' });
      const how = ${JSON.stringify(how)};
      const worker = new Worker(teller, workerOptions(plan));
      worker.on('error', () => {});
      await told(worker);
      const during = sitters(plan);
      const ended = new Promise((end) => worker.once('exit', end));
      if (how !== 'terminate') worker.postMessage(how.split(',')[0]);
      if (how.startsWith('spin')) await new Promise((go) => setTimeout(go, 50));
      if (how.includes('terminate')) await worker.terminate();
      await ended;
      const after = sitters(plan);
      const next = await told(new Worker(teller, workerOptions(plan)));
      export default { during, after, next };`);
    expect(seen.during[0]).toBe(1);
    expect(seen.after.every((count) => count === 0)).toBe(true);
    expect(seen.next.seat).toBe(0);
  });

  it('beyond the seats, workers share them evenly', async () => {
    const all = await inOwnProcess<{ sitters: number[]; told: Told[] }>(`${imports}
      const plan = spread({ by: 'cpu', count: 1 });
      const workers = [1, 2, 3].map(() => new Worker(teller, workerOptions(plan)));
      const all = await Promise.all(workers.map(told));
      export default { told: all, sitters: sitters(plan) };`);
    expect(all.sitters).toEqual([3]);
    expect(all.told.map(({ sharers }) => sharers).sort((x, y) => x - y)).toEqual([1, 2, 3]);
  });

  it.runIf(two).each(['before', 'after'])('keep their seats when the main thread pins itself %s making them', async (when) => {
    const seen = await inOwnProcess<{ told: Told[]; later: string[]; main: string }>(`${imports}
      const plan = spread({ by: 'cpu' });
      if (${JSON.stringify(when)} === 'before') pin([${a}]);
      const workers = plan.seats.map(() => new Worker(teller, workerOptions(plan)));
      const all = await Promise.all(workers.map(told));
      if (${JSON.stringify(when)} === 'after') pin([${a}]);
      const later = all.map(({ thread }) => /^Cpus_allowed_list:\\s*(.*)$/m.exec(readFileSync('/proc/self/task/' + thread + '/status', 'utf8'))[1]);
      export default { told: all, later, main: byProc() };`);
    expect(seen.main).toBe(`${a}`);
    for (const worker of seen.told) expect(worker.byProc).toBe(worker.cpus);
    expect(seen.later).toEqual(seen.told.map((worker) => worker.cpus));
    expect(new Set(seen.later).size).toBe(seen.told.length);
  });

  it.runIf(two)('a pool takes the options: Piscina, one worker a CPU', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      import { Piscina } from 'piscina';
      const plan = spread({ by: 'cpu' });
      const filename = file('task.mjs', \`
        import { readFileSync } from 'node:fs';
        export default () => { const end = Date.now() + 60; while (Date.now() < end); return /^Cpus_allowed_list:\\\\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))[1]; };\`).href;
      const pool = new Piscina({ filename, minThreads: plan.seats.length, maxThreads: plan.seats.length, ...workerOptions(plan) });
      const seen = await Promise.all(Array.from({ length: plan.seats.length * 3 }, () => pool.run(null)));
      await pool.destroy();
      export default [...new Set(seen)].sort();`);
    expect(seen).toEqual(cpus.map(String).sort());
  });

  it('eval workers sit too; a worker of a worker stays on its seat and takes none', async () => {
    const seen = await inOwnProcess<{ own: string; inner: string; sitters: number[] }>(`${imports}
      const plan = spread({ by: 'cpu' });
      const tell = "require('fs').readFileSync('/proc/thread-self/status', 'utf8').match(/Cpus_allowed_list:\\\\s*(.*)/)[1]";
      const worker = new Worker(\`
        const { Worker, parentPort } = require('worker_threads');
        const own = \${tell};
        new Worker('require("worker_threads").parentPort.postMessage(' + ${JSON.stringify('TELL')}.replace('TELL', \${JSON.stringify(tell)}) + ')', { eval: true }).on('message', (inner) => parentPort.postMessage({ own, inner }));
        setInterval(() => {}, 1000);\`, { eval: true, ...workerOptions(plan) });
      const both = await told(worker);
      export default { ...both, sitters: sitters(plan) };`);
    expect(cpus.map(String)).toContain(seen.own);
    expect(seen.inner).toBe(seen.own);
    expect(seen.sitters.reduce((sum, count) => sum + count, 0)).toBe(1);
  });

  it('flags that a worker refuses are left out, flags that it needs are kept', async () => {
    const seen = await inOwnProcess<{ execArgv: string[]; told: Told }>(
      `${imports}
      const plan = spread({ by: 'cpu' });
      const { execArgv } = workerOptions(plan);
      export default { execArgv, told: await told(new Worker(teller, workerOptions(plan))) };`,
      {
        execArgv: [
          '--max-old-space-size=512',
          '--expose-gc',
          '--no-warnings',
          '--stack-trace-limit=7',
          '--conditions',
          'x',
          '--frozen-intrinsics',
        ],
      },
    );
    expect(seen.execArgv.slice(0, -2)).toEqual(['--no-warnings', '--conditions', 'x', '--frozen-intrinsics']);
    expect(seen.told.byProc).toBe(seen.told.cpus);
  });

  it.each(['99', '0', '', 'abc', '1:0', `${process.pid}:0`, '0:4294967296'])(
    'a plan that is not of this process, %j, is the error of the worker',
    async (plan) => {
      const seen = await inOwnProcess<{ code: string }>(`${imports}
      const plan = spread({ by: 'cpu' });
      const options = workerOptions(plan);
      const worker = new Worker(teller, { ...options, env: { ...options.env, GROUPAFFINITY_PLAN: ${JSON.stringify(plan)} } });
      const [error] = await once(worker, 'error');
      export default { code: error.code };`);
      expect(seen.code).toBe('ERR_AFFINITY_NO_PLAN');
    },
  );

  it('nor is a plan that this process never made, or a file that is no addon', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const options = workerOptions(spread({ by: 'cpu' }));
      const [pid, number] = options.env.GROUPAFFINITY_PLAN.split(':', 2);
      const addon = options.env.GROUPAFFINITY_PLAN.slice((pid + number).length + 2);
      const codes = [];
      for (const rest of ['9:' + addon, ':' + addon, '-1:' + addon, 'x:' + addon, '4294967296:' + addon, number + ':', number, number + ':' + fileURLToPath(teller)]) {
        const [error] = await once(new Worker(teller, { ...options, env: { ...options.env, GROUPAFFINITY_PLAN: pid + ':' + rest } }), 'error');
        codes.push(error.code);
      }
      export default codes;`);
    expect(seen).toEqual([
      ...Array.from({ length: 5 }, () => 'ERR_AFFINITY_NO_PLAN'),
      ...Array.from({ length: 3 }, () => 'ERR_DLOPEN_FAILED'),
    ]);
  });

  it('a child process that is given the options runs as if it were not', async () => {
    const seen = await inOwnProcess<{ same: boolean }>(`${imports}
      import { fork } from 'node:child_process';
      const child = file('child.mjs', \`
        import { readFileSync } from 'node:fs';
        import { seat } from 'groupaffinity/workers';
        process.send({ seat: seat(), allowed: /^Cpus_allowed:\\\\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1] });\`);
      const [{ seat: taken, allowed }] = await once(fork(child, workerOptions(spread({ by: 'cpu' }))), 'message');
      export default { same: taken === null && allowed === exactly() };`);
    expect(seen.same).toBe(true);
  });

  it.skipIf(noCpuset !== undefined)(
    `a seat that is withheld by now is passed over; with none left it is the error of the worker${noCpuset === undefined ? '' : `: ${noCpuset}`}`,
    async () => {
      using cpuset = new Cpuset(cpus.join(','));
      const seen = await inOwnProcess<{ told: Told[]; code: string; sitters: number[] }>(
        `${imports}
      const plan = spread({ by: 'cpu' });
      const first = { ...plan, seats: plan.seats.filter(({ cpus }) => cpus.has(${a})) };
      const options = [workerOptions(plan), workerOptions(first)];
      writeFileSync(${JSON.stringify(cpuset.cpusFile)}, '${b}');
      const all = [await told(new Worker(teller, options[0])), await told(new Worker(teller, options[0]))];
      const [error] = await once(new Worker(teller, options[1]), 'error');
      export default { told: all, code: error.code, sitters: sitters(first) };`,
        { under: cpuset.under },
      );
      expect(seen.told.map((worker) => worker.cpus)).toEqual([`${b}`, `${b}`]);
      expect(seen).toMatchObject({ code: 'ERR_AFFINITY_NOT_ALLOWED', sitters: [0] });
    },
  );

  it('a part of a plan is a plan', async () => {
    const seen = await inOwnProcess<{ told: Told; last: string }>(`${imports}
      const plan = spread({ by: 'cpu' });
      const last = plan.seats.at(-1);
      export default { told: await told(new Worker(teller, workerOptions({ ...plan, seats: [last] }))), last: String(last.cpus) };`);
    expect(seen.told).toMatchObject({ cpus: seen.last, byProc: seen.last, seat: 0, of: 1 });
  });

  it('workers terminated at any moment of their start take nothing with them: not the process, not a seat', async () => {
    const seen = await inOwnProcess<{ ended: number; sitters: number[] }>(`${imports}
      const plan = spread({ by: 'cpu' });
      const idle = file('idle.mjs', "import { topology, pin } from 'groupaffinity'; topology(); pin('${a}').restore(); setInterval(() => {}, 1000);");
      let ended = 0;
      const lane = async () => {
        while (ended < 300) {
          ended += 1;
          const worker = new Worker(idle, workerOptions(plan));
          worker.on('error', () => {});
          const end = new Promise((resolve) => worker.once('exit', resolve));
          await new Promise((go) => setTimeout(go, Math.random() * 60));
          await worker.terminate();
          await end;
        }
      };
      await Promise.all([lane(), lane(), lane(), lane()]);
      export default { ended, sitters: sitters(plan) };`);
    expect(seen.ended).toBeGreaterThanOrEqual(300);
    expect(seen.sitters.every((count) => count === 0)).toBe(true);
  });

  it('a process that exits while workers start and run exits as it was told', async () => {
    const statuses = await inOwnProcess<number[]>(`${imports}
      import { spawnSync } from 'node:child_process';
      file('idle.mjs', "import { topology } from 'groupaffinity'; for (;;) topology();");
      const leaver = file('leaver.mjs', \`
        import { Worker } from 'node:worker_threads';
        import { spread, workerOptions } from 'groupaffinity/workers';
        for (let i = 0; i < 4; i += 1) new Worker(new URL('./idle.mjs', import.meta.url), workerOptions(spread({ by: 'cpu' })));
        setTimeout(() => process.exit(7), Number(process.argv[2]));\`);
      export default Array.from({ length: 12 }, (_, at) => spawnSync(process.execPath, [fileURLToPath(leaver), String(at * 10)]).status);`);
    expect(statuses).toEqual(Array.from({ length: 12 }, () => 7));
  });

  it('warns of nothing', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const plan = spread({ by: 'cpu' });
      const worker = new Worker(teller, { ...workerOptions(plan), stderr: true });
      let text = '';
      worker.stderr.on('data', (data) => { text += data; });
      await told(worker);
      await worker.terminate();
      export default [text];`);
    expect(seen).toEqual(['']);
  });

  it('seat() is null on the main thread; options that make no sense are refused', async () => {
    const seen = await inOwnProcess<{ seat: null; errors: ({ name: string } | null)[]; same: boolean }>(`${imports}
      const before = exactly();
      const no = [undefined, null, 3, 'core', {}, [], { by: 'thread' }, { by: 'core', count: 0 }, { by: 'core', count: -1 }, { by: 'core', count: NaN }, { by: 'core', count: 1.5 },
        { by: 'core', count: '2' }, { by: 'core', count: 100000 }, { by: 'core', within: 3 }, { by: 'core', within: '65000' }, { by: 'core', within: [] }];
      const plans = [undefined, null, 3, 'x', {}, { seats: [] }, { seats: [1] }, { seats: [{ cpus: '0' }] }];
      export default { seat: seat(), errors: [...no.map((x) => failure(() => spread(x))), ...plans.flatMap((x) => [failure(() => workerOptions(x)), failure(() => sitters(x))])], same: exactly() === before };`);
    expect(seen.seat).toBe(null);
    expect(seen.same).toBe(true);
    for (const error of seen.errors) expect(['TypeError', 'RangeError', 'AffinityError']).toContain(error?.name);
  });
});
