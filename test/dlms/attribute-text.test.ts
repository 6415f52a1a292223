/** Structured attributes for people, and the parts of a push setup. */
import { expect, test } from 'vitest';
import { fromHex } from '../../src/core/bytes.ts';
import type { Data } from '../../src/dlms/axdr/data.ts';
import { attributeText } from '../../src/dlms/cosem/attribute-text.ts';
import { captureObjectData, DEFAULT_CLOCK } from '../../src/dlms/cosem/profile-generic.ts';
import { pushDestinationData, pushDestinationOf } from '../../src/dlms/cosem/push-setup.ts';
import { scalerUnitData } from '../../src/dlms/cosem/scaler-unit.ts';

const octets = (hex: string): Data => ({ type: 'octet-string', value: fromHex(hex) });
const objects: Data = {
  type: 'array',
  value: [DEFAULT_CLOCK, { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, dataIndex: 1 }].map(captureObjectData),
};
const OBJECTS = 'Clock 0.0.1.0.0.255 attribute 2\nRegister 1.0.1.8.0.255 attribute 2 element 1';

test.each<[string, number, number, Data, string | null]>([
  ['scaler and unit', 3, 3, scalerUnitData({ scaler: -1, unit: 35 }), '10^-1 V'],
  ['scaler without unit', 5, 4, scalerUnitData({ scaler: 0, unit: 255 }), '10^0 (no unit)'],
  ['capture objects', 7, 3, objects, OBJECTS],
  ['pushed objects', 40, 2, objects, OBJECTS],
  ['sort method', 7, 5, { type: 'enum', value: 2 }, '2 (lifo)'],
  ['sort object', 7, 6, captureObjectData(DEFAULT_CLOCK), 'Clock 0.0.1.0.0.255 attribute 2'],
  ['control state', 70, 3, { type: 'enum', value: 2 }, '2 (ready-for-reconnection)'],
  ['control state that is not known', 70, 3, { type: 'enum', value: 9 }, '9 (unknown)'],
  ['image status', 18, 6, { type: 'enum', value: 3 }, '3 (verification-successful)'],
  ['destination', 40, 3, pushDestinationData('tcp', '127.0.0.1:4059'), 'tcp to 127.0.0.1:4059, A-XDR APDU'],
  ['a number', 3, 2, { type: 'unsigned', value: 1 }, null],
  ['another type', 70, 3, { type: 'null-data' }, null],
  ['half a list', 7, 3, { type: 'array', value: [{ type: 'null-data' }] }, null],
  ['vendor class', 9000, 3, objects, null],
])('%s', (_, classId, attribute, data, text) => {
  expect(attributeText(classId, attribute, data)).toBe(text);
});

test('a destination: there and back, what is not known, what is none', () => {
  expect(pushDestinationOf(pushDestinationData('udp', 'host:1'))).toEqual({
    service: 'udp',
    destination: 'host:1',
    message: 'A-XDR APDU',
  });
  const odd: Data = {
    type: 'structure',
    value: [{ type: 'enum', value: 200 }, octets('0a00'), { type: 'enum', value: 9 }],
  };
  expect(pushDestinationOf(odd)).toEqual({ service: 'service 200', destination: '0a00', message: 'message 9' });
  for (const none of [octets('0a'), { type: 'structure', value: [octets('0a')] }] satisfies Data[]) {
    expect(pushDestinationOf(none)).toBeNull();
  }
});
