/** Status bits of clocks and profiles as quality (corner case 96). */
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import { parseDateTime } from '../../src/dlms/axdr/date-time.ts';
import { clockFlags, profileStatusFlags, rowQuality } from '../../src/reading/quality.ts';

/** 2024-06-15 20:23:45, deviation -120, and a status. */
const clock = (status: number) =>
  parseDateTime(fromHex(`07e8060f0614172d00ff88${status.toString(16).padStart(2, '0')}`));
const status = (value: number) => ({ type: 'unsigned', value }) as const;

describe('clock status', () => {
  test.each([
    [0x00, []],
    [0x01, ['clock-invalid']],
    [0x02, ['clock-doubtful']],
    [0x04, ['different-clock-base']],
    // The status is not valid: its other bits say nothing.
    [0x0b, ['invalid-clock-status']],
    [0x80, ['daylight-saving']],
    [0x83, ['clock-invalid', 'clock-doubtful', 'daylight-saving']],
    [0xff, []],
  ])('%i', (octet, flags) => {
    expect(clockFlags(clock(octet))).toEqual(flags);
  });

  test('no clock, no flags', () => expect(clockFlags(null)).toEqual([]));
});

describe('profile status', () => {
  test('every bit by itself', () => {
    const bits = Array.from({ length: 8 }, (_, bit) => profileStatusFlags(status(1 << bit)));
    expect(bits).toEqual([
      ['critical-error'],
      ['clock-invalid'],
      ['data-not-valid'],
      ['daylight-saving'],
      [],
      ['clock-adjusted'],
      [],
      ['power-down'],
    ]);
  });

  test('what is no octet says nothing', () => {
    expect(profileStatusFlags(null)).toEqual([]);
    expect(profileStatusFlags({ type: 'long-unsigned', value: 0x0104 })).toEqual([]);
    expect(profileStatusFlags({ type: 'octet-string', value: fromHex('04') })).toEqual([]);
  });
});

describe('a row', () => {
  test.each([
    ['in order', 0x80, 0x08, 'good', ['daylight-saving']],
    ['power failed meanwhile', 0, 0x80, 'good', ['power-down']],
    ['clock adjusted', 0, 0x20, 'good', ['clock-adjusted']],
    ['data not valid', 0, 0x04, 'doubtful', ['data-not-valid']],
    ['critical error', 0, 0x01, 'doubtful', ['critical-error']],
    ['clock invalid, said twice', 0x01, 0x02, 'doubtful', ['clock-invalid']],
    ['clock doubtful', 0x02, 0, 'doubtful', ['clock-doubtful']],
  ])('%s', (_, clockStatus, profileStatus, quality, flags) => {
    expect(rowQuality({ clock: clock(clockStatus), status: status(profileStatus) })).toEqual({ quality, flags });
  });
});
