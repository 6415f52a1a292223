/** What comes from the server, read without trust. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inboundOf } from '../../src/thingsboard/inbound-messages.ts';
import { SERVER_RPC } from '../../src/thingsboard/topics.ts';

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

test('what is no JSON, or too large, is said; other topics are none of ours', () => {
  expect(inboundOf(`${SERVER_RPC}1`, '{')).toMatchObject([{ kind: 'malformed' }]);
  expect(inboundOf(`${SERVER_RPC}1`, `"${'x'.repeat(70_000)}"`)).toMatchObject([{ kind: 'malformed' }]);
  expect(inboundOf('v1/devices/me/telemetry', '{}')).toEqual([]);
});

test('nothing that comes makes it throw', () => {
  fc.assert(
    fc.property(fc.constantFrom(`${SERVER_RPC}1`, SERVER_RPC), fc.oneof(fc.json(), fc.string()), (topic, payload) => {
      for (const { kind } of inboundOf(topic, payload)) expect(kind).toBeTypeOf('string');
    }),
  );
});
