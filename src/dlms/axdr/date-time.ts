/**
 * COSEM date, time and date-time (Blue Book 4.1.6.1): octets with wildcards. A field that is not specified is null.
 * UTC = local time + deviation, so ISO 8601 offsets have the opposite sign of `deviation`.
 */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { BridgeError } from '../../core/errors.ts';
import type { Data } from './data.ts';

export interface CosemDate {
  readonly year: number | null;
  readonly month: number | 'daylight-savings-begin' | 'daylight-savings-end' | null;
  readonly dayOfMonth: number | 'last-day' | 'second-last-day' | null;
  /** 1 Monday to 7 Sunday; some meters send 0. */
  readonly dayOfWeek: number | null;
}

export interface CosemTime {
  readonly hour: number | null;
  readonly minute: number | null;
  readonly second: number | null;
  readonly hundredths: number | null;
}

export interface ClockStatusBits {
  readonly invalid: boolean;
  readonly doubtful: boolean;
  readonly differentClockBase: boolean;
  readonly invalidClockStatus: boolean;
  readonly daylightSavingActive: boolean;
}

export interface CosemDateTime extends CosemDate, CosemTime {
  /** Minutes from local time to UTC; null when not specified (8000). */
  readonly deviation: number | null;
  readonly clockStatus: number | null;
  /** Decoded from `clockStatus` whenever that is not null; ignored when encoding. */
  readonly clockStatusBits?: ClockStatusBits;
}

export const DATE_TIME_OCTETS = 12;
export const DATE_OCTETS = 5;
export const TIME_OCTETS = 4;

/** clock_status bits, Blue Book 4.1.6.1. */
export const CLOCK_STATUS = {
  invalid: 0x01,
  doubtful: 0x02,
  differentClockBase: 0x04,
  invalidClockStatus: 0x08,
  daylightSavingActive: 0x80,
} as const;

const UNSPECIFIED = 0xff;
const YEAR_UNSPECIFIED = 0xffff;
const LAST_YEAR = 9999;
const DEVIATION_UNSPECIFIED = -0x8000;
/** The Blue Book allows 720; Kiribati lives at UTC+14. */
const LARGEST_DEVIATION = 840;
const MONTHS = { 'daylight-savings-end': 0xfd, 'daylight-savings-begin': 0xfe } as const;
const DAYS = { 'second-last-day': 0xfd, 'last-day': 0xfe } as const;
const MS_PER_MINUTE = 60_000;

function field(reader: ByteReader, what: string, largest: number): number | null {
  const value = reader.u8(what);
  if (value === UNSPECIFIED) return null;
  if (value > largest) reader.fail('MALFORMED', `${what} ${value} is out of range`);
  return value;
}

/** Reads five octets. Month, day and day of week 0 are let through, for unset clocks send them. */
export function decodeDate(reader: ByteReader): CosemDate {
  const year = reader.u16('year');
  if (year > LAST_YEAR && year !== YEAR_UNSPECIFIED) reader.fail('MALFORMED', `year ${year} is out of range`);
  return {
    year: year === YEAR_UNSPECIFIED ? null : year,
    month: decodeMonth(reader),
    dayOfMonth: decodeDay(reader),
    dayOfWeek: field(reader, 'day of week', 7),
  };
}

function decodeMonth(reader: ByteReader): CosemDate['month'] {
  const octet = reader.peek();
  if (octet !== MONTHS['daylight-savings-begin'] && octet !== MONTHS['daylight-savings-end']) {
    return field(reader, 'month', 12);
  }
  reader.u8();
  return octet === MONTHS['daylight-savings-begin'] ? 'daylight-savings-begin' : 'daylight-savings-end';
}

function decodeDay(reader: ByteReader): CosemDate['dayOfMonth'] {
  const octet = reader.peek();
  if (octet !== DAYS['last-day'] && octet !== DAYS['second-last-day']) return field(reader, 'day of month', 31);
  reader.u8();
  return octet === DAYS['last-day'] ? 'last-day' : 'second-last-day';
}

/** Reads four octets. */
export function decodeTime(reader: ByteReader): CosemTime {
  return {
    hour: field(reader, 'hour', 23),
    minute: field(reader, 'minute', 59),
    second: field(reader, 'second', 59),
    hundredths: field(reader, 'hundredths', 99),
  };
}

/** Reads twelve octets. */
export function decodeDateTime(reader: ByteReader): CosemDateTime {
  const { year, month, dayOfMonth, dayOfWeek } = decodeDate(reader);
  const { hour, minute, second, hundredths } = decodeTime(reader);
  const deviation = reader.i16('deviation');
  if (Math.abs(deviation) > LARGEST_DEVIATION && deviation !== DEVIATION_UNSPECIFIED) {
    reader.fail('MALFORMED', `deviation ${deviation} is out of range`);
  }
  const status = reader.u8('clock status');
  const fields = {
    year,
    month,
    dayOfMonth,
    dayOfWeek,
    hour,
    minute,
    second,
    hundredths,
    deviation: deviation === DEVIATION_UNSPECIFIED ? null : deviation,
  };
  if (status === UNSPECIFIED) return { ...fields, clockStatus: null };
  return { ...fields, clockStatus: status, clockStatusBits: clockStatusBits(status) };
}

export function clockStatusBits(status: number): ClockStatusBits {
  return {
    invalid: (status & CLOCK_STATUS.invalid) !== 0,
    doubtful: (status & CLOCK_STATUS.doubtful) !== 0,
    differentClockBase: (status & CLOCK_STATUS.differentClockBase) !== 0,
    invalidClockStatus: (status & CLOCK_STATUS.invalidClockStatus) !== 0,
    daylightSavingActive: (status & CLOCK_STATUS.daylightSavingActive) !== 0,
  };
}

export function encodeDate(writer: ByteWriter, date: CosemDate): void {
  writer
    .u16(date.year ?? YEAR_UNSPECIFIED)
    .u8(typeof date.month === 'string' ? MONTHS[date.month] : (date.month ?? UNSPECIFIED))
    .u8(typeof date.dayOfMonth === 'string' ? DAYS[date.dayOfMonth] : (date.dayOfMonth ?? UNSPECIFIED))
    .u8(date.dayOfWeek ?? UNSPECIFIED);
}

export function encodeTime(writer: ByteWriter, time: CosemTime): void {
  writer
    .u8(time.hour ?? UNSPECIFIED)
    .u8(time.minute ?? UNSPECIFIED)
    .u8(time.second ?? UNSPECIFIED)
    .u8(time.hundredths ?? UNSPECIFIED);
}

export function encodeDateTime(writer: ByteWriter, dateTime: CosemDateTime): void {
  encodeDate(writer, dateTime);
  encodeTime(writer, dateTime);
  writer.u16(dateTime.deviation ?? DEVIATION_UNSPECIFIED).u8(dateTime.clockStatus ?? UNSPECIFIED);
}

/** A date-time from exactly twelve octets, as the octet-strings of meters carry it. */
export function parseDateTime(octets: Uint8Array): CosemDateTime {
  const reader = new ByteReader(octets, 'cosem');
  const dateTime = decodeDateTime(reader);
  reader.expectEnd('date-time');
  return dateTime;
}

/**
 * The date-time in a value: of that type, or an octet-string of twelve octets that reads as one; null for anything else.
 * `invertedDeviation`: the meter means UTC = local time - deviation; what comes out has the sign of the standard.
 */
export function dateTimeOf(data: Data, options: { readonly invertedDeviation?: boolean } = {}): CosemDateTime | null {
  const dateTime = plainDateTimeOf(data);
  return dateTime !== null && options.invertedDeviation === true ? withInvertedDeviation(dateTime) : dateTime;
}

function plainDateTimeOf(data: Data): CosemDateTime | null {
  if (data.type === 'date-time') return data.value;
  if (data.type !== 'octet-string' || data.value.length !== DATE_TIME_OCTETS) return null;
  try {
    return parseDateTime(data.value);
  } catch (error) {
    if (error instanceof BridgeError) return null;
    throw error;
  }
}

/** The other way round: of a meter that means UTC = local time - deviation, and for it. */
export function withInvertedDeviation(dateTime: CosemDateTime): CosemDateTime {
  const { deviation } = dateTime;
  return deviation === null || deviation === 0 ? dateTime : { ...dateTime, deviation: -deviation };
}

export function dateTimeBytes(dateTime: CosemDateTime): Uint8Array {
  const writer = new ByteWriter(DATE_TIME_OCTETS);
  encodeDateTime(writer, dateTime);
  return writer.finish();
}

/**
 * Milliseconds UTC, or null when the date-time names no instant: year (0 counts as such), month, day, hour or minute
 * not specified, a day that the month has not, or no deviation and no `fallbackDeviation` (minutes) for it.
 */
export function utcOf(dateTime: CosemDateTime, options: { readonly fallbackDeviation?: number } = {}): number | null {
  const { year, month, dayOfMonth: day, hour, minute, second, hundredths } = dateTime;
  const deviation = dateTime.deviation ?? options.fallbackDeviation ?? null;
  if (!isCalendarDay(year, month, day) || hour === null || minute === null || deviation === null) return null;
  const local = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    hour,
    minute,
    second ?? 0,
    (hundredths ?? 0) * 10,
  );
  return local + deviation * MS_PER_MINUTE;
}

function isCalendarDay(year: number | null, month: CosemDate['month'], day: CosemDate['dayOfMonth']): boolean {
  if (year === null || typeof month !== 'number' || typeof day !== 'number' || day < 1) return false;
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  return year >= 100 && month >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** The meter's view of an instant: `utcMs` in a zone with this deviation (minutes, UTC+1 is -60). */
export function cosemDateTimeOf(utcMs: number, deviation: number, clockStatus = 0): CosemDateTime {
  const local = new Date(utcMs - deviation * MS_PER_MINUTE);
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    dayOfMonth: local.getUTCDate(),
    dayOfWeek: local.getUTCDay() || 7,
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    hundredths: Math.floor(local.getUTCMilliseconds() / 10),
    deviation,
    clockStatus,
    clockStatusBits: clockStatusBits(clockStatus),
  };
}

/**
 * ISO 8601: `2024-06-15T20:23:45+02:00`, without offset when the deviation is not specified, with hundredths only when
 * they are not 0; the date or the time alone when the other is not specified at all; null for anything with wildcards.
 */
export function isoText(dateTime: CosemDateTime): string | null {
  const date = dateText(dateTime);
  const time = timeText(dateTime);
  if (date !== null && time !== null) return `${date}T${time}${offsetText(dateTime.deviation)}`;
  const { year, month, dayOfMonth, hour, minute, second } = dateTime;
  if (date !== null && hour === null && minute === null && second === null) return date;
  if (time !== null && year === null && month === null && dayOfMonth === null) return time;
  return null;
}

/** The instant as `2021-09-27T07:47:15Z`, null when `utcOf` gives none. */
export function utcIsoText(dateTime: CosemDateTime): string | null {
  const utc = utcOf(dateTime);
  return utc === null ? null : new Date(utc).toISOString().replace('.000Z', 'Z');
}

/** `2024-06-15`, or null with wildcards. */
export function dateText({ year, month, dayOfMonth }: CosemDate): string | null {
  if (!isCalendarDay(year, month, dayOfMonth)) return null;
  return `${String(year).padStart(4, '0')}-${pad(Number(month))}-${pad(Number(dayOfMonth))}`;
}

/** `20:23:45` or `20:23:45.07`; seconds that are not specified are left out; null without hour or minute. */
export function timeText({ hour, minute, second, hundredths }: CosemTime): string | null {
  if (hour === null || minute === null) return null;
  if (second === null) return `${pad(hour)}:${pad(minute)}`;
  return `${pad(hour)}:${pad(minute)}:${pad(second)}${hundredths ? `.${pad(hundredths)}` : ''}`;
}

function offsetText(deviation: number | null): string {
  if (deviation === null) return '';
  const minutes = Math.abs(deviation);
  return `${deviation > 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
