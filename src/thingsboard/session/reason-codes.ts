/**
 * What the server's codes mean for us. CONNACK: MQTT 5 reason codes (3.2.2.2) and 3.1.1 return codes (3.2.2.3);
 * DISCONNECT and PUBACK reason codes exist in MQTT 5 only.
 */
import { BridgeError, type ErrorCode } from '../../core/errors.ts';
import type { MqttProtocol } from '../../store/fleet/types.ts';

const CREDENTIALS_5 = [0x85, 0x86, 0x87, 0x8a, 0x8c];
const CREDENTIALS_3 = [2, 4, 5];
const PROTOCOL = [0x01, 0x84];

/** A CONNECT that was refused. */
export function connackError(code: number, protocol: MqttProtocol): BridgeError {
  const credentials = protocol === '5' ? CREDENTIALS_5 : CREDENTIALS_3;
  const refused: ErrorCode = PROTOCOL.includes(code)
    ? 'MQTT_PROTOCOL_REFUSED'
    : credentials.includes(code)
      ? 'MQTT_CREDENTIALS'
      : 'MQTT_SERVER_UNAVAILABLE';
  return new BridgeError(refused, `the server refused the connection with CONNACK code ${hex(code)}`, {
    facts: { connackCode: code },
  });
}

/** What ThingsBoard means by its DISCONNECT reasons. */
const DISCONNECT_MEANING: Readonly<Record<number, string>> = {
  129: 'the packet was too large or its topic not allowed',
  131: 'rate limit, queue failure or inactivity',
  139: 'the server stumbled over a message',
  142: 'session taken over: another client connected with the same access token',
  150: 'too many connections in too short a time',
  151: 'too many messages before the connection was complete',
  152: 'the credentials were changed or the device deleted',
  153: 'a payload was not valid',
  160: 'session time-out',
};

const TAKEN_OVER = 0x8e;
/** Server-side limits and faults: waiting helps. */
const BUSY = [0x83, 0x89, 0x8b, 0x96, 0x97, 0x9f];

/** A DISCONNECT that the server sent. */
export function disconnectError(reason: number): BridgeError {
  const code: ErrorCode =
    reason === TAKEN_OVER ? 'MQTT_CONFLICT' : BUSY.includes(reason) ? 'MQTT_SERVER_UNAVAILABLE' : 'MQTT_CLOSED';
  const meaning = DISCONNECT_MEANING[reason] ?? 'no reason known';
  return new BridgeError(code, `the server disconnected with reason ${hex(reason)}: ${meaning}`, {
    facts: { disconnectReason: reason },
  });
}

/** Payload format invalid: the same message will never be taken. */
const PAYLOAD_INVALID = 0x99;

/** An error PUBACK. `retryable` tells whether the same message may be sent again. */
export function pubackError(code: number): BridgeError {
  return new BridgeError('MQTT_REFUSED', `the server refused the message with PUBACK code ${hex(code)}`, {
    retryable: code !== PAYLOAD_INVALID,
    facts: { pubackCode: code },
  });
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, '0').toUpperCase()}`;
}
