/**
 * Which lines are logged: one level for all, others for single rooms (`thingsboard`, `polling`, `line` ...). Levels may
 * change while the program runs; every logger of it follows at once.
 */
import { readFileSync } from 'node:fs';
import { asBridgeError, fail } from '../core/errors.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** The rooms that log under a name of their own. */
export const LOG_ROOMS = ['polling', 'line', 'thingsboard', 'command', 'store', 'alert'] as const;

const RANK: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Number.POSITIVE_INFINITY,
};

export interface LevelSettings {
  /** null: as the program was started. */
  readonly general: LogLevel | null;
  readonly rooms: Readonly<Record<string, LogLevel>>;
}

const NOTHING: LevelSettings = { general: null, rooms: {} };

export class LogLevels {
  private readonly initial: LogLevel;
  private file = NOTHING;
  private preferred = NOTHING;

  constructor(initial: LogLevel) {
    this.initial = initial;
  }

  allows(room: string | null, level: LogLevel): boolean {
    return RANK[level] >= RANK[this.levelOf(room)];
  }

  /** What is preferred goes before the file, and in either a room before what is general. */
  private levelOf(room: string | null): LogLevel {
    const { preferred, file } = this;
    const own = (settings: LevelSettings): LogLevel | undefined => (room === null ? undefined : settings.rooms[room]);
    return own(preferred) ?? preferred.general ?? own(file) ?? file.general ?? this.initial;
  }

  /** As the file says. */
  change(settings: LevelSettings): void {
    this.file = settings;
  }

  /** As the settings of the bridge say. */
  prefer(settings: LevelSettings): void {
    this.preferred = settings;
  }
}

/** `thingsboard=debug,line=warn`, as the pattern of the setting lets it through. */
export function roomLevelsOf(text: string): Readonly<Record<string, LogLevel>> {
  return Object.fromEntries(text.split(',').map((part) => part.split('='))) as Readonly<Record<string, LogLevel>>;
}

/** Throws USAGE. */
export function logLevelOf(text: string): LogLevel {
  return (
    LOG_LEVELS.find((known) => known === text) ?? fail('USAGE', `"${text}" is no log level: ${LOG_LEVELS.join(', ')}`)
  );
}

/**
 * A file of levels: a line `debug` for all, a line `thingsboard=debug` for a room; `#` begins a comment. A file that is
 * not there sets nothing. Throws USAGE for a line that says neither.
 */
export function readLevels(path: string): LevelSettings {
  const rooms: Record<string, LogLevel> = {};
  let general: LogLevel | null = null;
  for (const [index, line] of textOf(path).split('\n').entries()) {
    const text = line.replace(/#.*/, '').trim();
    if (text === '') continue;
    const [first = '', second] = text.split('=').map((part) => part.trim());
    const level = LOG_LEVELS.find((known) => known === (second ?? first));
    const isRoom = second === undefined || LOG_ROOMS.some((room) => room === first);
    if (level === undefined || !isRoom) {
      fail('USAGE', `${path}, line ${index + 1}: neither a level nor ROOM=LEVEL`, {
        hint: `rooms: ${LOG_ROOMS.join(', ')}; levels: ${LOG_LEVELS.join(', ')}`,
      });
    }
    if (second === undefined) general = level;
    else rooms[first] = level;
  }
  return { general, rooms };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return '';
    return fail('USAGE', `${path} cannot be read: ${asBridgeError(thrown).message}`);
  }
}
