/** A profile's columns, rows and events as they stand in the document of `profile`. */
import type { JsonValue } from '../core/json.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { cosemValue } from '../dlms/cosem/data-value.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import type { ProfileRow } from '../dlms/cosem/profile-buffer.ts';
import { isClockColumn } from '../dlms/cosem/profile-generic.ts';
import type { ProfileEvent } from '../dlms/cosem/profile-watch.ts';
import { unitSymbol } from '../dlms/cosem/units.ts';
import type { OpenedProfile, ProfileColumn } from '../meter/profile.ts';
import { rowQuality } from '../reading/quality.ts';
import { jsonOf } from '../reading/reading-of.ts';

export type DescribedColumn = ReturnType<typeof describedColumn>;
export type DescribedRow = ReturnType<typeof describedRow>;
export type DescribedEvent = ReturnType<typeof describedEvent>;

export function describedColumn({ obis, classId, attribute, scalerUnit, scalerError }: ProfileColumn) {
  return {
    obis,
    classId,
    attribute,
    unit: scalerUnit === null ? null : unitSymbol(scalerUnit.unit),
    scaler: scalerUnit?.scaler ?? null,
    error: scalerError === null ? undefined : { ...scalerError.report() },
  };
}

export function describedRow(row: ProfileRow, { columns, invertedDeviation }: OpenedProfile) {
  return {
    ts: row.at === null ? null : isoOf(row.at),
    status: row.status === null ? null : jsonOf(cosemValue(row.status)),
    ...rowQuality(row),
    values: row.values.map((value, index) => valueJson(value, columns[index]!, invertedDeviation)),
  };
}

/** A number whose scaler is not known may be wrong by powers of ten: no value is better than that one. */
function valueJson(value: Data, column: ProfileColumn, invertedDeviation: boolean): JsonValue {
  if (column.scalerError !== null) return null;
  const dateTime = isClockColumn(column) || isDateTimeAttribute(column.classId, column.attribute);
  return jsonOf(cosemValue(value, { scaler: column.scalerUnit?.scaler ?? 0, dateTime, invertedDeviation }));
}

type TimedEvent = Exclude<ProfileEvent, { kind: 'columns-changed' }>;

/** Columns do not change within one reading. */
export function describedEvent(event: ProfileEvent) {
  const { kind, ...facts } = event as TimedEvent;
  return 'from' in facts
    ? { kind, from: isoOf(facts.from), to: isoOf(facts.to), missing: facts.missing }
    : { kind, at: isoOf(facts.at), byMs: facts.byMs };
}

function isoOf(at: number): string {
  return new Date(at).toISOString();
}
