/** The meter's clock, class 8 (Blue Book 4.5.1): what it says, how far it is off, and setting it. */
import { fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import {
  CLOCK_STATUS,
  type CosemDateTime,
  cosemDateTimeOf,
  dateTimeBytes,
  dateTimeOf,
  withInvertedDeviation,
} from '../dlms/axdr/date-time.ts';
import { instantOf, type MeterZone } from '../dlms/cosem/meter-time.ts';
import { DEFAULT_CLOCK, wholeNumber } from '../dlms/cosem/profile-generic.ts';
import type { Quirks } from '../dlms/quirks.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { AttributeReference, GetResult } from '../dlms/xdlms/services.ts';
import { writeAttribute } from './changes.ts';
import { readAttributes } from './client.ts';
import type { MeterSession } from './session.ts';

const CLOCK = { classId: DEFAULT_CLOCK.classId, instanceId: DEFAULT_CLOCK.obis } as const;
const TIME: AttributeReference = { ...CLOCK, attributeId: 2 };

/** time, time_zone, daylight_savings_deviation: what `zoneOf` takes, in this order. */
export const ZONE_ATTRIBUTES: readonly AttributeReference[] = [
  TIME,
  ...[3, 7].map((attributeId) => ({ ...CLOCK, attributeId })),
];

export interface ClockZone extends MeterZone {
  /** Minutes from local time to UTC at present. */
  readonly now: number;
}

/** What the time says of its own deviation is surer than time_zone, whose sign meters mistake. null when neither tells. */
export function zoneOf(
  results: readonly GetResult[],
  { invertedDeviation }: Pick<Quirks, 'invertedDeviation'>,
): ClockZone | null {
  const [time, timeZone, daylightSavings] = results.map((result) => ('data' in result ? result.data : undefined));
  const daylightSaving = wholeNumber(daylightSavings) ?? 0;
  const clock = time === undefined ? null : dateTimeOf(time, { invertedDeviation });
  const ahead = clock !== null && isSummer(clock) ? daylightSaving : 0;
  const now = clock?.deviation ?? null;
  if (now !== null) return { deviation: now + ahead, daylightSaving, now };
  const told = wholeNumber(timeZone);
  const deviation = told !== null && invertedDeviation ? -told : told;
  return deviation === null ? null : { deviation, daylightSaving, now: deviation - ahead };
}

export interface MeterTime {
  /** As the meter says it; the deviation has the sign of the standard. */
  readonly time: CosemDateTime;
  /** Milliseconds UTC; null when the meter tells no instant. */
  readonly at: number | null;
  readonly zone: ClockZone | null;
  /** How the meter writes it: octet-string or date-time. */
  readonly type: Data['type'];
}

/** One round trip. Throws DATA_ACCESS_*, MALFORMED when what the clock holds is no date-time. */
export async function readClock(session: MeterSession): Promise<MeterTime> {
  const results = await readAttributes(session, ZONE_ATTRIBUTES);
  const [first] = results;
  if (first === undefined) return fail('UNEXPECTED_RESPONSE', 'no time');
  if (!('data' in first)) throw dataAccessError(first.dataAccessResult.code, `the clock ${CLOCK.instanceId}`);
  const time =
    dateTimeOf(first.data, session.quirks) ?? fail('MALFORMED', 'the clock holds no date-time', { layer: 'cosem' });
  const zone = zoneOf(results, session.quirks);
  return { time, at: instantOf(time, zone), zone, type: first.data.type };
}

/**
 * Sets the clock to an instant, in the deviation that it has and written as it writes it itself. Resolves with what was
 * written. Throws DATA_ACCESS_*, SERVICE_NOT_GRANTED, UNSUPPORTED when the meter tells no deviation.
 */
export async function setClock(session: MeterSession, before: MeterTime, utc: number): Promise<CosemDateTime> {
  const { time, zone, type } = before;
  if (zone === null) {
    return fail('UNSUPPORTED', 'the meter tells neither deviation nor time zone', {
      layer: 'meter',
      hint: 'write the time yourself: dlms set METER 8:0.0.1.0.0.255:2 2026-01-31T12:00:00+01:00',
    });
  }
  const now = cosemDateTimeOf(utc, zone.now, isSummer(time) ? DAYLIGHT_SAVING : 0);
  const written = { ...now, deviation: time.deviation, hundredths: time.hundredths === null ? null : now.hundredths };
  const sent = session.quirks.invertedDeviation ? withInvertedDeviation(written) : written;
  const value: Data =
    type === 'date-time' ? { type, value: sent } : { type: 'octet-string', value: dateTimeBytes(sent) };
  await writeAttribute(session, TIME, value);
  return written;
}

const DAYLIGHT_SAVING = CLOCK_STATUS.daylightSavingActive;

function isSummer({ clockStatusBits }: CosemDateTime): boolean {
  return clockStatusBits?.daylightSavingActive === true;
}
