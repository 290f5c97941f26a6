/**
 * The first program of a guest: does what guest.json says and tells it on the second serial line, a line of JSON a step.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, openSync, writeSync } from 'node:fs';
import type { Order, Told } from '../guest-protocol.ts';

const { online, cpuset, steps } = JSON.parse(readFileSync('/package/guest.json', 'utf8')) as Order;
const line = openSync('/dev/ttyS1', 'w');
const tell = (told: Told): void => {
  const text = Buffer.from(`${JSON.stringify(told)}\n`);
  for (let at = 0; at < text.length;) at += writeSync(line, text, at);
};

for (const cpu of online) writeFileSync(`/sys/devices/system/cpu/cpu${cpu}/online`, '1');
if (cpuset !== undefined) {
  const root = '/sys/fs/cgroup';
  spawnSync('mount', ['-t', 'cgroup2', 'none', root], { stdio: 'inherit' });
  writeFileSync(`${root}/cgroup.subtree_control`, '+cpuset +cpu');
  mkdirSync(`${root}/lab`);
  writeFileSync(`${root}/lab/cpuset.cpus`, cpuset);
  writeFileSync(`${root}/lab/cgroup.procs`, String(process.pid));
}

for (const { name, command, seconds } of steps) {
  const begun = Date.now();
  const [file = '', ...args] = command;
  const { status, signal, stdout, stderr, error } = spawnSync(file, args, {
    cwd: '/package',
    encoding: 'utf8',
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 28,
  });
  const errors = error === undefined ? stderr : `${error.message}\n${stderr}`;
  tell({ name, status: status ?? -1, signal, stdout, stderr: errors.slice(-4000), seconds: (Date.now() - begun) / 1000 });
}
