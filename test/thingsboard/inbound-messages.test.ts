/** What comes from the server, read without trust. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inboundOf } from '../../src/thingsboard/inbound/inbound-messages.ts';
import {
  ATTRIBUTE_RESPONSE,
  DEVICE_ATTRIBUTES,
  GATEWAY_ATTRIBUTE_RESPONSE,
  GATEWAY_ATTRIBUTES,
  SERVER_RPC,
} from '../../src/thingsboard/session/topics.ts';

const rpc = (document: unknown) => inboundOf(`${SERVER_RPC}7`, JSON.stringify(document));

test('names of devices', () => {
  expect(rpc({ method: 'gateway_device_renamed', params: { A: 'B', C: 'D' } })).toEqual([
    { kind: 'renamed', from: 'A', to: 'B' },
    { kind: 'renamed', from: 'C', to: 'D' },
  ]);
  expect(rpc({ method: 'gateway_device_deleted', params: 'A' })).toEqual([{ kind: 'deleted', device: 'A' }]);
  expect(rpc({ method: 'readMeter', params: {} })).toEqual([{ kind: 'asked', method: 'readMeter' }]);
});

test.each([
  ['no object', [1]],
  ['no method', {}, 'asked'],
  ['a name that is none', { method: 'gateway_device_renamed', params: { A: 5 } }],
  ['no names', { method: 'gateway_device_renamed', params: {} }],
  ['names in a list', { method: 'gateway_device_renamed', params: ['A'] }],
  ['nobody deleted', { method: 'gateway_device_deleted' }],
  ['a blank deleted', { method: 'gateway_device_deleted', params: '' }],
])('%s', (_name, document, kind = 'malformed') => {
  expect(rpc(document).map((one) => one.kind)).toEqual([kind]);
});

const shared = (device: string, values: object, deleted: readonly string[] = []) => [
  { kind: 'shared', device, values, deleted },
];

test.each([
  ['pushed', DEVICE_ATTRIBUTES, { a: 1, b: 'x' }, shared('', { a: 1, b: 'x' })],
  ['deleted', DEVICE_ATTRIBUTES, { deleted: ['a', 5] }, shared('', {}, ['a'])],
  ['one that is called deleted', DEVICE_ATTRIBUTES, { deleted: ['a'], b: 1 }, shared('', { deleted: ['a'], b: 1 })],
  ['asked for', `${ATTRIBUTE_RESPONSE}7`, { client: {}, shared: { a: 1 } }, shared('', { a: 1 })],
  ['asked for, and there are none', `${ATTRIBUTE_RESPONSE}7`, {}, shared('', {})],
  ['of a device', GATEWAY_ATTRIBUTES, { device: 'A', data: { a: 1 } }, shared('A', { a: 1 })],
  ['deleted of a device', GATEWAY_ATTRIBUTES, { device: 'A', data: { deleted: ['a'] } }, shared('A', {}, ['a'])],
  [
    'asked for of a device',
    GATEWAY_ATTRIBUTE_RESPONSE,
    { id: 1, device: 'A', values: { a: 1 } },
    shared('A', { a: 1 }),
  ],
  ['of a device that has none', GATEWAY_ATTRIBUTE_RESPONSE, { id: 1, device: 'A' }, shared('A', {})],
])('shared attributes %s', (_name, topic, document, expected) => {
  expect(inboundOf(topic, JSON.stringify(document))).toEqual(expected);
});

test.each([
  [DEVICE_ATTRIBUTES, 5],
  [`${ATTRIBUTE_RESPONSE}7`, { shared: [] }],
  [GATEWAY_ATTRIBUTES, { data: { a: 1 } }],
  // What we publish ourselves, sent back by a broker that is no ThingsBoard.
  [GATEWAY_ATTRIBUTES, { A: { state: 'connected' } }],
  [GATEWAY_ATTRIBUTES, { device: 'A', data: 5 }],
  [GATEWAY_ATTRIBUTES, { device: '', data: {} }],
])('no shared attributes: %s %j', (topic, document) => {
  expect(inboundOf(topic, JSON.stringify(document))).toMatchObject([{ kind: 'malformed' }]);
});

test('what is no JSON, or too large, is said; other topics are none of ours', () => {
  expect(inboundOf(`${SERVER_RPC}1`, '{')).toMatchObject([{ kind: 'malformed' }]);
  expect(inboundOf(`${SERVER_RPC}1`, `"${'x'.repeat(70_000)}"`)).toMatchObject([{ kind: 'malformed' }]);
  expect(inboundOf('v1/devices/me/telemetry', '{}')).toEqual([]);
});

test('nothing that comes makes it throw', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(`${SERVER_RPC}1`, DEVICE_ATTRIBUTES, `${ATTRIBUTE_RESPONSE}1`, GATEWAY_ATTRIBUTES),
      fc.oneof(fc.json(), fc.string()),
      (topic, payload) => {
        for (const { kind } of inboundOf(topic, payload)) expect(kind).toBeTypeOf('string');
      },
    ),
  );
});
