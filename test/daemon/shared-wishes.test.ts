/** What ThingsBoard wants by shared attributes, judged. */
import { describe, expect, test } from 'vitest';
import { judgeBridge, judgeMeter, SHARED_SETTINGS } from '../../src/daemon/attributes/shared-wishes.ts';
import { type BridgeSettings, DEFAULT_BRIDGE_SETTINGS } from '../../src/store/fleet/bridge-settings.ts';

const NOTHING = new Map<string, string>();

describe('the bridge', () => {
  const judged = (
    wishes: Readonly<Record<string, unknown>>,
    seen: ReadonlyMap<string, string> = NOTHING,
    settings: Partial<BridgeSettings> = {},
  ) => judgeBridge({ ...DEFAULT_BRIDGE_SETTINGS, ...settings }, seen, new Map(Object.entries(wishes)));

  test.each([
    ['logLevel', 'debug', 'debug'],
    ['logLevel', 'as-started', null],
    ['logLevel', null, null],
    ['alertOutboxAgeSeconds', 60, 60],
    // ThingsBoard lets a person choose the type of an attribute.
    ['alertOutboxAgeSeconds', '60', 60],
    ['logRooms', 'store=debug', 'store=debug'],
  ])('%s: %j is %j', (key, wish, value) => {
    const { change, faults } = judged({ [key]: wish });
    expect(change).toEqual({ seen: { [key]: JSON.stringify(wish) }, settings: { [key]: value }, intervals: [] });
    expect([...faults]).toEqual([[key, null]]);
  });

  test.each([
    ['logLevel', 'loud'],
    ['logLevel', 5],
    ['alertOutboxAgeSeconds', 1],
    ['alertOutboxAgeSeconds', 60.5],
    ['alertOutboxAgeSeconds', true],
    ['alertOutboxAgeSeconds', { seconds: 60 }],
    ['alertOutboxAgeSeconds', 'x'.repeat(60_000)],
    ['alertOutboxAgeSeconds', JSON.parse('['.repeat(30_000) + ']'.repeat(30_000))],
  ])('%s: refused, and seen (%#)', (key, wish) => {
    const { change, faults } = judged({ [key]: wish });
    expect(change.settings).toEqual({});
    expect(change.seen[key]?.length).toBeLessThanOrEqual(1000);
    expect(faults.get(key)).toMatch(new RegExp(`^${key} takes .{1,300}$`));
  });

  test('what was seen before is no news: an operator may have set something else since', () => {
    const seen = new Map([['logLevel', '"debug"']]);
    expect(judged({ logLevel: 'debug' }, seen, { logLevel: 'warn' }).faults.size).toBe(0);
    expect(judged({ logLevel: 'error' }, seen, { logLevel: 'warn' }).change.settings).toEqual({ logLevel: 'error' });
  });

  test('a wish that is deleted gives the default back, unless something else applies', () => {
    const seen = new Map([['logLevel', '"debug"']]);
    const deleted = { logLevel: undefined };
    const applies = judged(deleted, seen, { logLevel: 'debug' });
    expect(applies.change).toEqual({ seen: { logLevel: null }, settings: { logLevel: null }, intervals: [] });
    expect(judged(deleted, seen, { logLevel: 'warn' }).change.settings).toEqual({});
    expect(judged(deleted).faults.size).toBe(0);
  });

  test('a secret is not among what may be wished', () => {
    expect(SHARED_SETTINGS).toContain('alertPublishRateBelow');
    expect(SHARED_SETTINGS).not.toContain('alertWebhook');
  });
});

describe('a meter', () => {
  const groups = [
    { id: 7, meterId: 1, name: 'default', intervalMs: 5000 },
    { id: 8, meterId: 1, name: 'energy', intervalMs: 900_000 },
  ];
  const judged = (wishes: Readonly<Record<string, unknown>>, seen: ReadonlyMap<string, string> = NOTHING) =>
    judgeMeter(groups, seen, new Map(Object.entries(wishes)));

  test.each([
    ['pollInterval', 30, 7, 30_000],
    ['pollInterval', '0.5', 7, 500],
    ['pollInterval.default', 30, 7, 30_000],
    ['pollInterval.energy', 1800, 8, 1_800_000],
  ])('%s: %j', (key, wish, groupId, intervalMs) => {
    expect(judged({ [key]: wish }).change).toEqual({
      ...{ seen: { [key]: JSON.stringify(wish) }, settings: {} },
      intervals: [{ groupId, intervalMs }],
    });
  });

  test.each([0, 0.01, -5, 1e9, '', 'soon', true, [30], null])('%j is no interval', (wish) => {
    const { change, faults } = judged({ pollInterval: wish });
    expect(change.intervals).toEqual([]);
    expect(faults.get('pollInterval')).toMatch(/^pollInterval takes 0.1 to 31536000 seconds, not /);
  });

  test('a wish that is deleted leaves the interval as it is', () => {
    const seen = new Map([['pollInterval', '30']]);
    const { change, faults } = judged({ pollInterval: undefined }, seen);
    expect(change).toEqual({ seen: { pollInterval: null }, settings: {}, intervals: [] });
    expect([...faults]).toEqual([['pollInterval', null]]);
  });
});
