/** COSEM date-times: conversion to and from UTC, ISO text, wildcards. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import {
  cosemDateTimeOf,
  dateTimeBytes,
  dateTimeOf,
  isoText,
  parseDateTime,
  utcIsoText,
  utcOf,
} from '../../src/dlms/axdr/date-time.ts';
import { codeOf } from '../support/error-code.ts';
import { dateTime } from './arbitraries.ts';

const at = (hex: string) => parseDateTime(fromHex(hex));
/** 15 June 2024, 20:23:45, deviation -120, daylight saving (acceptance corner case 94). */
const SUMMER = '07e8060f0614172d00ff8880';

test('encoding and decoding give the same date-time', () => {
  fc.assert(
    fc.property(dateTime, (value) => {
      expect(parseDateTime(dateTimeBytes(value))).toEqual(value);
    }),
  );
});

test('random octets end in a date-time or MALFORMED', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), (octets) => {
      expect(['none', 'MALFORMED']).toContain(codeOf(() => parseDateTime(octets)));
    }),
  );
});

describe('UTC', () => {
  test('is local time plus deviation', () => {
    expect(utcIsoText(at(SUMMER))).toBe('2024-06-15T18:23:45Z');
    expect(utcOf(at(SUMMER))).toBe(Date.UTC(2024, 5, 15, 18, 23, 45));
  });

  test('needs a deviation, the meter or the configuration gives it', () => {
    const naive = at('07e8060f0614172d00800080');
    expect(utcOf(naive)).toBeNull();
    expect(utcOf(naive, { fallbackDeviation: -120 })).toBe(Date.UTC(2024, 5, 15, 18, 23, 45));
  });

  test.each([
    ['no year', 'ffff060f0614172d00ff8880'],
    ['year 0', '0000060f0614172d00ff8880'],
    ['all zero', '000000000000000000000000'],
    ['a month that is a rule', '07e8fe0f0614172d00ff8880'],
    ['the last day', '07e806fe0614172d00ff8880'],
    ['30 February', '07e8021e0614172d00ff8880'],
    ['no hour', '07e8060f06ff172d00ff8880'],
  ])('%s is no instant', (_, hex) => {
    expect(utcOf(at(hex))).toBeNull();
  });

  test('seconds and hundredths that are not specified count as 0', () => {
    expect(utcIsoText(at('07e8060f061417ffffff8880'))).toBe('2024-06-15T18:23:00Z');
  });

  test('there and back', () => {
    const instants = fc.integer({ min: Date.UTC(1970, 0, 1) / 10, max: Date.UTC(2200, 0, 1) / 10 });
    fc.assert(
      fc.property(instants, fc.integer({ min: -840, max: 840 }), (hundredths, deviation) => {
        const value = cosemDateTimeOf(hundredths * 10, deviation);
        expect(utcOf(value)).toBe(hundredths * 10);
        expect(parseDateTime(dateTimeBytes(value))).toEqual(value);
      }),
    );
  });

  test('the day of the week is counted from Monday', () => {
    expect(cosemDateTimeOf(Date.UTC(2024, 5, 16), 0).dayOfWeek).toBe(7);
    expect(cosemDateTimeOf(Date.UTC(2024, 5, 16), 60)).toMatchObject({ dayOfMonth: 15, dayOfWeek: 6, hour: 23 });
  });
});

test.each([
  ['with the offset of the other sign', SUMMER, '2024-06-15T20:23:45+02:00'],
  ['west of Greenwich', '07e8060f0614172d00012c00', '2024-06-15T20:23:45-05:00'],
  ['half hours', '07e8060f0614172d00feb600', '2024-06-15T20:23:45+05:30'],
  ['hundredths', '07e8060f0614172d07ff8880', '2024-06-15T20:23:45.07+02:00'],
  ['no deviation', '07e8060f0614172dff800080', '2024-06-15T20:23:45'],
  ['no seconds', '07e8060f061417ffff800080', '2024-06-15T20:23'],
  ['a date alone', '07e8060f06ffffffff8000ff', '2024-06-15'],
  ['a time alone', 'ffffffffff14172dff8000ff', '20:23:45'],
  ['a rule', 'ffff03fe0702000000800000', null],
  ['all zero', '000000000000000000000000', null],
])('ISO text: %s', (_, hex, text) => {
  expect(isoText(at(hex))).toBe(text);
});

test('a date-time in a value', () => {
  expect(dateTimeOf({ type: 'octet-string', value: fromHex(SUMMER) })).toEqual(at(SUMMER));
  expect(dateTimeOf({ type: 'date-time', value: at(SUMMER) })).toEqual(at(SUMMER));
  expect(dateTimeOf({ type: 'octet-string', value: fromHex('07d00106050f0030ff003c') })).toBeNull();
  expect(dateTimeOf({ type: 'octet-string', value: new TextEncoder().encode('ABCDEFGHIJKL') })).toBeNull();
  expect(dateTimeOf({ type: 'unsigned', value: 1 })).toBeNull();
});
