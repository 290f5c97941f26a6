/** Starts the program, in an environment that places every Node process and worker below. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { native, Outcome } from '../binding.ts';
import { orderVariable, withPlacing } from './environment.ts';
import type { Order } from './order.ts';

/** How a program ended, by a signal's number if by one; or why it didn't start: an errno's name. */
export type Ending = { readonly status: number } | { readonly signal: number } | { readonly code: string };

const errnoName = (errno: number): string => Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `error ${errno}`;

function setOut(order: Order): void {
  process.env[orderVariable] = JSON.stringify(order);
  process.env['NODE_OPTIONS'] = withPlacing(process.env['NODE_OPTIONS']);
}

/** ms: what the program sent before its end has come by then; and so often, where others go on sending. */
const quiet = 100;
const rounds = 10;

/**
 * Messages between the program and this process's parent. What it returns is for the program's end, and resolves when all that
 * was sent before has left: others may have the program's end of the channel, and keep it open.
 */
function relay(child: ChildProcess): () => Promise<void> {
  let sent = Promise.resolve();
  process.on('message', (message: unknown, handle: unknown) => {
    // It may have ended meanwhile.
    if (child.connected) child.send(message as never, handle as never, undefined, () => {});
  });
  child.on('message', (message, handle) => {
    const before = sent;
    sent = new Promise((done) => {
      process.send?.(message, handle, undefined, () => done(before));
    });
  });
  process.once('disconnect', () => {
    if (child.connected) child.disconnect();
  });
  const leave = (): void => {
    if (process.connected) process.disconnect();
  };
  child.once('disconnect', () => void sent.finally(leave));
  return async () => {
    const closed = new Promise((resolve) => child.once('disconnect', resolve));
    let before;
    for (let round = 0; round < rounds && child.connected && sent !== before; round += 1) {
      before = sent;
      await Promise.race([closed, pause(quiet, undefined, { ref: false })]);
      // What came meanwhile is read after that, where this thread was late.
      await turn();
    }
    // Of a message that was cut it would wait for the rest.
    child.channel?.unref();
    if (child.connected) child.disconnect();
    await sent;
    leave();
  };
}

const refusal = ({ code, message }: NodeJS.ErrnoException): Ending => ({ code: code ?? message });

async function supervise([file = '', ...args]: readonly string[], onStart: (process: number) => void): Promise<Ending> {
  native.catchSignals();
  const channel = process.channel !== undefined;
  const mode = native.firstEnvironment().find((variable) => variable.startsWith('NODE_CHANNEL_SERIALIZATION_MODE='));
  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      stdio: channel ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
      serialization: mode?.endsWith('=advanced') === true ? 'advanced' : 'json',
    });
  } catch (error) {
    return refusal(error as NodeJS.ErrnoException);
  }
  const relayed = channel ? relay(child) : undefined;
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException];
    return refusal(error);
  }
  // Whatever else fails: its end is what counts.
  child.on('error', () => {});
  native.handSignalsTo(child.pid);
  onStart(child.pid);
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('exit', (...ending) => resolve(ending));
  });
  native.handSignalsTo(0);
  await relayed?.();
  // Node has no name for some signals, and no word of them then.
  const by = signal === null ? native.killedBy() : constants.signals[signal];
  return by === 0 ? { status: status ?? 1 } : { signal: by };
}

/**
 * Runs the program. Where it can, this process becomes it, and never comes back: the program has its number, parent,
 * terminal and files, so that signals and its ending need nobody between. It stays, and passes on signals and messages,
 * where it is to watch the program, where it has a channel to its parent, and where the system knows no such thing.
 *
 * @param onStart Told the program's number, if this process stays.
 */
export async function launch(order: Order, command: readonly string[], onStart: (process: number) => void): Promise<Ending> {
  if (order.report === undefined && process.channel === undefined) {
    setOut({ ...order, stays: false });
    const { outcome, osError } = native.become(command);
    if (outcome !== Outcome.unsupported) return { code: errnoName(osError) };
  }
  setOut(order);
  return supervise(command, onStart);
}

/** Ends this process as the program ended. */
export const endBy = (signal: NodeJS.Signals | number): void =>
  native.endBySignal(typeof signal === 'number' ? signal : constants.signals[signal]);
