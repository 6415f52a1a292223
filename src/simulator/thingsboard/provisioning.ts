/** The provisioning flow: a session with the user name `provision` asks for a device and gets its credentials. */
import { randomBytes } from 'node:crypto';
import type { JsonValue } from '../../core/json.ts';
import type { DoubleToken } from './credentials.ts';
import { parseJsonTree, textMember } from './json-tree.ts';

/** Of the device profile. */
export interface ProvisionKeys {
  readonly key: string;
  readonly secret: string;
}

/** The session of one that asks; it is no device. */
export const PROVISIONING: DoubleToken = { token: 'provision', device: '', gateway: false };
export const PROVISION_REQUEST = '/provision/request';
export const PROVISION_RESPONSE = '/provision/response';
/** From the CONNACK to the server's close, milliseconds. */
export const PROVISIONING_MS = 60_000;

/** Answers a request; a device that is made joins `tokens`. null: the payload is no JSON object. */
export function provision(keys: ProvisionKeys | null, tokens: DoubleToken[], payload: string): JsonValue | null {
  const request = parseJsonTree(payload);
  if (request?.kind !== 'object') return null;
  const isKnown =
    keys !== null &&
    textMember(request, 'provisionDeviceKey') === keys.key &&
    textMember(request, 'provisionDeviceSecret') === keys.secret;
  if (!isKnown) return { errorMsg: 'Provision data was not found!', status: 'NOT_FOUND' };
  const device = textMember(request, 'deviceName') ?? `device-${randomBytes(4).toString('hex')}`;
  if (tokens.some((one) => one.device === device)) {
    return { errorMsg: 'Failed to provision device!', status: 'FAILURE' };
  }
  const gateway = request.members.get('gateway');
  const token = randomBytes(10).toString('hex');
  tokens.push({ token, device, gateway: gateway?.kind === 'boolean' && gateway.value });
  return { credentialsValue: token, credentialsType: 'ACCESS_TOKEN', status: 'SUCCESS' };
}
