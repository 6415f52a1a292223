/** The clock of a virtual meter, class 8 (Blue Book 4.5.1): it can be set, shifted and adjusted. */
import type { Data } from '../../dlms/axdr/data.ts';
import { dateTimeOf, utcOf } from '../../dlms/axdr/date-time.ts';
import { EVENT } from './meter-state.ts';
import {
  DEVIATION,
  DONE,
  dateTimeData,
  logicalName,
  type MeterContext,
  type Method,
  type ObjectDefinition,
  RESULT,
  type ResultCode,
  refused,
} from './object-model.ts';

export const CLOCK_OBIS = '0.0.1.0.0.255';
const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
/** Of shift_time, seconds either way. */
const LARGEST_SHIFT = 900;
/** All wildcards: daylight saving is not in use. */
const NO_DATE = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 0x00, 0xff);

export const CLOCK: ObjectDefinition = {
  classId: 8,
  version: 0,
  obis: CLOCK_OBIS,
  attributes: [
    logicalName(CLOCK_OBIS),
    (context) => dateTimeData(shown(context)),
    () => ({ type: 'long', value: DEVIATION }),
    () => ({ type: 'unsigned', value: 0 }),
    () => ({ type: 'octet-string', value: NO_DATE }),
    () => ({ type: 'octet-string', value: NO_DATE }),
    () => ({ type: 'integer', value: 60 }),
    () => ({ type: 'boolean', value: false }),
    () => ({ type: 'enum', value: 1 }),
  ],
  writes: { 2: setTime },
  methods: 6,
  calls: { 1: adjustedTo(QUARTER_MS), 3: adjustedTo(MINUTE_MS), 6: shiftTime },
  isPublic: true,
  scaler: null,
};

/** What the clock says, milliseconds UTC. */
function shown({ at, state }: MeterContext): number {
  return at + state.clockOffset;
}

function show(context: MeterContext, utc: number): void {
  const { at, state } = context;
  state.log(at, EVENT.clockAdjustedFrom);
  state.clockOffset = utc - at;
  state.log(at, EVENT.clockAdjustedTo);
}

/** Takes a date-time, local to the meter when it names no deviation; not one with wildcards that leave the instant open. */
function setTime(context: MeterContext, value: Data): ResultCode {
  const dateTime = dateTimeOf(value);
  if (dateTime === null) return RESULT.typeUnmatched;
  const utc = utcOf(dateTime, { fallbackDeviation: DEVIATION });
  if (utc === null) return RESULT.otherReason;
  show(context, utc);
  return RESULT.success;
}

/** adjust_to_quarter, adjust_to_minute: the nearest whole one. */
function adjustedTo(unitMs: number): Method {
  return (context) => {
    show(context, Math.round(shown(context) / unitMs) * unitMs);
    return DONE;
  };
}

function shiftTime(context: MeterContext, parameters: Data | null): ReturnType<Method> {
  if (parameters?.type !== 'long') return refused(RESULT.typeUnmatched);
  if (Math.abs(parameters.value) > LARGEST_SHIFT) return refused(RESULT.otherReason);
  show(context, shown(context) + parameters.value * 1000);
  return DONE;
}
