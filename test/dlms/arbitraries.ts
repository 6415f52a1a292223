/** Arbitrary values of the codecs, canonical so that they survive encoding and decoding unchanged. */
import fc from 'fast-check';
import type { Data } from '../../src/dlms/axdr/data.ts';
import type { CosemDate, CosemDateTime, CosemTime } from '../../src/dlms/axdr/date-time.ts';
import { clockStatusBits } from '../../src/dlms/axdr/date-time.ts';
import { rangeOf } from '../../src/dlms/axdr/scalar.ts';

const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });

export const octets = fc.uint8Array({ maxLength: 300 });
export const obis = fc.tuple(...Array.from({ length: 6 }, () => fc.nat(255))).map((groups) => groups.join('.'));

const dateFields = {
  year: orNull(fc.nat(9999)),
  month: fc.oneof(
    orNull(fc.nat(12)),
    fc.constantFrom('daylight-savings-begin' as const, 'daylight-savings-end' as const),
  ),
  dayOfMonth: fc.oneof(orNull(fc.nat(31)), fc.constantFrom('last-day' as const, 'second-last-day' as const)),
  dayOfWeek: orNull(fc.nat(7)),
};
const timeFields = {
  hour: orNull(fc.nat(23)),
  minute: orNull(fc.nat(59)),
  second: orNull(fc.nat(59)),
  hundredths: orNull(fc.nat(99)),
};

export const date: fc.Arbitrary<CosemDate> = fc.record(dateFields);
export const time: fc.Arbitrary<CosemTime> = fc.record(timeFields);
export const dateTime: fc.Arbitrary<CosemDateTime> = fc
  .record({
    ...dateFields,
    ...timeFields,
    deviation: orNull(fc.integer({ min: -840, max: 840 })),
    clockStatus: orNull(fc.nat(254)),
  })
  .map((fields) =>
    fields.clockStatus === null ? fields : { ...fields, clockStatusBits: clockStatusBits(fields.clockStatus) },
  );

const INTEGER_TYPES = [
  'integer',
  'long',
  'double-long',
  'unsigned',
  'long-unsigned',
  'double-long-unsigned',
  'bcd',
  'enum',
  'delta-integer',
  'delta-long',
  'delta-double-long',
  'delta-unsigned',
  'delta-long-unsigned',
  'delta-double-long-unsigned',
] as const;

const integer: fc.Arbitrary<Data> = fc.constantFrom(...INTEGER_TYPES).chain((type) => {
  const [min, max] = rangeOf(type);
  return fc.integer({ min, max }).map((value): Data => ({ type, value }));
});

const bits = fc.array(fc.constantFrom('0', '1'), { maxLength: 40 }).map((list) => list.join(''));
const latin1 = fc.array(fc.nat(255), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes));

export const scalar: fc.Arbitrary<Data> = fc.oneof(
  integer,
  fc.constant<Data>({ type: 'null-data' }),
  fc.constant<Data>({ type: 'dont-care' }),
  fc.boolean().map((value): Data => ({ type: 'boolean', value })),
  bits.map((value): Data => ({ type: 'bit-string', value })),
  octets.map((value): Data => ({ type: 'octet-string', value })),
  latin1.map((value): Data => ({ type: 'visible-string', value })),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map((value): Data => ({ type: 'utf8-string', value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Data => ({ type: 'long64', value })),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Data => ({ type: 'long64-unsigned', value })),
  fc.float({ noNaN: true }).map((value): Data => ({ type: 'float32', value })),
  fc.double({ noNaN: true }).map((value): Data => ({ type: 'float64', value })),
  dateTime.map((value): Data => ({ type: 'date-time', value })),
  date.map((value): Data => ({ type: 'date', value })),
  time.map((value): Data => ({ type: 'time', value })),
);

export const compactArray: fc.Arbitrary<Data> = fc
  .array(fc.tuple(fc.nat(0xffff), fc.nat(255), octets), { maxLength: 8 })
  .map(
    (rows): Data => ({
      type: 'compact-array',
      elementType: 'structure',
      typeDescription: {
        type: 'structure',
        members: [
          { type: 'long-unsigned' },
          { type: 'array', count: 2, element: { type: 'unsigned' } },
          { type: 'octet-string' },
        ],
      },
      value: rows.map(([first, second, third]) => ({
        type: 'structure',
        value: [
          { type: 'long-unsigned', value: first },
          {
            type: 'array',
            value: [
              { type: 'unsigned', value: second },
              { type: 'unsigned', value: 255 - second },
            ],
          },
          { type: 'octet-string', value: third },
        ],
      })),
    }),
  );

export const data: fc.Arbitrary<Data> = fc.letrec<{ data: Data }>((tie) => ({
  data: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    compactArray,
    fc
      .tuple(fc.constantFrom('array' as const, 'structure' as const), fc.array(tie('data'), { maxLength: 5 }))
      .map(([type, value]): Data => ({ type, value })),
  ),
})).data;
