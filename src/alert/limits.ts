/** The limits of the rules that an operator may move, and the rules with them. */
import { type SettingsOf, whole } from '../core/setting.ts';
import { ALERT_RULES, type AlertCode, type AlertRule } from './rules.ts';

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

export const ALERT_SETTINGS = {
  alertPublishRateBelow: whole(50, {
    least: 1,
    most: 99,
    unit: '%',
    applies: 'live',
    about: 'PUBLISH_RATE_LOW is raised when less of the cycles is delivered',
  }),
  alertPublishRateAbove: whole(80, {
    least: 1,
    most: 100,
    unit: '%',
    applies: 'live',
    about: 'and over when this much is delivered again; not below alertPublishRateBelow',
  }),
  alertPublishRateCycles: whole(10, {
    least: 1,
    most: 100_000,
    applies: 'live',
    about: 'cycles that it takes to judge the publish rate by',
  }),
  alertOutboxAgeSeconds: whole(600, {
    least: 10,
    most: 30 * DAY_S,
    unit: 's',
    applies: 'live',
    about: 'OUTBOX_GROWING is raised when the eldest row waits for longer; over at a tenth of it',
  }),
  alertDiskFreeMb: whole(256, {
    least: 1,
    most: 1_000_000,
    unit: 'MB',
    applies: 'live',
    about: 'DISK_LOW is raised when less is free where the database lies; over at twice as much',
  }),
  alertTargetUnreachableSeconds: whole(60, {
    least: 1,
    most: DAY_S,
    unit: 's',
    applies: 'live',
    about: 'TARGET_UNREACHABLE is raised when there was no session for so long',
  }),
  alertMeterOfflineSeconds: whole(60, {
    least: 1,
    most: 30 * DAY_S,
    unit: 's',
    applies: 'live',
    about: 'METER_OFFLINE is raised when a meter has failed for so long',
  }),
  alertLineDownSeconds: whole(60, {
    least: 1,
    most: 30 * DAY_S,
    unit: 's',
    applies: 'live',
    about: 'LINE_DOWN is raised when a line could not be opened for so long',
  }),
  alertStaleIntervals: whole(5, {
    least: 2,
    most: 100_000,
    applies: 'live',
    about: 'DATA_STALE is raised when nothing was read of a meter for so many of its intervals, a minute at least',
  }),
};

export type AlertLimits = SettingsOf<typeof ALERT_SETTINGS>;

const SECOND = 1000;
const MB = 1e6;

/** The rule of each code, with these limits in place of the usual ones. */
export function rulesWithin(limits: AlertLimits): Readonly<Record<AlertCode, AlertRule>> {
  const outboxAge = limits.alertOutboxAgeSeconds;
  const free = limits.alertDiskFreeMb * MB;
  return {
    ...ALERT_RULES,
    PUBLISH_RATE_LOW: {
      ...ALERT_RULES.PUBLISH_RATE_LOW,
      limit: {
        kind: 'below',
        raise: limits.alertPublishRateBelow / 100,
        clear: limits.alertPublishRateAbove / 100,
      },
    },
    OUTBOX_GROWING: {
      ...ALERT_RULES.OUTBOX_GROWING,
      limit: { kind: 'above', raise: outboxAge, clear: outboxAge / 10 },
    },
    DISK_LOW: { ...ALERT_RULES.DISK_LOW, limit: { kind: 'below', raise: free, clear: 2 * free } },
    TARGET_UNREACHABLE: {
      ...ALERT_RULES.TARGET_UNREACHABLE,
      raiseAfterMs: limits.alertTargetUnreachableSeconds * SECOND,
    },
    METER_OFFLINE: { ...ALERT_RULES.METER_OFFLINE, raiseAfterMs: limits.alertMeterOfflineSeconds * SECOND },
    LINE_DOWN: { ...ALERT_RULES.LINE_DOWN, raiseAfterMs: limits.alertLineDownSeconds * SECOND },
  };
}
