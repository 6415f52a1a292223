/** The profiles of a virtual meter: which there are, and what their rows should say. */
import { fail } from '../../core/errors.ts';
import { cosemDateTimeOf, dateTimeOf, isoText } from '../../dlms/axdr/date-time.ts';
import { CLOCK_OBIS } from './clock-object.ts';
import { DEVIATION, dataObject, type MeterContext, type ObjectDefinition, scaledText } from './object-model.ts';
import {
  type Capture,
  type Column,
  clockColumn,
  codeColumn,
  historyOf,
  indicesIn,
  type Profile,
  registerColumn,
} from './profile-history.ts';
import { profileObject } from './profile-object.ts';
import { TOTALS } from './registers.ts';

export const LOAD_PROFILE = '1.0.99.1.0.255';
export const DAILY_PROFILE = '1.0.98.1.0.255';
export const EVENT_LOG = '0.0.99.98.0.255';

const LOAD_STATUS = '0.0.96.10.1.255';
const DAILY_STATUS = '0.0.96.10.2.255';
const EVENT_CODE = '0.0.96.11.0.255';

const PROFILES: readonly Profile[] = [
  {
    obis: LOAD_PROFILE,
    columns: [clockColumn(CLOCK_OBIS), codeColumn(LOAD_STATUS), ...registers('1.0.1.8.0.255', '1.0.2.8.0.255')],
    capturePeriod: 900,
    // A leap year.
    entries: 366 * 96,
  },
  {
    obis: DAILY_PROFILE,
    columns: [
      clockColumn(CLOCK_OBIS),
      codeColumn(DAILY_STATUS),
      ...registers('1.0.1.8.0.255', '1.0.2.8.0.255', '1.0.15.8.0.255'),
    ],
    capturePeriod: 86_400,
    entries: 400,
  },
  { obis: EVENT_LOG, columns: [clockColumn(CLOCK_OBIS), codeColumn(EVENT_CODE)], capturePeriod: 0, entries: 100 },
];

function registers(...names: readonly string[]): readonly Column[] {
  return names.map((name) => {
    const object = TOTALS.find(({ obis }) => obis === name);
    return registerColumn(object ?? fail('INTERNAL', `there is no ${name} to capture`));
  });
}

/** The profiles, and what they capture besides clock and registers: the status or code of the latest row. */
export const PROFILE_OBJECTS: readonly ObjectDefinition[] = [
  ...PROFILES.map(profileObject),
  ...PROFILES.map((profile) => {
    const code = profile.columns.find(({ classId }) => classId === 1);
    return dataObject(code?.obis ?? '', (context) => {
      const history = historyOf(profile, context);
      return { type: 'unsigned', value: history.count === 0 ? 0 : history.capture(history.count - 1).code };
    });
  }),
];

/** What a row of a profile says, expanded, whatever way it takes to the client. */
export interface ProfileRow {
  /** Milliseconds UTC. */
  readonly at: number;
  /**
   * One for each capture object: the clock as ISO 8601 with the meter's offset, registers as exact decimal text with the
   * scaler applied, status and event codes as decimal text.
   */
  readonly values: readonly string[];
}

/** Truth: the rows of a profile between two moments (both included, milliseconds UTC), oldest first. Throws INVALID_VALUE. */
export function profileRows(context: MeterContext, obis: string, from: number, to: number): readonly ProfileRow[] {
  const profile =
    PROFILES.find((one) => one.obis === obis) ??
    fail('INVALID_VALUE', `a virtual meter has no profile ${obis}`, { layer: 'simulator' });
  const history = historyOf(profile, context);
  const [first, end] = indicesIn(history, from, to);
  return Array.from({ length: end - first }, (_, index) => {
    const capture = history.capture(first + index);
    return { at: capture.at, values: profile.columns.map((column) => textOf(column, capture)) };
  });
}

function textOf(column: Column, capture: Capture): string {
  const data = column.value(capture);
  const dateTime = dateTimeOf(data);
  const text =
    dateTime === null ? scaledText(data, column.scaler ?? 0) : isoText(cosemDateTimeOf(capture.at, DEVIATION));
  return text ?? fail('INTERNAL', `${column.obis} is neither a number nor a date-time`);
}
