/** Who a meter is, how its clock is, and what is said of quality: the judgements. */
import { describe, expect, test } from 'vitest';
import { decimal } from '../../src/core/decimal.ts';
import { cosemDateTimeOf, dateTimeBytes } from '../../src/dlms/axdr/date-time.ts';
import { NO_QUIRKS } from '../../src/dlms/quirks.ts';
import { identityName, judgeIdentity, pinnedWith } from '../../src/polling/identity.ts';
import { driftOf, driftSeconds, mayBeSet } from '../../src/polling/meter-drift.ts';
import { columnKeys, eventKey } from '../../src/polling/profile-keys.ts';
import { QualityMarks } from '../../src/polling/quality-marks.ts';
import type { Quality, Reading } from '../../src/reading/reading.ts';
import type { MeterIdentity } from '../../src/store/fleet/identity.ts';

const named = (logicalDeviceName: string | null, serialNumber: string | null): MeterIdentity => ({
  logicalDeviceName,
  serialNumber,
});

describe('is it the same meter', () => {
  test.each<[MeterIdentity | null, MeterIdentity, string]>([
    [null, named('ABC1', '1'), 'pin'],
    [null, named(null, null), 'unknown'],
    [named('ABC1', '1'), named('ABC1', '1'), 'same'],
    [named('ABC1', '1'), named('ABC1', null), 'same'],
    [named('ABC1', '1'), named(null, null), 'unknown'],
    [named('ABC1', '1'), named('ABC2', '1'), 'stranger'],
    [named('ABC1', '1'), named('ABC1', '2'), 'stranger'],
    [named('ABC1', '1'), named(null, '2'), 'stranger'],
    [named('ABC1', null), named('ABC1', '1'), 'pin'],
    [named('ABC1', null), named(null, '1'), 'unknown'],
  ])('%j, and it says %j: %s', (pinned, shown, verdict) => {
    expect(judgeIdentity(pinned, shown)).toBe(verdict);
  });

  test('what is known of both is kept', () => {
    expect(pinnedWith(named('ABC1', null), named('ABC1', '1'))).toEqual(named('ABC1', '1'));
    expect(pinnedWith(named('ABC1', '1'), named('ABC1', null))).toEqual(named('ABC1', '1'));
  });

  test('names are text, whatever type they have', () => {
    expect(identityName({ type: 'octet-string', value: Buffer.from('ABC1') })).toBe('ABC1');
    expect(identityName({ type: 'octet-string', value: Uint8Array.of(1, 0xff) })).toBe('01ff');
    expect(identityName({ type: 'double-long-unsigned', value: 4711 })).toBe('4711');
    expect(identityName({ type: 'visible-string', value: ' ' })).toBeNull();
    expect(identityName({ type: 'null-data' })).toBeNull();
    expect(identityName(null)).toBeNull();
  });
});

describe('the clock of a meter', () => {
  const NOW = Date.UTC(2026, 0, 10, 12, 7, 30);
  const session = { quirks: NO_QUIRKS, timeZone: null };
  const shown = (utc: number, hundredths: number | null = 0) => ({
    type: 'octet-string' as const,
    value: dateTimeBytes({ ...cosemDateTimeOf(utc, -60), hundredths }),
  });

  test('half of the round trip is taken off', () => {
    expect(driftOf(shown(NOW), session, NOW + 1000, 2000)).toBe(5);
    expect(driftOf(shown(NOW + 75_000), session, NOW, 0)).toBe(75_005);
  });

  test('without hundredths it is taken in the middle of its second', () => {
    expect(driftOf(shown(NOW, null), session, NOW + 500, 0)).toBe(0);
  });

  test('local time in the zone that is configured; none without one', () => {
    const local = { ...cosemDateTimeOf(NOW, -60), deviation: null };
    const data = { type: 'octet-string' as const, value: dateTimeBytes(local) };
    expect(driftOf(data, { ...session, timeZone: 'Europe/Madrid' }, NOW, 0)).toBe(5);
  });

  test('seconds with one decimal', () => {
    expect(driftSeconds(-75_049)).toEqual(decimal(-750, -1));
  });

  const LIMITS = { limitMs: 60_000, setWithinMs: 300_000 };
  test.each<[string, Parameters<typeof mayBeSet>, boolean]>([
    ['within the limit', [60_000, LIMITS, NOW, null, []], false],
    ['beyond it', [60_001, LIMITS, NOW, null, []], true],
    ['behind', [-90_000, LIMITS, NOW, null, []], true],
    ['beyond the most', [300_001, LIMITS, NOW, null, []], false],
    ['never', [90_000, { ...LIMITS, setWithinMs: 0 }, NOW, null, []], false],
    ['set today', [90_000, LIMITS, NOW, NOW - 3_600_000, []], false],
    ['set yesterday', [90_000, LIMITS, NOW, NOW - 86_400_000, []], true],
    ['over the end of a quarter of an hour', [90_000, LIMITS, Date.UTC(2026, 0, 10, 12, 14), null, []], false],
    ['back over it', [-90_000, LIMITS, Date.UTC(2026, 0, 10, 12, 15, 30), null, []], false],
    ['over that of a profile', [90_000, LIMITS, Date.UTC(2026, 0, 10, 12, 9), null, [300_000]], false],
  ])('is set: %s', (_, given, outcome) => {
    expect(mayBeSet(...given)).toBe(outcome);
  });
});

describe('quality', () => {
  const reading = (key: string, quality: Quality, ts = 1): Reading => ({
    ...{ key, ts, value: decimal(1), unit: 'Wh', obis: '1.0.1.8.0.255', quality },
  });
  const marksOf = (marks: QualityMarks, readings: readonly Reading[]) => {
    const made = marks.of(readings).map(({ key, ts, value, quality }) => [key, ts, value, quality]);
    marks.note(readings);
    return made;
  };

  test('stands beside a reading that is not good, and once beside the next good one', () => {
    const marks = new QualityMarks();
    expect(marksOf(marks, [reading('a', 'good'), reading('b', 'doubtful')])).toEqual([
      ['bQuality', 1, 'doubtful', 'good'],
    ]);
    expect(marksOf(marks, [reading('b', 'good', 2), reading('b', 'good', 3)])).toEqual([
      ['bQuality', 2, 'good', 'good'],
    ]);
    expect(marksOf(marks, [reading('b', 'good', 4)])).toEqual([]);
  });

  test('rows of one portion follow one another', () => {
    const rows = [reading('a', 'doubtful', 1), reading('a', 'good', 2), reading('a', 'doubtful', 3)];
    expect(marksOf(new QualityMarks(), rows).map(([, , value]) => value)).toEqual(['doubtful', 'good', 'doubtful']);
  });

  test('what is not stored marks nothing', () => {
    const marks = new QualityMarks();
    marks.of([reading('a', 'doubtful')]);
    expect(marks.of([reading('a', 'good')])).toEqual([]);
  });
});

describe('keys of columns', () => {
  const column = (classId: number, obis: string, attribute = 2) => ({ classId, obis, attribute, dataIndex: 0 });
  const keysOf = (columns: ReturnType<typeof column>[], profile = {}) =>
    columnKeys(columns, { columns: [], ...profile }).map((one) => one?.key ?? null);

  test('by quantity, by code where that has no name, none for clock and status', () => {
    const columns = [column(8, '0.0.1.0.0.255'), column(1, '0.0.96.10.1.255'), column(3, '1.0.1.8.0.255')];
    expect(
      keysOf([...columns, column(3, '1.1.1.8.0.255'), column(3, '1.0.99.77.0.255'), column(4, '1.0.1.6.0.255', 5)]),
    ).toEqual([null, null, 'activeImportEnergy', '1.1.1.8.0.255', '1.0.99.77.0.255', '1.0.1.6.0.255:5']);
    expect(keysOf(columns, { prefix: 'load' })).toEqual([null, null, 'loadActiveImportEnergy']);
    expect(keysOf(columns, { prefix: 'load.' })).toEqual([null, null, 'load.activeImportEnergy']);
  });

  test('event logs', () => {
    expect(eventKey({ obis: '0.0.99.98.0.255' })).toBe('event');
    expect(eventKey({ obis: '0.0.99.98.4.255', prefix: 'fraud' })).toBe('fraudEvent4');
  });
});
