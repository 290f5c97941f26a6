/**
 * Machines of any shape, emulated by QEMU with Debian's kernel: more CPUs than this machine has, CPUs that come and go,
 * NUMA nodes, isolated CPUs, cpusets. Emulation is not hardware: what they show is the kernel's behaviour, not a
 * processor's, and no speed.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, statSync, openSync, readSync, closeSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { BenchDocument } from '../../lib/bench/result.ts';
import { CpuSet } from '../../lib/machine/cpu-set.ts';
import { fromList } from '../fixtures/compose.ts';
import type { Order, Step, Told } from './guest-protocol.ts';
import { bench, installed, must, needs, run, Unavailable, type Check, type Found, type Machine, type Validation } from './lab.ts';
import { hwlocView, type HwlocView } from './hwloc.ts';

interface Shape {
  readonly name: string;
  readonly about: string;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
  /** CPUs of each NUMA node; none: memory only. */
  readonly nodes: readonly string[];
  readonly distances?: readonly (readonly number[])[];
  /** CPUs that the kernel brings online itself; all by default. The others are there, and offline. */
  readonly boot?: number;
  /** Others that are brought online. */
  readonly online?: string;
  readonly isolated?: string;
  /** Everything runs in a cpuset of these. */
  readonly cpuset?: string;
  /** The groups that the algorithm forms: CPUs in bit order. */
  readonly groups: readonly string[];
  /** Random programs. */
  readonly programs: number;
}

const shapes: readonly Shape[] = [
  // It takes longest, and so goes first.
  {
    name: 'nodes5x51',
    about: '255 CPUs in one package of 5 nodes: five groups, and all the CPUs that QEMU can emulate',
    sockets: 1,
    cores: 255,
    threads: 1,
    nodes: ['0-50', '51-101', '102-152', '153-203', '204-254'],
    boot: 2,
    online: '51-52,102,153,203-204,254',
    groups: ['0-50', '51-101', '102-152', '153-203', '204-254'],
    programs: 60,
  },
  {
    name: 'smt8',
    about: '8 CPUs, 2 nodes, two threads a core',
    sockets: 2,
    cores: 2,
    threads: 2,
    nodes: ['0-3', '4-7'],
    distances: [
      [10, 21],
      [21, 10],
    ],
    groups: ['0-7'],
    programs: 150,
  },
  {
    name: 'nodes2x36',
    about: '72 CPUs on 2 nodes: two groups of 36',
    sockets: 2,
    cores: 36,
    threads: 1,
    nodes: ['0-35', '36-71'],
    distances: [
      [10, 20],
      [20, 10],
    ],
    boot: 4,
    online: '35-37,71',
    groups: ['0-35', '36-71'],
    programs: 120,
  },
  {
    name: 'nodes4x18',
    about: '72 CPUs on 4 nodes of 18: two balanced groups',
    sockets: 4,
    cores: 9,
    threads: 2,
    nodes: ['0-17', '18-35', '36-53', '54-71'],
    distances: [
      [10, 16, 22, 28],
      [16, 10, 28, 22],
      [22, 28, 10, 16],
      [28, 22, 16, 10],
    ],
    boot: 2,
    online: '18,36-37,54,71',
    groups: ['0-35', '36-71'],
    programs: 100,
  },
  {
    name: 'nodes2x96',
    about: '192 CPUs on 2 nodes of 96: three groups, one of both nodes',
    sockets: 2,
    cores: 96,
    threads: 1,
    nodes: ['0-95', '96-191'],
    boot: 2,
    online: '63-64,95-96,160,191',
    groups: ['0-63', '64-95,160-191', '96-159'],
    programs: 100,
  },
  {
    name: 'memory-node',
    about: '8 CPUs on 2 nodes, a third node of memory only',
    sockets: 2,
    cores: 4,
    threads: 1,
    nodes: ['0-3', '4-7', ''],
    distances: [
      [10, 20, 17],
      [20, 10, 28],
      [17, 28, 10],
    ],
    groups: ['0-7'],
    programs: 100,
  },
  {
    name: 'isolated',
    about: '6 CPUs, two of them isolated from the scheduler (isolcpus)',
    sockets: 1,
    cores: 6,
    threads: 1,
    nodes: ['0-5'],
    isolated: '2,5',
    groups: ['0-5'],
    programs: 100,
  },
  {
    name: 'odd-cpuset',
    about: '8 CPUs, everything in a cpuset of the odd ones',
    sockets: 2,
    cores: 4,
    threads: 1,
    nodes: ['0-3', '4-7'],
    cpuset: '1,3,5,7',
    groups: ['0-7'],
    programs: 120,
  },
];

const home = join(bench, 'guest');
const total = ({ sockets, cores, threads }: Shape): number => sockets * cores * threads;
const range = (first: number, count: number): CpuSet => CpuSet.of(Array.from({ length: count }, (_, at) => first + at));
const onlineOf = (shape: Shape): CpuSet => range(0, shape.boot ?? total(shape)).union(CpuSet.parse(shape.online ?? ''));

/** Debian's kernel image, fetched when it is not installed. */
async function kernel(): Promise<string> {
  const images = (folder: string): string[] =>
    existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('vmlinuz-') && name.endsWith('-cloud-amd64')) : [];
  const fetched = join(home, 'kernel');
  for (const folder of ['/boot', join(fetched, 'boot')]) {
    const image = images(folder).sort().at(-1);
    if (image !== undefined) return join(folder, image);
  }
  const { stdout } = await run('apt-cache', ['depends', '--important', 'linux-image-cloud-amd64']);
  const name = /Depends: (linux-image-[\w.+-]+)/.exec(stdout)?.[1];
  if (name === undefined) throw new Unavailable("needs a kernel, Debian's linux-image-cloud-amd64: apt-get update");
  mkdirSync(fetched, { recursive: true });
  const { status, stderr } = await run('apt-get', ['download', name], { cwd: fetched });
  if (status !== 0) throw new Unavailable(`Debian's ${name} did not come: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  const archive = readdirSync(fetched).find((file) => file.endsWith('.deb')) ?? '';
  await must('dpkg-deb', ['-x', archive, '.'], { cwd: fetched });
  return join(fetched, 'boot', images(join(fetched, 'boot'))[0] ?? '');
}

const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /tmp
export PATH=/bin HOME=/tmp
node /package/agents/guest.mjs </dev/null >/dev/ttyS0 2>&1
poweroff -f
`;

async function pack(folder: string, file: string): Promise<string> {
  await must('sh', ['-c', 'find . | cpio --quiet -o -H newc > "$1"', 'sh', file], { cwd: folder });
  return file;
}

/** The part of a guest's file system that all have in common: programs with their libraries, the package, what runs there. */
async function makeSystem(): Promise<string> {
  for (const [command, debian] of [
    ['qemu-system-x86_64', 'qemu-system-x86'],
    ['busybox', 'busybox-static'],
    ['cpio', 'cpio'],
    ['lstopo-no-graphics', 'hwloc-nox'],
  ] as const)
    await needs(command, debian);
  const root = join(home, 'system');
  rmSync(root, { recursive: true, force: true });
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'tmp']) mkdirSync(join(root, folder), { recursive: true });
  const busybox = (await must('sh', ['-c', 'command -v busybox'])).trim();
  const lstopo = (await must('sh', ['-c', 'command -v lstopo-no-graphics'])).trim();
  const programs = [process.execPath, lstopo];
  const libraries = new Set<string>();
  for (const program of programs) for (const [path] of (await must('ldd', [program])).matchAll(/\/\S+/g)) libraries.add(path);
  for (const file of [busybox, ...programs]) await must('cp', ['-L', file, join(root, 'bin', basename(file))]);
  for (const library of libraries) await must('cp', ['-L', '--parents', library, root]);
  await must('cp', ['-r', await installed(), join(root, 'package')]);
  writeFileSync(join(root, 'init'), init, { mode: 0o755 });
  return pack(root, join(home, 'system.cpio'));
}

let made: Promise<{ system: string; image: string }> | undefined;
const makings = (): Promise<{ system: string; image: string }> =>
  (made ??= Promise.all([makeSystem(), kernel()]).then(([system, image]) => ({ system, image })));

function machineArguments(shape: Shape): string[] {
  const { sockets, cores, threads, nodes, distances } = shape;
  const [first, other] = [2048, 128];
  const options = ['-m', `${first + other * (nodes.length - 1)}M`];
  // Its family shows SMT under software emulation, "max" and newer ones do not.
  options.push('-M', 'q35,hpet=off', '-accel', 'tcg,thread=multi', '-cpu', 'Nehalem');
  options.push('-smp', `${total(shape)},sockets=${sockets},cores=${cores},threads=${threads}`);
  nodes.forEach((cpus, node) => {
    const ranges = cpus === '' ? '' : `,cpus=${cpus}`;
    options.push('-object', `memory-backend-ram,id=m${node},size=${node === 0 ? first : other}M`);
    options.push('-numa', `node,nodeid=${node},memdev=m${node}${ranges}`);
  });
  distances?.forEach((row, from) =>
    row.forEach((value, to) => {
      if (from !== to) options.push('-numa', `dist,src=${from},dst=${to},val=${value}`);
    }),
  );
  return options;
}

/** Boots a guest, has it follow its order, and returns what it told. */
async function boot(shape: Shape, order: Order): Promise<Told[]> {
  const { system, image } = await makings();
  const folder = join(home, shape.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'root', 'package'), { recursive: true });
  writeFileSync(join(folder, 'root', 'package', 'guest.json'), JSON.stringify(order));
  const own = await pack(join(folder, 'root'), join(folder, 'own.cpio'));
  await must('sh', ['-c', 'cat "$1" "$2" > "$3"', 'sh', system, own, join(folder, 'initramfs')]);
  const [log, told] = [join(folder, 'console'), join(folder, 'told')];
  const kernelArguments = ['console=ttyS0', 'quiet', 'panic=-1', 'mitigations=off'];
  if (shape.boot !== undefined) kernelArguments.push(`maxcpus=${shape.boot}`);
  if (shape.isolated !== undefined) kernelArguments.push(`isolcpus=${shape.isolated}`);
  const seconds = order.steps.reduce((sum, step) => sum + step.seconds, 60);
  const { status, stderr } = await run(
    'qemu-system-x86_64',
    [
      ...machineArguments(shape),
      '-display',
      'none',
      '-nic',
      'none',
      '-no-reboot',
      '-serial',
      `file:${log}`,
      '-serial',
      `file:${told}`,
      '-kernel',
      image,
      '-initrd',
      join(folder, 'initramfs'),
      '-append',
      kernelArguments.join(' '),
    ],
    { timeout: seconds * 1000 },
  );
  rmSync(join(folder, 'initramfs'));
  const answers = readFileSync(told, 'utf8')
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as Told);
  if (status !== 0 || answers.length < order.steps.length)
    throw new Error(
      `the guest ended with status ${status} after ${answers.length} of ${order.steps.length} steps\n${stderr}\n${tail(log)}`,
    );
  return answers;
}

function tail(file: string): string {
  const size = statSync(file).size;
  const buffer = Buffer.alloc(Math.min(size, 3000));
  const opened = openSync(file, 'r');
  readSync(opened, buffer, 0, buffer.length, size - buffer.length);
  closeSync(opened);
  return buffer.toString('latin1');
}

interface TopologyDocument {
  cpus: Record<'possible' | 'present' | 'online' | 'allowed' | 'isolated', string>;
  groups: { group: number; maximumMask: string; activeMask: string; cpus: string; online: string }[];
  packages: { id: number; cpus: string }[];
  cores: { package: number; id: number; cpus: string }[];
  numaNodes: { id: number; cpus: string; distances: number[] }[];
  caches: { level: number; type: string; cpus: string }[];
}

/** What the guest was built to be, in the words of `topology --json`. */
function checkTopology(shape: Shape, seen: TopologyDocument, hwloc: HwlocView, found: Found): void {
  const all = range(0, total(shape));
  const online = onlineOf(shape);
  const isolated = CpuSet.parse(shape.isolated ?? '').intersect(online);
  // The kernel starts the first program, and with it all others, without the CPUs that are isolated.
  const allowed = (shape.cpuset === undefined ? online : CpuSet.parse(shape.cpuset).intersect(online)).minus(isolated);
  const list = (set: CpuSet): string => String(set.intersect(online));
  const split = (size: number): CpuSet[] => Array.from({ length: total(shape) / size }, (_, at) => range(at * size, size));
  const running = (sets: readonly CpuSet[]): string[] => sets.map(list).filter((cpus) => cpus !== '');

  found.same(
    'the CPUs are those of the guest',
    { possible: String(all), present: String(all), online: String(online), allowed: String(allowed), isolated: String(isolated) },
    seen.cpus,
  );
  found.same(
    'the groups are those that the algorithm forms, whatever is offline',
    shape.groups.map((cpus, group) => ({ group, cpus: inOrder(cpus), online: list(CpuSet.parse(cpus)) })),
    seen.groups.map(({ group, cpus, online }) => ({ group, cpus: inOrder(cpus), online })),
  );
  found.same(
    'the packages are those of the guest',
    running(split(shape.cores * shape.threads)),
    seen.packages.map(({ cpus }) => cpus),
  );
  found.same('the cores are those of the guest', running(split(shape.threads)).sort(), seen.cores.map(({ cpus }) => cpus).sort());
  found.same(
    'the NUMA nodes are those of the guest',
    shape.nodes.map((cpus, id) => ({ id, cpus: list(CpuSet.parse(cpus)), distances: distancesOf(shape)[id] })),
    seen.numaNodes,
  );
  found.same('hwloc sees the same packages', hwloc.packages, seen.packages.map(({ cpus }) => cpus).sort());
  found.same('hwloc sees the same cores', hwloc.cores, seen.cores.map(({ cpus }) => cpus).sort());
  // To a node of memory only hwloc gives the CPUs that are nearest to it.
  const withCpus = (node: number): boolean => shape.nodes[node] !== '';
  found.same(
    'hwloc sees the same NUMA nodes',
    hwloc.nodes.filter((_, node) => withCpus(node)),
    seen.numaNodes.filter(({ id }) => withCpus(id)).map(({ id, cpus }) => `${id}: ${cpus}`),
  );
  found.same('hwloc sees the same caches', hwloc.caches, seen.caches.map(({ level, type, cpus }) => `${level} ${type} ${cpus}`).sort());
}

const distancesOf = ({ nodes, distances }: Shape): readonly (readonly number[])[] =>
  distances ?? nodes.map((_, from) => nodes.map((_, to) => (from === to ? 10 : 20)));

const inOrder = (cpus: string): string => fromList(cpus).join();

const node = (name: string, seconds: number, script: string, ...args: string[]): Step => ({
  name,
  command: ['node', script, ...args],
  seconds,
});

function orderFor(shape: Shape): Order {
  // In a cpuset, Linux before 6.2 gives every thread all of it when a CPU comes or goes: nothing stays where it was put.
  const hotplug = shape.cpuset === undefined;
  return {
    online: CpuSet.parse(shape.online ?? '').toArray(),
    ...(shape.cpuset === undefined ? {} : { cpuset: shape.cpuset }),
    steps: [
      { name: 'system', command: ['uname', '-r'], seconds: 20 },
      node('node', 60, '--version'),
      node('topology', 120, 'dist/cli/main.js', 'topology', '--json'),
      { name: 'hwloc', command: ['lstopo-no-graphics', '--of', 'xml', '--no-io', '--disallowed', '--no-collapse', '-'], seconds: 120 },
      node('vectors', 300, 'agents/vectors.mjs'),
      node('placement', 300, 'agents/placement.mjs'),
      node('threads', 300, 'agents/threads.mjs'),
      node('programs', 400, 'agents/programs.mjs', String(shape.programs), '20261123', ...(hotplug ? ['hotplug'] : [])),
      node('hotplug', 300, 'agents/hotplug.mjs'),
      node('guard', 300, 'agents/guard.mjs'),
      node('cost', 200, 'agents/cost.mjs'),
      node('bench', 400, 'dist/cli/main.js', 'bench', '--quick', '--json', 'set.moves', 'pin'),
      node('validate', 500, 'dist/cli/main.js', 'validate', '--json', '--moves', '4', ...(hotplug ? ['--hotplug'] : [])),
    ],
  };
}

/** Nothing broke, and a move was timed exactly where the machine has two CPUs that lie so. No figure of it means anything. */
function checkBench(machine: TopologyDocument, { scenarios }: BenchDocument, found: Found): void {
  found.same(
    'bench: nothing broke',
    [],
    scenarios.filter(({ kind }) => kind === 'fail'),
  );
  const cpus = fromList(machine.cpus.allowed);
  const pairs = cpus.flatMap((one, at) => cpus.slice(at + 1).map((other) => [one, other] as const));
  const some = (lies: (together: (sets: readonly { cpus: string }[]) => boolean) => boolean): boolean =>
    pairs.some(([one, other]) => lies((sets) => sets.some(({ cpus: list }) => [one, other].every((cpu) => fromList(list).includes(cpu)))));
  const { cores, packages, numaNodes } = machine;
  const l3 = machine.caches.filter(({ level }) => level === 3);
  const groups = machine.groups.map(({ online }) => ({ cpus: online }));
  const expected = {
    'same-core': some((together) => together(cores)),
    'same-l3': some((together) => together(l3) && !together(cores)),
    'other-l3': l3.length > 0 && some((together) => !together(l3) && together(packages)),
    'other-package': some((together) => !together(packages)),
    'other-node': some((together) => !together(numaNodes)),
    'other-group': some((together) => !together(groups)),
  };
  const timed = Object.fromEntries(
    Object.keys(expected).map((move) => [move, scenarios.some(({ id, kind }) => id === `set.moves.${move}` && kind === 'times')]),
  );
  found.same('bench: the moves are those of the guest', expected, timed);
}

async function visit(shape: Shape, found: Found): Promise<void> {
  const online = onlineOf(shape).size;
  found.cpus = online === total(shape) ? String(online) : `${online} of ${total(shape)}`;
  found.groups = shape.groups.length;
  const told = new Map((await boot(shape, orderFor(shape))).map((each) => [each.name, each]));
  const step = (name: string): Told => told.get(name) as Told;
  found.system = `Linux ${step('system').stdout.trim()}`;
  found.node = step('node').stdout.trim();

  const documents = (name: string): unknown => {
    const { stdout, stderr, status, signal, seconds } = step(name);
    try {
      return JSON.parse(stdout);
    } catch {
      found.add(
        name,
        'fail',
        `status ${status}, ${signal ?? 'no signal'}, after ${seconds.toFixed(0)} s: ${stdout.slice(0, 200)} ${stderr}`,
      );
      return undefined;
    }
  };
  const topology = documents('topology');
  if (topology !== undefined) checkTopology(shape, topology as TopologyDocument, hwlocView(step('hwloc').stdout), found);
  for (const name of ['vectors', 'placement', 'threads', 'programs', 'hotplug', 'guard', 'cost'])
    for (const check of (documents(name) as Check[] | undefined) ?? []) found.checks.push(check);
  const measured = documents('bench');
  if (topology !== undefined && measured !== undefined) checkBench(topology as TopologyDocument, measured as BenchDocument, found);
  const validation = documents('validate');
  if (validation !== undefined) found.claims(validation as Validation);
  found.add('times', 'pass', [...told.values()].map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`).join(', '));
}

export const guests: Machine[] = shapes.map((shape) => ({
  name: `qemu-${shape.name}`,
  about: `${shape.about}; QEMU`,
  run: (found) => visit(shape, found),
}));
