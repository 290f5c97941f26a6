import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkout, cpus, hiding, inOwnProcess, noMounts, unless } from './own-process.ts';

const [a = 0, b = a] = cpus;
const two = cpus.length >= 2;

const imports = `
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CpuSet, pin } from 'groupaffinity';
import * as storport from 'groupaffinity/storport';
import * as wdm from 'groupaffinity/wdm';
const ext = {};
const name = (status) => storport.storStatusName(status).replace('STOR_STATUS_', '');
const at = (...cpus) => { const [{ group, mask }] = CpuSet.of(cpus).toGroups(); return new storport.STOR_GROUP_AFFINITY({ Mask: mask, Group: group }); };
let routines = 0;
const routine = (body) => { const url = new URL('./routine' + routines++ + '.mjs', import.meta.url); writeFileSync(url, body); return url; };
const create = (module, context = null, priority = null) => { const out = { value: null }; return [name(storport.StorPortCreateSystemThread(ext, module, context, priority, out)), out.value]; };
const wait = (thread, timeout = null) => name(storport.StorPortWaitForSingleObject(ext, thread, false, timeout === null ? null : { value: timeout }));
const [a, b] = [${a}, ${b}];
`;

describe('system threads', () => {
  it('a routine that printed and returned has ended, though its creator is blocked in the wait', async () => {
    const seen = await inOwnProcess<string[]>(`${imports}
      const [said, thread] = create(routine("export default () => { console.log('hello'); setInterval(() => {}, 1000); };"));
      export default [said, wait(thread, -50_000_000n), wait(thread)];`);
    expect(seen).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
  });

  it.runIf(two)(
    "starts on its creator's user affinity, never on its system affinity, with its priority in the operating system",
    async () => {
      const seen = await inOwnProcess<{ status: string; told: { list: string; nice: number } }>(`${imports}
      const told = new SharedArrayBuffer(256);
      const body = "import { readFileSync } from 'node:fs'; export default (told) => { const list = /^Cpus_allowed_list:\\\\s*(.*)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))[1]; const nice = Number(readFileSync('/proc/thread-self/stat', 'utf8').split(') ')[1].split(' ')[16]); const text = new TextEncoder().encode(JSON.stringify({ list, nice })); new Uint8Array(told).set(text); };";
      pin([a]);
      storport.StorPortSetSystemGroupAffinityThread(ext, null, at(b), null);
      const [said, thread] = create(routine(body), told, { value: storport.STOR_THREAD_PRIORITY.StorThreadPriorityBackground });
      wait(thread);
      const bytes = new Uint8Array(told).slice();
      export default { status: said, told: JSON.parse(new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)))) };`);
      expect(seen).toEqual({ status: 'SUCCESS', told: { list: `${a}`, nice: 3 } });
    },
  );

  it('what can not be given to a thread is a TypeError; no thread runs and no room is lost', async () => {
    const seen = await inOwnProcess<{ errors: ({ name: string } | null)[]; statuses: string[] }>(`${imports}
      const idle = routine('export default () => new Promise(() => setInterval(() => {}, 1000));');
      const errors = [() => 0, Symbol('x')].map((context) => failure(() => create(idle, context)));
      errors.push(failure(() => storport.StorPortCreateSystemThread(ext, idle, null, null, Object.freeze({ value: null }))));
      const limit = wdm.KeQueryMaximumProcessorCountEx(wdm.ALL_PROCESSOR_GROUPS);
      const statuses = Array.from({ length: limit + 1 }, () => create(idle)[0]);
      statuses.push(create('')[0], create(null)[0], create(idle, null, { value: 7 })[0]);
      export default { errors, statuses };`);
    expect(seen.errors.map((error) => error?.name)).toEqual(['TypeError', 'TypeError', 'TypeError']);
    expect(seen.statuses.slice(0, -4).every((status) => status === 'SUCCESS')).toBe(true);
    expect(seen.statuses.slice(-4)).toEqual(['UNSUCCESSFUL', 'INVALID_PARAMETER', 'INVALID_PARAMETER', 'INVALID_PARAMETER']);
  });

  it.skipIf(noMounts !== undefined)(unless('without /proc threads start and take priorities as with it', noMounts), async () => {
    const seen = await inOwnProcess<string[]>(
      `import '${join(checkout, 'dist', 'index.js')}';${imports}
      const [said, thread] = create(routine('export default () => new Promise(() => setInterval(() => {}, 1000));'));
      export default [said, name(storport.StorPortSetPriorityThread(ext, thread, 0)), name(storport.StorPortSetPriorityThread(ext, thread, 9))];`,
      { under: hiding('/proc') },
    );
    expect(seen).toEqual(['SUCCESS', 'SUCCESS', 'INVALID_PARAMETER']);
  });
});

describe('a system thread that ends as it should not', () => {
  it('warns of a system affinity or an IRQL that it left', () => {
    const folder = mkdtempSync(join(checkout, 'build', 'unreverted-'));
    writeFileSync(
      join(folder, 'routine.mjs'),
      "import { KeRaiseIrql } from 'groupaffinity/wdm'; export default () => KeRaiseIrql(1, { value: 0 });",
    );
    writeFileSync(
      join(folder, 'main.mjs'),
      `import * as storport from 'groupaffinity/storport';
       storport.StorPortCreateSystemThread({}, new URL('./routine.mjs', import.meta.url), null, null, { value: null });`,
    );
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'main.mjs')], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect(status).toBe(0);
    expect(stderr).toContain('[GROUPAFFINITY_UNREVERTED]');
  });
});

describe('a thread that waits for another', () => {
  const folder = mkdtempSync(join(checkout, 'build', 'waiting-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'forever.mjs'), 'export default () => new Promise(() => setInterval(() => {}, 1000));');
  writeFileSync(
    join(folder, 'waiter.mjs'),
    `import * as storport from 'groupaffinity/storport';
     export default () => {
       const out = { value: null };
       storport.StorPortCreateSystemThread({}, new URL('./forever.mjs', import.meta.url), null, null, out);
       storport.StorPortWaitForSingleObject({}, out.value, false, null);
     };`,
  );

  it.each([
    ['process.exit', 'process.exit(5);', 5],
    ['an uncaught error', "throw new Error('x');", 1],
  ])('does not hold up %s', (_, end, status) => {
    const file = join(folder, `main-${status}.mjs`);
    writeFileSync(
      file,
      `import * as storport from 'groupaffinity/storport';
       storport.StorPortCreateSystemThread({}, new URL('./waiter.mjs', import.meta.url), null, null, { value: null });
       setTimeout(() => { ${end} }, 200);`,
    );
    expect(spawnSync(process.execPath, [file], { timeout: 20_000, encoding: 'utf8' }).status).toBe(status);
  });

  it('can be terminated', () => {
    const file = join(folder, 'terminate.mjs');
    writeFileSync(
      file,
      `import { Worker } from 'node:worker_threads';
       const worker = new Worker("import(" + JSON.stringify(new URL('./waiter.mjs', import.meta.url).href) + ").then((m) => m.default())", { eval: true });
       setTimeout(async () => { await worker.terminate(); console.log('ended'); process.exit(0); }, 300);`,
    );
    expect(spawnSync(process.execPath, [file], { timeout: 20_000, encoding: 'utf8' }).stdout).toBe('ended\n');
  });
});
