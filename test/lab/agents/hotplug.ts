/**
 * What holds when CPUs go offline and come online, on a machine where they may: `hotplug.mjs` writes JSON to standard
 * output: `[{ name, verdict, observed }]`. The kernel's switches and its record of the thread are read and written here,
 * past every call under test.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { affinity, CpuSet, currentCpu, pin, setThreadAffinity, topology } from 'groupaffinity';
import {
  STOR_GROUP_AFFINITY,
  storStatusName,
  StorPortRevertToUserGroupAffinityThread,
  StorPortSetSystemGroupAffinityThread,
} from 'groupaffinity/storport';
import { spread } from 'groupaffinity/workers';
import { fromList } from '../../fixtures/compose.ts';
import { errorCode } from '../error-code.ts';
import { Found } from '../lab.ts';
import { recorded } from '../record.ts';

const folder = '/sys/devices/system/cpu';
const online = (): CpuSet => CpuSet.parse(readFileSync(`${folder}/online`, 'utf8').trim());
const switchCpu = (cpu: number, on: boolean): void => writeFileSync(`${folder}/cpu${cpu}/online`, on ? '1' : '0');
const switchable = readdirSync(folder)
  .flatMap((name) => /^cpu(\d+)$/.exec(name)?.slice(1).map(Number) ?? [])
  .filter((cpu) => readdirSync(`${folder}/cpu${cpu}`).includes('online'))
  .sort((a, b) => a - b);

/** Where the kernel lets this thread run, of the CPUs that are online. */
const allowed = (): CpuSet => (recorded()?.allowed ?? CpuSet.empty).intersect(online());
const layout = (): string => JSON.stringify(topology().groups.map(({ cpus }) => cpus.join()));

function agree(what: string, wanted: unknown, seen: unknown): void {
  if (String(wanted) !== String(seen)) throw new Error(`${what}: ${String(seen)}, not ${String(wanted)}`);
}

function whileOffline<T>(cpus: readonly number[], look: () => T): T {
  const off = cpus.filter((cpu) => online().has(cpu));
  try {
    for (const cpu of off) switchCpu(cpu, false);
    return look();
  } finally {
    for (const cpu of off) switchCpu(cpu, true);
  }
}

const extension = {};
const structure = (Mask = 0n, Group = 0): STOR_GROUP_AFFINITY => new STOR_GROUP_AFFINITY({ Mask, Group });
const set = (to: STOR_GROUP_AFFINITY, previous: STOR_GROUP_AFFINITY | null = null): string =>
  storStatusName(StorPortSetSystemGroupAffinityThread(extension, null, to, previous));
const revert = (from: STOR_GROUP_AFFINITY): string => storStatusName(StorPortRevertToUserGroupAffinityThread(extension, null, from));

function maskOf(cpus: readonly number[]): STOR_GROUP_AFFINITY {
  const [part, ...others] = CpuSet.of(cpus).toGroups();
  if (part === undefined || others.length > 0) throw new Error(`CPUs ${cpus.join()} are not in one group`);
  return structure(part.mask, part.group);
}

const found = new Found();
const start = online();
const mine = affinity();
const startLayout = layout();
const groups = topology().groups.map(({ cpus }) => cpus);
/** In each group where that is possible: a CPU that stays, and one that goes. */
const pairs = groups.flatMap((cpus) => {
  const goes = cpus.findLast((cpu) => mine.has(cpu) && switchable.includes(cpu));
  const stays = cpus.find((cpu) => mine.has(cpu) && cpu !== goes);
  return goes === undefined || stays === undefined ? [] : [{ stays, goes }];
});

async function wherePlaced(): Promise<void> {
  await found.check('a set that names online and offline CPUs is trimmed, and the next PreviousAffinity shows it', () => {
    for (const { stays, goes } of pairs)
      whileOffline([goes], () => {
        agree('the set', 'STOR_STATUS_SUCCESS', set(maskOf([stays, goes])));
        agree('the kernel allows', stays, allowed());
        const previous = structure();
        agree('the nested set', 'STOR_STATUS_SUCCESS', set(maskOf([stays]), previous));
        const wanted = maskOf([stays]);
        agree('PreviousAffinity', `${wanted.Group}:${wanted.Mask}`, `${previous.Group}:${previous.Mask}`);
        agree('the revert', 'STOR_STATUS_SUCCESS', revert(structure()));
      });
    return `in ${pairs.length} of ${groups.length} groups`;
  });

  await found.check('a set that names offline CPUs only is INVALID_PARAMETER, and everything is as it was', () => {
    for (const { stays, goes } of pairs) {
      agree('the set before', 'STOR_STATUS_SUCCESS', set(maskOf([stays])));
      whileOffline([goes], () => {
        const previous = structure(5n, 7);
        agree('the set', 'STOR_STATUS_INVALID_PARAMETER', set(maskOf([goes]), previous));
        agree('PreviousAffinity', '0:0', `${previous.Group}:${previous.Mask}`);
        agree('the kernel allows', stays, allowed());
        agree(
          'the pin',
          'ERR_AFFINITY_OFFLINE',
          errorCode(() => pin([goes])),
        );
        agree('the kernel allows', stays, allowed());
      });
      agree('the revert', 'STOR_STATUS_SUCCESS', revert(structure()));
    }
    return `in ${pairs.length} of ${groups.length} groups`;
  });

  await found.check('a thread whose only CPU goes offline is widened by the kernel, and affinity() says so', () => {
    for (const { goes } of pairs) {
      const here = pin([goes]);
      try {
        agree('affinity()', goes, affinity());
        whileOffline([goes], () => {
          agree('affinity()', allowed(), affinity());
          if (affinity().size === 0 || affinity().has(goes)) throw new Error(`affinity() says ${affinity()} while ${goes} is offline`);
          if (!affinity().has(currentCpu().cpu)) throw new Error(`it runs on ${currentCpu().cpu}, outside of ${affinity()}`);
        });
        agree('affinity() when it is back', allowed(), affinity());
      } finally {
        here.restore();
      }
    }
    return `${pairs.map(({ goes }) => goes).join()}, each alone`;
  });

  await found.check('a CPU that comes online can be pinned to, and a plan made then has it', () => {
    const absent = switchable.find((cpu) => !start.has(cpu));
    const comes = absent ?? pairs[0]?.goes ?? -1;
    if (absent === undefined) switchCpu(comes, false);
    const before = spread({ by: 'cpu' }).seats.length;
    switchCpu(comes, true);
    try {
      const here = pin([comes]);
      agree('the kernel allows', comes, allowed());
      agree('it runs on', comes, recorded()?.lastCpu);
      here.restore();
      agree('seats', before + 1, spread({ by: 'cpu' }).seats.length);
    } finally {
      if (absent !== undefined) switchCpu(comes, false);
    }
    return `CPU ${comes}`;
  });
}

async function otherThreads(): Promise<void> {
  const worker = new Worker(fileURLToPath(new URL('./silent-worker.mjs', import.meta.url)));
  const [tid] = (await once(worker, 'message')) as [number];
  const bits = (): string => recorded(tid)?.bits ?? '';
  const there = (): CpuSet => (recorded(tid)?.allowed ?? CpuSet.empty).intersect(online());
  const asBorn = bits();

  await found.check('another thread gets the online part of its set, and keeps that when the rest comes back', () => {
    for (const { stays, goes } of pairs) {
      whileOffline([goes], () => {
        const [placed] = setThreadAffinity(tid, [stays, goes]);
        agree('told', `${stays} without ${goes}`, `${placed?.after} without ${placed?.dropped}`);
        agree('the kernel allows', stays, there());
      });
      agree('the kernel allows when it is back', stays, there());
      setThreadAffinity(tid, start);
    }
    return `in ${pairs.length} of ${groups.length} groups`;
  });

  await found.check(
    'another thread is not placed on offline CPUs only, nor with it the others that were meant; their sets are as they were',
    () => {
      // Not `mine`: Linux before 6.2 has left out of it what was offline when a set ended.
      const own = allowed();
      for (const { stays, goes } of pairs) {
        setThreadAffinity(tid, [stays, goes]);
        const before = bits();
        whileOffline([goes], () => {
          agree(
            'the placing',
            'ERR_AFFINITY_OFFLINE',
            errorCode(() => setThreadAffinity([process.pid, tid], [goes])),
          );
          agree('the kernel allows', stays, there());
          agree('the calling thread', own.minus(CpuSet.of([goes])), allowed());
        });
        agree('its bits', before, bits());
      }
      setThreadAffinity(tid, start);
      agree('affinity()', own, affinity());
      return `in ${pairs.length} of ${groups.length} groups, born with ${asBorn}`;
    },
  );
  await worker.terminate();
}

async function numbering(): Promise<void> {
  await found.check('groups and bits do not move when CPUs come and go', () => {
    const looks: string[] = [];
    for (const { goes } of pairs) whileOffline([goes], () => looks.push(layout()));
    const absent = switchable.filter((cpu) => !start.has(cpu)).slice(-2);
    for (const cpu of absent) {
      switchCpu(cpu, true);
      looks.push(layout());
    }
    for (const cpu of absent) switchCpu(cpu, false);
    looks.push(layout());
    for (const look of looks) agree('the groups', startLayout, look);
    return `the same in ${looks.length} states`;
  });

  await found.check('a process that starts while CPUs are offline forms the same groups', () => {
    const fresh = (): string => {
      const { groups } = JSON.parse(execFileSync(process.execPath, [main, 'topology', '--json'], { encoding: 'utf8' })) as {
        groups: { cpus: string }[];
      };
      return JSON.stringify(groups.map(({ cpus }) => fromList(cpus).join()));
    };
    const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
    agree('the groups of a process started now', startLayout, fresh());
    const gone = pairs.map(({ goes }) => goes);
    whileOffline(gone, () => agree(`the groups of a process started without ${gone.join()}`, startLayout, fresh()));
    return `without ${gone.join()}`;
  });
}

/** Before 6.2 Linux gives every thread of a cpuset all of it when one of its CPUs comes or goes. */
async function inCpuset(): Promise<void> {
  await found.check('in a cpuset, affinity() tells what a CPU that comes and goes has left of a pin', () => {
    for (const { stays, goes } of pairs) {
      const here = pin([stays]);
      whileOffline([goes], () => agree('affinity()', allowed(), affinity()));
      agree('affinity() when it is back', allowed(), affinity());
      here.restore();
      agree('affinity() after the pin', mine, affinity());
    }
    return `in ${pairs.length} of ${groups.length} groups`;
  });
}

await numbering();
if (mine.equals(start)) {
  await wherePlaced();
  await otherThreads();
} else await inCpuset();
if (String(online()) !== String(start)) found.add('the machine as it was', 'fail', `${online()} online, not ${start}`);
process.stdout.write(JSON.stringify(found.checks));
