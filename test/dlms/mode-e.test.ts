/** IEC 62056-21: messages, parity, block check characters, telegrams; every vector whole and cut. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, toHex } from '../../src/core/bytes.ts';
import { BridgeError } from '../../src/core/errors.ts';
import { decodeModeE } from '../../src/dlms/decode/mode-e.ts';
import { blockCheckCharacter } from '../../src/dlms/mode-e/data-message.ts';
import {
  asciiOctets,
  baudRateOf,
  decodeAcknowledgement,
  encodeHdlcSelection,
  encodeRequest,
} from '../../src/dlms/mode-e/messages.ts';
import { crc16Arc, decodeP1Telegram } from '../../src/dlms/mode-e/p1-telegram.ts';
import { addEvenParity, hasEvenParity, stripParity } from '../../src/dlms/mode-e/parity.ts';
import { codeOf } from '../support/error-code.ts';
import { bytesOf, differences, isNegative, loadVectors } from '../support/vectors.ts';

const vectors = loadVectors('mode-e');
const positive = vectors.filter((vector) => !isNegative(vector));

describe('vectors', () => {
  test.each(positive.map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    expect(differences(vector.expect, decodeModeE(bytesOf(vector)))).toEqual([]);
  });

  test.each(vectors.filter(isNegative).map((vector) => [vector.id, vector] as const))('%s', (_, vector) => {
    expect(() => decodeModeE(bytesOf(vector))).toThrow(BridgeError);
  });

  test.each(positive.map((vector) => [vector.id, vector] as const))('%s cut at every offset', (_, vector) => {
    const bytes = bytesOf(vector);
    for (let length = 0; length < bytes.length; length += 1) {
      // A telegram may lack its last CR LF, an acknowledgement its only one.
      const isWhole =
        (vector.expect.kind === 'p1-telegram' && length === bytes.length - 2) ||
        (vector.expect.kind === 'acknowledgement' && length === bytes.length - 2);
      const result = codeOf(() => decodeModeE(bytes.subarray(0, length)));
      // The identification line of a telegram is a message of its own.
      const isLine = vector.expect.kind === 'p1-telegram' && bytes[length - 1] === 0x0a && result === 'none';
      if (isWhole) expect(result).toBe('none');
      else if (!isLine) expect(result, `at ${length}`).not.toBe('none');
    }
  });

  test.each(positive.map((vector) => [vector.id, vector] as const))('%s with parity bits', (_, vector) => {
    expect(differences(vector.expect, decodeModeE(addEvenParity(bytesOf(vector))))).toEqual([]);
  });
});

describe('messages', () => {
  test('a request with and without address', () => {
    expect(toHex(encodeRequest(null))).toBe('2f3f210d0a');
    expect(toHex(encodeRequest('45678903'))).toBe('2f3f3435363738393033210d0a');
  });
  test.each(['', 'a/b', 'a!b', 'a?b', 'ä', 'x'.repeat(33)])('address "%s" is refused', (address) => {
    expect(codeOf(() => encodeRequest(address))).toBe('INVALID_VALUE');
  });
  test('the selection of HDLC reads back', () => {
    expect(toHex(encodeHdlcSelection('5'))).toBe('063235320d0a');
    expect(decodeAcknowledgement(encodeHdlcSelection('6'))).toMatchObject({ selectsHdlc: true, baudRate: 19200 });
  });
  test('an acknowledgement without CR LF is told', () => {
    expect(decodeAcknowledgement(fromHex('06303531'))).toMatchObject({ complete: false, selectsHdlc: false });
  });
  test.each([
    ['no ACK', '073235320d0a', 'MALFORMED'],
    ['half a CR LF', '063235320d', 'TRUNCATED'],
    ['only ACK', '06', 'TRUNCATED'],
    ['a rate that is none', '063239320d0a', 'MALFORMED'],
    ['mode 2 with the secondary protocol', '063135320d0a', 'MALFORMED'],
    ['more behind it', '063235320d0a00', 'MALFORMED'],
  ])('acknowledgement: %s', (_, hex, code) => {
    expect(codeOf(() => decodeAcknowledgement(fromHex(hex)))).toBe(code);
  });
  test.each([
    ['0', 300],
    ['3', 2400],
    ['6', 19200],
    ['A', 600],
    ['F', 19200],
    ['7', null],
    ['G', null],
    [' ', null],
    ['constructor', null],
    ['', null],
  ])('baud character "%s"', (character, rate) => {
    expect(baudRateOf(character)).toBe(rate);
  });
  test.each([
    ['a manufacturer with a digit', '/AB15ident\r\n', 'MALFORMED'],
    ['no line end', '/LGZ5\\2ZMG410', 'TRUNCATED'],
    ['no baud character', '/LGZ\r\n', 'MALFORMED'],
    ['octets that are no text', '/LGZ5\x01\x02\r\n', 'MALFORMED'],
    ['an endless identification', `/LGZ5${'x'.repeat(65)}\r\n`, 'MALFORMED'],
    ['a request with a slash in its address', '/?a/b!\r\n', 'MALFORMED'],
    ['a request that does not end', '/?12\r\n', 'MALFORMED'],
  ])('%s', (_, text, code) => {
    expect(codeOf(() => decodeModeE(asciiOctets(text)))).toBe(code);
  });
});

describe('data messages', () => {
  const message = (text: string): Uint8Array => {
    const octets = asciiOctets(text);
    return concat([octets, Uint8Array.of(blockCheckCharacter(octets.subarray(1)))]);
  };
  test('a readout is told from an answer by its last line', () => {
    const readout = message('\x023:14(314*kWh)4:15(415*kWh)\r\n!\r\n\x03');
    expect(toHex(readout).slice(-2)).toBe('22');
    expect(decodeModeE(readout)).toMatchObject({ kind: 'readout', bcc: '22', partial: false });
    expect(decodeModeE(message('\x021.8.0(1)\x03'))).toMatchObject({ kind: 'answer', data: '1.8.0(1)' });
  });
  test('a partial block ends with EOT', () => {
    expect(decodeModeE(message('\x021.8.0(1)\x04'))).toMatchObject({ kind: 'answer', partial: true });
  });
  test.each([
    ['no letter and digit', message('\x01XX\x03'), 'MALFORMED'],
    ['no STX behind the command', message('\x01R1(1)\x03'), 'MALFORMED'],
    ['one octet too many', concat([message('\x01B0\x03'), Uint8Array.of(0)]), 'TRAILING_BYTES'],
    ['no check character', asciiOctets('\x01B0\x03'), 'TRUNCATED'],
  ])('%s', (_, octets, code) => {
    expect(codeOf(() => decodeModeE(octets))).toBe(code);
  });
});

describe('telegrams', () => {
  const text = '/ISK5\\2M550T\r\n\r\n1-0:1.8.0(000001*kWh)\r\n!';
  test('a wrong check sequence is refused', () => {
    expect(codeOf(() => decodeModeE(asciiOctets(`${text}0000\r\n`)))).toBe('CHECKSUM_WRONG');
    expect(decodeP1Telegram(asciiOctets(`${text}0000\r\n`)).crcValid).toBe(false);
  });
  test('an old telegram has no check sequence', () => {
    expect(decodeModeE(asciiOctets(`${text}\r\n`))).toMatchObject({
      kind: 'p1-telegram',
      crcField: null,
      crcValid: null,
      lineCount: 3,
      dataLines: ['1-0:1.8.0(000001*kWh)'],
    });
  });
  test('a good one, in small digits', () => {
    const crc = crc16Arc(asciiOctets(text)).toString(16).padStart(4, '0');
    expect(decodeModeE(asciiOctets(`${text}${crc}\r\n`))).toMatchObject({ crcValid: true });
  });
  test('CRC-16/ARC of the usual check', () => {
    expect(crc16Arc(asciiOctets('123456789'))).toBe(0xbb3d);
  });
  test('octets that are no text are refused', () => {
    expect(codeOf(() => decodeModeE(asciiOctets(`${text.replace('(', '\x00')}\r\n`)))).toBe('MALFORMED');
  });
});

describe('parity', () => {
  test('the request as it is on the line', () => {
    expect(toHex(addEvenParity(encodeRequest(null)))).toBe('af3f218d0a');
  });
  test('what is added is even and comes off again', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        const coded = addEvenParity(octets);
        expect(hasEvenParity(coded)).toBe(true);
        expect(toHex(stripParity(coded))).toBe(toHex(stripParity(octets)));
      }),
    );
  });
  test('one wrong bit shows', () => {
    const coded = addEvenParity(asciiOctets('/LGZ5'));
    for (let bit = 0; bit < 8; bit += 1) {
      expect(hasEvenParity(coded.map((octet, index) => (index === 2 ? octet ^ (1 << bit) : octet)))).toBe(false);
    }
  });
});

test('any octets at all: a result or a BridgeError', () => {
  const starts = [[], [0x2f], [0x06], [0x01], [0x02], [0x2f, 0x3f], [...asciiOctets('/LGZ5\\2A\r\n')]];
  fc.assert(
    fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 60 }), (start, rest) => {
      codeOf(() => decodeModeE(Uint8Array.of(...start, ...rest)));
    }),
    { numRuns: 3000 },
  );
});
