/**
 * Structured logging through pino, to stderr or stdout as the caller wants. Under journald each line begins with `<N>`,
 * the syslog priority (sd-daemon(3)), so that `journalctl -p err` works.
 */
import pino from 'pino';
import { type LogLevel, LogLevels } from './log-levels.ts';

/** Structured fields first, then the phrase that people grep for. */
export interface Logger {
  trace(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export const silentLogger: Logger = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

/** sd-daemon(3) priorities for pino's numeric levels. */
const PRIORITY: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };

export interface LoggerOptions {
  /** Levels that may change later, or one for good. */
  readonly level: LogLevel | LogLevels;
  readonly destination: { write(line: string): void };
  /** Prefix `<N>` for journald. */
  readonly journal: boolean;
}

/** A child with the field `room` follows the level of that room. */
export function createLogger({ level, destination, journal }: LoggerOptions): Logger {
  const sink = journal
    ? {
        write(line: string): void {
          const priority = PRIORITY[Number(/"level":(\d+)/.exec(line)?.[1])] ?? 6;
          destination.write(`<${priority}>${line}`);
        },
      }
    : destination;
  const writer = pino(
    {
      level: 'trace',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['token', 'secret', 'password', '*.token', '*.secret', '*.password'], censor: '[redacted]' },
    },
    sink,
  ) as unknown as Logger;
  return filtered(writer, typeof level === 'string' ? new LogLevels(level) : level, null);
}

/** Asks the levels at every line, so that a change of them reaches all loggers there are. */
function filtered(writer: Logger, levels: LogLevels, room: string | null): Logger {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      if (levels.allows(room, level)) writer[level](fields, message);
    };
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) =>
      filtered(writer.child(fields), levels, 'room' in fields && typeof fields.room === 'string' ? fields.room : room),
  };
}
