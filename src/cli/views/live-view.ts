/** What is looked at again and again: redrawn in place on a terminal, a line each time where there is none. */
import { asBridgeError } from '../../core/errors.ts';
import { sleep, systemClock } from '../../runtime/clock.ts';

export interface LiveView {
  /** A whole screen of at most `rows` lines. */
  frame(rows: number): string;
  /** One line, for where there is no terminal. */
  line(): string;
  readonly everyMs: number;
  /** The same where there is no terminal, if it differs. */
  readonly lineEveryMs?: number;
  readonly signal: AbortSignal;
}

const ESC = '\u001b';
/** A screen of its own, so that what stood in the terminal is there again afterwards; no cursor. */
const ENTER = `${ESC}[?1049h${ESC}[?25l`;
const LEAVE = `${ESC}[?25h${ESC}[?1049l`;
const HOME = `${ESC}[H`;
const CLEAR_LINE = `${ESC}[K`;
const CLEAR_BELOW = `${ESC}[J`;
const COLOUR = new RegExp(`(${ESC}\\[[0-9;]*m)`);
const UNKNOWN_ROWS = 24;
const UNKNOWN_COLUMNS = 80;

/** Resolves when the signal aborts, or nobody reads any more. */
export async function liveView(view: LiveView): Promise<void> {
  const { stdout } = process;
  const over = new AbortController();
  const end = (): void => over.abort();
  view.signal.addEventListener('abort', end);
  // As of `| head`: what is written then fails.
  stdout.on('error', end);
  if (view.signal.aborted) end();
  try {
    if (stdout.isTTY === true) await drawn(view, over.signal);
    else await again(view.lineEveryMs ?? view.everyMs, over.signal, () => stdout.write(`${attempted(view.line)}\n`));
  } finally {
    view.signal.removeEventListener('abort', end);
    stdout.off('error', end);
  }
}

async function drawn(view: LiveView, signal: AbortSignal): Promise<void> {
  const { stdout } = process;
  const draw = (): void => {
    // A terminal that does not know its size says 0.
    const [rows, columns] = [stdout.rows || UNKNOWN_ROWS, stdout.columns || UNKNOWN_COLUMNS];
    const lines = attempted(() => view.frame(rows))
      .split('\n')
      .slice(0, rows);
    const screen = lines.map((line) => clipped(line, columns) + CLEAR_LINE).join('\r\n');
    stdout.write(HOME + screen + CLEAR_BELOW);
  };
  stdout.write(ENTER);
  stdout.on('resize', draw);
  try {
    await again(view.everyMs, signal, draw);
  } finally {
    stdout.off('resize', draw);
    stdout.write(LEAVE);
  }
}

async function again(everyMs: number, signal: AbortSignal, action: () => void): Promise<void> {
  while (!signal.aborted) {
    action();
    // The end of the view ends the wait early, which is no failure.
    await sleep(systemClock, everyMs, signal).catch(() => undefined);
  }
}

/** A look that fails is told, and the next one may succeed: a database that is locked, or being replaced. */
function attempted(look: () => string): string {
  try {
    return look();
  } catch (thrown) {
    const { code, message } = asBridgeError(thrown);
    return `${code}: ${message}`;
  }
}

/** The first `columns` characters of a line, and all of its colours. */
export function clipped(line: string, columns: number): string {
  let left = columns;
  return line
    .split(COLOUR)
    .map((piece, index) => {
      if (index % 2 === 1) return piece;
      const characters = [...piece].slice(0, left);
      left -= characters.length;
      return characters.join('');
    })
    .join('');
}
