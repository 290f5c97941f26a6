import { getPriority } from 'node:os';
import { native } from '../binding.ts';
import {
  STOR_THREAD_PRIORITY,
  StorPortCreateSystemThread,
  StorPortSetPriorityThread,
  StorPortTerminateSystemThread,
  StorPortWaitForSingleObject,
  type ThreadContext,
} from '../storport/index.ts';
import { APC_LEVEL, DISPATCH_LEVEL, KeLowerIrql, KeRaiseIrql } from '../storport/wdm.ts';
import { withAffinity } from '../threads/pin.ts';
import { Actor, routineFile } from './actor.ts';
import { affinity, pages, settled, twoCpus, type Claim, type Need } from './claim.ts';
import { alike, at, exactly, extension, fields, junk, on, revert, set, structure, told, where, word } from './look.ts';
import type { Stage } from './stage.ts';

const { StorThreadPriorityBackground: background, StorThreadPriorityNormal: normal } = STOR_THREAD_PRIORITY;

/** What every priority stands for. */
const levels = [7, 8, 12, 13, 14, 15, 18];

const setPriority = (context: ThreadContext | null, priority: number): string =>
  word(StorPortSetPriorityThread(extension, context, priority));

const wait = (context: ThreadContext | null, timeout: bigint | null): string =>
  word(StorPortWaitForSingleObject(extension, context, false, timeout === null ? null : { value: timeout }));

function atLevel(level: number, tell: () => string): string {
  const old = { value: 0 };
  KeRaiseIrql(level, old);
  try {
    return tell();
  } finally {
    KeLowerIrql(old.value);
  }
}

/** A thread's level by this library, and what the operating system's nice value says of it where there is one. */
function level(thread: number, { can }: Stage): string {
  const own = native.threadLevel(thread);
  if (can.platform !== 'linux' || own === null || own >= 16) return String(own);
  const nice = getPriority(thread);
  const [low, high] = [own < 8 ? nice > 0 : nice <= 0, own > 8 ? nice < 0 : nice >= 0];
  return low && high ? String(own) : `${own} but nice ${nice}`;
}

const maximum = ({ groups }: Stage): number => groups.reduce((sum, group) => sum + group.maximum.toString(2).replaceAll('0', '').length, 0);

/** A thread is made at the normal level at least, and what was lowered may only be raised with the right to. */
const normalLevel: Need = ({ can, isRoot }) => {
  const level = can.affinity ? (native.threadLevel(native.currentThread()) ?? 8) : 8;
  return level >= 8 || isRoot ? undefined : `this process runs at level ${level} and may not raise a thread to 8`;
};

const fewProcessors: Need = (stage) =>
  maximum(stage) <= 16 ? undefined : `would start ${maximum(stage)} threads at once; checked on machines of up to 16 processors`;

/** Of 100 ns in a ms. */
const unit = 10_000n;
/** Of 100 ns between 1601 and 1970. */
const epoch = 116_444_736_000_000_000n;

function timed(timeout: () => bigint, context: ThreadContext): string {
  const begun = performance.now();
  const status = wait(context, timeout());
  const took = performance.now() - begun;
  // A clock may be read a little before the wait begins.
  return `${status} ${took >= 38 ? 'after the time' : `after ${took.toFixed(1)} of 40 ms`}`;
}

export const threadClaims: readonly Claim[] = [
  {
    id: 'threads.create',
    sentence: 'A system thread is a thread of the operating system of its own; it runs the start routine with StartContext.',
    source: `${pages.create}, Remarks`,
    needs: [affinity, normalLevel],
    expected: 'SUCCESS, another thread, report, SUCCESS',
    observe: () => {
      const actor = new Actor('report');
      const { thread, words } = actor.report();
      const other = thread !== native.currentThread() && thread === actor.thread && native.readThread(thread) !== null;
      return told(actor.status, other ? 'another thread' : `thread ${thread}`, words, actor.end());
    },
  },
  {
    id: 'threads.create-without-context',
    sentence: 'ThreadContext and Priority may be NULL.',
    source: `${pages.create}, Parameters`,
    needs: [affinity, normalLevel],
    expected: 'SUCCESS',
    observe: () => word(StorPortCreateSystemThread({}, routineFile, { task: 'nap', memory: new SharedArrayBuffer(64) }, null, null)),
  },
  {
    id: 'threads.create-null',
    sentence: 'A device extension or a start routine of NULL is refused.',
    source: `${pages.create}, Return value`,
    needs: [affinity, normalLevel],
    expected: 'INVALID_PARAMETER, INVALID_PARAMETER, no context',
    observe: () => {
      const context: { value: ThreadContext | null } = { value: null };
      return told(
        word(StorPortCreateSystemThread(null, routineFile, null, null, context)),
        word(StorPortCreateSystemThread(extension, null, null, null, context)),
        context.value === null ? 'no context' : 'a context',
      );
    },
  },
  {
    id: 'threads.create-bad-priority',
    sentence: 'A priority that is none of the seven is refused.',
    source: `${pages.create}, Priority`,
    needs: [affinity, normalLevel],
    expected: 'INVALID_PARAMETER',
    observe: () =>
      alike(
        [-1, 7, 0.5, Number.NaN].map((priority) =>
          word(StorPortCreateSystemThread(extension, routineFile, null, { value: priority }, null)),
        ),
      ),
  },
  {
    id: 'threads.user-affinity',
    sentence: "A new thread starts with its creator's user affinity, never with the system affinity over it.",
    source: settled(pages.create),
    needs: [affinity, normalLevel],
    expected: ({ other, start, bits }) => told(on(other), start, bits, 'SUCCESS'),
    observe: ({ other }) => {
      const before = structure();
      set(at(other), before);
      const creator = where();
      const actor = new Actor('report');
      const { where: place, bits } = actor.report();
      actor.end();
      return told(creator, place, bits, revert(before));
    },
  },
  {
    id: 'threads.user-affinity-pinned',
    sentence: 'A pin below the system affinity is the user affinity that a new thread starts with.',
    source: settled(pages.create),
    needs: [affinity, normalLevel, twoCpus],
    expected: ({ one, other, start }) => told(on(one), on(other), start),
    observe: ({ one, other }) => {
      const seen = withAffinity([other], () => {
        const before = structure();
        set(at(one), before);
        const creator = where();
        const actor = new Actor('report');
        const { where: place } = actor.report();
        actor.end();
        revert(before);
        return told(creator, place);
      });
      return told(seen, where());
    },
  },
  {
    id: 'threads.passive',
    sentence: 'A thread runs at PASSIVE_LEVEL whatever its priority, and whatever level its creator is at.',
    source: `${pages.create}, Remarks`,
    needs: [affinity, normalLevel],
    expected: 'level 0, level 0',
    observe: () => {
      const own = new Actor('report', { priority: background });
      const first = `level ${own.report().irql}`;
      const second = atLevel(APC_LEVEL, () => `level ${new Actor('report').report().irql}`);
      return told(first, second);
    },
  },
  {
    id: 'threads.own-context',
    sentence: 'A ThreadContext of NULL is the calling thread; so is its own context.',
    source: `${pages.set} and ${pages.revert}, ThreadContext`,
    needs: [affinity, normalLevel],
    expected: 'SUCCESS, there, SUCCESS',
    observe: () => new Actor('own-context').report().words,
  },
  {
    id: 'threads.other-context',
    sentence: "Another thread's context is refused by set and revert, and neither thread is changed.",
    source: settled(pages.set),
    needs: [affinity, normalLevel],
    expected: ({ start, bits }) => told('INVALID_PARAMETER', '0:0x0', 'INVALID_PARAMETER', start, 'the other as it was', bits),
    observe: ({ other }) => {
      const actor = new Actor('report');
      const { thread, bits } = actor.report();
      const previous = junk();
      const seen = told(set(at(other), previous, actor.context), fields(previous), revert(structure(), actor.context), where());
      const allowed = native.readThread(thread)?.allowed ?? 0n;
      return told(seen, `0x${allowed.toString(16)}` === bits ? 'the other as it was' : 'the other changed', exactly());
    },
  },
  {
    id: 'threads.wrong-context',
    sentence: 'The context of a thread that has ended, and one that was never given out, are refused everywhere.',
    source: settled(pages.set),
    needs: [affinity, normalLevel],
    expected: ({ start }) => told('INVALID_PARAMETER', 'INVALID_PARAMETER', 'INVALID_PARAMETER', start),
    observe: ({ other }) => {
      const actor = new Actor('report');
      actor.report();
      actor.end();
      const wrong = [actor.context, { StorPortThread: 4_000_000_000 }, { StorPortThread: -1 }, {}] as ThreadContext[];
      return told(
        alike(wrong.map((context) => set(at(other), null, context))),
        alike(wrong.map((context) => revert(at(other), context))),
        alike(wrong.map((context) => setPriority(context, normal))),
        where(),
      );
    },
  },
  {
    id: 'threads.limit',
    sentence: 'An adapter has at most as many threads as there can be processors; one that ends makes room; other adapters have their own.',
    source: `${pages.create}, Remarks`,
    needs: [affinity, normalLevel, fewProcessors],
    expected: 'SUCCESS, UNSUCCESSFUL, SUCCESS for another adapter, SUCCESS after one ended',
    observe: (stage) => {
      const adapter = {};
      const actors = Array.from({ length: maximum(stage) }, () => new Actor('report', { adapter }));
      for (const actor of actors) actor.report();
      const beyond = new Actor('report', { adapter });
      const elsewhere = new Actor('report', { adapter: {} });
      actors[0]?.end();
      const again = new Actor('report', { adapter });
      return told(
        alike(actors.map(({ status }) => status)),
        beyond.status,
        `${elsewhere.status} for another adapter`,
        `${again.status} after one ended`,
      );
    },
  },
  {
    id: 'threads.terminate',
    sentence: 'A thread that terminates itself ends there and then.',
    source: `${pages.terminate}, Remarks`,
    needs: [affinity, normalLevel],
    expected: 'terminate, SUCCESS, did not return',
    observe: () => {
      const actor = new Actor('terminate');
      const { words } = actor.report();
      return told(words, wait(actor.context, -30_000n * unit), actor.survived ? 'returned' : 'did not return');
    },
  },
  {
    id: 'threads.terminate-other',
    sentence: 'No thread can end another, nor one that StorPort did not make.',
    source: `${pages.terminate}, Remarks; no effect is settled by groupaffinity`,
    needs: [affinity, normalLevel],
    expected: 'went on, UNSUCCESSFUL, here',
    observe: () => {
      const victim = new Actor('report');
      victim.report();
      const other = new Actor('terminate-other', { victim: victim.context });
      const { words } = other.report();
      StorPortTerminateSystemThread(extension, null);
      return told(words, wait(victim.context, 0n), 'here');
    },
  },
  {
    id: 'priority.normal-by-default',
    sentence: 'Without a priority a thread has the normal one, level 8.',
    source: settled(pages.create),
    needs: [affinity, normalLevel],
    expected: 'level 8',
    observe: (stage) => `level ${level(new Actor('report').report().thread, stage)}`,
  },
  {
    id: 'priority.at-create',
    sentence: 'A thread that is made with the background priority runs at level 7 in the operating system.',
    source: `${pages.create}, Priority; STOR_THREAD_PRIORITY`,
    needs: [affinity, normalLevel],
    expected: 'level 7',
    observe: (stage) => `level ${level(new Actor('report', { priority: background }).report().thread, stage)}`,
  },
  {
    id: 'priority.background',
    sentence: 'Lowering a thread to the background priority is in force in the operating system.',
    source: `${pages.priority}, Priority; STOR_THREAD_PRIORITY`,
    needs: [affinity, normalLevel],
    expected: 'level 8, SUCCESS, level 7',
    observe: (stage) => {
      const actor = new Actor('report');
      const { thread } = actor.report();
      return told(`level ${level(thread, stage)}`, setPriority(actor.context, background), `level ${level(thread, stage)}`);
    },
  },
  {
    id: 'priority.levels',
    sentence: 'Each of the seven priorities is in force at its level, or the operating system refuses it and nothing changes.',
    source: 'STOR_THREAD_PRIORITY; StorPortSetPriorityThread, Return value',
    needs: [affinity, normalLevel],
    expected: 'each in force or refused',
    observe: (stage) => {
      const actor = new Actor('report');
      const { thread } = actor.report();
      const wrong = levels.flatMap((documented, priority) => {
        const before = level(thread, stage);
        const status = setPriority(actor.context, priority);
        const now = level(thread, stage);
        // Windows has levels in steps around that of the process; the nearest below is taken.
        const near = stage.can.platform === 'windows' && Number(now) <= documented;
        const right = status === 'SUCCESS' ? now === String(documented) || near : status === 'UNSUCCESSFUL' && now === before;
        return right ? [] : [`priority ${priority}: ${status}, level ${before} then ${now}, documented ${documented}`];
      });
      return wrong.length === 0 ? 'each in force or refused' : told(...wrong);
    },
  },
  {
    id: 'priority.wrong',
    sentence: 'A priority that is none of the seven, and a ThreadContext of NULL, are refused.',
    source: `${pages.priority}, Return value`,
    needs: [affinity, normalLevel],
    expected: 'INVALID_PARAMETER, INVALID_PARAMETER, level 8',
    observe: (stage) => {
      const actor = new Actor('report');
      const { thread } = actor.report();
      const wrong = [-1, 7, 1.5, Number.NaN].map((priority) => setPriority(actor.context, priority));
      return told(alike(wrong), setPriority(null, normal), `level ${level(thread, stage)}`);
    },
  },
  {
    id: 'priority.irql',
    sentence: 'Above PASSIVE_LEVEL a priority is refused with INVALID_IRQL and stays.',
    source: `${pages.priority}, Return value`,
    needs: [affinity, normalLevel],
    expected: 'INVALID_IRQL, INVALID_IRQL, level 8',
    observe: (stage) => {
      const actor = new Actor('report');
      const { thread } = actor.report();
      const raised = [APC_LEVEL, DISPATCH_LEVEL].map((irql) => atLevel(irql, () => setPriority(actor.context, background)));
      return told(...raised, `level ${level(thread, stage)}`);
    },
  },
  {
    id: 'wait.poll',
    sentence: 'A timeout of zero looks without waiting: UNSUCCESSFUL while the thread runs, SUCCESS when it has ended.',
    source: `${pages.wait}, Timeout; the code is settled by groupaffinity`,
    needs: [affinity, normalLevel],
    expected: 'UNSUCCESSFUL, SUCCESS, SUCCESS',
    observe: () => {
      const actor = new Actor('report');
      actor.report();
      return told(wait(actor.context, 0n), actor.end(), wait(actor.context, 0n));
    },
  },
  {
    id: 'wait.relative',
    sentence: 'A timeout below zero counts from now, in units of 100 ns.',
    source: `${pages.wait}, Timeout`,
    needs: [affinity, normalLevel],
    expected: 'UNSUCCESSFUL after the time',
    observe: () => {
      const actor = new Actor('report');
      actor.report();
      return timed(() => -40n * unit, actor.context);
    },
  },
  {
    id: 'wait.absolute',
    sentence: 'A timeout above zero is a time, counted from 1601.',
    source: `${pages.wait}, Timeout`,
    needs: [affinity, normalLevel],
    expected: 'UNSUCCESSFUL after the time, UNSUCCESSFUL',
    observe: () => {
      const actor = new Actor('report');
      actor.report();
      return told(
        timed(() => (BigInt(Date.now()) + 40n) * unit + epoch, actor.context),
        wait(actor.context, 1n),
      );
    },
  },
  {
    id: 'wait.forever',
    sentence: 'Without a timeout the wait lasts until the thread has ended.',
    source: `${pages.wait}, Timeout`,
    needs: [affinity, normalLevel],
    expected: 'UNSUCCESSFUL, SUCCESS, gone',
    observe: () => {
      const actor = new Actor('nap');
      const { thread } = actor;
      const running = wait(actor.context, 0n);
      const ended = wait(actor.context, null);
      // The operating system takes the thread down a moment after its environment.
      const wall = performance.now() + 5000;
      while (native.readThread(thread) !== null && performance.now() < wall)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      return told(running, ended, native.readThread(thread) === null ? 'gone' : 'still there');
    },
  },
  {
    id: 'wait.irql',
    sentence: 'At DISPATCH_LEVEL a wait may look only; a wait that would block is refused.',
    source: `${pages.wait}, IRQL; the code is settled by groupaffinity`,
    needs: [affinity, normalLevel],
    expected: 'SUCCESS, UNSUCCESSFUL, UNSUCCESSFUL',
    observe: () => {
      const actor = new Actor('report');
      actor.report();
      actor.end();
      return atLevel(DISPATCH_LEVEL, () => told(wait(actor.context, 0n), wait(actor.context, -1n), wait(actor.context, null)));
    },
  },
  {
    id: 'wait.wrong',
    sentence: 'NULL and what is no thread are refused.',
    source: `${pages.wait}, Return value`,
    needs: [affinity, normalLevel],
    expected: 'INVALID_PARAMETER',
    observe: () => {
      const wrong = [null, {}, { StorPortThread: 4_000_000_000 }] as (ThreadContext | null)[];
      return alike(wrong.map((context) => wait(context, 0n)));
    },
  },
];
