/** Rows of a profile as readings, each at its capture time; what happened to the profile beside them. */
import { createHash } from 'node:crypto';
import { decimalText } from '../core/decimal.ts';
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import { writeJson } from '../core/json.ts';
import { cosemValue } from '../dlms/cosem/data-value.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import type { ProfileRow } from '../dlms/cosem/profile-buffer.ts';
import { type CaptureObject, isClockColumn } from '../dlms/cosem/profile-generic.ts';
import type { ProfileEvent } from '../dlms/cosem/profile-watch.ts';
import type { ProfileColumn } from '../meter/profile.ts';
import { rowQuality } from '../reading/quality.ts';
import type { Reading } from '../reading/reading.ts';
import { jsonOf, readingOf } from '../reading/reading-of.ts';
import type { NewProfile } from '../store/fleet/types.ts';
import { columnKeys, eventColumnOf, eventKey, type KeyedColumn } from './profile-keys.ts';

export interface TimedRow extends ProfileRow {
  readonly at: number;
  /** Rows before it that were captured at the same time. */
  readonly tie: number;
}

export interface RowReadings {
  readonly readings: readonly Reading[];
  /** Columns that could not be used, by key; of each the first failure. */
  readonly failures: ReadonlyMap<string, BridgeError>;
}

/** The readings of rows. Events of one time go a millisecond apart: ThingsBoard would keep the last one only. */
export function rowReadings(
  rows: readonly TimedRow[],
  columns: readonly ProfileColumn[],
  profile: Omit<NewProfile, 'intervalMs'>,
  invertedDeviation: boolean,
): RowReadings {
  const keyed = columnKeys(columns, profile);
  const eventAt = profile.kind === 'events' ? eventColumnOf(columns) : -1;
  const failures = new Map<string, BridgeError>();
  const readings = rows.flatMap((row) => {
    const ts = row.at + (profile.kind === 'events' ? row.tie : 0);
    return columns.flatMap((column, index) => {
      const target = keyed[index] ?? null;
      const data = row.values[index];
      if (target === null || data === undefined) return [];
      try {
        const reading = columnReading(row, column, index, target, { ts, invertedDeviation });
        if (reading === null) return [];
        return index === eventAt ? eventReadings(reading, profile) : [reading];
      } catch (thrown) {
        if (!failures.has(target.key)) failures.set(target.key, asBridgeError(thrown));
        return [];
      }
    });
  });
  return { readings, failures };
}

function columnReading(
  row: TimedRow,
  column: ProfileColumn,
  index: number,
  { key, options }: KeyedColumn,
  { ts, invertedDeviation }: { readonly ts: number; readonly invertedDeviation: boolean },
): Reading | null {
  // A number whose scaler is not known may be wrong by powers of ten: no value is better than that one.
  if (column.scalerError !== null && options.scaler === null) throw column.scalerError;
  const dateTime = isClockColumn(column) || isDateTimeAttribute(column.classId, column.attribute);
  const data = row.values[index]!;
  const { obis, scalerUnit } = column;
  const reading = readingOf({ key, obis, data, scalerUnit, ts, dateTime, invertedDeviation, options });
  return reading === null ? null : { ...reading, quality: rowQuality(row).quality };
}

/** The event by its name and by its code. */
function eventReadings(code: Reading, profile: Pick<NewProfile, 'obis' | 'prefix' | 'eventNames'>): readonly Reading[] {
  const key = eventKey(profile);
  const number = typeof code.value === 'object' ? decimalText(code.value) : String(code.value);
  const name = profile.eventNames[number] ?? `event ${number}`;
  return [
    { ...code, key, value: name, unit: null },
    { ...code, key: `${key}Code`, unit: null },
  ];
}

/**
 * What happened to the profile, as text in JSON: lost rows under `profileGap:OBIS`, the rest under `profileEvent:OBIS`.
 * `at`: the time of what has none of its own.
 */
export function eventsAsReadings(events: readonly ProfileEvent[], obis: string, at: number): readonly Reading[] {
  return events.map((event): Reading => {
    const isGap = event.kind === 'gap' || event.kind === 'wrapped';
    return {
      key: `${isGap ? 'profileGap' : 'profileEvent'}:${obis}`,
      ts: isGap ? event.to : event.kind === 'clock-changed' ? event.at : at,
      value: JSON.stringify(eventDocument(event)),
      unit: null,
      obis,
      quality: 'good',
    };
  });
}

/** Times in ISO 8601. */
export function eventDocument(event: ProfileEvent): Readonly<Record<string, unknown>> {
  const { kind } = event;
  switch (kind) {
    case 'gap':
    case 'wrapped':
      return { kind, from: iso(event.from), to: iso(event.to), missing: event.missing };
    case 'clock-changed':
      return { kind, at: iso(event.at), bySeconds: event.byMs / 1000 };
    case 'columns-changed':
      return { kind, added: event.added.map(nameOf), removed: event.removed.map(nameOf) };
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function nameOf({ classId, obis, attribute }: CaptureObject): string {
  return `${classId}:${obis}:${attribute}`;
}

const SIGNATURE_OCTETS = 8;

/** What a row says, in short: another text is another row. */
export function signatureOf({ values }: Pick<ProfileRow, 'values'>): string {
  const text = writeJson(values.map((value) => jsonOf(cosemValue(value))));
  return createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, 2 * SIGNATURE_OCTETS);
}
