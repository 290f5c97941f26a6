import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Cpuset, noCpuset } from './cpuset.ts';
import { checkout, cpus, inOwnProcess, unless } from './own-process.ts';

const text = readFileSync(join(checkout, 'docs', 'containers.md'), 'utf8');
const [, program = ''] = /^```js\n(.*?)^```/ms.exec(text) ?? [];
const b = cpus.at(-1) ?? 0;

// A cgroup with a quota, in whichever hierarchy this machine has for it.
const v1 = '/sys/fs/cgroup/cpu';
const v2 = '/sys/fs/cgroup';
const hierarchy = existsSync(`${v1}/cpu.cfs_quota_us`) ? v1 : existsSync(`${v2}/cgroup.controllers`) ? v2 : undefined;

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (hierarchy === undefined) return 'needs a cgroup hierarchy with the cpu controller';
  try {
    if (hierarchy === v2) writeFileSync(`${v2}/cgroup.subtree_control`, '+cpu');
    mkdirSync(`${hierarchy}/groupaffinity-probe-${process.pid}`);
    rmdirSync(`${hierarchy}/groupaffinity-probe-${process.pid}`);
    return undefined;
  } catch {
    return 'the hierarchy of the cpu controller is read-only';
  }
}
const noQuota = whyNot();

/** A cgroup of this quota, in microseconds of 100,000, and one inside of it without; a command that starts another in the inner one. */
function underQuota(time: number): string[] {
  const outer = `${hierarchy}/groupaffinity-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const inner = `${outer}/inner`;
  mkdirSync(outer);
  onTestFinished(() => rmdirSync(outer));
  if (hierarchy === v2) writeFileSync(`${outer}/cgroup.subtree_control`, '+cpu');
  mkdirSync(inner);
  onTestFinished(() => rmdirSync(inner));
  if (hierarchy === v1) writeFileSync(`${outer}/cpu.cfs_quota_us`, String(time));
  else writeFileSync(`${outer}/cpu.max`, `${time} 100000`);
  return ['sh', '-c', `echo $$ > ${inner}/cgroup.procs; exec "$@"`, 'sh'];
}

const quotas = `
import { topology } from 'groupaffinity';
import { spread, workerOptions } from 'groupaffinity/workers';
const warnings = [];
process.on('warning', ({ code, message }) => warnings.push([code, message]));
`;

describe.skipIf(noQuota !== undefined)(unless('under a quota', noQuota), () => {
  it('the least of the cgroups is what topology tells, and where the plan stops', async () => {
    const seen = await inOwnProcess<unknown[]>(
      `${quotas}
      const plan = spread({ by: 'cpu', count: 'quota' });
      workerOptions(plan);
      await new Promise(setImmediate);
      export default [topology().quota, plan.quota, plan.seats.length, warnings];`,
      { under: underQuota(150_000) },
    );
    expect(seen).toEqual([1.5, 1.5, 1, []]);
  });

  it.runIf(cpus.length >= 2)('a larger plan works, and the process warns of it once', async () => {
    const seen = await inOwnProcess<unknown[]>(
      `${quotas}
      const plan = spread({ by: 'cpu', count: 2 });
      workerOptions(plan);
      const { execArgv } = workerOptions(plan);
      await new Promise(setImmediate);
      export default [execArgv.length, warnings];`,
      { under: underQuota(50_000) },
    );
    expect(seen).toEqual([
      2,
      [['GROUPAFFINITY_QUOTA', "A plan of 2 seats: this process's quota is the time of 0.5 CPUs, which keeps 1 worker busy."]],
    ]);
  });

  it.skipIf(noCpuset !== undefined)(unless('what docs/containers.md shows is what its program prints', noCpuset), async () => {
    using cpuset = new Cpuset(`${b}`);
    const said = await inOwnProcess<string[]>(
      `import util from 'node:util';
       const said = [];
       console.log = (line) => said.push(line);
       ${program}
       export default said;`,
      { under: [...underQuota(50_000), ...cpuset.under] },
    );
    expect(said[0]).toBe(`CPUs ${b}, the time of 0.5`);
    expect(said[1]).toContain('1 seat by core');
    // Caches are each machine's own, if it tells any.
    const plain = (shown: string): string => shown.replace(/(?: · l3:.*? MiB)? *│$/gm, '│');
    if (cpus.join() === '0,1') expect(plain(text)).toContain(plain(said.join('\n')));
  });

  it.skipIf(noCpuset !== undefined || hierarchy !== v1 || !cpus.includes(1))(
    unless('the lines to try it with do what they say, with version 1', noCpuset),
    () => {
      const lines = [...text.matchAll(/^```sh\n(.*?)^```/gms)].at(-1)?.[1] ?? '';
      const name = `groupaffinity-test-${process.pid}-try`;
      onTestFinished(() => {
        for (const controller of ['cpu', 'cpuset']) rmdirSync(`/sys/fs/cgroup/${controller}/${name}`);
      });
      const script = lines
        .replaceAll('groupaffinity-try', name)
        .replace('npx groupaffinity', `${process.execPath} ${checkout}/dist/cli/main.js`);
      const { stdout, stderr, status } = spawnSync('sh', ['-ec', script], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('allowed 1\nquota: the time of 0.5 CPUs');
    },
  );
});
