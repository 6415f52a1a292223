/** Push setup, class 40 (Blue Book 4.4.8): what is pushed, and where to. The object list is a list of capture objects. */
import type { Data } from '../axdr/data.ts';

export const PUSH_SETUP = 40;

/** transport_service_type; from 200 on they are a manufacturer's own. */
const SERVICES = ['tcp', 'udp', 'ftp', 'smtp', 'sms', 'hdlc', 'm-bus', 'zigbee', 'dlms-gateway'] as const;
/** message_type. */
const MESSAGES = ['A-XDR APDU', 'XML APDU'] as const;

export interface PushDestination {
  readonly service: string;
  /** As it stands there: `HOST:PORT` for TCP and UDP; hex when it is no text. */
  readonly destination: string;
  readonly message: string;
}

/** send_destination_and_method; null for anything else. */
export function pushDestinationOf(data: Data): PushDestination | null {
  if (data.type !== 'structure') return null;
  const [service, destination, message] = data.value;
  if (service?.type !== 'enum' || destination?.type !== 'octet-string' || message?.type !== 'enum') return null;
  const octets = Buffer.from(destination.value);
  return {
    service: SERVICES[service.value] ?? `service ${service.value}`,
    destination: octets.every((octet) => octet >= 0x20 && octet < 0x7f)
      ? octets.toString('latin1')
      : octets.toString('hex'),
    message: MESSAGES[message.value] ?? `message ${message.value}`,
  };
}

export function pushDestinationData(service: 'tcp' | 'udp', destination: string): Data {
  return {
    type: 'structure',
    value: [
      { type: 'enum', value: SERVICES.indexOf(service) },
      { type: 'octet-string', value: Uint8Array.from(Buffer.from(destination, 'latin1')) },
      { type: 'enum', value: 0 },
    ],
  };
}
