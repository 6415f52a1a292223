import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decimal } from '../../src/core/decimal.ts';
import { ERROR_CODES } from '../../src/core/error-codes.ts';
import { asBridgeError, BridgeError } from '../../src/core/errors.ts';
import { JsonDecimal, type JsonValue, parseJson, writeJson } from '../../src/core/json.ts';

test('numbers keep all their digits', () => {
  const value = {
    energy: new JsonDecimal(decimal(18446744073709551615n, -3)),
    counter: 9223372036854775807n,
    voltage: new JsonDecimal(decimal(2305, -1)),
  };
  expect(writeJson(value)).toBe('{"energy":18446744073709551.615,"counter":9223372036854775807,"voltage":230.5}');
});

test('octets are hex, undefined members are left out, NaN is null', () => {
  expect(writeJson({ a: Uint8Array.of(0xde, 0xad), b: undefined, c: [Number.NaN, null] })).toBe(
    '{"a":"dead","c":[null,null]}',
  );
});

test('agrees with JSON.parse on every plain value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(0, 2), (value, indent) => {
      expect(JSON.parse(writeJson(value as JsonValue, indent))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('indented output looks as people expect', () => {
  expect(writeJson({ a: [1, { b: [] }] }, 2)).toBe('{\n  "a": [\n    1,\n    {\n      "b": []\n    }\n  ]\n}');
});

test('an error carries what its table row says, unless the occurrence knows better', () => {
  const error = new BridgeError('METER_TIMEOUT', 'no answer', { fault: 'line' });
  expect(error.report()).toEqual({
    code: 'METER_TIMEOUT',
    message: 'no answer',
    layer: 'meter',
    fault: 'line',
    retryable: true,
    hint: ERROR_CODES.METER_TIMEOUT.hint,
  });
  expect(asBridgeError(error)).toBe(error);
  expect(asBridgeError(new TypeError('oops'))).toMatchObject({ code: 'INTERNAL', fault: 'internal', message: 'oops' });
});

test('parseJson gives back exactly what writeJson wrote', () => {
  const text = '{"a":0.0000001,"b":18446744073709551615,"c":230.50,"d":["1e5 \\" 12",-0.5,1e21],"e":{"f":null,"g":-3}}';
  expect(writeJson(parseJson(text))).toBe(text);
  expect(parseJson('{"a":[1,"x"],"b":2.5}')).toEqual({ a: [1, 'x'], b: 2.5 });
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const written = writeJson(value as JsonValue);
      expect(writeJson(parseJson(written))).toBe(written);
    }),
  );
});
