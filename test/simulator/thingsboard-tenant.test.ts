/** The ThingsBoard double: what comes from the server. Shared attributes, and names of devices behind a gateway. */
import { describe, expect, test } from 'vitest';
import { doubleBench, GATEWAY_TELEMETRY, TOKENS } from '../support/double-bench.ts';
import type { RawMqtt } from '../support/raw-mqtt.ts';

const bench = doubleBench();
const { start, join } = bench;

const ATTRIBUTES = 'v1/devices/me/attributes';
const RPC = 'v1/devices/me/rpc/request/+';

async function subscribe(client: RawMqtt, ...topics: string[]): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: topics.map((topic) => ({ topic, qos: 1 })) });
  await client.settled();
}

async function heard(client: RawMqtt): Promise<unknown[]> {
  await client.settled();
  return client.of('publish').map(({ topic, payload }) => [topic, JSON.parse(payload.toString())]);
}

const contact = (client: RawMqtt, device: string): Promise<void> => {
  client.publish('v1/gateway/connect', JSON.stringify({ device, type: 'dlms-meter' }), 3);
  return client.settled();
};

describe.each([5, 4] as const)('protocol version %i', (version) => {
  test('a changed or deleted shared attribute goes to a device that subscribed, and to no other', async () => {
    await start();
    const client = await join('d1', version);
    bench.double.tenant.setShared('meter one', { before: 1 });
    await subscribe(client, ATTRIBUTES);
    bench.double.tenant.setShared('meter one', { pollInterval: 30 });
    bench.double.tenant.deleteShared('meter one', ['pollInterval', 'before']);
    bench.double.tenant.setShared('gateway', { logLevel: 'debug' });
    expect(await heard(client)).toEqual([
      [ATTRIBUTES, { pollInterval: 30 }],
      [ATTRIBUTES, { deleted: ['pollInterval', 'before'] }],
    ]);
  });

  test('a device behind a gateway is subscribed as soon as the gateway was in contact with it', async () => {
    await start();
    const client = await join('gw', version);
    await contact(client, 'A');
    bench.double.tenant.setShared('A', { pollInterval: 30 });
    bench.double.tenant.deleteShared('A', ['pollInterval']);
    client.publish('v1/gateway/disconnect', '{"device":"A"}', 4);
    await client.settled();
    bench.double.tenant.setShared('A', { pollInterval: 60 });
    expect(await heard(client)).toEqual([
      ['v1/gateway/attributes', { device: 'A', data: { pollInterval: 30 } }],
      ['v1/gateway/attributes', { device: 'A', data: { deleted: ['pollInterval'] } }],
    ]);
  });

  test('shared attributes are asked for by the device, and by the gateway for a device behind it', async () => {
    await start();
    const client = await join('gw', version);
    await subscribe(client, `${ATTRIBUTES}/response/+`, 'v1/gateway/attributes/response');
    await contact(client, 'A');
    bench.double.tenant.setShared('gateway', { logLevel: 'debug', other: 1 });
    bench.double.tenant.setShared('A', { pollInterval: 30 });
    const before = (await heard(client)).length;
    client.publish(`${ATTRIBUTES}/request/7`, '{"sharedKeys":"logLevel,none"}', 5);
    const ask = { id: 8, device: 'A', client: false };
    client.publish('v1/gateway/attributes/request', JSON.stringify({ ...ask, keys: ['pollInterval', 'none'] }), 6);
    client.publish('v1/gateway/attributes/request', JSON.stringify({ ...ask, id: 9, key: 'pollInterval' }), 7);
    expect((await heard(client)).slice(before)).toEqual([
      [`${ATTRIBUTES}/response/7`, { client: {}, shared: { logLevel: 'debug' } }],
      ['v1/gateway/attributes/response', { id: 8, device: 'A', values: { pollInterval: 30 } }],
      ['v1/gateway/attributes/response', { id: 9, device: 'A', value: 30 }],
    ]);
  });

  test('a server error means no reply', async () => {
    await start();
    bench.double.failAttributeRequests(true);
    const client = await join('gw', version);
    await subscribe(client, `${ATTRIBUTES}/response/+`, 'v1/gateway/attributes/response');
    client.publish(`${ATTRIBUTES}/request/7`, '{"sharedKeys":"logLevel"}', 5);
    client.publish('v1/gateway/attributes/request', '{"id":8,"device":"A","client":false,"keys":["a"]}', 6);
    expect(await heard(client)).toEqual([]);
    expect(client.closed).toBe(false);
  });

  test('names and deletions reach the gateway as one-way RPCs, at the latest when it subscribes', async () => {
    await start();
    const client = await join('gw', version);
    await contact(client, 'A');
    client.publish(GATEWAY_TELEMETRY, '{"A":[{"ts":1,"values":{"k":1}}],"C":[{"ts":1,"values":{"k":1}}]}', 4);
    await client.settled();
    bench.double.tenant.rename('A', 'B');
    expect(await heard(client)).toEqual([]);
    await subscribe(client, RPC);
    bench.double.tenant.remove('C');
    expect(await heard(client)).toEqual([
      ['v1/devices/me/rpc/request/1', { method: 'gateway_device_renamed', params: { A: 'B' } }],
      ['v1/devices/me/rpc/request/2', { method: 'gateway_device_deleted', params: 'C' }],
    ]);
    expect(bench.stored('B', 'k')).toEqual([[1, 'LONG', 1n]]);
    expect([...bench.double.received().devices.keys()].toSorted()).toEqual(['B', 'gateway']);
    client.publish(GATEWAY_TELEMETRY, '{"C":[{"ts":2,"values":{"k":1}}]}', 5);
    await client.settled();
    expect(bench.stored('C', 'k')).toEqual([[2, 'LONG', 1n]]);
  });
});

test('what a tenant cannot do', async () => {
  await start();
  const { tenant } = bench.double;
  const client = await join('gw', 5);
  await contact(client, 'A');
  await contact(client, 'B');
  expect(() => tenant.setShared('nobody', { a: 1 })).toThrow('no device');
  expect(() => tenant.rename('gateway', 'other')).toThrow('behind a gateway');
  expect(() => tenant.rename('A', 'B')).toThrow('already');
});

test('over HTTP', async () => {
  await start({ httpPort: 0, tokens: TOKENS });
  const client = await join('gw', 5);
  await contact(client, 'A 1');
  const call = async (method: string, path: string, body?: string): Promise<unknown[]> => {
    const url = `http://127.0.0.1:${bench.double.httpPort}${path}`;
    const response = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
    return [response.status, await response.json()];
  };
  const done = [200, { result: 'done' }];
  expect(await call('POST', '/devices/A%201/shared', '{"pollInterval":30}')).toEqual(done);
  expect(await call('DELETE', '/devices/A%201/shared?keys=pollInterval')).toEqual(done);
  expect(await call('POST', '/devices/A%201/name', '{"name":"B"}')).toEqual(done);
  expect(await call('DELETE', '/devices/B')).toEqual(done);
  expect(await call('POST', '/devices/B/shared', '{}')).toMatchObject([404, { error: { code: 'NOT_FOUND' } }]);
  expect(await call('POST', '/devices/gateway/shared', '[1]')).toMatchObject([
    400,
    { error: { code: 'INVALID_VALUE' } },
  ]);
  expect(await call('GET', '/elsewhere')).toMatchObject([404, {}]);
  expect((await heard(client)).length).toBe(2);
});
