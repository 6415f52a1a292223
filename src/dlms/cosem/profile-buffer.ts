/**
 * The buffer of a profile generic (Blue Book 4.3.6.2): rows of values, one for each capture object. Meters leave out what
 * follows from the row before: null-data in the clock column is one capture period on, in any other column the same value
 * again; delta types hold the difference to it. A buffer that cannot be understood as a whole is refused as a whole.
 */
import { fail } from '../../core/errors.ts';
import type { Data, NumberType } from '../axdr/data.ts';
import { type CosemDateTime, cosemDateTimeOf, dateTimeBytes, dateTimeOf, utcOf } from '../axdr/date-time.ts';
import { rangeOf } from '../axdr/scalar.ts';
import { instantsOf, type Zone } from './meter-time.ts';
import {
  type CaptureObject,
  clockColumnOf,
  isClockColumn,
  isStatusColumn,
  type SortMethod,
} from './profile-generic.ts';

export interface BufferShape {
  /** What the rows hold, in order. */
  readonly columns: readonly CaptureObject[];
  /** Seconds; 0 when rows are captured on an occasion. */
  readonly capturePeriod: number;
  readonly sortMethod: SortMethod;
  /** null: times without deviation name no instant. */
  readonly zone: Zone | null;
  /** As in `dateTimeOf`. */
  readonly invertedDeviation?: boolean;
  /** What the rows are in order of; the time of a row is its clock where it is captured, else the first clock captured. */
  readonly sortObject?: CaptureObject | null;
}

export interface ProfileRow {
  /** Milliseconds UTC at which the row was captured; null when it does not tell. */
  readonly at: number | null;
  /** The same as the meter wrote it, with its status bits; the deviation has the sign of the standard. */
  readonly clock: CosemDateTime | null;
  readonly status: Data | null;
  /** One for each column, clock and status included. */
  readonly values: readonly Data[];
}

const MS = 1000;
const LIFO_STEP = -1;

/**
 * The rows of a buffer, in the order in which it has them. Throws MALFORMED when a row has another number of values than
 * there are columns, when the first row has null-data, and when a delta has nothing that it could be a difference to.
 */
export function profileRows(buffer: Data, shape: BufferShape): readonly ProfileRow[] {
  const { columns, zone, sortMethod, sortObject = null, invertedDeviation = false } = shape;
  const clockAt = clockColumnOf(columns, sortObject);
  const statusAt = columns.findIndex(isStatusColumn);
  const sent = rowsIn(buffer).map((row, index) => cellsOf(row, columns.length, index));
  const expanded: (readonly Data[])[] = [];
  for (const [index, cells] of sent.entries()) {
    expanded.push(expandedRow(cells, expanded.at(-1) ?? null, shape, index));
  }
  const clocks = expanded.map((values) => (clockAt < 0 ? null : dateTimeOf(values[clockAt]!, { invertedDeviation })));
  const instants = [...instantsOf(clocks, zone, sortMethod === 'lifo')];
  for (const [index, cells] of sent.entries()) {
    // One capture period is one in time, whatever local time does meanwhile.
    const before = cells[clockAt]?.type === 'null-data' ? instants[index - 1] : undefined;
    if (typeof before === 'number') instants[index] = before + periodOf(shape);
  }
  return expanded.map((values, index) => ({
    at: instants[index] ?? null,
    clock: clocks[index] ?? null,
    status: statusAt < 0 ? null : values[statusAt]!,
    values,
  }));
}

/** From a row to the one behind it, milliseconds. */
function periodOf({ capturePeriod, sortMethod }: BufferShape): number {
  return capturePeriod * MS * (sortMethod === 'lifo' ? LIFO_STEP : 1);
}

function rowsIn(buffer: Data): readonly Data[] {
  if (buffer.type === 'array' || buffer.type === 'compact-array') return buffer.value;
  // An empty buffer of some meters.
  return buffer.type === 'null-data' ? [] : malformed(`its buffer is a ${buffer.type}`);
}

function cellsOf(row: Data, columns: number, index: number): readonly Data[] {
  if (row.type !== 'structure') return malformed(`row ${index + 1} is a ${row.type}`);
  if (row.value.length !== columns) {
    return malformed(`row ${index + 1} has ${row.value.length} values for ${columns} capture objects`);
  }
  return row.value;
}

function expandedRow(
  cells: readonly Data[],
  previous: readonly Data[] | null,
  shape: BufferShape,
  index: number,
): readonly Data[] {
  const { columns, sortMethod } = shape;
  return cells.map((cell, at) => {
    const column = columns[at]!;
    const place = (): string => `row ${index + 1}, column ${at + 1} (${column.obis})`;
    if (cell.type === 'null-data') {
      const before = previous?.[at] ?? malformed(`${place()} is null-data with no row before it`);
      if (!isClockColumn(column)) return before;
      if (sortMethod !== 'fifo' && sortMethod !== 'lifo') {
        return malformed(`${place()} is null-data, but rows are not in the order of capture`);
      }
      return laterBy(before, periodOf(shape)) ?? malformed(`${place()} is null-data after a time that names no moment`);
    }
    const base = DELTA_TYPES.has(cell.type) ? previous?.[at] : cell;
    if (base === cell) return cell;
    if (base === undefined) return malformed(`${place()} is a difference with no row before it`);
    const sum = plusDelta(base, cell);
    return sum ?? malformed(`${place()} is a difference that cannot be added to the ${base.type} before it`);
  });
}

/** A meter's time so many milliseconds later, written as it was; null when it names no moment. */
function laterBy(time: Data, ms: number): Data | null {
  const before = dateTimeOf(time);
  const local = before === null ? null : utcOf({ ...before, deviation: 0 });
  if (before === null || local === null) return null;
  const { year, month, dayOfMonth, dayOfWeek, hour, minute, second } = cosemDateTimeOf(local + ms, 0);
  const after: CosemDateTime = {
    ...before,
    year,
    month,
    dayOfMonth,
    dayOfWeek: before.dayOfWeek === null ? null : dayOfWeek,
    hour,
    minute,
    second: before.second === null && second === 0 ? null : second,
  };
  return time.type === 'date-time' ? { type: 'date-time', value: after } : octetString(dateTimeBytes(after));
}

function octetString(value: Uint8Array): Data {
  return { type: 'octet-string', value };
}

const DELTA_TYPES: ReadonlySet<Data['type']> = new Set<Data['type']>([
  'delta-integer',
  'delta-long',
  'delta-double-long',
  'delta-unsigned',
  'delta-long-unsigned',
  'delta-double-long-unsigned',
]);

type WholeType = Exclude<NumberType, 'float32' | 'float64' | 'bcd' | 'enum' | `delta-${string}`>;
const WHOLE_TYPES: ReadonlySet<string> = new Set<WholeType>([
  'integer',
  'long',
  'double-long',
  'unsigned',
  'long-unsigned',
  'double-long-unsigned',
]);

/** The value that a delta stands for, of the type that the column has; null when it has none, or the sum does not fit. */
function plusDelta(base: Data, delta: Data): Data | null {
  if (!('value' in delta) || typeof delta.value !== 'number') return null;
  if (base.type === 'long64' || base.type === 'long64-unsigned') {
    const value = base.value + BigInt(delta.value);
    const fits = (base.type === 'long64' ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) === value;
    return fits ? { type: base.type, value } : null;
  }
  if (!WHOLE_TYPES.has(base.type)) return null;
  const { type, value: before } = base as { readonly type: WholeType; readonly value: number };
  const [smallest, largest] = rangeOf(type);
  const value = before + delta.value;
  return value >= smallest && value <= largest ? { type, value } : null;
}

function malformed(what: string): never {
  return fail('MALFORMED', `the profile cannot be read: ${what}`, { layer: 'cosem' });
}
