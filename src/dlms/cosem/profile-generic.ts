/**
 * Profile generic, class 7 (Blue Book 4.3.6): what a profile captures, how it is sorted, and how a part of its buffer is
 * asked for. What stands in the buffer is read by `profile-buffer.ts`.
 */
import { fail } from '../../core/errors.ts';
import type { Data } from '../axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes, withInvertedDeviation } from '../axdr/date-time.ts';
import { obisBytes, obisText } from '../axdr/obis.ts';
import type { AccessSelection } from '../xdlms/services.ts';

export const PROFILE_GENERIC = 7;

/** Attributes of class 7. */
export const PROFILE_ATTRIBUTE = {
  buffer: 2,
  captureObjects: 3,
  capturePeriod: 4,
  sortMethod: 5,
  sortObject: 6,
  entriesInUse: 7,
  profileEntries: 8,
} as const;

/** capture_object_definition: what one column holds. */
export interface CaptureObject {
  readonly classId: number;
  /** OBIS code, dotted. */
  readonly obis: string;
  /** 0 stands for all attributes of the object; some meters write it for attribute 2. */
  readonly attribute: number;
  /** Which element of a structured attribute; 0 for the whole. */
  readonly dataIndex: number;
}

/** sort_method. Of the sorted ones only the first two go by time of capture. */
const SORT_METHODS = {
  1: 'fifo',
  2: 'lifo',
  3: 'largest',
  4: 'smallest',
  5: 'nearest-to-zero',
  6: 'farthest-from-zero',
} as const;
export type SortMethod = (typeof SORT_METHODS)[keyof typeof SORT_METHODS];

const CLOCK = 8;
const CLOCK_TIME = 2;
/** The meter's clock, for profiles that do not say which one they go by. */
export const DEFAULT_CLOCK: CaptureObject = {
  classId: CLOCK,
  obis: '0.0.1.0.0.255',
  attribute: CLOCK_TIME,
  dataIndex: 0,
};
/** Status registers of profiles, 0-b:96.10.e (IEC 62056-61, table 16). */
const STATUS_OBIS = /^0\.\d+\.96\.10\.\d+\.\d+$/;

/** Selectors of the buffer. */
const BY_RANGE = 1;
const BY_ENTRY = 2;

/** Whether the column holds the time of capture. */
export function isClockColumn({ classId, attribute }: CaptureObject): boolean {
  return classId === CLOCK && (attribute === CLOCK_TIME || attribute === 0);
}

/** Place of the column with the time of a row: the clock that the rows are sorted by, else the first one; -1 for none. */
export function clockColumnOf(columns: readonly CaptureObject[], sortObject: CaptureObject | null): number {
  const sorted =
    sortObject !== null && isClockColumn(sortObject)
      ? columns.findIndex((column) => isClockColumn(column) && column.obis === sortObject.obis)
      : -1;
  return sorted < 0 ? columns.findIndex(isClockColumn) : sorted;
}

/** Whether the column holds the status of the row. */
export function isStatusColumn({ obis }: CaptureObject): boolean {
  return STATUS_OBIS.test(obis);
}

/** capture_objects. Throws MALFORMED: without every single one of them no column can be told from another. */
export function parseCaptureObjects(data: Data): readonly CaptureObject[] {
  if (data.type !== 'array' && data.type !== 'compact-array') return malformed('capture_objects are no array');
  return data.value.map((entry, index) => parseCaptureObject(entry) ?? malformed(`capture object ${index + 1}`));
}

/** One capture_object_definition; null for anything else, and for the null object that unsorted profiles name. */
export function parseCaptureObject(data: Data): CaptureObject | null {
  if (data.type !== 'structure') return null;
  const [classId, name, attribute, dataIndex] = data.value;
  if (name?.type !== 'octet-string' || name.value.length !== 6) return null;
  const numbers = [wholeNumber(classId), wholeNumber(attribute), wholeNumber(dataIndex) ?? 0] as const;
  if (!numbers[0] || numbers[1] === null) return null;
  return { classId: numbers[0], obis: obisText(name.value), attribute: numbers[1], dataIndex: numbers[2] };
}

export function captureObjectData({ classId, obis, attribute, dataIndex }: CaptureObject): Data {
  return {
    type: 'structure',
    value: [
      { type: 'long-unsigned', value: classId },
      { type: 'octet-string', value: obisBytes(obis) },
      { type: 'integer', value: attribute },
      { type: 'long-unsigned', value: dataIndex },
    ],
  };
}

/** sort_method; what is not known counts as fifo, the order of capture. */
export function parseSortMethod(data: Data): SortMethod {
  return SORT_METHODS[(wholeNumber(data) ?? 1) as keyof typeof SORT_METHODS] ?? 'fifo';
}

/** The value of a numeric attribute, null when it is none or beyond 2^53. */
export function wholeNumber(data: Data | undefined): number | null {
  if (data === undefined || !('value' in data)) return null;
  const value = typeof data.value === 'bigint' ? Number(data.value) : data.value;
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

/** What a time range is asked by: the clock that the profile is sorted by, else the one that it captures. */
export function restrictingObject(columns: readonly CaptureObject[], sortObject: CaptureObject | null): CaptureObject {
  if (sortObject !== null && isClockColumn(sortObject)) return sortObject;
  return columns.find(isClockColumn) ?? DEFAULT_CLOCK;
}

export interface ClockRange {
  readonly restricting: CaptureObject;
  /** Milliseconds UTC; both bounds belong to the range. */
  readonly from: number;
  readonly to: number;
  /** Minutes from the meter's local time to UTC. */
  readonly deviation: number;
  /** Some meters take bounds only without deviation (8000), in their local time; others only with it. */
  readonly sendsDeviation: boolean;
  /** As in `dateTimeOf`: `deviation` has the sign of the standard, the bounds the other one. */
  readonly invertedDeviation?: boolean;
  /** Columns to be sent; none for all of them. */
  readonly columns?: readonly CaptureObject[];
}

/** range_descriptor: the rows from one moment to another. */
export function rangeSelection({ restricting, columns = [], ...range }: ClockRange): AccessSelection {
  return {
    selector: BY_RANGE,
    parameters: {
      type: 'structure',
      value: [
        captureObjectData(restricting),
        boundData(range.from, range),
        boundData(range.to, range),
        { type: 'array', value: columns.map(captureObjectData) },
      ],
    },
  };
}

/** The day of the week is left open: it follows from the date, and meters disagree about it. */
function boundData(
  utc: number,
  { deviation, sendsDeviation, invertedDeviation }: Omit<ClockRange, 'restricting'>,
): Data {
  const local = cosemDateTimeOf(utc, deviation);
  const bound = { ...local, dayOfWeek: null, deviation: sendsDeviation ? deviation : null };
  const written = invertedDeviation === true ? withInvertedDeviation(bound) : bound;
  return { type: 'octet-string', value: dateTimeBytes(written) };
}

/** entry_descriptor: rows and columns are numbered from 1; 0 as the last of either stands for the last there is. */
export function entrySelection(first: number, last: number, firstColumn = 1, lastColumn = 0): AccessSelection {
  return {
    selector: BY_ENTRY,
    parameters: {
      type: 'structure',
      value: [
        { type: 'double-long-unsigned', value: first },
        { type: 'double-long-unsigned', value: last },
        { type: 'long-unsigned', value: firstColumn },
        { type: 'long-unsigned', value: lastColumn },
      ],
    },
  };
}

function malformed(what: string): never {
  return fail('MALFORMED', `the profile cannot be read: ${what}`, { layer: 'cosem' });
}
