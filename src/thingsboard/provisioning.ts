/** Gets a new device's access token from ThingsBoard by the key and secret of its device profile (the provisioning flow). */
import { BridgeError, fail } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Target } from '../store/fleet/types.ts';
import { type MqttSession, newClientId, openSession } from './session/connection.ts';
import { PROVISION_REQUEST, PROVISION_RESPONSE } from './session/topics.ts';

export interface ProvisioningRequest {
  readonly key: string;
  readonly secret: string;
  readonly deviceName: string;
  readonly gateway: boolean;
}

export interface ProvisioningOptions {
  readonly target: Target;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The user name that ThingsBoard knows provisioning by. */
const USERNAME = 'provision';
const ANSWER_MS = 15_000;

/**
 * The access token of the device that was made. Throws PROVISION_NOT_FOUND (no profile has this key and secret),
 * PROVISION_FAILED (the device exists, or the profile does not allow it), MQTT_ACK_TIMEOUT, and what `openSession` throws.
 */
export async function provisionToken(options: ProvisioningOptions, request: ProvisioningRequest): Promise<string> {
  const session = await openSession({
    ...options,
    token: USERNAME,
    clientId: newClientId(),
    connackTimeoutMs: ANSWER_MS,
    ackTimeoutMs: ANSWER_MS,
    keepaliveSeconds: 60,
  });
  try {
    return tokenIn(await answered(session, options.clock, request));
  } finally {
    session.close();
  }
}

async function answered(session: MqttSession, clock: Clock, request: ProvisioningRequest): Promise<string> {
  const { key, secret, deviceName, gateway } = request;
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(ANSWER_MS, () =>
      session.close(
        new BridgeError('MQTT_ACK_TIMEOUT', `ThingsBoard did not answer to provisioning in ${ANSWER_MS} ms`, {
          hint: 'is it a ThingsBoard? the device may have been made all the same: look there before another try',
        }),
      ),
    );
    session.onMessage((topic, payload) => {
      if (topic === PROVISION_RESPONSE) resolve(payload);
    });
    void session.closed.then((error) => {
      timer.cancel();
      reject(error);
    });
    session.subscribe(PROVISION_RESPONSE);
    const document = { deviceName, provisionDeviceKey: key, provisionDeviceSecret: secret, gateway };
    session.request({ topic: PROVISION_REQUEST, payload: JSON.stringify(document) });
  });
}

function tokenIn(payload: string): string {
  const { status, credentialsType, credentialsValue, errorMsg } = parsed(payload);
  // What the server says is shortened: it may repeat what it was asked.
  if (status === 'NOT_FOUND')
    fail('PROVISION_NOT_FOUND', 'ThingsBoard knows no device profile with this key and secret');
  if (status !== 'SUCCESS') {
    fail(
      'PROVISION_FAILED',
      `ThingsBoard did not provision the device: ${String(errorMsg ?? status ?? 'its answer has no status').slice(0, 200)}`,
    );
  }
  if (credentialsType !== 'ACCESS_TOKEN' || typeof credentialsValue !== 'string') {
    return fail('PROVISION_FAILED', `the device profile gives credentials of type ${String(credentialsType)}`);
  }
  return credentialsValue;
}

function parsed(payload: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below, the same for every answer that is none.
  }
  return fail('PROVISION_FAILED', 'the answer to provisioning is no JSON object');
}
