/** Every vector of the codec layers: whole, cut at every offset, with an octet too many, and encoded back. */
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { decodeAcse, encodeAcse } from '../../src/dlms/acse/acse.ts';
import type { AcseApdu } from '../../src/dlms/acse/types.ts';
import { type Data, dataBytes, parseData } from '../../src/dlms/axdr/data.ts';
import {
  DATE_OCTETS,
  DATE_TIME_OCTETS,
  dateTimeBytes,
  decodeDate,
  decodeTime,
  encodeDate,
  encodeTime,
  parseDateTime,
  TIME_OCTETS,
  utcIsoText,
} from '../../src/dlms/axdr/date-time.ts';
import { decodeCount, decodeLength, encodeLength } from '../../src/dlms/axdr/length.ts';
import { parseProtected } from '../../src/dlms/security/ciphered.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../../src/dlms/xdlms/apdu.ts';
import { decodeConformanceContents } from '../../src/dlms/xdlms/conformance.ts';
import { invokeIdAndPriorityOf } from '../../src/dlms/xdlms/invoke-id.ts';
import { bytesOf, differences, isNegative, loadVectors, unitOf, type Vector } from '../support/vectors.ts';

interface Codec {
  decode(bytes: Uint8Array): unknown;
  encode?(value: unknown): Uint8Array;
}

/** Reads all of the octets as one thing. */
function whole<T>(read: (reader: ByteReader) => T): (bytes: Uint8Array) => T {
  return (bytes) => {
    const reader = new ByteReader(bytes, 'axdr');
    const value = read(reader);
    reader.expectEnd('vector');
    return value;
  };
}

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.finish();
}

const DATA: Codec = {
  decode: (bytes) => ({ data: parseData(bytes) }),
  encode: (value) => dataBytes((value as { data: Data }).data),
};
const APDU: Codec = { decode: decodeApdu, encode: (value) => encodeApdu(value as Apdu) };
const ACSE: Codec = { decode: decodeAcse, encode: (value) => encodeAcse(value as AcseApdu) };
const LENGTH: Codec = {
  decode: (bytes) => ({ kind: 'length', length: whole(decodeLength)(bytes) }),
  encode: (value) => written((writer) => encodeLength(writer, (value as { length: number }).length)),
};
/** The header announces elements that the vector leaves out. */
const HEADER: Codec = {
  decode: (bytes) => ({
    kind: 'array-header',
    count: decodeCount(new ByteReader(Uint8Array.of(...bytes, ...new Uint8Array(1000)), 'axdr', 1), 'array'),
  }),
};
const DATE_TIME: Codec = {
  decode(bytes) {
    if (bytes.length === DATE_OCTETS) return { kind: 'date', ...whole(decodeDate)(bytes) };
    if (bytes.length === TIME_OCTETS) return { kind: 'time', ...whole(decodeTime)(bytes) };
    const dateTime = parseDateTime(bytes);
    return { kind: 'date-time', ...dateTime, utcIso: utcIsoText(dateTime) };
  },
  encode(value) {
    const { kind } = value as { kind: string };
    if (kind === 'date') return written((writer) => encodeDate(writer, value as never));
    if (kind === 'time') return written((writer) => encodeTime(writer, value as never));
    return dateTimeBytes(value as never);
  },
};
const CONFORMANCE: Codec = {
  decode: (bytes) => ({ kind: 'conformance', ...whole(decodeConformanceContents)(bytes) }),
};
const INVOKE: Codec = { decode: (bytes) => invokeIdAndPriorityOf(bytes[0] ?? -1) };

function codecOf(vector: Vector): Codec {
  switch (unitOf(vector)) {
    case 'length':
      return LENGTH;
    case 'header':
      return HEADER;
    case 'conformance':
      return CONFORMANCE;
    case 'invoke-id-and-priority':
      return INVOKE;
  }
  return { axdr: DATA, datetime: DATE_TIME, acse: ACSE, apdu: APDU }[vector.layer] ?? APDU;
}

/** Not written as this encoder would: true as FF, where it writes 01. */
const NOT_CANONICAL = new Set(['apdu-data-notification-with-date', 'apdu-event-notification-with-time']);

const LAYERS = ['axdr', 'datetime', 'acse', 'apdu'];

describe.each(LAYERS)('%s', (layer) => {
  const vectors = loadVectors(layer);
  const positive = vectors.filter((vector) => !isNegative(vector));

  test.each(positive.map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    expect(differences(vector.expect, codecOf(vector).decode(bytesOf(vector)))).toEqual([]);
  });

  test.each(vectors.filter(isNegative).map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    expect(() => codecOf(vector).decode(bytesOf(vector))).toThrow(BridgeError);
  });

  test('encode what was decoded', () => {
    for (const vector of positive) {
      const { decode, encode } = codecOf(vector);
      if (encode === undefined || NOT_CANONICAL.has(vector.id)) continue;
      expect(toHex(encode(decode(bytesOf(vector)))), vector.id).toBe(vector.hex.toLowerCase());
    }
  });

  test('cut at every offset', () => {
    for (const vector of positive.filter((one) => unitOf(one) === null || unitOf(one) === 'data')) {
      // A date-time cut to 5 or 4 octets is a date or a time.
      if (layer === 'datetime' && vector.hex.length < 2 * DATE_TIME_OCTETS) continue;
      const bytes = bytesOf(vector);
      for (let length = 0; length < bytes.length; length += 1) {
        if (layer === 'datetime' && (length === DATE_OCTETS || length === TIME_OCTETS)) continue;
        expect(() => codecOf(vector).decode(bytes.subarray(0, length)), `${vector.id} at ${length}`).toThrow(
          BridgeError,
        );
      }
    }
  });

  test('one octet too many', () => {
    for (const vector of positive.filter((one) => unitOf(one) === null || unitOf(one) === 'data')) {
      const longer = fromHex(`${vector.hex}00`);
      if (layer === 'datetime' && longer.length === DATE_OCTETS) continue;
      expect(() => codecOf(vector).decode(longer), vector.id).toThrow(BridgeError);
    }
  });
});

test('ciphered APDUs of the security vectors are taken apart', () => {
  const vectors = loadVectors('security').filter(({ expect: want }) => typeof want.apdu === 'string');
  expect(vectors.length).toBeGreaterThan(5);
  for (const vector of vectors) {
    const { apdu, securityControl, invocationCounter, authenticationTag, systemTitle, ciphertext } = vector.expect;
    const got = decodeApdu(bytesOf(vector));
    const want = { apdu, securityControl, invocationCounter, authenticationTag, systemTitle, ciphertext };
    const present = Object.fromEntries(Object.entries(want).filter(([, value]) => value !== undefined));
    expect(differences(present, got), vector.id).toEqual([]);
    expect(toHex(encodeApdu(got)), vector.id).toBe(vector.hex);
  }
});

test('a protected content without room for header or tag is refused', () => {
  expect(() => parseProtected(fromHex('1000000001aabbccdd'))).toThrow(BridgeError);
  expect(() => parseProtected(fromHex('20000000'))).toThrow(BridgeError);
  expect(() => decodeApdu(fromHex('31053000000001'))).toThrow(BridgeError);
});

test('generalCiphering and generalSigning', () => {
  for (const vector of loadVectors('security').filter(({ expect: want }) => want.generalSigning !== undefined)) {
    const outer = decodeApdu(bytesOf(vector));
    expect(toHex(encodeApdu(outer)), vector.id).toBe(vector.hex);
    const { generalCiphering: ciphering, generalSigning: signing } = vector.expect as Record<
      string,
      Readonly<Record<string, unknown>> | undefined
    >;
    let signed = outer;
    if (ciphering !== undefined && outer.apdu === 'general-ciphering') {
      const { macValid, mac, ...fields } = ciphering;
      expect(differences({ ...fields, authenticationTag: mac }, outer), vector.id).toEqual([]);
      signed = decodeApdu(outer.ciphertextOrPlain);
    }
    if (signing === undefined || signed.apdu !== 'general-signing') throw new Error(`${vector.id}: ${signed.apdu}`);
    const { signatureLength, signatureValid, ...fields } = signing;
    expect(differences(fields, signed), vector.id).toEqual([]);
    expect(signed.signature.length).toBe(signatureLength);
    expect(differences(vector.expect.inner, decodeApdu(signed.content)), vector.id).toEqual([]);
  }
});
