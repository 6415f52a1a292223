/** How one line wants to be treated: declared once, the same in the database, the command line, files and here. */
import {
  changedSettings,
  checkSettings,
  choice,
  defaultsOf,
  flag,
  orNone,
  type Setting,
  type SettingsOf,
  text,
  whole,
} from '../core/setting.ts';
import { IDENTIFICATION_TIMEOUT_MS } from '../dlms/mode-e/sign-on.ts';
import { SESSION_POLICIES } from '../dlms/settings.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

function milliseconds(usual: number, least: number, most: number, about: string): Setting<number> {
  return whole(usual, { least, most, unit: 'ms', applies: 'line', about });
}

export const LINE_SETTINGS = {
  connectTimeoutMs: milliseconds(
    10_000,
    100,
    5 * MINUTE,
    'how long a TCP connection may take to stand; mobile networks want a minute',
  ),
  connectDelayMs: milliseconds(
    0,
    0,
    MINUTE,
    'silence after the line was opened: modems and converters that take their time',
  ),
  wakeUp: text('', {
    pattern: /^(?:[0-9a-f]{2}){0,256}$/i,
    takes: 'up to 256 octets in hex',
    applies: 'line',
    about: 'octets that wake what is behind the line, sent after each opening; empty for none',
  }),
  wakeUpDelayMs: milliseconds(0, 0, MINUTE, 'silence after the wake-up'),
  interFrameMs: milliseconds(
    0,
    0,
    10_000,
    'least silence between the end of one frame of ours and the beginning of the next',
  ),
  turnaroundMs: milliseconds(
    0,
    0,
    10_000,
    'least silence between the last octet heard and the next one of ours: RS-485 drivers that turn slowly',
  ),
  echo: flag(false, {
    applies: 'line',
    about: 'the line gives our own octets back (optical heads, two-wire converters): they are taken out',
  }),
  signOnReactionMs: orNone(
    'auto',
    milliseconds(0, 20, 1500, 'mode E: wait before the acknowledgement; auto: as the meter asks'),
  ),
  signOnTimeoutMs: milliseconds(IDENTIFICATION_TIMEOUT_MS, 500, MINUTE, 'mode E: wait for each answer'),
  idleCloseMs: orNone('never', milliseconds(0, 0, DAY, 'closes the line after so long with nothing to do')),
  session: choice(SESSION_POLICIES, 'auto', {
    applies: 'line',
    about: 'of meters that leave it to the line: whether the association stands between reads',
  }),
  // Meters end an HDLC link after two minutes of silence, as a rule.
  keepAliveMs: orNone(
    'never',
    milliseconds(0, 1000, DAY, 'an association that is kept is kept alive when it was silent for so long'),
    75_000,
  ),
};

export type LineSettings = SettingsOf<typeof LINE_SETTINGS>;

export const DEFAULT_LINE_SETTINGS: LineSettings = defaultsOf(LINE_SETTINGS);

/** Throws INVALID_VALUE, naming the setting. */
export function validLineSettings(settings: LineSettings): LineSettings {
  checkSettings(LINE_SETTINGS, settings);
  return settings;
}

/** What differs from the defaults, as it is stored and shown. */
export function changedLineSettings(settings: LineSettings): Partial<LineSettings> {
  return changedSettings(LINE_SETTINGS, settings);
}

/** From the database: what came after the line was stored has its default. */
export function lineSettingsOf(json: string): LineSettings {
  return { ...DEFAULT_LINE_SETTINGS, ...(JSON.parse(json) as Partial<LineSettings>) };
}
