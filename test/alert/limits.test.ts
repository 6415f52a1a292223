import { expect, test } from 'vitest';
import { ALERT_SETTINGS, rulesWithin } from '../../src/alert/limits.ts';
import { ALERT_RULES } from '../../src/alert/rules.ts';
import { defaultsOf } from '../../src/core/setting.ts';

const USUAL = defaultsOf(ALERT_SETTINGS);

test('with the usual limits the rules are the usual ones', () => {
  expect(rulesWithin(USUAL)).toEqual(ALERT_RULES);
});

test('other limits move their own rules and no others', () => {
  const rules = rulesWithin({ ...USUAL, alertPublishRateBelow: 20, alertDiskFreeMb: 1, alertMeterOfflineSeconds: 5 });
  expect(rules.PUBLISH_RATE_LOW.limit).toEqual({ kind: 'below', raise: 0.2, clear: 0.8 });
  expect(rules.DISK_LOW.limit).toEqual({ kind: 'below', raise: 1e6, clear: 2e6 });
  expect(rules.METER_OFFLINE.raiseAfterMs).toBe(5000);
  const moved = Object.entries(rules).filter(([code, rule]) => rule !== ALERT_RULES[code as keyof typeof ALERT_RULES]);
  expect(moved.map(([code]) => code).sort()).toEqual([
    'DISK_LOW',
    'LINE_DOWN',
    'METER_OFFLINE',
    'OUTBOX_GROWING',
    'PUBLISH_RATE_LOW',
    'TARGET_UNREACHABLE',
  ]);
});
