/**
 * Guarded threads while CPUs go and come, and while the cpuset is written to, where this process is in one of version 2:
 * `guard.mjs` writes JSON to standard output: `[{ name, verdict, observed }]`. The guards here never look by themselves:
 * what they see, the kernel told.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { CpuSet, pin, topology } from 'groupaffinity';
import { guard, type Drift } from 'groupaffinity/workers';
import { Found } from '../lab.ts';
import { recorded } from '../record.ts';

const folder = '/sys/devices/system/cpu';
const online = (): CpuSet => CpuSet.parse(readFileSync(`${folder}/online`, 'utf8').trim());
const allowed = (): CpuSet => (recorded()?.allowed ?? CpuSet.empty).intersect(online());

const never = 86_400_000;
const found = new Found();
const mine = allowed();
const usable = mine.toArray();
// The first CPU of a machine stays.
const [stays = 0] = usable;
const goes = usable.at(-1) ?? 0;

/** The drifts of a thread that is pinned to `cpus` while `change` is done to it, until one is as wanted; and the time from `change` on. */
async function drifts(cpus: readonly number[], changes: readonly { change: () => void; until: Drift['what'] }[]): Promise<string> {
  const here = pin(cpus);
  const told: Drift[] = [];
  let wake: (() => void) | undefined;
  const watch = guard(here, {
    check: never,
    onDrift: (drift) => {
      told.push(drift);
      wake?.();
    },
  });
  const alive = setInterval(() => {}, 1000);
  const said: string[] = [];
  try {
    for (const { change, until } of changes) {
      told.length = 0;
      const begun = performance.now();
      change();
      const asWanted = (): Drift | undefined => told.find(({ what }) => what === until);
      while (asWanted() === undefined) {
        if (performance.now() - begun > 60_000) throw new Error(`no thread was ${until}: ${JSON.stringify(told)}`);
        await new Promise<void>((done) => {
          wake = done;
          setTimeout(done, 1000);
        });
      }
      const { what, cause, found: where } = asWanted() as Drift;
      said.push(`${what} (${cause}) to ${where} after ${(performance.now() - begun).toFixed(1)} ms`);
      if (until === 'mended' && String(allowed()) !== String(CpuSet.of(cpus))) throw new Error(`mended, and on ${allowed()}`);
    }
    return said.join(', ');
  } finally {
    clearInterval(alive);
    watch.stop();
    here.restore();
  }
}

const switchCpu = (cpu: number, on: boolean): void => writeFileSync(`${folder}/cpu${cpu}/online`, on ? '1' : '0');
const cgroup = /^0::(\/.+)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
const cpuset = cgroup === undefined ? undefined : `/sys/fs/cgroup${cgroup}`;

try {
  await found.check('a guarded thread whose only CPU goes is told of, and is back there when the CPU is', async () => {
    // In a cpuset it is moved to what that has left.
    const went = cpuset === undefined ? 'widened' : 'moved';
    return drifts(
      [goes],
      [
        { change: () => switchCpu(goes, false), until: went },
        { change: () => switchCpu(goes, true), until: 'mended' },
      ],
    );
  });

  if (cpuset !== undefined) {
    const cpus = readFileSync(`${cpuset}/cpuset.cpus`, 'utf8').trim();
    const write = (list: CpuSet | string): void => writeFileSync(`${cpuset}/cpuset.cpus`, String(list));
    await found.check('a guarded thread whose CPU its cpuset loses is told of, and is back there when the CPU is granted', () =>
      drifts(
        [goes],
        [
          { change: () => write(mine.minus(CpuSet.of([goes]))), until: 'moved' },
          { change: () => write(cpus), until: 'mended' },
        ],
      ),
    );
    await found.check('a guarded thread that its cpuset narrows is told of, and has all of its CPUs when they are granted', () =>
      drifts(
        [stays, goes],
        [
          { change: () => write(mine.minus(CpuSet.of([goes]))), until: 'narrowed' },
          { change: () => write(cpus), until: 'mended' },
        ],
      ),
    );
    await found.check('the quota of version 2 is what topology tells', () => {
      const max = readFileSync(`${cpuset}/cpu.max`, 'utf8').trim();
      writeFileSync(`${cpuset}/cpu.max`, '150000 100000');
      const { quota } = topology();
      writeFileSync(`${cpuset}/cpu.max`, max);
      if (quota !== 1.5 || topology().quota !== null) throw new Error(`${quota}, and ${topology().quota} without one`);
      return `${quota}`;
    });
  }
} finally {
  if (!online().has(goes)) switchCpu(goes, true);
}
process.stdout.write(JSON.stringify(found.checks));
