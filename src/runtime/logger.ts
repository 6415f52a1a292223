/**
 * Structured logging through pino, to stderr or stdout as the caller wants. Under journald each line begins with `<N>`,
 * the syslog priority (sd-daemon(3)), so that `journalctl -p err` works.
 */
import pino from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

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
  readonly level: LogLevel;
  readonly destination: { write(line: string): void };
  /** Prefix `<N>` for journald. */
  readonly journal: boolean;
}

export function createLogger({ level, destination, journal }: LoggerOptions): Logger {
  const sink = journal
    ? {
        write(line: string): void {
          const priority = PRIORITY[Number(/"level":(\d+)/.exec(line)?.[1])] ?? 6;
          destination.write(`<${priority}>${line}`);
        },
      }
    : destination;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['token', 'secret', 'password', '*.token', '*.secret', '*.password'], censor: '[redacted]' },
    },
    sink,
  ) as unknown as Logger;
}
