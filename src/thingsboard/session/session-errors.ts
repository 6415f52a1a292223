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
  return new BridgeError(
    'MQTT_CLOSED',
    stood ? 'the server closed the connection without a reason' : 'the server closed the connection before its CONNACK',
  );
}

export function lostError(error: Error): BridgeError {
  return new BridgeError('MQTT_CLOSED', `the connection broke off: ${describe(error)}`, { cause: error });
}

/** OpenSSL's and Node's codes for a certificate or handshake that does not hold. */
const TLS_CODE = /CERT|^ERR_(?:TLS|SSL)|^UNABLE_TO|SELF_SIGNED|^EPROTO$|^HOSTNAME_MISMATCH$/;

export function openError(error: Error): BridgeError {
  const { code } = error as { code?: unknown };
  const kind = typeof code === 'string' && TLS_CODE.test(code) ? 'MQTT_TLS' : 'MQTT_UNREACHABLE';
  return new BridgeError(kind, `connecting failed: ${describe(error)}`, { cause: error });
}

/** The message; Node's AggregateError of several addresses has none, so the code stands in. */
function describe(error: Error): string {
  const { code } = error as { code?: unknown };
  return error.message !== '' ? error.message : String(code ?? error.name);
}
