/** Provisioning against the double: a token that works, and refusals that say what to do. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../src/runtime/clock.ts';
import { startThingsBoardDouble, type ThingsBoardDouble } from '../../src/simulator/thingsboard/double.ts';
import type { MqttProtocol } from '../../src/store/fleet/types.ts';
import { type ProvisioningRequest, provisionToken } from '../../src/thingsboard/provisioning.ts';
import { openSession } from '../../src/thingsboard/session/connection.ts';
import { until } from '../support/until.ts';

const REQUEST: ProvisioningRequest = { key: 'KEY', secret: 'SECRET', deviceName: 'bridge', gateway: true };
const { signal } = new AbortController();

let double: ThingsBoardDouble;
let clock: VirtualClock;
beforeEach(async () => {
  clock = new VirtualClock();
  double = await startThingsBoardDouble({ tokens: [], provision: { key: 'KEY', secret: 'SECRET' }, clock });
});
afterEach(() => double.stop());

const target = (protocol: MqttProtocol) =>
  ({ id: 1, name: 'tb', url: `mqtt://127.0.0.1:${double.port}`, protocol, mode: 'gateway', caFile: null }) as const;

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: { code: string }) => error.code,
  );

describe.each(['5', '3.1.1'] as const)('MQTT %s', (protocol) => {
  const provisioned = (changes: Partial<ProvisioningRequest> = {}): Promise<string> =>
    provisionToken({ target: target(protocol), clock, signal }, { ...REQUEST, ...changes });

  test('a token that the server takes; the device is not made twice', async () => {
    const token = await provisioned();
    const times = { connackTimeoutMs: 1000, ackTimeoutMs: 1000, keepaliveSeconds: 60 };
    const session = await openSession({ target: target(protocol), token, clientId: 'c', clock, signal, ...times });
    expect(double.sessions().map(({ device }) => device)).toContain('bridge');
    session.close();
    expect(await codeOf(provisioned())).toBe('PROVISION_FAILED');
    await until('nobody is left', () => double.sessions().length === 0);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a key or secret that no profile has', async () => {
    expect(await codeOf(provisioned({ secret: 'wrong' }))).toBe('PROVISION_NOT_FOUND');
    expect(double.received().devices.size).toBe(0);
  });

  test('a server that does not answer', async () => {
    double.freeze();
    const code = codeOf(provisioned());
    await until('it is given up', () => clock.pendingTimers > 0);
    await clock.advance(15_000);
    expect(await code).toBe('MQTT_UNREACHABLE');
  });
});
