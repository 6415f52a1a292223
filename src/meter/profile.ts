/**
 * Reads a profile: what it captures, the scalers of that, and the rows that are wanted. Three round trips, two once the
 * scalers are known. The meter is asked for no more rows than wanted; where it does not grant selective access or refuses
 * it, the whole buffer is read and the rest left out here.
 */
import { asBridgeError, type BridgeError, fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { type ProfileRow, profileRows } from '../dlms/cosem/profile-buffer.ts';
import {
  type CaptureObject,
  entrySelection,
  isClockColumn,
  PROFILE_ATTRIBUTE,
  PROFILE_GENERIC,
  parseCaptureObject,
  parseCaptureObjects,
  parseSortMethod,
  rangeSelection,
  restrictingObject,
  type SortMethod,
  wholeNumber,
} from '../dlms/cosem/profile-generic.ts';
import { parseScalerUnit, type ScalerUnit } from '../dlms/cosem/scaler-unit.ts';
import type { Quirks } from '../dlms/quirks.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { AccessSelection, AttributeReference, GetResult } from '../dlms/xdlms/services.ts';
import { readAttributes } from './client.ts';
import { type Knowledge, type LearnedFact, objectKey, scalerUnitFact } from './knowledge.ts';
import { type ClockZone, ZONE_ATTRIBUTES, zoneOf } from './meter-clock.ts';
import { SCALER_ATTRIBUTE } from './points.ts';
import type { MeterSession } from './session.ts';

export type ProfileSelection =
  | { readonly kind: 'all' }
  /** Milliseconds UTC; rows captured at either bound belong to it. */
  | { readonly kind: 'range'; readonly from: number; readonly to: number }
  /** Numbered from 1 in the order of the buffer; 0 as the last stands for the last there is. */
  | { readonly kind: 'entries'; readonly first: number; readonly last: number }
  /** The most recent ones; of a profile that is sorted by value the ones at its end. */
  | { readonly kind: 'last'; readonly count: number };

export interface ProfileColumn extends CaptureObject {
  readonly scalerUnit: ScalerUnit | null;
  /** Why the meter does not tell the scaler; the numbers of the column may then be wrong by powers of ten. */
  readonly scalerError: BridgeError | null;
}

export interface Profile {
  /** Seconds; 0 when rows are captured on an occasion. */
  readonly capturePeriod: number;
  readonly sortMethod: SortMethod;
  readonly columns: readonly ProfileColumn[];
  /** In the order of the meter's buffer. */
  readonly rows: readonly ProfileRow[];
  /** What was learned on the way and is worth keeping; `knowledge` has it already. */
  readonly learned: readonly LearnedFact[];
  /** As in `dateTimeOf`, for date-times among the values. */
  readonly invertedDeviation: boolean;
}

/** Reads the rows. Throws DATA_ACCESS_* when there is no such profile, MALFORMED, and what ends the session. */
export async function readProfile(
  session: MeterSession,
  obis: string,
  selection: ProfileSelection,
  knowledge: Knowledge,
): Promise<Profile> {
  const definition = await readDefinition(session, obis);
  const { captureObjects, capturePeriod, sortMethod, zone } = definition;
  const { learned, refused } = await learnScalers(session, captureObjects, knowledge);
  const { buffer, isSelected } = await readBuffer(session, obis, attemptsFor(selection, definition, session.quirks));
  const { invertedDeviation } = session.quirks;
  const rows = profileRows(buffer, { columns: captureObjects, capturePeriod, sortMethod, zone, invertedDeviation });
  return {
    capturePeriod,
    sortMethod,
    columns: captureObjects.map((column) => {
      const key = scalerKeyOf(column);
      if (key === null) return { ...column, scalerUnit: null, scalerError: null };
      const scalerUnit = knowledge.scalerUnits.get(key) ?? null;
      return { ...column, scalerUnit, scalerError: refused.get(key) ?? null };
    }),
    rows: wantedRows(rows, selection, definition, isSelected),
    learned,
    invertedDeviation,
  };
}

interface ProfileDefinition {
  readonly captureObjects: readonly CaptureObject[];
  readonly capturePeriod: number;
  readonly sortMethod: SortMethod;
  readonly sortObject: CaptureObject | null;
  /** null when the meter does not tell. */
  readonly entriesInUse: number | null;
  readonly zone: ClockZone | null;
}

const { captureObjects, capturePeriod, sortMethod, sortObject, entriesInUse } = PROFILE_ATTRIBUTE;

async function readDefinition(session: MeterSession, obis: string): Promise<ProfileDefinition> {
  const ofProfile = [captureObjects, capturePeriod, sortMethod, sortObject, entriesInUse];
  const [columns, period, method, sortedBy, inUse, ...clock] = await readAttributes(session, [
    ...ofProfile.map((attributeId) => ({ classId: PROFILE_GENERIC, instanceId: obis, attributeId })),
    ...ZONE_ATTRIBUTES,
  ]);
  if (columns === undefined) return fail('UNEXPECTED_RESPONSE', 'no capture objects');
  if (!('data' in columns)) throw dataAccessError(columns.dataAccessResult.code, `capture objects of ${obis}`);
  const sortedByData = dataIn(sortedBy);
  return {
    captureObjects: parseCaptureObjects(columns.data),
    capturePeriod: wholeNumber(dataIn(period)) ?? 0,
    sortMethod: parseSortMethod(dataIn(method) ?? { type: 'null-data' }),
    sortObject: sortedByData === undefined ? null : parseCaptureObject(sortedByData),
    entriesInUse: wholeNumber(dataIn(inUse)) ?? null,
    zone: zoneOf(clock, session.quirks),
  };
}

function dataIn(result: GetResult | undefined): Data | undefined {
  return result !== undefined && 'data' in result ? result.data : undefined;
}

interface Scalers {
  readonly learned: readonly LearnedFact[];
  readonly refused: ReadonlyMap<string, BridgeError>;
}

/** Asks for the scalers of the columns that are not known yet. */
async function learnScalers(
  session: MeterSession,
  columns: readonly CaptureObject[],
  knowledge: Knowledge,
): Promise<Scalers> {
  const wanted = new Map<string, AttributeReference>();
  for (const column of columns) {
    const key = scalerKeyOf(column);
    if (key === null || knowledge.scalerUnits.has(key)) continue;
    const { classId, obis } = column;
    wanted.set(key, { classId, instanceId: obis, attributeId: SCALER_ATTRIBUTE[classId]!.at });
  }
  const answers = await readAttributes(session, [...wanted.values()]);
  const learned: LearnedFact[] = [];
  const refused = new Map<string, BridgeError>();
  for (const [index, key] of [...wanted.keys()].entries()) {
    const answer = answers[index]!;
    if ('data' in answer) {
      const scalerUnit = parseScalerUnit(answer.data);
      knowledge.scalerUnits.set(key, scalerUnit);
      learned.push(scalerUnitFact(key, scalerUnit));
    } else {
      refused.set(key, dataAccessError(answer.dataAccessResult.code, `the scaler of ${key}`));
    }
  }
  return { learned, refused };
}

/**
 * What the scaler of a column is known by; null where there is none. Attribute 0 is the value for meters that write it so;
 * where it means all attributes, a scaler does no harm.
 */
function scalerKeyOf({ classId, obis, attribute }: CaptureObject): string | null {
  const scaled = attribute === 0 ? VALUE : attribute;
  return SCALER_ATTRIBUTE[classId]?.of.includes(scaled) ? objectKey(classId, obis) : null;
}

const VALUE = 2;

/** Ways to ask for the rows, the best first; null is the whole buffer. */
function attemptsFor(
  selection: ProfileSelection,
  { captureObjects: columns, sortMethod: sorted, sortObject: sortedBy, entriesInUse: inUse, zone }: ProfileDefinition,
  { noSelectiveAccess, rangeWithoutDeviation, invertedDeviation }: Quirks,
): readonly (AccessSelection | null)[] {
  if (noSelectiveAccess) return [null];
  switch (selection.kind) {
    case 'all':
      return [null];
    case 'entries':
      return [entrySelection(selection.first, selection.last), null];
    case 'last':
      if (sorted === 'lifo') return [entrySelection(1, selection.count), null];
      // To the last there is: a row that was captured meanwhile belongs to the most recent ones.
      return inUse === null ? [null] : [entrySelection(Math.max(1, inUse - selection.count + 1), 0), null];
    case 'range': {
      const { from, to } = selection;
      const restricting = restrictingObject(columns, sortedBy);
      const { deviation, daylightSaving, now } = zone ?? UTC;
      const ahead = daylightSaving * MS_PER_MINUTE;
      const withDeviation = rangeSelection({
        ...{ restricting, from, to, deviation: now, sendsDeviation: true, invertedDeviation },
      });
      return [
        ...(rangeWithoutDeviation ? [] : [withDeviation]),
        // Nobody says whether it was summer time then: both hours are asked for, and what is too much is left out here.
        rangeSelection({
          restricting,
          from: from + Math.min(0, ahead),
          to: to + Math.max(0, ahead),
          deviation,
          sendsDeviation: false,
        }),
        null,
      ];
    }
  }
}

const UTC: ClockZone = { deviation: 0, daylightSaving: 0, now: 0 };
const MS_PER_MINUTE = 60_000;

interface ReadBuffer {
  readonly buffer: Data;
  /** The meter chose the rows. */
  readonly isSelected: boolean;
}

async function readBuffer(
  session: MeterSession,
  obis: string,
  attempts: readonly (AccessSelection | null)[],
): Promise<ReadBuffer> {
  const buffer = { classId: PROFILE_GENERIC, instanceId: obis, attributeId: PROFILE_ATTRIBUTE.buffer };
  for (const accessSelection of attempts) {
    try {
      // Some meters end the association over a request that they do not know.
      await session.ensureAssociated();
      const [result] = await session.get([{ ...buffer, accessSelection }]);
      if (result === undefined) return fail('UNEXPECTED_RESPONSE', 'no buffer');
      if ('data' in result) return { buffer: result.data, isSelected: accessSelection !== null };
      throw dataAccessError(result.dataAccessResult.code, `the buffer of ${obis}`);
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (accessSelection === null || !refusesSelection(error)) throw error;
    }
  }
  return fail('INTERNAL', 'a profile is read in no way at all', { layer: 'meter' });
}

/** What a meter says that knows no selective access, or not this selector; of what else it may say the whole is no cure. */
const SELECTION_REFUSALS: ReadonlySet<BridgeError['code']> = new Set<BridgeError['code']>([
  'SERVICE_NOT_GRANTED',
  'EXCEPTION_RESPONSE',
  'SERVICE_ERROR',
  'DATA_ACCESS_READ_WRITE_DENIED',
  'DATA_ACCESS_OBJECT_UNAVAILABLE',
  'DATA_ACCESS_TYPE_UNMATCHED',
  'DATA_ACCESS_SCOPE_VIOLATED',
  'DATA_ACCESS_OTHER_REASON',
]);

function refusesSelection({ code }: BridgeError): boolean {
  return SELECTION_REFUSALS.has(code);
}

/** Leaves out what was not asked for: all the rest of a whole buffer, and rows that a meter gave too much. */
function wantedRows(
  rows: readonly ProfileRow[],
  selection: ProfileSelection,
  { captureObjects: columns, sortMethod: sorted }: ProfileDefinition,
  isSelected: boolean,
): readonly ProfileRow[] {
  switch (selection.kind) {
    case 'all':
      return rows;
    case 'entries':
      return isSelected ? rows : rows.slice(selection.first - 1, selection.last === 0 ? undefined : selection.last);
    case 'last':
      return sorted === 'lifo'
        ? rows.slice(0, selection.count)
        : rows.slice(Math.max(0, rows.length - selection.count));
    case 'range': {
      if (!isSelected && !columns.some(isClockColumn)) {
        return fail('UNSUPPORTED', 'the meter gives the whole profile only, and its rows do not tell their time', {
          hint: 'read it with --last or --entries',
        });
      }
      const { from, to } = selection;
      return rows.filter(({ at }) => (at === null ? isSelected : from <= at && at <= to));
    }
  }
}
