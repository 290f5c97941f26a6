/**
 * Threads where they were put, on any machine: workers seated by every unit, what becomes of their seats, pins in every
 * wording, and system threads with their priorities. Each is seen by a second path where there is one (record.ts).
 * Writes JSON to standard output: `[{ name, verdict, observed }]`.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { affinity, CpuSet, currentCpu, pin, topology, withAffinity, type Where } from 'groupaffinity';
import {
  STOR_GROUP_AFFINITY,
  STOR_THREAD_PRIORITY,
  storStatusName,
  StorPortCreateSystemThread,
  StorPortRevertToUserGroupAffinityThread,
  StorPortSetPriorityThread,
  StorPortSetSystemGroupAffinityThread,
  StorPortWaitForSingleObject,
  type ThreadContext,
} from 'groupaffinity/storport';
import { sitters, spread, workerOptions, type Plan, type Unit } from 'groupaffinity/workers';
import { errorCode } from '../error-code.ts';
import { Found } from '../lab.ts';
import { words, type Order, type Sighting } from '../placement-protocol.ts';
import { allRecorded, recorded } from '../record.ts';

const found = new Found();
const machine = topology();
const { online } = machine.cpus;
const start = affinity();
const bits = (): string => recorded()?.bits ?? String(affinity());
const startBits = bits();
const cpus = start.toArray();
const [first = 0] = cpus;
const last = cpus.at(-1) ?? first;
const reach = (set: CpuSet): CpuSet => set.intersect(start);

function agree(what: string, wanted: unknown, seen: unknown): void {
  const [expected, observed] = [JSON.stringify(wanted), JSON.stringify(seen)];
  if (expected !== observed) throw new Error(`${what}: ${observed}, not ${expected}`);
}

// Workers.

const seatedWorker = new URL('./seated-worker.mjs', import.meta.url);

class Seated {
  readonly worker: Worker;
  readonly #ended: Promise<number>;

  constructor(file: URL | string, options: WorkerOptions) {
    this.worker = new Worker(file, options);
    this.worker.on('error', () => undefined);
    this.#ended = new Promise((ended) => {
      this.worker.once('exit', ended);
    });
  }

  async told(): Promise<Sighting> {
    const sighting = await Promise.race([once(this.worker, 'message').then(([message]) => message as Sighting), this.#ended]);
    if (typeof sighting === 'number') throw new Error(`the worker ended with ${sighting}`);
    return sighting;
  }

  async end(how: Order | 'terminate'): Promise<void> {
    if (how === 'terminate') await this.worker.terminate();
    else this.worker.postMessage(how);
    await this.#ended;
  }
}

/** Starts a worker for each seat and tells what they saw, while they still run. */
async function withSeated(plan: Plan, count: number, look: (sightings: readonly Sighting[]) => unknown): Promise<string> {
  const workers = Array.from({ length: count }, () => new Seated(seatedWorker, workerOptions(plan)));
  try {
    return String(look(await Promise.all(workers.map((worker) => worker.told()))));
  } finally {
    await Promise.all(workers.map((worker) => worker.end('close')));
  }
}

/** Whether the kernel confines a worker to its seat; a word on how that was seen. */
function byKernel({ thread }: Sighting, seat: CpuSet): string {
  if (thread === null) {
    const all = allRecorded();
    if (all.length === 0) return 'by its own calls only';
    if (!all.some(({ allowed }) => String(allowed.intersect(online)) === String(seat)))
      throw new Error(`the kernel confines no thread to ${seat}`);
    return 'by the kernel below as well';
  }
  const allowed = recorded(thread)?.allowed.intersect(online);
  agree('the kernel', String(seat), String(allowed));
  return 'by the kernel as well';
}

/** Enough to see that seats are taken in turn; more workers are a question of memory. */
const most = 4;

const units: Readonly<Record<Unit, readonly CpuSet[]>> = {
  cpu: cpus.map((cpu) => CpuSet.of([cpu])),
  core: machine.cores.map((core) => core.cpus),
  l3: machine.caches.filter(({ level, type }) => level === 3 && type !== 'instruction').map((cache) => cache.cpus),
  numa: machine.numaNodes.map((node) => node.cpus),
  group: machine.groups.map((group) => group.online),
  package: machine.packages.map((pack) => pack.cpus),
};

for (const by of Object.keys(units) as Unit[]) {
  const name = by === 'group' ? 'one worker a group, each seen in its group' : `one worker a seat by ${by}, each seen on its seat`;
  const usable = units[by].filter((unit) => reach(unit).size > 0).length;
  if (usable < (by === 'group' ? 2 : 1)) {
    found.add(name, 'skip', by === 'group' ? 'needs a second processor group' : `the operating system tells of no ${by}`);
    continue;
  }
  await found.check(name, async () => {
    const all = spread({ by });
    agree('seats of the plan', usable, all.seats.length);
    const plan = by === 'group' ? all : { ...all, seats: all.seats.slice(0, most) };
    const seen = await withSeated(plan, plan.seats.length, (sightings) => {
      agree(
        'seats',
        plan.seats.map(({ seat }) => seat),
        sightings.map(({ seat }) => seat).sort((a, b) => (a ?? -1) - (b ?? -1)),
      );
      const told = sightings.map((sighting) => {
        const seat = plan.seats[sighting.seat ?? -1];
        if (seat === undefined) throw new Error('no seat');
        agree(`seat ${seat.seat}`, String(seat.cpus), sighting.affinity);
        const strays = sighting.seen.filter((cpu) => !seat.cpus.has(cpu));
        if (strays.length > 0) throw new Error(`seat ${seat.seat} is ${seat.cpus}, and its worker was seen on ${strays.join()}`);
        if (seat.group !== null) agree(`the groups of seat ${seat.seat}`, [seat.group], sighting.groups);
        return byKernel(sighting, seat.cpus);
      });
      agree(
        'sitters',
        plan.seats.map(() => 1),
        sitters(plan),
      );
      const threads = sightings.flatMap(({ thread }) => (thread === null ? [] : [thread]));
      agree('threads', new Set(threads).size, threads.length);
      return `${plan.seats.map(({ cpus }) => `[${cpus}]`).join(' ')} ${[...new Set(told)].join()}`;
    });
    agree(
      'sitters afterwards',
      plan.seats.map(() => 0),
      sitters(plan),
    );
    return seen;
  });
}

for (const how of ['close', 'exit', 'crash', 'terminate', 'spin'] as const)
  await found.check(`a seat is free again after: ${how === 'spin' ? 'an endless loop, terminated' : how}`, async () => {
    const plan = spread({ by: 'cpu', count: 1 });
    const worker = new Seated(seatedWorker, workerOptions(plan));
    await worker.told();
    agree('sitters', [1], sitters(plan));
    if (how === 'spin') {
      worker.worker.postMessage(how);
      await new Promise((go) => {
        setTimeout(go, 100);
      });
    }
    await worker.end(how === 'spin' ? 'terminate' : how);
    agree('sitters afterwards', [0], sitters(plan));
    return withSeated(plan, 1, ([sighting]) => `seat ${sighting?.seat} again`);
  });

await found.check('an eval worker takes a seat', async () => {
  const plan = spread({ by: 'cpu' });
  const code = `
    const { seat } = require('groupaffinity/workers');
    const { affinity } = require('groupaffinity');
    const { parentPort } = require('node:worker_threads');
    parentPort.postMessage([seat().seat, String(affinity())]);
    parentPort.once('message', () => parentPort.close());`;
  const worker = new Seated(code, { eval: true, ...workerOptions(plan) });
  const told = await worker.told();
  await worker.end('close');
  agree('seat and CPUs', [0, String(plan.seats[0]?.cpus)], told);
  return `on ${plan.seats[0]?.cpus}`;
});

await found.check('beyond the seats, workers share them', async () => {
  const plan = spread({ by: 'cpu', count: 1 });
  return withSeated(plan, 3, (sightings) => {
    agree('sitters', [3], sitters(plan));
    agree(
      'sharers',
      [1, 2, 3],
      sightings.map(({ sharers }) => sharers).sort((a, b) => a - b),
    );
    return sightings.map(({ affinity }) => affinity).join(' ');
  });
});

await found.check('workers keep their seats when the main thread is pinned', async () => {
  const plan = spread({ by: 'cpu', count: Math.min(2, cpus.length) });
  return withAffinity([first], () =>
    withSeated(plan, plan.seats.length, (sightings) => {
      for (const sighting of sightings) agree('CPUs', String(plan.seats[sighting.seat ?? -1]?.cpus), sighting.affinity);
      agree('the main thread', String(first), String(affinity()));
      return sightings.map(({ affinity }) => affinity).join(' ');
    }),
  );
});

await found.check('worker by file without a plan: not seated, free to run where the process may', async () => {
  const worker = new Seated(fileURLToPath(seatedWorker), {});
  const { seat, affinity } = await worker.told();
  await worker.end('close');
  agree('seat and CPUs', [null, String(start)], [seat, affinity]);
  return `on ${affinity}`;
});

// Pins.

const place = CpuSet.of([last]).toGroups()[0] ?? { group: 0, mask: 1n };
const home = machine.groups.find((group) => group.online.has(first));
const [core] = machine.cores;
const node = machine.numaNodes.find((each) => reach(each.cpus).size > 0);
const pack = machine.packages.find(({ id, cpus }) => id !== null && reach(cpus).size > 0);

const wordings: readonly (readonly [string, Where | undefined, CpuSet])[] = [
  ['a CPU list', String(first), CpuSet.of([first])],
  ['CPU numbers', [last], CpuSet.of([last])],
  ['group and mask', place, CpuSet.of([last])],
  ['group:mask', `${place.group}:0x${place.mask.toString(16)}`, CpuSet.of([last])],
  ['a CpuSet', CpuSet.of([first]), CpuSet.of([first])],
  ['group:N', home && `group:${home.group}`, home?.online ?? CpuSet.empty],
  ['core:0', core && 'core:0', core?.cpus ?? CpuSet.empty],
  ['numa:N', node && `numa:${node.id}`, node?.cpus ?? CpuSet.empty],
  ['package:N', pack && `package:${pack.id}`, pack?.cpus ?? CpuSet.empty],
];
for (const [what, where, wanted] of wordings) {
  const name = `a pin by ${what}`;
  if (where === undefined || !wanted.isSubsetOf(start))
    found.add(name, 'skip', where === undefined ? 'the operating system tells of none' : `of CPUs ${wanted} this process may not use all`);
  else if (machine.platform === 'windows' && wanted.toGroups().length > 1) found.add(name, 'skip', `CPUs ${wanted} lie in several groups`);
  else
    await found.check(name, () => {
      const here = pin(where);
      const [own, record, { cpu }] = [affinity(), recorded(), currentCpu()];
      here.restore();
      agree('the pin', String(wanted), String(here.cpus));
      agree('its own call', String(wanted), String(own));
      if (record !== undefined) agree('the kernel', String(wanted), String(record.allowed.intersect(online)));
      if (!wanted.has(cpu)) throw new Error(`runs on ${cpu}`);
      agree('afterwards', startBits, bits());
      return `on ${wanted}`;
    });
}

await found.check('pins nest, and end in any order', () => {
  const outer = pin([first]);
  const inner = pin([last]);
  outer.restore();
  agree('inner', String(last), String(affinity()));
  inner.restore();
  agree('afterwards', startBits, bits());
});

await found.check('withAffinity holds across awaits', async () => {
  const seen = await withAffinity([last], async () => {
    await new Promise((go) => {
      setTimeout(go, 5);
    });
    return String(affinity());
  });
  agree('inside', String(last), seen);
  agree('afterwards', startBits, bits());
  return `on ${seen}`;
});

const offline = CpuSet.of(machine.groups.flatMap((group) => group.cpus)).minus(online);
if (offline.first === undefined) found.add('a pin to an offline CPU', 'skip', 'every CPU is online');
else
  found.same(
    'a pin to an offline CPU',
    'ERR_AFFINITY_OFFLINE',
    errorCode(() => pin([offline.first ?? 0])),
  );
found.same(
  'a pin to a CPU that is not there',
  'ERR_AFFINITY_UNKNOWN_CPU',
  errorCode(() => pin([65_000])),
);
found.same(
  'a pin to a group that is not there',
  'ERR_AFFINITY_UNKNOWN_GROUP',
  errorCode(() => pin(`group:${machine.groups.length}`)),
);
found.same(
  'a pin to nothing',
  'ERR_AFFINITY_EMPTY',
  errorCode(() => pin([])),
);
found.same('after errors the thread is as it was', startBits, bits());

// System threads.

const extension = {};
const minute = { value: -600_000_000n };
const invalid = 'STOR_STATUS_INVALID_PARAMETER';

interface Made {
  readonly status: string;
  readonly context: ThreadContext | null;
  readonly shared: Int32Array;
}

function make(priority: number | null): Made {
  const memory = new SharedArrayBuffer(4 * Object.keys(words).length);
  const context: { value: ThreadContext | null } = { value: null };
  const status = storStatusName(
    StorPortCreateSystemThread(
      extension,
      new URL('./start-routine.mjs', import.meta.url),
      memory,
      priority === null ? null : { value: priority },
      context,
    ),
  );
  const shared = new Int32Array(memory);
  if (context.value !== null) Atomics.wait(shared, words.told, 0, 60_000);
  return { status, context: context.value, shared };
}

function finish({ context, shared }: Made): string {
  Atomics.store(shared, words.letGo, 1);
  Atomics.notify(shared, words.letGo);
  return storStatusName(StorPortWaitForSingleObject(extension, context, false, minute));
}

/** What the kernel's scheduler makes of each priority on Linux (README, sched(7)). */
const scheduled: Readonly<Record<keyof typeof STOR_THREAD_PRIORITY, string>> = {
  StorThreadPriorityBackground: 'nice 3',
  StorThreadPriorityNormal: 'nice 0',
  StorThreadPriorityDelayed: 'nice -11',
  StorThreadPriorityCritical: 'nice -14',
  StorThreadPrioritySuperCritical: 'nice -17',
  StorThreadPriorityHyperCritical: 'nice -20',
  StorThreadPriorityRealTime: 'policy 2 priority 3',
};

for (const [name, priority] of Object.entries(STOR_THREAD_PRIORITY)) {
  const made = make(priority);
  const title = `a system thread of ${name}`;
  if (made.status === 'STOR_STATUS_UNSUCCESSFUL') {
    // Raising takes a right on Linux, real time the process's class on Windows.
    const raised =
      process.platform === 'win32' ? name === 'StorThreadPriorityRealTime' : !/^nice \d/.test(scheduled[name as keyof typeof scheduled]);
    found.add(title, raised ? 'skip' : 'fail', 'the operating system refuses this priority');
    continue;
  }
  await found.check(title, () => {
    agree('create', 'STOR_STATUS_SUCCESS', made.status);
    agree('its IRQL', 0, made.shared[words.irql]);
    const record = recorded(made.shared[words.thread] || undefined);
    if (record !== undefined) {
      agree('the kernel', scheduled[name as keyof typeof scheduled], record.priority);
      agree('its CPUs', startBits, record.bits);
    }
    agree('wait', 'STOR_STATUS_SUCCESS', finish(made));
    return record?.priority ?? 'by its own calls only';
  });
}

await found.check("a system thread takes its creator's user affinity, not the system affinity over it", () => {
  const previous = new STOR_GROUP_AFFINITY();
  const there = new STOR_GROUP_AFFINITY({ Mask: place.mask, Group: place.group });
  agree('set', 0, StorPortSetSystemGroupAffinityThread(extension, null, there, previous));
  const made = make(null);
  agree('revert', 0, StorPortRevertToUserGroupAffinityThread(extension, null, previous));
  const record = recorded(made.shared[words.thread] || undefined);
  agree('wait', 'STOR_STATUS_SUCCESS', finish(made));
  if (record !== undefined) agree('its CPUs', startBits, record.bits);
  return record === undefined ? made.status : `on ${record.allowed}`;
});

await found.check("another thread's context: good for its priority, not for Set and Revert, and for nothing when it has ended", () => {
  const made = make(STOR_THREAD_PRIORITY.StorThreadPriorityNormal);
  const there = new STOR_GROUP_AFFINITY({ Mask: place.mask, Group: place.group });
  agree('a Set by its context', invalid, storStatusName(StorPortSetSystemGroupAffinityThread(extension, made.context, there, null)));
  agree('a Revert by its context', invalid, storStatusName(StorPortRevertToUserGroupAffinityThread(extension, made.context, there)));
  const lowered = storStatusName(StorPortSetPriorityThread(extension, made.context, STOR_THREAD_PRIORITY.StorThreadPriorityBackground));
  const record = recorded(made.shared[words.thread] || undefined);
  agree('wait', 'STOR_STATUS_SUCCESS', finish(made));
  agree('lower', 'STOR_STATUS_SUCCESS', lowered);
  if (record !== undefined) agree('the kernel', scheduled.StorThreadPriorityBackground, record.priority);
  agree('afterwards', invalid, storStatusName(StorPortSetPriorityThread(extension, made.context, 1)));
  return record?.priority ?? lowered;
});

found.same('the main thread is as it was', startBits, bits());

console.log(JSON.stringify(found.checks));
