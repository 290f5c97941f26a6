import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { FleetReport } from '../../lib/report/result.ts';
import { composeBench } from '../fixtures/bench-document.ts';
import { validateDocument } from '../fixtures/fleet.ts';
import { checkout } from './own-process.ts';

/** A class of kubernetes-models. Its own types are not as strict as ours, and would have to be checked with them. */
type Model = new (document: unknown) => { validate(): void };
const load = (name: string): Promise<unknown> => import(name);
const { Job } = (await load('kubernetes-models/batch/v1')) as { Job: Model };
const { PersistentVolumeClaim, Pod } = (await load('kubernetes-models/v1')) as { PersistentVolumeClaim: Model; Pod: Model };

interface PodSpec {
  readonly restartPolicy: string;
  readonly automountServiceAccountToken: boolean;
  readonly hostPID?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostIPC?: boolean;
  readonly initContainers?: unknown;
  readonly affinity: {
    readonly podAntiAffinity: {
      readonly requiredDuringSchedulingIgnoredDuringExecution: readonly {
        readonly topologyKey: string;
        readonly labelSelector: { readonly matchLabels: object };
      }[];
    };
  };
  readonly securityContext: object;
  readonly volumes: readonly { readonly name: string; readonly persistentVolumeClaim?: { readonly claimName: string } }[];
  readonly containers: readonly {
    readonly name: string;
    readonly command: readonly string[];
    readonly args: readonly string[];
    readonly env: readonly object[];
    readonly resources: { readonly requests: object; readonly limits: { readonly cpu: string; readonly memory: string } };
    readonly securityContext: object;
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
}
interface JobDocument {
  readonly spec: {
    readonly completions: number;
    readonly parallelism: number;
    readonly podFailurePolicy: {
      readonly rules: readonly { readonly onExitCodes?: { readonly containerName: string; readonly values: readonly number[] } }[];
    };
    readonly template: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec };
  };
}

const main = join(checkout, 'dist', 'cli', 'main.js');
const docs = join(checkout, 'docs', 'fleet');
const { version, files } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string; files: string[] };
const documents = (name: string): unknown[] =>
  parseAllDocuments(readFileSync(join(docs, name), 'utf8'), { strict: true }).map((one) => {
    if (one.errors.length > 0) throw new Error(one.errors.map(({ message }) => message).join('\n'));
    return one.toJS() as unknown;
  });
const [claim, job] = documents('kubernetes.yaml') as [{ metadata: { name: string } }, JobDocument];
const [collector] = documents('kubernetes-collect.yaml') as [{ metadata: { labels?: object }; spec: PodSpec }];

const folder = mkdtempSync(join(checkout, 'build', 'fleet-'));
afterAll(() => rmSync(folder, { recursive: true }));
const bin = join(folder, 'bin');
mkdirSync(bin);
const program = (name: string, text: string): void => writeFileSync(join(bin, name), text, { mode: 0o755 });

// As npx, with this build. A few claims and one scenario are enough of it, and a machine may be made to fail.
program(
  'npx',
  `#!/bin/sh
[ "$1" = --yes ] && shift
case "$1" in groupaffinity|groupaffinity@${version}) shift ;; *) echo "npx $*" >&2; exit 1 ;; esac
node=\${SLURMD_NODENAME:-$NODE_NAME}
case "$1/$node" in
  validate/*broken) cat '${join(folder, 'failing.json')}'; exit 1 ;;
  */*gone) exit 127 ;;
  validate/*) exec '${process.execPath}' '${main}' "$@" set.confines ;;
  bench/*) exec '${process.execPath}' '${main}' "$@" set.stays ;;
  *) exec '${process.execPath}' '${main}' "$@" ;;
esac
`,
);
const failing = validateDocument(composeBench().machine, ['set.claim-2']);
writeFileSync(join(folder, 'failing.json'), JSON.stringify(failing, null, 2));

const sh = (command: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> => {
  const [file = '', ...args] = command;
  return spawnSync(file, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: `${bin}:${process.env['PATH']}`, HOME: folder, ...env },
  });
};
function report(of: string): { status: number | null; found: FleetReport; page: string } {
  const page = join(of, 'page.html');
  const { status, stdout } = spawnSync(process.execPath, [main, 'report', '--json', '--html', page, of], { encoding: 'utf8' });
  return { status, found: JSON.parse(stdout) as FleetReport, page: readFileSync(page, 'utf8') };
}

/** As milliseconds: a few Node processes one after the other, on a machine that has others to serve. */
const patience = 180_000;

describe('docs/fleet/kubernetes.yaml', () => {
  const pod = job.spec.template.spec;
  const [container] = pod.containers as [PodSpec['containers'][number]];

  it('is what Kubernetes takes, and has no word that it does not know', () => {
    expect(() => new PersistentVolumeClaim(claim).validate()).not.toThrow();
    expect(() => new Job(job).validate()).not.toThrow();
    expect(() => new Pod(collector).validate()).not.toThrow();
    expect(() => new Job({ ...job, spec: { ...job.spec, parallelism: '3' } }).validate()).toThrow('parallelism');

    // The schemas let unknown words pass; the types don't.
    const typed = (extra: object): SpawnSyncReturns<string> => {
      const file = join(folder, 'typed.ts');
      const literals = [
        `import type { IJob } from 'kubernetes-models/batch/v1';`,
        `import type { IPersistentVolumeClaim, IPod } from 'kubernetes-models/v1';`,
        `export const job: IJob = ${JSON.stringify({ ...job, ...extra })};`,
        `export const claim: IPersistentVolumeClaim = ${JSON.stringify(claim)};`,
        `export const pod: IPod = ${JSON.stringify(collector)};`,
      ];
      writeFileSync(file, literals.join('\n'));
      const tsc = join(checkout, 'node_modules', '.bin', 'tsc');
      const options = ['--noEmit', '--ignoreConfig', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', '', file];
      return spawnSync(process.execPath, [tsc, ...options], { cwd: checkout, encoding: 'utf8' });
    };
    expect(typed({}).stdout).toBe('');
    expect(typed({ spec: { ...job.spec, paralelism: 3 } }).stdout).toContain(`'"paralelism"' does not exist`);
  });

  it('has one pod a node, each of which is tried whatever becomes of the others', () => {
    expect(job.spec).toMatchObject({ completionMode: 'Indexed', backoffLimitPerIndex: 1 });
    expect(job.spec.parallelism).toBe(job.spec.completions);
    const [rule] = pod.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    expect(rule?.topologyKey).toBe('kubernetes.io/hostname');
    expect(job.spec.template.metadata.labels).toEqual(rule?.labelSelector.matchLabels);
    expect(collector.metadata.labels).toBeUndefined();
    expect(pod.restartPolicy).toBe('Never');
    const policy = job.spec.podFailurePolicy.rules.find(({ onExitCodes }) => onExitCodes !== undefined);
    expect([policy?.onExitCodes?.containerName, policy?.onExitCodes?.values]).toEqual([container.name, [1, 2, 3]]);
  });

  it('is Guaranteed, with whole CPUs: what the static CPU manager asks for', () => {
    expect(pod.initContainers).toBeUndefined();
    for (const { resources } of pod.containers) {
      expect(resources.requests).toEqual(resources.limits);
      expect(Object.keys(resources.limits).sort()).toEqual(['cpu', 'memory']);
      expect(resources.limits.cpu).toMatch(/^[1-9]\d*$/);
    }
  });

  it.each([
    ['the Job', pod],
    ['the pod that collects', collector.spec],
  ])('%s keeps to the restricted standard', (_, spec) => {
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(spec.automountServiceAccountToken).toBe(false);
    expect([spec.hostPID, spec.hostNetwork, spec.hostIPC]).toEqual([undefined, undefined, undefined]);
    for (const volume of spec.volumes) expect('persistentVolumeClaim' in volume || 'emptyDir' in volume).toBe(true);
    for (const { securityContext, volumeMounts } of spec.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(spec.volumes.map(({ name }) => name)).toEqual(volumeMounts.map(({ name }) => name));
    }
    const claims = spec.volumes.flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);
    expect(claims).toEqual([claim.metadata.name]);
  });

  it('its command leaves a result for each node, whatever happened there', { timeout: patience }, () => {
    const results = join(folder, 'kubernetes');
    mkdirSync(results);
    expect(container.env[0]).toMatchObject({ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } });
    expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toEqual(['/results', '/tmp']);
    const command = [...container.command, ...container.args];
    expect(command.slice(0, 2)).toEqual(['sh', '-c']);
    const here = command.map((word) => word.replaceAll('/results', results));
    const runs = ['node-1.example.org', 'node-broken', 'node-gone'].map((node) => sh(here, { NODE_NAME: node }));
    expect(runs.map(({ status, stdout, stderr }) => [status, stdout, stderr])).toEqual([
      [0, '', ''],
      [1, '', ''],
      [127, '', ''],
    ]);
    expect(readdirSync(results)).toHaveLength(6);
    const { status, found, page } = report(results);
    expect(status).toBe(1);
    expect(found.machines.map(({ name, validate, bench }) => [name, validate?.failed, bench !== null])).toEqual([
      ['node-1.example.org', 0, true],
      ['node-broken', 1, true],
    ]);
    expect(found.failures.map(({ id, machines }) => [id, machines.map(({ name }) => name)])).toEqual([['set.claim-2', ['node-broken']]]);
    expect(found.unread.map(({ file }) => file)).toEqual(['node-gone.bench.json', 'node-gone.validate.json']);
    for (const name of ['node-1.example.org', 'node-broken', 'node-gone']) expect(page).toContain(name);
  });

  it('fetches this version, as docs/fleet.md says', () => {
    const packages = container.args[0]?.match(/(?<=npx --yes )\S+/g);
    expect(packages).toEqual([`groupaffinity@${version}`, `groupaffinity@${version}`]);
    expect(readFileSync(join(checkout, 'docs', 'fleet.md'), 'utf8')).toContain(`groupaffinity@${version}`);
  });
});

const noBash = spawnSync('bash', ['--version']).status !== 0;
const noShellcheck = spawnSync('shellcheck', ['--version']).status !== 0;

describe.skipIf(noBash)('docs/fleet/slurm.sh', () => {
  const script = join(docs, 'slurm.sh');

  it('is a script that sbatch reads: its options stand before the first command', () => {
    expect(sh(['bash', '-n', script])).toMatchObject({ status: 0, stderr: '' });
    const lines = readFileSync(script, 'utf8').split('\n');
    expect(lines[0]).toBe('#!/bin/bash');
    const first = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
    expect(lines.findLastIndex((line) => line.startsWith('#SBATCH'))).toBeLessThan(first);
    const options = lines.flatMap((line) => /^#SBATCH (\S+)$/.exec(line)?.[1] ?? []);
    expect(options).toContain('--ntasks-per-node=1');
    expect(options).toContain('--exclusive');
  });

  it.skipIf(noShellcheck)(`has nothing that shellcheck knows better${noShellcheck ? ': needs shellcheck' : ''}`, () => {
    expect(sh(['shellcheck', script])).toMatchObject({ status: 0, stdout: '' });
  });

  // As srun on three nodes: a task on each at the same time, the highest status of all, and what it was told, for a look.
  program(
    'srun',
    `#!/bin/bash
while [[ $1 == -* ]]; do echo "$1" >> '${join(folder, 'srun options')}'; shift; done
for node in $SLURM_NODES_HERE; do SLURMD_NODENAME=$node "$@" & tasks+=($!); done
status=0
for task in "\${tasks[@]}"; do wait "$task"; one=$?; (( one > status )) && status=$one; done
exit $status
`,
  );
  const options = (): string[] => {
    const file = join(folder, 'srun options');
    const told = readFileSync(file, 'utf8').trim().split('\n');
    rmSync(file);
    return told;
  };

  it('runs on every node, and reports on all of them together', { timeout: patience }, () => {
    const nodes = ['n001', 'n002', 'gpu-7'];
    const { status, stdout, stderr } = sh(['bash', script, 'all good'], { SLURM_JOB_ID: '42', SLURM_NODES_HERE: nodes.join(' ') });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(options()).toEqual(['--ntasks-per-node=1', '--cpu-bind=none', '--kill-on-bad-exit=0', '--wait=0']);
    expect(stdout).toContain('3 machines in 1 layout');
    expect(stdout).toContain('Claims: none failed on 3 machines.');
    const page = readFileSync(join(folder, 'all good', 'report.html'), 'utf8');
    for (const node of nodes) expect(page).toContain(`<th scope="row">${node}</th>`);
    expect(
      report(join(folder, 'all good'))
        .found.machines.map(({ name }) => name)
        .sort(),
    ).toEqual(nodes.toSorted());
  });

  it('a node that fails ends no other, and shows in the report and the status', { timeout: patience }, () => {
    const { status, stdout } = sh(['bash', script], {
      SLURM_JOB_ID: '43',
      SLURM_CPUS_PER_TASK: '8',
      SLURM_NODES_HERE: 'n001 n002-broken n003-gone',
    });
    expect(status).toBe(127);
    expect(options()).toContain('--cpus-per-task=8');
    expect(existsSync(join(folder, 'groupaffinity-43', 'report.html'))).toBe(true);
    expect(stdout).toContain('set.claim-2  What claim 2 says.\n    on n002-broken\n');
    expect(stdout).toContain('n003-gone.validate.json: it is empty');
    expect(report(join(folder, 'groupaffinity-43')).found.machines.map(({ name }) => name)).toEqual(['n001', 'n002-broken']);
  });
});

it('the package carries the manifests and the script', () => {
  expect(files).toContain('docs');
});
