import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, concat, fromHex, sameBytes, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';

describe('ByteReader', () => {
  test('refuses to read past the end and says where it stood', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3), 'axdr');
    reader.u16();
    const error = (() => {
      try {
        reader.u32('energy');
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(BridgeError);
    expect(error).toMatchObject({
      code: 'TRUNCATED',
      layer: 'axdr',
      message: 'energy needs 4 octets at offset 2, 1 are left',
    });
    expect(reader.offset).toBe(2);
  });

  test('says when octets are left over', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2), 'xdlms');
    reader.u8();
    expect(() => reader.expectEnd('get-request')).toThrow(
      expect.objectContaining({ code: 'TRAILING_BYTES', layer: 'xdlms' }),
    );
  });

  test('reads a view that begins in the middle of a buffer', () => {
    const whole = Uint8Array.of(9, 9, 0x12, 0x34, 9);
    expect(new ByteReader(whole.subarray(2, 4), 'axdr').u16()).toBe(0x1234);
  });
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(
      fc.nat(255),
      fc.nat(65535),
      fc.nat(0xffffffff),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.uint8Array(),
      (a, b, c, d, e) => {
        const bytes = new ByteWriter(1).u8(a).u16(b).u32(c).u64(d).bytes(e).finish();
        const reader = new ByteReader(bytes, 'axdr');
        expect([reader.u8(), reader.u16(), reader.u32(), reader.u64(), toHex(reader.rest())]).toEqual([
          a,
          b,
          c,
          d,
          toHex(e),
        ]);
      },
    ),
  );
});

test('signed numbers and floats', () => {
  const reader = new ByteReader(fromHex('ff fffe fffffffd fffffffffffffffc 3fc00000 bff8000000000000'), 'axdr');
  expect([reader.i8(), reader.i16(), reader.i32(), reader.i64(), reader.f32(), reader.f64()]).toEqual([
    -1,
    -2,
    -3,
    -4n,
    1.5,
    -1.5,
  ]);
});

describe('hex', () => {
  test('reads what people paste', () => {
    expect(toHex(fromHex('7E A0 07\n03:41-93, 0x5a64 7e'))).toBe('7ea007034193' + '5a647e');
  });
  test.each(['7', '7g', 'hello!'])('refuses %j', (text) => {
    expect(() => fromHex(text)).toThrow(BridgeError);
  });
});

test('concat and sameBytes', () => {
  const joined = concat([Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)]);
  expect(sameBytes(joined, Uint8Array.of(1, 2, 3))).toBe(true);
  expect(sameBytes(joined, Uint8Array.of(1, 2))).toBe(false);
});
