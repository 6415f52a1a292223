/** How one target wants to be treated: declared once; in the database stands what differs from the defaults. */
import {
  changedSettings,
  checkSettings,
  choice,
  defaultsOf,
  orNone,
  type SettingsOf,
  text,
  whole,
} from '../../core/setting.ts';

export const CONFLICT_POLICIES = ['turns', 'wait'] as const;
export const OUTBOX_POLICIES = ['refuse-polls', 'drop-oldest'] as const;

const DAY_MS = 86_400_000;
const MOST = 1_000_000;

export const TARGET_SETTINGS = {
  onConflict: choice(CONFLICT_POLICIES, 'turns', {
    applies: 'line',
    about: 'what to do while another client uses a token: deliver in turns, or wait',
  }),
  serverName: orNone(
    'none',
    text('', {
      pattern: /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})$/,
      takes: 'a host name',
      applies: 'line',
      about: "the name that the server's certificate has to have, sent as SNI; none: the host of the URL",
    }),
  ),
  outboxPolicy: choice(OUTBOX_POLICIES, 'refuse-polls', {
    applies: 'line',
    about: 'what happens when a limit of the outbox is reached: polls wait, or the eldest rows go',
  }),
  outboxMaxBytes: orNone(
    'none',
    whole(0, {
      least: 65_536,
      most: MOST * MOST,
      unit: 'octets',
      applies: 'line',
      about: "how much of each connection's rows may wait",
    }),
  ),
  outboxMaxAgeMs: orNone(
    'none',
    whole(0, {
      least: 60_000,
      most: MOST * DAY_MS,
      unit: 'ms',
      applies: 'line',
      about: "how old each connection's rows may grow",
    }),
  ),
};

export type TargetSettings = SettingsOf<typeof TARGET_SETTINGS>;

export const DEFAULT_TARGET_SETTINGS: TargetSettings = defaultsOf(TARGET_SETTINGS);

/** Throws INVALID_VALUE, naming the setting. */
export function validTargetSettings(settings: TargetSettings): TargetSettings {
  checkSettings(TARGET_SETTINGS, settings);
  return settings;
}

/** What differs from the defaults, as it is stored and shown. */
export function changedTargetSettings(settings: TargetSettings): Partial<TargetSettings> {
  return changedSettings(TARGET_SETTINGS, settings);
}

/** From the database: settings that came later have their defaults. */
export function targetSettingsOf(text: string): TargetSettings {
  return { ...DEFAULT_TARGET_SETTINGS, ...(JSON.parse(text) as Partial<TargetSettings>) };
}
