/** Clocks of meters that tell their zone in one way or another, or not at all. */
import { expect, test } from 'vitest';
import { toHex } from '../../src/core/bytes.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, dateTimeOf, isoText } from '../../src/dlms/axdr/date-time.ts';
import type { AttributeValue } from '../../src/dlms/exchange/set-exchange.ts';
import { type Quirks, quirksOf } from '../../src/dlms/quirks.ts';
import { dataAccessResult } from '../../src/dlms/xdlms/data-access-result.ts';
import type { AttributeReference } from '../../src/dlms/xdlms/services.ts';
import { readClock, setClock } from '../../src/meter/meter-clock.ts';
import type { MeterSession } from '../../src/meter/session.ts';

const SUMMER = 0x80;
const JUNE = Date.UTC(2026, 5, 1, 12);

interface ClockAttributes {
  readonly time: Data;
  readonly timeZone?: number;
  readonly daylightSaving?: number;
}

/** What is written is kept. */
function meterWith({ time, timeZone, daylightSaving }: ClockAttributes, setResult = 0, quirks: Partial<Quirks> = {}) {
  const written: Data[] = [];
  const value = (data: Data | undefined) => (data === undefined ? { dataAccessResult: dataAccessResult(3) } : { data });
  const attributes: Record<number, Data | undefined> = {
    2: time,
    3: timeZone === undefined ? undefined : { type: 'long', value: timeZone },
    7: daylightSaving === undefined ? undefined : { type: 'integer', value: daylightSaving },
  };
  const session = {
    isAssociated: true,
    longestList: 255,
    quirks: quirksOf({ quirks }),
    get: async (asked: readonly AttributeReference[]) => asked.map(({ attributeId }) => value(attributes[attributeId])),
    async set([one]: readonly AttributeValue[]) {
      if (one !== undefined) written.push(one.value);
      return [dataAccessResult(setResult)];
    },
  };
  return { session: session as unknown as MeterSession, written };
}

function time(utc: number, zone: number, deviation: number | null, status = 0): Data {
  return { type: 'octet-string', value: dateTimeBytes({ ...cosemDateTimeOf(utc, zone, status), deviation }) };
}

test.each([
  ['its time tells the deviation', { time: time(JUNE, -120, -120, SUMMER), daylightSaving: 60 }, -60, -120],
  ['time_zone has the wrong sign, its time the right one', { time: time(JUNE, -60, -60), timeZone: 60 }, -60, -60],
  ['only time_zone tells', { time: time(JUNE, -60, null), timeZone: -60 }, -60, -60],
  [
    'only time_zone tells, and it is summer',
    { time: time(JUNE, -120, null, SUMMER), timeZone: -60, daylightSaving: 60 },
    -60,
    -120,
  ],
])('%s', async (_, attributes, deviation, now) => {
  const { session } = meterWith(attributes);
  expect(await readClock(session)).toMatchObject({ at: JUNE, zone: { deviation, now } });
});

test.each([
  ['in summer', { time: time(JUNE - 5000, -120, -120, SUMMER), daylightSaving: 60 }, '07ea0601010e000000ff8880'],
  ['without deviation', { time: time(JUNE - 5000, -60, null), timeZone: -60 }, '07ea0601010d000000800000'],
])('is set as it is written itself: %s', async (_, attributes, octets) => {
  const { session, written } = meterWith(attributes);
  const confirmed = await setClock(session, await readClock(session), JUNE);
  expect(written).toHaveLength(1);
  expect(toHex((written[0] as { readonly value: Uint8Array }).value)).toBe(octets);
  expect(dateTimeOf(written[0]!)).toEqual(confirmed);
});

test('hundredths stay open where the meter leaves them open; a date-time stays one', async () => {
  const value = { ...cosemDateTimeOf(JUNE, -60), hundredths: null };
  const { session, written } = meterWith({ time: { type: 'date-time', value } });
  const confirmed = await setClock(session, await readClock(session), JUNE + 1230);
  expect(written).toEqual([{ type: 'date-time', value: confirmed }]);
  expect(confirmed.hundredths).toBeNull();
  expect(isoText(confirmed)).toBe('2026-06-01T13:00:01+01:00');
});

test('a clock that tells no zone is read, but not set', async () => {
  const { session, written } = meterWith({ time: time(JUNE, 0, null) });
  const clock = await readClock(session);
  expect(clock).toMatchObject({ at: null, zone: null });
  await expect(setClock(session, clock, JUNE)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  expect(written).toEqual([]);
});

test('what goes wrong', async () => {
  await expect(readClock(meterWith({ time: { type: 'unsigned', value: 1 } }).session)).rejects.toMatchObject({
    code: 'MALFORMED',
  });
  const { session } = meterWith({ time: time(JUNE, -60, -60) }, 3);
  await expect(setClock(session, await readClock(session), JUNE)).rejects.toMatchObject({
    code: 'DATA_ACCESS_READ_WRITE_DENIED',
  });
});

test.each([
  ['its time tells the deviation', { time: time(JUNE, -120, 120, SUMMER), daylightSaving: 60 }, -120],
  ['only time_zone tells', { time: time(JUNE, -60, null), timeZone: 60 }, null],
])('inverted-deviation: %s', async (_, attributes, deviation) => {
  const { session, written } = meterWith(attributes, 0, { invertedDeviation: true });
  const clock = await readClock(session);
  expect(clock.at).toBe(JUNE);
  expect(clock.zone?.deviation).toBe(-60);
  expect(clock.time.deviation).toBe(deviation);
  await setClock(session, clock, JUNE + 60_000);
  // Written with the sign that the meter gives.
  expect(written.map((data) => dateTimeOf(data)?.deviation)).toEqual([deviation === null ? null : -deviation]);
  expect(written.map((data) => dateTimeOf(data)?.minute)).toEqual([1]);
});
