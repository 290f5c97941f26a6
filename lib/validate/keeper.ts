// A process that puts CPUs back online when the one that started it lets go of it or dies, in whatever way.
// The CPUs are its arguments; its input ends when the other lets go.
import { native } from '../binding.ts';
import { readCpus } from '../machine/group-table.ts';

const cpus = process.argv.slice(2).map(Number);
const isOnline = (cpu: number): boolean => ((readCpus().online >> BigInt(cpu)) & 1n) === 1n;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

process.stdin.on('error', () => undefined);
process.stdin.resume();
process.stdin.once('close', () => {
  for (const cpu of cpus) if (!isOnline(cpu)) native.setOnline(cpu, true);
  process.exitCode = cpus.every(isOnline) ? 0 : 1;
});
process.stdout.write('ready\n');
