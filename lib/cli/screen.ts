/** Draws again and again, as top does: on the whole terminal, or one after the other where there is none. */

const enter = '\u001b[?1049h\u001b[?25l';
const leave = '\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const restOfLine = '\u001b[K';
const restOfScreen = '\u001b[J';

/** What a frame may fill; no bounds where the output is no terminal. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

const ending = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
export type EndingSignal = (typeof ending)[number];

/** Lines as far as there is room; the last one says how many there are beyond. */
function fitted(text: string, { columns, rows }: Room): string[] {
  const lines = text.split('\n').map((line) => Array.from(line).slice(0, columns).join(''));
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`];
}

/**
 * Draws a frame every so many seconds, and when the terminal's size changes, until there is none, the reader goes away,
 * or a signal comes. Whatever happens, the terminal is as it was afterwards; Ctrl-Z gives it back meanwhile.
 *
 * @returns the signal, if that ended it.
 */
export async function redraw(seconds: number, frame: (room: Room) => string | undefined): Promise<EndingSignal | undefined> {
  const { stdout } = process;
  const terminal = stdout.isTTY;
  const now: { shown: boolean; ended: boolean; signal: EndingSignal | undefined; wake: () => void } = {
    shown: false,
    ended: false,
    signal: undefined,
    wake: () => {},
  };

  const show = (): void => {
    if (terminal && !now.shown) stdout.write(enter);
    now.shown = true;
  };
  const hide = (): void => {
    if (terminal && now.shown) stdout.write(leave);
    now.shown = false;
  };
  const end = (): void => {
    now.ended = true;
    now.wake();
  };
  const bySignal = (name: EndingSignal): void => {
    now.signal ??= name;
    end();
  };
  const suspend = (): void => {
    hide();
    process.kill(process.pid, 'SIGSTOP');
  };
  const again = (): void => now.wake();

  for (const name of ending) process.on(name, bySignal);
  if (terminal) process.on('SIGTSTP', suspend).on('SIGCONT', again);
  process.on('exit', hide);
  stdout.on('resize', again).on('error', end);
  try {
    while (!now.ended) {
      const room = { columns: stdout.columns || 80, rows: stdout.rows || 24 };
      const text = frame(terminal ? room : { columns: Infinity, rows: Infinity });
      if (text === undefined) break;
      show();
      if (terminal)
        stdout.write(
          `${home}${fitted(text, room)
            .map((line) => `${line}${restOfLine}`)
            .join('\n')}${restOfScreen}`,
        );
      else stdout.write(`${text}\n\n`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);
        now.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    hide();
    for (const name of ending) process.off(name, bySignal);
    process.off('SIGTSTP', suspend).off('SIGCONT', again).off('exit', hide);
    stdout.off('resize', again).off('error', end);
  }
  return now.signal;
}
