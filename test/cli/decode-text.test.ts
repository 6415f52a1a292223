/** The tree that `decode` prints for people. */
import { expect, test } from 'vitest';
import { decodedText } from '../../src/cli/views/decode-text.ts';
import { fromHex } from '../../src/core/bytes.ts';
import { type DecodeInput, decodeBytes } from '../../src/dlms/decode/bytes.ts';
import { bytesOf, loadVectors } from '../support/vectors.ts';

const textOf = (hex: string, input: DecodeInput = 'auto'): string => decodedText(decodeBytes(fromHex(hex), { input }));

test('a request', () => {
  expect(textOf('c001c100080000010000ff0200')).toBe(
    [
      'APDU: get-request',
      '  type: normal',
      '  invokeIdAndPriority:',
      '    raw: c1',
      '    invokeId: 1',
      '    serviceClass: confirmed',
      '    priority: high',
      '  attribute:',
      '    classId: 8 (Clock)',
      '    instanceId: 0.0.1.0.0.255 (clock)',
      '    attributeId: 2 (time)',
      '  accessSelection: none',
    ].join('\n'),
  );
});

test('Data with what its octet-strings look like', () => {
  const data = '0205' + '09060100010800ff' + '0903414243' + '090c07e8060f0614172d00ff8880' + '0102120001ff' + '0900';
  expect(textOf(data, 'data')).toBe(
    [
      'APDU: Data',
      '  data: structure of 5',
      '    octet-string 0100010800ff (1.0.1.8.0.255 active, import, energy)',
      '    octet-string 414243 "ABC"',
      '    octet-string 07e8060f0614172d00ff8880 (2024-06-15T20:23:45+02:00)',
      '    array of 2',
      '      long-unsigned 1',
      '      dont-care',
      '    octet-string (empty)',
    ].join('\n'),
  );
});

test('items of a push: object, attribute, scaled value, what was sent', () => {
  const entry = (classId: string, obis: string, attribute: string) => `020412${classId}0906${obis}0f${attribute}120000`;
  const list = `0102${entry('0028', '0000190900ff', '02')}${entry('0003', '0100010800ff', '02')}`;
  expect(textOf(`0f00000001000202${list}0600000fa0`)).toMatch(
    /^ {4}1\.0\.1\.8\.0\.255 active, import, energy \[Register, attribute 2 value\]: 4000 \(double-long-unsigned\)$/m,
  );
  const pairs = '0203' + '09060100200700ff' + '120901' + '02020fff1623';
  expect(textOf(`0f0000000100${pairs}`)).toMatch(
    /^ {4}1\.0\.32\.7\.0\.255 voltage L1, instantaneous: 230\.5 V \(long-unsigned 2305, scaler -1\)$/m,
  );
});

test('several APDUs have numbers; what is none has its octets; what is wrong stands last', () => {
  const text = textOf('e6e7000f00000001000601020304' + 'e6e700ff45');
  expect(text).toContain('APDU 1: data-notification\n');
  expect(text).toContain('not decoded 2\n');
  expect(text).toContain('  hex: ff45\n');
  expect(text.split('\n').at(-2)).toMatch(/^error MALFORMED: /);
});

test('empty input, and every vector', () => {
  expect(textOf('')).toContain('error TRUNCATED');
  for (const name of ['push', 'apdu', 'acse', 'hdlc', 'wrapper', 'mode-e']) {
    for (const vector of loadVectors(name)) {
      const text = decodedText(decodeBytes(bytesOf(vector), { input: 'auto' }));
      expect(text, vector.id).not.toMatch(/: undefined|\[object/);
    }
  }
});
