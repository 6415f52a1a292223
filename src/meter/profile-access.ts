/**
 * The ways to a part of a profile's buffer, the best first: by range with the deviation in its bounds, by range in local
 * time, by entries counted back from the newest, and the whole buffer with the rest left out here. What a meter refuses is
 * told, so that the next reading goes straight to what works.
 */
import { asBridgeError, type BridgeError, fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import type { MeterZone, Zone } from '../dlms/cosem/meter-time.ts';
import { type ProfileRow, profileRows } from '../dlms/cosem/profile-buffer.ts';
import {
  type CaptureObject,
  entrySelection,
  isClockColumn,
  PROFILE_ATTRIBUTE,
  PROFILE_GENERIC,
  rangeSelection,
  restrictingObject,
  type SortMethod,
} from '../dlms/cosem/profile-generic.ts';
import type { Quirks } from '../dlms/quirks.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { AccessSelection } from '../dlms/xdlms/services.ts';
import type { MeterSession } from './session.ts';

export type ProfileSelection =
  | { readonly kind: 'all' }
  /** Milliseconds UTC; rows captured at either bound belong to it. */
  | { readonly kind: 'range'; readonly from: number; readonly to: number }
  /** Numbered from 1 in the order of the buffer; 0 as the last stands for the last there is. */
  | { readonly kind: 'entries'; readonly first: number; readonly last: number }
  /** The most recent ones; of a profile that is sorted by value the ones at its end. */
  | { readonly kind: 'last'; readonly count: number };

/** A way that a meter may refuse; the whole buffer is not one. */
export type AccessWay = 'range' | 'range-local' | 'entries';

export interface ProfileDefinition {
  readonly captureObjects: readonly CaptureObject[];
  readonly capturePeriod: number;
  readonly sortMethod: SortMethod;
  readonly sortObject: CaptureObject | null;
  /** null when the meter does not tell. */
  readonly entriesInUse: number | null;
  readonly profileEntries: number | null;
  /** For times without deviation. */
  readonly zone: Zone | null;
  /** How the clock counts at present: for the bounds of a range. */
  readonly clockZone: (MeterZone & { readonly now: number }) | null;
  /** Milliseconds UTC by the meter's clock when the definition was read. */
  readonly meterTime: number | null;
}

export interface RowsRead {
  /** Those that are wanted, in the order of the buffer. */
  readonly rows: readonly ProfileRow[];
  /** How they were asked for; `whole` is the whole buffer, of which the rest was left out here. */
  readonly way: AccessWay | 'whole';
  /** Ways that the meter refused just now, though another one worked. */
  readonly refused: readonly AccessWay[];
}

interface Attempt {
  readonly way: AccessWay | 'whole';
  readonly read: () => Promise<readonly ProfileRow[]>;
}

/** Reads the rows, passing over ways that are known to be refused. Throws what the last way met with. */
export async function readRows(
  session: MeterSession,
  obis: string,
  definition: ProfileDefinition,
  selection: ProfileSelection,
  known: ReadonlySet<AccessWay>,
): Promise<RowsRead> {
  const { quirks } = session;
  const avoided = new Set([...known, ...waysAgainst(quirks)]);
  const ask = (accessSelection: AccessSelection | null) => readBuffer(session, obis, definition, accessSelection);
  const refused: AccessWay[] = [];
  for (const { way, read } of attemptsFor(selection, definition, quirks, ask)) {
    if (way !== 'whole' && avoided.has(way)) continue;
    try {
      const rows = await read();
      return { rows: wantedRows(rows, selection, definition, way), way, refused };
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (way === 'whole' || !SELECTION_REFUSALS.has(error.code)) throw error;
      // What is not granted costs nothing to ask, and another client may have it.
      if (error.code !== 'SERVICE_NOT_GRANTED') refused.push(way);
    }
  }
  return fail('INTERNAL', 'a profile is read in no way at all', { layer: 'meter' });
}

type Ask = (selection: AccessSelection | null) => Promise<readonly ProfileRow[]>;

/** Ways that this meter takes and answers wrongly. */
function waysAgainst({ noSelectiveAccess, rangeWithoutDeviation }: Quirks): readonly AccessWay[] {
  if (noSelectiveAccess) return ['range', 'range-local', 'entries'];
  return rangeWithoutDeviation ? ['range'] : [];
}

function attemptsFor(
  selection: ProfileSelection,
  definition: ProfileDefinition,
  quirks: Quirks,
  ask: Ask,
): readonly Attempt[] {
  const whole: Attempt = { way: 'whole', read: () => ask(null) };
  const { sortMethod, entriesInUse } = definition;
  const entries = (first: number, last: number): Attempt => ({
    way: 'entries',
    read: () => ask(entrySelection(first, last)),
  });
  switch (selection.kind) {
    case 'all':
      return [whole];
    case 'entries':
      return [entries(selection.first, selection.last), whole];
    case 'last':
      if (sortMethod === 'lifo') return [entries(1, selection.count), whole];
      // To the last there is: a row that was captured meanwhile belongs to the most recent ones.
      return entriesInUse === null ? [whole] : [entries(Math.max(1, entriesInUse - selection.count + 1), 0), whole];
    case 'range':
      return [...rangeAttempts(selection, definition, quirks, ask), ...backwards(selection, definition, ask), whole];
  }
}

type Range = Extract<ProfileSelection, { kind: 'range' }>;

function rangeAttempts(
  { from, to }: Range,
  definition: ProfileDefinition,
  { invertedDeviation }: Quirks,
  ask: Ask,
): readonly Attempt[] {
  const { captureObjects, sortObject, clockZone } = definition;
  const restricting = restrictingObject(captureObjects, sortObject);
  const { deviation, daylightSaving, now } = clockZone ?? UTC;
  const ahead = daylightSaving * MS_PER_MINUTE;
  const exact = { restricting, from, to, deviation: now, sendsDeviation: true, invertedDeviation };
  // Nobody says whether it was summer time then: both hours are asked for, and what is too much is left out here.
  const wide = { from: from + Math.min(0, ahead), to: to + Math.max(0, ahead) };
  const local = { restricting, ...wide, deviation, sendsDeviation: false };
  return [
    { way: 'range', read: () => ask(rangeSelection(exact)) },
    { way: 'range-local', read: () => ask(rangeSelection(local)) },
  ];
}

const UTC = { deviation: 0, daylightSaving: 0, now: 0 };
const MS_PER_MINUTE = 60_000;
/** Rows more than there should be: one that was captured meanwhile, one of an adjusted clock. */
const MORE_ENTRIES = 2;

/**
 * By entries, for rows of a period: as many of the newest as there can be since `from`, and twice as many as long as the
 * oldest of them is later than that. Rows that are missing make it too many, never too few.
 */
function backwards({ from }: Range, definition: ProfileDefinition, ask: Ask): readonly Attempt[] {
  const { capturePeriod, sortMethod, entriesInUse, meterTime, captureObjects } = definition;
  const isOrdered = sortMethod === 'fifo' || sortMethod === 'lifo';
  if (!isOrdered || capturePeriod === 0 || entriesInUse === null || meterTime === null) return [];
  if (!captureObjects.some(isClockColumn)) return [];
  const since = Math.ceil((meterTime - from) / (capturePeriod * 1000)) + MORE_ENTRIES;
  const begin = Math.max(MORE_ENTRIES, since);
  if (begin >= entriesInUse) return [];
  const read = async (): Promise<readonly ProfileRow[]> => {
    for (let count = begin; count < entriesInUse; count *= 2) {
      const isLifo = sortMethod === 'lifo';
      const rows = await ask(isLifo ? entrySelection(1, count) : entrySelection(entriesInUse - count + 1, 0));
      const oldest = isLifo ? rows.at(-1) : rows[0];
      if (oldest !== undefined && oldest.at !== null && oldest.at <= from) return rows;
    }
    return ask(null);
  };
  return [{ way: 'entries', read }];
}

async function readBuffer(
  session: MeterSession,
  obis: string,
  definition: ProfileDefinition,
  accessSelection: AccessSelection | null,
): Promise<readonly ProfileRow[]> {
  // Some meters end the association over a request that they do not know.
  await session.ensureAssociated();
  const attribute = { classId: PROFILE_GENERIC, instanceId: obis, attributeId: PROFILE_ATTRIBUTE.buffer };
  const [result] = await session.get([{ ...attribute, accessSelection }]);
  if (result === undefined) return fail('UNEXPECTED_RESPONSE', 'no buffer');
  if (!('data' in result)) throw dataAccessError(result.dataAccessResult.code, `the buffer of ${obis}`);
  return rowsOf(result.data, definition, session.quirks);
}

function rowsOf(buffer: Data, definition: ProfileDefinition, { invertedDeviation }: Quirks): readonly ProfileRow[] {
  const { captureObjects: columns, capturePeriod, sortMethod, sortObject, zone } = definition;
  return profileRows(buffer, { columns, capturePeriod, sortMethod, sortObject, zone, invertedDeviation });
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

/** Leaves out what was not asked for: all the rest of a whole buffer, and rows that a meter gave too much. */
function wantedRows(
  rows: readonly ProfileRow[],
  selection: ProfileSelection,
  { captureObjects, sortMethod }: ProfileDefinition,
  way: AccessWay | 'whole',
): readonly ProfileRow[] {
  const isSelected = way !== 'whole';
  switch (selection.kind) {
    case 'all':
      return rows;
    case 'entries':
      return isSelected ? rows : rows.slice(selection.first - 1, selection.last === 0 ? undefined : selection.last);
    case 'last':
      return sortMethod === 'lifo'
        ? rows.slice(0, selection.count)
        : rows.slice(Math.max(0, rows.length - selection.count));
    case 'range': {
      if (!isSelected && !captureObjects.some(isClockColumn)) {
        return fail('UNSUPPORTED', 'the meter gives the whole profile only, and its rows do not tell their time', {
          hint: 'read it with --last or --entries',
        });
      }
      const { from, to } = selection;
      return rows.filter(({ at }) => (at === null ? isSelected : from <= at && at <= to));
    }
  }
}
