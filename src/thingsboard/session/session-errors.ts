/** What mqtt.js and Node report, as errors of ours. */
import { BridgeError } from '../../core/errors.ts';
import { pubackError } from './reason-codes.ts';

export function publishError(error: Error): BridgeError {
  const { code } = error as { code?: unknown };
  return typeof code === 'number'
    ? pubackError(code)
    : new BridgeError('MQTT_CLOSED', `the message was not sent: ${error.message}`, { cause: error });
}

export function closedError(stood: boolean): BridgeError {
  if (stood) return new BridgeError('MQTT_CLOSED', 'the server closed the connection without a reason');
  return new BridgeError('MQTT_CLOSED', 'the server closed the connection before its CONNACK', {
    hint: 'mqtt:// at a port with TLS (that takes mqtts://), a client certificate that is not taken, or a server that starts or blocks this address: its log tells',
  });
}

/** An error of mqtt.js or of the socket while the session stood. */
export function lostError(error: Error): BridgeError {
  if (error.message === KEEP_ALIVE) return silentError(error);
  if (!isOfSystem(error)) return malformedError(error);
  return new BridgeError('MQTT_CLOSED', `the connection broke off: ${describe(error)}`, { cause: error });
}

/** mqtt.js has no code for it. */
const KEEP_ALIVE = 'Keepalive timeout';

function silentError(cause: Error): BridgeError {
  return new BridgeError('MQTT_ACK_TIMEOUT', 'the server answered no ping of the keep-alive', {
    cause,
    hint: 'the server or the way to it is dead: the connection is opened again',
  });
}

/** We closed it over what came, which says nothing of why a server closes. */
function malformedError(cause: Error): BridgeError {
  return new BridgeError('MQTT_MALFORMED', `the server sent what is no MQTT: ${describe(cause)}`, { cause });
}

/** Node and OpenSSL name their errors; complaints of the MQTT parser have no name, or the number of a reason code. */
function isOfSystem(error: Error): boolean {
  return typeof (error as { code?: unknown }).code === 'string';
}

/** OpenSSL's and Node's codes for a certificate or handshake that does not hold. */
const TLS_CODE = /CERT|^ERR_(?:TLS|SSL)|^UNABLE_TO|SELF_SIGNED|^EPROTO$|^HOSTNAME_MISMATCH$/;

/** An error of mqtt.js or of the socket before the CONNACK. */
export function openError(error: Error): BridgeError {
  if (!isOfSystem(error)) return malformedError(error);
  const { code } = error as { code?: unknown };
  const kind = typeof code === 'string' && TLS_CODE.test(code) ? 'MQTT_TLS' : 'MQTT_UNREACHABLE';
  return new BridgeError(kind, `connecting failed: ${describe(error)}`, { cause: error });
}

/** The message; Node's AggregateError of several addresses has none, so the code stands in. */
function describe(error: Error): string {
  const { code } = error as { code?: unknown };
  return error.message !== '' ? error.message : String(code ?? error.name);
}
