/** How one line wants to be treated: plain data, the same in the database, the command line and here. */
import { fail } from '../core/errors.ts';
import { IDENTIFICATION_TIMEOUT_MS } from '../dlms/mode-e/sign-on.ts';
import { SESSION_POLICIES, type SessionPolicy } from '../dlms/settings.ts';

export interface LineSettings {
  /** How long a TCP connection may take to stand, milliseconds. Mobile networks want a minute. */
  readonly connectTimeoutMs: number;
  /** Silence after the line was opened: modems and converters that take their time. */
  readonly connectDelayMs: number;
  /** Octets in hex that wake what is behind the line, sent after each opening; empty for none. */
  readonly wakeUp: string;
  /** Silence after the wake-up. */
  readonly wakeUpDelayMs: number;
  /** Least silence between the end of one frame of ours and the beginning of the next. */
  readonly interFrameMs: number;
  /** Least silence between the last octet heard and the next one of ours: RS-485 drivers that turn slowly. */
  readonly turnaroundMs: number;
  /** The line gives our own octets back (optical heads, two-wire converters): they are taken out. */
  readonly echo: boolean;
  /** Mode E: how long to wait before the acknowledgement, null as the meter asks, and for the meter's answers. */
  readonly signOnReactionMs: number | null;
  readonly signOnTimeoutMs: number;
  /** Closes the line when nothing was to do for so long; null keeps it open. */
  readonly idleCloseMs: number | null;
  /** Of meters that leave it to the line. */
  readonly session: SessionPolicy;
  /** An association that is kept is kept alive when it was silent for so long; null: never. */
  readonly keepAliveMs: number | null;
}

export const DEFAULT_LINE_SETTINGS: LineSettings = {
  connectTimeoutMs: 10_000,
  connectDelayMs: 0,
  wakeUp: '',
  wakeUpDelayMs: 0,
  interFrameMs: 0,
  turnaroundMs: 0,
  echo: false,
  signOnReactionMs: null,
  signOnTimeoutMs: IDENTIFICATION_TIMEOUT_MS,
  idleCloseMs: null,
  session: 'auto',
  // Meters end an HDLC link after two minutes of silence, as a rule.
  keepAliveMs: 75_000,
};

const MINUTE = 60_000;
const DAY = 86_400_000;

/** The bounds of what is a number; those that may be null take `none`. */
const BOUNDS = {
  connectTimeoutMs: [100, 5 * MINUTE],
  connectDelayMs: [0, MINUTE],
  wakeUpDelayMs: [0, MINUTE],
  interFrameMs: [0, 10_000],
  turnaroundMs: [0, 10_000],
  signOnReactionMs: [20, 1500],
  signOnTimeoutMs: [500, MINUTE],
  idleCloseMs: [0, DAY],
  keepAliveMs: [1000, DAY],
} as const satisfies Partial<Record<keyof LineSettings, readonly [least: number, most: number]>>;

const MAY_BE_NULL: readonly string[] = ['signOnReactionMs', 'idleCloseMs', 'keepAliveMs'];

export type NumericLineSetting = keyof typeof BOUNDS;
export const NUMERIC_LINE_SETTINGS = Object.keys(BOUNDS) as readonly NumericLineSetting[];

/** Throws INVALID_VALUE, naming the setting. */
export function validLineSettings(settings: LineSettings): LineSettings {
  for (const name of NUMERIC_LINE_SETTINGS) {
    const [least, most] = BOUNDS[name];
    const value = settings[name];
    if (value === null && MAY_BE_NULL.includes(name)) continue;
    if (value === null || !Number.isInteger(value) || value < least || value > most) {
      fail('INVALID_VALUE', `${name} takes ${least} to ${most} milliseconds, not ${value}`);
    }
  }
  if (!/^(?:[0-9a-f]{2}){0,256}$/i.test(settings.wakeUp)) fail('INVALID_VALUE', 'wakeUp takes up to 256 octets in hex');
  if (!SESSION_POLICIES.includes(settings.session)) {
    fail('INVALID_VALUE', `session takes ${SESSION_POLICIES.join(' | ')}`);
  }
  return settings;
}

/** From the database: what came after the line was stored has its default. */
export function lineSettingsOf(json: string): LineSettings {
  return { ...DEFAULT_LINE_SETTINGS, ...(JSON.parse(json) as Partial<LineSettings>) };
}
