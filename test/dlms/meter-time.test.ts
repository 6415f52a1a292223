/** From times of meters to instants: deviations, configured zones, and the hour that comes twice (corner case 97). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CosemDateTime, cosemDateTimeOf } from '../../src/dlms/axdr/date-time.ts';
import { instantOf, instantsOf, zoneAround } from '../../src/dlms/cosem/meter-time.ts';

const MADRID = { timeZone: 'Europe/Madrid' };
const MINUTE = 60_000;
const QUARTER = 15 * MINUTE;
/** Summer time ends: 03:00 becomes 02:00. */
const AUTUMN = Date.UTC(2026, 9, 25, 1);
const SPRING = Date.UTC(2026, 2, 29, 1);
/** Quarters of an hour around the turn, two hours before and two behind it. */
const INSTANTS = Array.from({ length: 16 }, (_, index) => AUTUMN - 8 * QUARTER + index * QUARTER);

type Writes = 'all' | 'bit' | 'nothing' | 'stuck bit' | 'stuck deviation';

/** A time as a meter in Madrid writes it that keeps so much of it. */
function written(at: number, writes: Writes, turn = AUTUMN): CosemDateTime {
  const isSummer = at < turn;
  const local = cosemDateTimeOf(at, isSummer ? -120 : -60, isSummer ? 0x80 : 0);
  switch (writes) {
    case 'all':
      return local;
    case 'bit':
      return { ...local, deviation: null };
    case 'nothing': {
      const { clockStatusBits: _, ...plain } = local;
      return { ...plain, deviation: null, clockStatus: null };
    }
    case 'stuck bit':
      return { ...cosemDateTimeOf(at, isSummer ? -120 : -60, 0), deviation: null };
    case 'stuck deviation':
      return { ...local, deviation: -120 };
  }
}

describe('the hour that comes twice', () => {
  test.each<[Writes, boolean]>([
    ['all', false],
    ['all', true],
    ['bit', false],
    ['bit', true],
    ['nothing', false],
    ['nothing', true],
    ['stuck bit', false],
    ['stuck bit', true],
    ['stuck deviation', false],
    ['stuck deviation', true],
  ])(
    'a meter that writes %s, newest first %s: each row has an instant of its own, the right one',
    (writes, newestFirst) => {
      const rows = newestFirst ? [...INSTANTS].reverse() : INSTANTS;
      expect(
        instantsOf(
          rows.map((at) => written(at, writes)),
          MADRID,
          newestFirst,
        ),
      ).toEqual(rows);
    },
  );

  test('without a zone a deviation that is stuck still gives rows of their own', () => {
    const clocks = INSTANTS.map((at) => written(at, 'stuck deviation'));
    const instants = instantsOf(clocks, null, false);
    expect(new Set(instants).size).toBe(INSTANTS.length);
    expect(instants).toEqual(INSTANTS);
  });

  test('with the zone that the clock tells, the bit decides', () => {
    const clocks = INSTANTS.map((at) => written(at, 'bit'));
    expect(instantsOf(clocks, { deviation: -60, daylightSaving: 60 }, false)).toEqual(INSTANTS);
  });

  test('rows without a time stay without, and do not disturb the others', () => {
    const clocks = [written(INSTANTS[0]!, 'nothing'), null, written(INSTANTS[1]!, 'nothing')];
    expect(instantsOf(clocks, MADRID, false)).toEqual([INSTANTS[0], null, INSTANTS[1]]);
  });
});

describe('single times', () => {
  test('a deviation goes before the zone; without either there is no instant', () => {
    expect(instantOf(written(AUTUMN, 'all'), { timeZone: 'Asia/Tokyo' })).toBe(AUTUMN);
    expect(instantOf(written(AUTUMN, 'bit'), null)).toBeNull();
    expect(instantOf({ ...written(AUTUMN, 'bit'), year: null }, MADRID)).toBeNull();
  });

  test('the hour that is left out in spring counts on from before', () => {
    const clock: CosemDateTime = { ...cosemDateTimeOf(Date.UTC(2026, 2, 29, 2, 30), 0), deviation: null };
    expect(instantOf(clock, MADRID)).toBe(SPRING + 30 * MINUTE);
  });

  test('any time of any year, written with its bit, is found again', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          'Europe/Madrid',
          'America/New_York',
          'Australia/Lord_Howe',
          'Asia/Kolkata',
          'America/Sao_Paulo',
        ),
        fc.integer({ min: Date.UTC(2015, 0, 1) / 1000, max: Date.UTC(2035, 0, 1) / 1000 }),
        (timeZone, seconds) => {
          const at = seconds * 1000;
          const { deviation, now } = zoneAround(at, { timeZone });
          const clock = { ...cosemDateTimeOf(at, now, now < deviation ? 0x80 : 0), deviation: null };
          expect(instantOf(clock, { timeZone })).toBe(at);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the zone of a name as a clock would tell it, on both halves of the earth', () => {
    expect(zoneAround(AUTUMN - 1, MADRID)).toEqual({ deviation: -60, daylightSaving: 60, now: -120 });
    expect(zoneAround(AUTUMN, MADRID)).toEqual({ deviation: -60, daylightSaving: 60, now: -60 });
    const sydney = { timeZone: 'Australia/Sydney' };
    expect(zoneAround(Date.UTC(2026, 0, 1), sydney)).toEqual({ deviation: -600, daylightSaving: 60, now: -660 });
    expect(zoneAround(0, { deviation: -60, daylightSaving: 60 })).toMatchObject({ now: -60 });
  });
});
