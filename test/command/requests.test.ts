/** What is asked of a meter survives the journal, and says whether it changes the meter. */
import { expect, test } from 'vitest';
import { decodeRequest, encodeRequest, isWrite, type MeterRequest, subjectOf } from '../../src/command/requests.ts';
import { codeOf } from '../store/support.ts';

const point = { point: '1:0.0.96.50.0.255', classId: 1, obis: '0.0.96.50.0.255', attribute: 2 };
const method = { point: '8:0.0.1.0.0.255:6', classId: 8, obis: '0.0.1.0.0.255', method: 6 };

const REQUESTS: readonly (readonly [MeterRequest, string, boolean])[] = [
  [{ verb: 'read', points: [point, { ...point, classId: null }] }, '1:0.0.96.50.0.255 1:0.0.96.50.0.255', false],
  [{ verb: 'scan' }, '', false],
  [{ verb: 'profile', obis: '1.0.99.1.0.255', selection: { kind: 'last', count: 4 } }, '1.0.99.1.0.255', false],
  [{ verb: 'set', point, value: { text: 'secret' }, readBack: true }, '1:0.0.96.50.0.255', true],
  [
    { verb: 'set', point, value: { data: { type: 'long64', value: -(2n ** 63n) } }, readBack: false },
    '1:0.0.96.50.0.255',
    true,
  ],
  [{ verb: 'call', ...method, parameters: null }, '8:0.0.1.0.0.255:6', true],
  [
    {
      verb: 'call',
      ...method,
      parameters: {
        type: 'structure',
        value: [
          { type: 'octet-string', value: Uint8Array.of(0, 255) },
          { type: 'visible-string', value: 'octets' },
        ],
      },
    },
    '8:0.0.1.0.0.255:6',
    true,
  ],
  [{ verb: 'clock', set: false }, '', false],
  [{ verb: 'clock', set: true }, 'set', true],
  [{ verb: 'relay', action: null }, '', false],
  [{ verb: 'relay', action: 'disconnect' }, 'disconnect', true],
];

test.each(REQUESTS)('%o', (request, subject, writes) => {
  expect(decodeRequest(encodeRequest(request))).toEqual(request);
  expect(subjectOf(request)).toBe(subject);
  expect(isWrite(request)).toBe(writes);
});

test('a text that is no request', () => {
  expect(codeOf(() => decodeRequest('{"verb"'))).toBe('INTERNAL');
});
