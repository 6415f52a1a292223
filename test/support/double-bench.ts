/** A ThingsBoard double with raw MQTT clients at it, for one test file; both go with each test. */
import { afterEach } from 'vitest';
import {
  type DoubleOptions,
  startThingsBoardDouble,
  type ThingsBoardDouble,
} from '../../src/simulator/thingsboard/double.ts';
import { RawMqtt } from './raw-mqtt.ts';

export const TELEMETRY = 'v1/devices/me/telemetry';
export const GATEWAY_TELEMETRY = 'v1/gateway/telemetry';

/** A gateway and a device that is none. */
export const TOKENS = [
  { token: 'gw', device: 'gateway', gateway: true },
  { token: 'd1', device: 'meter one', gateway: false },
];

export interface DoubleBench {
  readonly double: ThingsBoardDouble;
  start(options?: Partial<DoubleOptions>): Promise<void>;
  /** A client with this username, `undefined` for none, after its CONNACK. */
  join(username: string | undefined, version: 4 | 5, clientId?: string): Promise<RawMqtt>;
  /** Closes the client with the test. */
  keep(client: RawMqtt): RawMqtt;
  /** Publishes at QoS 1: the PUBACKs' codes, or how the server closed. */
  outcome(client: RawMqtt, topic: string, payload: string): Promise<unknown>;
  /** [ts, type, value] of a key, oldest first. */
  stored(device: string, key: string): unknown[];
}

/** To be called at the top of a test file. */
export function doubleBench(): DoubleBench {
  const clients: RawMqtt[] = [];
  let current: ThingsBoardDouble | null = null;

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await current?.stop();
    current = null;
  });

  const bench: DoubleBench = {
    get double() {
      if (current === null) throw new Error('the double was not started');
      return current;
    },
    async start(options = {}) {
      await current?.stop();
      current = await startThingsBoardDouble({ tokens: TOKENS, ...options });
    },
    async join(username, version, clientId = 'raw') {
      const credentials = username === undefined ? {} : { username };
      return bench.keep(await RawMqtt.connect(bench.double.port, version, { clientId, ...credentials }));
    },
    keep(client) {
      clients.push(client);
      return client;
    },
    async outcome(client, topic, payload) {
      client.publish(topic, payload, 7);
      await client.settled();
      if (client.closed) return { pubacks: client.pubacks.length, disconnect: client.disconnects[0] ?? null };
      return client.pubacks.map(({ reasonCode }) => reasonCode ?? 'plain');
    },
    stored(device, key) {
      const points = bench.double.received().devices.get(device)?.telemetry.get(key) ?? [];
      return points.map(({ ts, value }) => [ts, value.type, value.value]);
    },
  };
  return bench;
}
