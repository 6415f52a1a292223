/**
 * Reads a profile: what it captures, the scalers of that, and the rows that are wanted. Three round trips, two once the
 * scalers are known. The meter is asked for no more rows than wanted, in the best way that it does not refuse.
 */
import { fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { dateTimeOf } from '../dlms/axdr/date-time.ts';
import { instantOf, type Zone, zoneAround } from '../dlms/cosem/meter-time.ts';
import type { ProfileRow } from '../dlms/cosem/profile-buffer.ts';
import {
  type CaptureObject,
  PROFILE_ATTRIBUTE,
  PROFILE_GENERIC,
  parseCaptureObject,
  parseCaptureObjects,
  parseSortMethod,
  type SortMethod,
  wholeNumber,
} from '../dlms/cosem/profile-generic.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { GetResult } from '../dlms/xdlms/services.ts';
import { readAttributes } from './client.ts';
import { type ColumnScaler, columnScaler, learnScalers } from './column-scalers.ts';
import { type Knowledge, type LearnedFact, profileAccessFact } from './knowledge.ts';
import { ZONE_ATTRIBUTES, zoneOf } from './meter-clock.ts';
import { type ProfileDefinition, type ProfileSelection, type RowsRead, readRows } from './profile-access.ts';
import type { MeterSession } from './session.ts';

export interface ProfileColumn extends CaptureObject, ColumnScaler {}

export interface Profile {
  /** Seconds; 0 when rows are captured on an occasion. */
  readonly capturePeriod: number;
  readonly sortMethod: SortMethod;
  /** Rows that the meter had, and those that it has room for; null when it does not tell. */
  readonly entriesInUse: number | null;
  readonly profileEntries: number | null;
  /** Milliseconds UTC by the meter's clock; null when it does not tell. */
  readonly meterTime: number | null;
  readonly columns: readonly ProfileColumn[];
  /** In the order of the meter's buffer. */
  readonly rows: readonly ProfileRow[];
  /** What was learned on the way and is worth keeping; `knowledge` has it already. */
  readonly learned: readonly LearnedFact[];
  /** As in `dateTimeOf`, for date-times among the values. */
  readonly invertedDeviation: boolean;
}

/**
 * Reads the rows. Ways of selective access that the meter refuses are among `learned`. Throws DATA_ACCESS_* when there is
 * no such profile, MALFORMED, and what ends the session.
 */
export async function readProfile(
  session: MeterSession,
  obis: string,
  selection: ProfileSelection,
  knowledge: Knowledge,
): Promise<Profile> {
  const { definition, columns, learned, invertedDeviation } = await openProfile(session, obis, knowledge);
  const read = await readProfileRows(session, obis, definition, selection, knowledge);
  const { capturePeriod, sortMethod, entriesInUse, profileEntries, meterTime } = definition;
  return {
    ...{ capturePeriod, sortMethod, entriesInUse, profileEntries, meterTime, columns, invertedDeviation },
    rows: read.rows,
    learned: [...learned, ...read.learned],
  };
}

export interface OpenedProfile extends Pick<Profile, 'columns' | 'learned' | 'invertedDeviation'> {
  readonly definition: ProfileDefinition;
}

/** What a profile captures, and the scalers of that. Throws as `readProfile` does. */
export async function openProfile(session: MeterSession, obis: string, knowledge: Knowledge): Promise<OpenedProfile> {
  const definition = await readDefinition(session, obis);
  const { learned, refused } = await learnScalers(session, definition.captureObjects, knowledge);
  const columns = definition.captureObjects.map((column) => ({
    ...column,
    ...columnScaler(column, knowledge, refused),
  }));
  return { definition, columns, learned, invertedDeviation: session.quirks.invertedDeviation };
}

export interface ProfileRowsRead extends Pick<RowsRead, 'rows' | 'way'> {
  readonly learned: readonly LearnedFact[];
}

/** Rows of a profile that is open. Throws as `readProfile` does. */
export async function readProfileRows(
  session: MeterSession,
  obis: string,
  definition: ProfileDefinition,
  selection: ProfileSelection,
  knowledge: Knowledge,
): Promise<ProfileRowsRead> {
  const known = knowledge.profileAccess.get(obis) ?? new Set();
  const { rows, way, refused } = await readRows(session, obis, definition, selection, known);
  if (refused.length === 0) return { rows, way, learned: [] };
  const ways = new Set([...known, ...refused]);
  knowledge.profileAccess.set(obis, ways);
  return { rows, way, learned: [profileAccessFact(obis, ways)] };
}

/** All that `readDefinition` asks of the profile. */
const DEFINITION = [
  PROFILE_ATTRIBUTE.captureObjects,
  PROFILE_ATTRIBUTE.capturePeriod,
  PROFILE_ATTRIBUTE.sortMethod,
  PROFILE_ATTRIBUTE.sortObject,
  PROFILE_ATTRIBUTE.entriesInUse,
  PROFILE_ATTRIBUTE.profileEntries,
];

async function readDefinition(session: MeterSession, obis: string): Promise<ProfileDefinition> {
  const answers = await readAttributes(session, [
    ...DEFINITION.map((attributeId) => ({ classId: PROFILE_GENERIC, instanceId: obis, attributeId })),
    ...ZONE_ATTRIBUTES,
  ]);
  const [columns, period, method, sortedBy, inUse, room] = answers;
  const clock = answers.slice(DEFINITION.length);
  if (columns === undefined) return fail('UNEXPECTED_RESPONSE', 'no capture objects');
  if (!('data' in columns)) throw dataAccessError(columns.dataAccessResult.code, `capture objects of ${obis}`);
  const [sortedByData, timeData] = [dataIn(sortedBy), dataIn(clock[0])];
  const time = timeData === undefined ? null : dateTimeOf(timeData, session.quirks);
  const told = zoneOf(clock, session.quirks);
  // A zone that somebody configured knows more than the clock tells, and is surer.
  const zone: Zone | null = session.timeZone === null ? told : { timeZone: session.timeZone };
  const meterTime = time === null ? null : instantOf(time, zone);
  return {
    captureObjects: parseCaptureObjects(columns.data),
    capturePeriod: wholeNumber(dataIn(period)) ?? 0,
    sortMethod: parseSortMethod(dataIn(method) ?? { type: 'null-data' }),
    sortObject: sortedByData === undefined ? null : parseCaptureObject(sortedByData),
    entriesInUse: wholeNumber(dataIn(inUse)),
    profileEntries: wholeNumber(dataIn(room)),
    zone,
    clockZone: told ?? (zone === null || meterTime === null ? null : zoneAround(meterTime, zone)),
    meterTime,
  };
}

function dataIn(result: GetResult | undefined): Data | undefined {
  return result !== undefined && 'data' in result ? result.data : undefined;
}
