/** Profile generic, class 7 version 1 (Blue Book 4.3.6), over a history that is computed when it is asked for. */
import { sameBytes } from '../../core/bytes.ts';
import { type Data, dataBytes } from '../../dlms/axdr/data.ts';
import { obisBytes } from '../../dlms/axdr/obis.ts';
import { NULL_DATA } from '../../dlms/axdr/scalar.ts';
import { EVENT } from './meter-state.ts';
import { DONE, logicalName, type MeterContext, type Method, type ObjectDefinition, refused } from './object-model.ts';
import { type Capture, type Column, historyOf, type Profile } from './profile-history.ts';
import { SELECTOR, selectedOf } from './profile-selection.ts';

const SORT_METHOD = { fifo: 1, lifo: 2 } as const;
const CLOCK_CLASS = 8;

export function profileObject(profile: Profile): ObjectDefinition {
  const { obis, columns, capturePeriod, entries } = profile;
  const clock = columns.find(({ classId }) => classId === CLOCK_CLASS);
  return {
    classId: 7,
    version: 1,
    obis,
    attributes: [
      logicalName(obis),
      (context) => wholeBuffer(profile, context),
      () => ({ type: 'array', value: columns.map(captureObject) }),
      () => ({ type: 'double-long-unsigned', value: capturePeriod }),
      ({ profiles }) => ({ type: 'enum', value: SORT_METHOD[profiles.order] }),
      () => captureObject(clock),
      (context) => ({ type: 'double-long-unsigned', value: historyOf(profile, context).count }),
      () => ({ type: 'double-long-unsigned', value: entries }),
    ],
    selections: {
      2: {
        selectors: [SELECTOR.range, SELECTOR.entry],
        select: (context, selection) => {
          const history = historyOf(profile, context);
          const chosen = selectedOf(selection, history, columns, context.profiles.order === 'lifo');
          return 'refused' in chosen ? chosen : bufferData(profile, context, chosen.columns, chosen.rows);
        },
      },
    },
    methods: 4,
    calls: { 1: resetOf(profile), 3: bufferBy(profile, SELECTOR.range), 4: bufferBy(profile, SELECTOR.entry) },
    isPublic: false,
    scaler: null,
  };
}

function wholeBuffer(profile: Profile, context: MeterContext): Data {
  return bufferData(profile, context, profile.columns, [0, historyOf(profile, context).count]);
}

function resetOf({ obis, capturePeriod }: Profile): Method {
  return ({ state, at }) => {
    if (capturePeriod === 0) state.log(at, EVENT.logCleared);
    else state.clear(obis, at);
    return DONE;
  };
}

/** get_buffer_by_range, get_buffer_by_index: selective access as a method. */
function bufferBy(profile: Profile, selector: number): Method {
  return (context, parameters) => {
    const newestFirst = context.profiles.order === 'lifo';
    const selection = { selector, parameters: parameters ?? NULL_DATA };
    const chosen = selectedOf(selection, historyOf(profile, context), profile.columns, newestFirst);
    if ('refused' in chosen) return refused(chosen.refused);
    return { ...DONE, returned: bufferData(profile, context, chosen.columns, chosen.rows) };
  };
}

/** capture_object_definition; class 0 where there is none. */
function captureObject(column: Column | undefined): Data {
  return {
    type: 'structure',
    value: [
      { type: 'long-unsigned', value: column?.classId ?? 0 },
      { type: 'octet-string', value: column === undefined ? new Uint8Array(6) : obisBytes(column.obis) },
      { type: 'integer', value: column?.attribute ?? 0 },
      { type: 'long-unsigned', value: 0 },
    ],
  };
}

function bufferData(
  profile: Profile,
  context: MeterContext,
  columns: readonly Column[],
  [first, end]: readonly [number, number],
): Data {
  const history = historyOf(profile, context);
  const captures = Array.from({ length: end - first }, (_, index) => history.capture(first + index));
  const { order, compressed } = context.profiles;
  if (order === 'lifo') captures.reverse();
  const rows = captures.map((capture) => columns.map((column) => column.value(capture)));
  const sent = compressed ? compressedRows(rows, captures, columns, profile.capturePeriod * 1000) : rows;
  return { type: 'array', value: sent.map((value) => ({ type: 'structure', value })) };
}

/**
 * null-data for a clock that is one capture period from the row sent before (Blue Book 4.3.6.2.2), and for any other value
 * that is the same as there. Rows by event have no period: there the clock is always sent.
 */
function compressedRows(
  rows: readonly (readonly Data[])[],
  captures: readonly Capture[],
  columns: readonly Column[],
  periodMs: number,
): readonly (readonly Data[])[] {
  return rows.map((row, index) => {
    const before = rows[index - 1];
    if (before === undefined) return row;
    const step = Math.abs((captures[index]?.at ?? 0) - (captures[index - 1]?.at ?? 0));
    return row.map((value, place) => {
      const isClock = columns[place]?.classId === CLOCK_CLASS;
      const omitted = isClock ? periodMs > 0 && step === periodMs : isSame(value, before[place]);
      return omitted ? NULL_DATA : value;
    });
  });
}

function isSame(value: Data, before: Data | undefined): boolean {
  return before !== undefined && sameBytes(dataBytes(value), dataBytes(before));
}
