/** Selective access to the buffer of a profile (Blue Book 4.3.6.3): by range of the clock, by entry, and which columns. */
import type { Data } from '../../dlms/axdr/data.ts';
import { dateTimeOf, utcOf } from '../../dlms/axdr/date-time.ts';
import { obisText } from '../../dlms/axdr/obis.ts';
import type { AccessSelection } from '../../dlms/xdlms/services.ts';
import { DEVIATION, RESULT, type ResultCode } from './object-model.ts';
import { type Column, type History, indicesIn } from './profile-history.ts';

export const SELECTOR = { range: 1, entry: 2 } as const;

export interface Selected {
  /** Indices of the first row, and of the one behind the last. */
  readonly rows: readonly [first: number, end: number];
  readonly columns: readonly Column[];
}

type Refused = { readonly refused: ResultCode };
const UNMATCHED: Refused = { refused: RESULT.typeUnmatched };

/** What a selector asks of a history; `newestFirst` is the order in which entries are counted. */
export function selectedOf(
  selection: AccessSelection,
  history: History,
  columns: readonly Column[],
  newestFirst: boolean,
): Selected | Refused {
  const { parameters } = selection;
  if (parameters.type !== 'structure') return UNMATCHED;
  return selection.selector === SELECTOR.range
    ? byRange(parameters.value, history, columns)
    : byEntry(parameters.value, history, columns, newestFirst);
}

/** range_descriptor: restricting_object, from_value, to_value, selected_values (none: all columns). */
function byRange(members: readonly Data[], history: History, columns: readonly Column[]): Selected | Refused {
  const [restricting, fromValue, toValue, selectedValues] = members;
  if (members.length !== 4 || restricting === undefined || fromValue === undefined || toValue === undefined) {
    return UNMATCHED;
  }
  const object = columnOf(restricting, columns);
  if (object === 'malformed') return UNMATCHED;
  // Rows are in order of time alone.
  if (object === null || object.classId !== CLOCK_CLASS) return { refused: RESULT.scopeOfAccessViolated };
  const from = boundOf(fromValue, -Infinity);
  const to = boundOf(toValue, Infinity);
  if (from === null || to === null || selectedValues?.type !== 'array') return UNMATCHED;
  const chosen = selectedValues.value.map((definition) => columnOf(definition, columns));
  const found: Column[] = [];
  for (const column of chosen) {
    if (column === 'malformed') return UNMATCHED;
    if (column === null) return { refused: RESULT.objectUndefined };
    found.push(column);
  }
  return { rows: indicesIn(history, from, to), columns: found.length === 0 ? columns : found };
}

const CLOCK_CLASS = 8;

/** capture_object_definition: class, logical name, attribute, data index (0: the whole attribute). null for one not captured. */
function columnOf(definition: Data, columns: readonly Column[]): Column | 'malformed' | null {
  if (definition.type !== 'structure' || definition.value.length !== 4) return 'malformed';
  const [classId, name, attribute, dataIndex] = definition.value;
  if (name?.type !== 'octet-string' || name.value.length !== 6) return 'malformed';
  if (classId?.type !== 'long-unsigned' || attribute?.type !== 'integer' || dataIndex?.type !== 'long-unsigned') {
    return 'malformed';
  }
  const obis = obisText(name.value);
  const found = columns.find((one) => one.classId === classId.value && one.obis === obis);
  return found !== undefined && found.attribute === attribute.value && dataIndex.value === 0 ? found : null;
}

/** The moment in a bound, local to the meter without a deviation; `open` where nothing of the date is specified; null for no date-time. */
function boundOf(value: Data, open: number): number | null {
  const dateTime = dateTimeOf(value);
  if (dateTime === null) return null;
  if (dateTime.year === null && dateTime.month === null && dateTime.dayOfMonth === null) return open;
  return utcOf(dateTime, { fallbackDeviation: DEVIATION });
}

/** entry_descriptor: from_entry, to_entry, from_selected_value, to_selected_value; counted from 1, 0 as an end is the last. */
function byEntry(
  members: readonly Data[],
  { count }: History,
  columns: readonly Column[],
  newestFirst: boolean,
): Selected | Refused {
  const [fromEntry, toEntry, fromColumn, toColumn] = members;
  if (members.length !== 4 || fromEntry?.type !== 'double-long-unsigned' || toEntry?.type !== 'double-long-unsigned') {
    return UNMATCHED;
  }
  if (fromColumn?.type !== 'long-unsigned' || toColumn?.type !== 'long-unsigned') return UNMATCHED;
  const [first, end] = slice(fromEntry.value, toEntry.value, count);
  return {
    rows: newestFirst ? [count - end, count - first] : [first, end],
    columns: columns.slice(...slice(fromColumn.value, toColumn.value, columns.length)),
  };
}

/** [from, to] counted from 1 as [first, end) counted from 0. */
function slice(from: number, to: number, count: number): [number, number] {
  const end = to === 0 ? count : Math.min(to, count);
  return [Math.min(Math.max(from, 1) - 1, end), end];
}
