/**
 * One piece of work, done by us and by others: tell the calling thread's affinity and set another one. In this process all
 * are interleaved with the floor, in one order after the other; Python has its own process and its own floor there.
 */
import { spawnSync } from 'node:child_process';
import { CpuSet } from 'groupaffinity';
import type { Estimate } from '../../lib/bench/result.ts';
import { native } from '../../lib/binding.ts';
import { table } from '../../lib/cli/table.ts';
import { Unavailable } from '../lab/lab.ts';
import { bareExchanges, startingFrom, switches, words } from './floor.ts';
import { failed, modesHere, pinAndRestore, set, setAndRevert, type Mode, type Peer } from './ours.ts';
import * as obtain from './peers/obtain.ts';
import { shown, type Options, type Report } from './report.ts';
import { compare, estimate, median, timed, type Work } from './rounds.ts';

function byNodeAffinity(peer: obtain.NodeAffinity): Peer {
  return (mode) => {
    const [first, second] = [mode.first, mode.second].map((cpus) => {
      if (cpus.toMask() > 0x7fff_ffffn) throw new Unavailable('its masks end at CPU 30');
      return Number(cpus.toMask());
    }) as [number, number];
    let before = 0;
    return timed((count) => {
      for (let i = 0; i < count; i += 1) {
        before = peer.getAffinity();
        if (before === -1) throw new Error('nodeaffinity: getAffinity failed');
        if (peer.setAffinity(i % 2 === 0 ? first : second) === -1) throw new Error('nodeaffinity: setAffinity failed');
      }
    });
  };
}

/** With prepared memory, handed over by its address: of koffi's ways the fastest. */
function byKoffi(koffi: obtain.Koffi): Peer {
  const libc = koffi.load(null);
  const get = libc.func('int sched_getaffinity(int, size_t, void *)');
  const put = libc.func('int sched_setaffinity(int, size_t, const void *)');
  const bytes = native.maskWords * 8;
  const prepare = (mask: bigint): { address: bigint; view: BigUint64Array } => {
    const memory = koffi.alloc('uint64_t', native.maskWords);
    const view = new BigUint64Array(koffi.view(memory, bytes));
    view.set(words(mask));
    return { address: koffi.address(memory), view };
  };
  return (mode) => {
    const [first, second, previous] = [prepare(mode.first.toMask()), prepare(mode.second.toMask()), prepare(0n)];
    const [one, other, target] = [first.address, second.address, previous.address];
    let before = 0n;
    return timed((count) => {
      for (let i = 0; i < count; i += 1) {
        if (get(0, bytes, target) < 0) throw new Error('koffi: sched_getaffinity failed');
        if (put(0, bytes, i % 2 === 0 ? one : other) !== 0) throw new Error('koffi: sched_setaffinity failed');
        before = previous.view[0] as bigint;
      }
      if (before === 0n) throw new Error('koffi: the previous affinity is empty');
    });
  };
}

function byLibuv(libuv: obtain.Libuv): Peer {
  const bytes = (set: CpuSet): Uint8Array => Uint8Array.from({ length: libuv.maskSize }, (_, cpu) => Number(set.has(cpu)));
  return ({ first, second }) => {
    const [one, other, previous] = [bytes(first), bytes(second), bytes(CpuSet.empty)];
    return (count) => {
      const nanoseconds = libuv.exchanges(one, other, previous, count);
      if (nanoseconds < 0) throw failed('uv_thread_setaffinity', nanoseconds);
      return nanoseconds;
    };
  };
}

const byTaskset: Peer = ({ first, second }) => {
  const [one, other] = [first, second].map((cpus) => cpus.toMask().toString(16)) as [string, string];
  const self = String(process.pid);
  return timed((count) => {
    for (let i = 0; i < count; i += 1) {
      const { status, stdout } = spawnSync('taskset', ['-p', i % 2 === 0 ? one : other, self], { encoding: 'utf8' });
      if (status !== 0 || !stdout.includes('current affinity mask')) throw failed('taskset', status ?? -1);
    }
  });
};

/** One row of the table: in each mode a ratio, or why there is none. */
interface Row {
  readonly name: string;
  readonly modes: Record<string, { ratio: Estimate; nanoseconds: number; disturbed?: number } | { missing: string }>;
}

const cell = (of: Row['modes'][string] | undefined): string =>
  of === undefined ? '' : 'missing' in of ? '–' : shown(of.ratio, of.ratio.value < 100 ? 2 : 0);

interface PythonTold {
  readonly version: string;
  readonly modes: Record<string, [floor: number, python: number][]>;
}

async function byPython(modes: readonly Mode[], rounds: number, warmup: number): Promise<Row> {
  const { library, script } = await obtain.python();
  const order = {
    library,
    maskWords: native.maskWords,
    rounds,
    warmup,
    modes: modes.map(({ name, first, second, batch, settled }) => ({ name, first: [...first], second: [...second], batch, settled })),
  };
  const { status, stdout, stderr } = spawnSync('python3', [script], { input: JSON.stringify(order), encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`python3: status ${status}\n${stderr}`);
  const told = JSON.parse(stdout) as PythonTold;
  return {
    name: `Python ${told.version}: os.sched_getaffinity, os.sched_setaffinity`,
    modes: Object.fromEntries(
      Object.entries(told.modes).map(([name, all]) => [
        name,
        {
          ratio: estimate(all.map(([floor, python]) => python / floor)),
          nanoseconds: median(all.map(([, python]) => python)),
        },
      ]),
    ),
  };
}

export async function run({ rounds = 400 }: Options): Promise<Report> {
  const modes = modesHere();
  const ours = 'groupaffinity: Set, the previous affinity read';
  const peers = new Map<string, Peer>([
    [ours, set],
    ['groupaffinity: Set and Revert, a pair against two', setAndRevert],
    ['groupaffinity: pin and restore, a pair against two', pinAndRestore],
  ]);
  const missing: { name: string; reason: string }[] = [];
  const had = async <T>(name: string, get: () => Promise<T>, use: (got: T) => void): Promise<void> => {
    try {
      use(await get());
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      missing.push({ name, reason: error.message });
    }
  };
  await had(
    'nodeaffinity 1.1.0',
    () => obtain.nodeAffinity('1.1.0'),
    (got) => peers.set('nodeaffinity 1.1.0: getAffinity, setAffinity', byNodeAffinity(got)),
  );
  await had(
    'koffi 3.3.4',
    () => obtain.koffi('3.3.4'),
    (got) => peers.set('koffi 3.3.4: sched_getaffinity, sched_setaffinity', byKoffi(got)),
  );
  await had('libuv', obtain.libuv, (got) => peers.set(`libuv ${process.versions.uv}: uv_thread_setaffinity, from C`, byLibuv(got)));
  let tasksetName: string | undefined;
  await had('taskset', obtain.taskset, (version) => (tasksetName = `taskset ${version}, by spawnSync`));

  const rows = new Map<string, Row>();
  const rowOf = (name: string): Row => {
    const row = rows.get(name) ?? { name, modes: {} };
    rows.set(name, row);
    return row;
  };
  const floors: Record<string, Estimate> = {};
  for (const mode of modes) {
    const { name, first, second, batch, settled } = mode;
    const prepared = (work: Work): Work => startingFrom(second.toMask(), work);
    const cases: Record<string, Work> = {};
    for (const [peer, prepare] of peers) {
      try {
        cases[peer] = prepared(prepare(mode));
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        rowOf(peer).modes[name] = { missing: error.message };
        missing.push({ name: `${peer}, ${mode.about}`, reason: error.message });
      }
    }
    const floor = prepared(bareExchanges(first.toMask(), second.toMask()));
    const compared = compare({ floor, cases, batch, rounds, ...(settled ? { switches } : {}) });
    floors[name] = compared.floor;
    for (const [peer, of] of compared.cases) rowOf(peer).modes[name] = of;
    if (tasksetName !== undefined) {
      const processes = compare({
        floor,
        cases: { taskset: prepared(byTaskset(mode)) },
        batch: 2,
        rounds: Math.min(rounds, 40),
        warmup: 4,
      });
      const of = processes.cases.get('taskset');
      if (of !== undefined) rowOf(tasksetName).modes[name] = of;
    }
  }
  await had(
    'Python',
    () => byPython(modes, rounds, 10_000),
    (row) => rows.set(row.name, row),
  );

  const mine = rows.get(ours)?.modes ?? {};
  const behind = [...rows.values()].flatMap(({ name, modes: of }) =>
    name.startsWith('groupaffinity')
      ? []
      : modes.flatMap((mode) => {
          const [our, their] = [mine[mode.name], of[mode.name]];
          if (our === undefined || their === undefined || 'missing' in our || 'missing' in their) return [];
          return our.ratio.high < their.ratio.low ? [] : [`${name}, ${mode.about}: ${shown(their.ratio)}, we ${shown(our.ratio)}`];
        }),
  );
  const heads = ['get and set, against the bare system calls', ...modes.map(({ about }) => about)];
  const floorCells = modes.map(({ name }) => {
    const { value, low, high } = floors[name] as Estimate;
    return `1 = ${value.toFixed(0)} ns (${low.toFixed(0)} to ${high.toFixed(0)})`;
  });
  const lines = [
    table(heads, [
      ['the floor: two system calls from C', ...floorCells],
      ...[...rows.values()].map((row) => [row.name, ...modes.map(({ name }) => cell(row.modes[name]))]),
    ]),
    '',
    `Medians of the ratios in ${rounds} rounds, with their 95 % intervals.`,
    ...missing.map(({ name, reason }) => `not here: ${name}: ${reason}`),
    behind.length === 0 ? 'Ahead of every peer that is here, in every mode.' : `Not ahead of:\n  ${behind.join('\n  ')}`,
  ];
  return {
    text: lines.join('\n'),
    document: { rounds, modes: modes.map(({ name, about }) => ({ name, about })), floors, rows: [...rows.values()], missing, behind },
  };
}
