/** What to try, and in which order, to find out how an unknown meter wants to be talked to; and what an attempt shows. */
import type { BridgeError } from '../core/errors.ts';
import type { MeterSettings } from '../dlms/settings.ts';
import { type LinkAddress, parseLink } from '../transport/link-address.ts';

/** One way of talking: a link, and where the meter and we stand on it. */
export interface Candidate {
  readonly address: LinkAddress;
  readonly settings: Pick<MeterSettings, 'client' | 'server' | 'physical' | 'addressSize' | 'referencing'>;
}

export type Finding =
  /** The association stood. */
  | 'open'
  /** Somebody speaks DLMS there, and wants credentials or another client. */
  | 'refused'
  /** Nothing that says DLMS. */
  | 'nothing';

/** Rates that meters use, the usual ones first. */
const BAUD_RATES = [9600, 19200, 38400, 115200, 57600, 4800, 2400] as const;

/** HDLC server addresses as meters have them from the factory: one octet, or 1/17, 1/16, 1/1 in two and four. */
const HDLC_ADDRESSES: readonly Pick<MeterSettings, 'server' | 'physical' | 'addressSize'>[] = [
  { server: 1, physical: null, addressSize: 1 },
  { server: 1, physical: 17, addressSize: 2 },
  { server: 1, physical: 16, addressSize: 2 },
  { server: 1, physical: 17, addressSize: 4 },
  { server: 1, physical: 16, addressSize: 4 },
  { server: 1, physical: 1, addressSize: 2 },
];
const WRAPPER_ADDRESSES = [{ server: 1, physical: null, addressSize: null }] as const;

/** The public client needs no secret in most meters; 17 and 1 are reader and management, which tell what they want. */
const CLIENTS = [16, 17, 1] as const;

/** All links that the same place may be: both framings of a socket; every rate of a port, and mode E. */
export function linksOf(address: LinkAddress): readonly LinkAddress[] {
  switch (address.kind) {
    case 'tcp': {
      const place = address.text.replace(/^[^:]+:\/\//, '');
      return [address, parseLink(`${address.framing === 'wrapper' ? 'tcp+hdlc' : 'tcp'}://${place}`)];
    }
    case 'udp':
    case 'listen+tcp':
    case 'listen+udp':
    case 'listen+serial':
      return [address];
    case 'serial':
    case 'serial+e': {
      const rates = [...new Set([...(address.kind === 'serial' ? [address.baudRate] : []), ...BAUD_RATES])];
      return [
        ...rates.map((baud) => parseLink(`serial://${address.path}?baud=${baud}&format=8N1`)),
        parseLink(`serial+e://${address.path}`),
      ];
    }
  }
}

/** What to try on one link, the first client over all addresses before the next client. */
export function candidatesOn(address: LinkAddress): readonly Candidate[] {
  const addresses = address.framing === 'hdlc' ? HDLC_ADDRESSES : WRAPPER_ADDRESSES;
  return CLIENTS.flatMap((client) =>
    addresses.map((place) => ({ address, settings: { client, ...place, referencing: 'ln' as const } })),
  );
}

/**
 * What to try next at the same place; null for nothing more. A meter that refuses the application context may speak short
 * names, as old ones do.
 */
export function alternativeTo({ address, settings }: Candidate, code: BridgeError['code'] | null): Candidate | null {
  if (code !== 'CONTEXT_NOT_SUPPORTED' || settings.referencing === 'sn') return null;
  return { address, settings: { ...settings, referencing: 'sn' } };
}

/** What a failed attempt says about the meter. */
export function findingOf({ layer, fault, code }: BridgeError): Finding {
  if (layer === 'acse' || layer === 'security' || layer === 'xdlms') return 'refused';
  return fault === 'credentials' || code === 'LINK_REFUSED' ? 'refused' : 'nothing';
}

/** The authentication that the meter seems to want, from what it answered to none. */
export function wantedAuthentication({ code, message }: BridgeError): string {
  if (code === 'AUTHENTICATION_FAILED') return 'a secret (low, or a high level)';
  if (code !== 'AUTHENTICATION_REQUIRED') return 'another client, context or secret';
  return /high level/.test(message) ? 'a high level (HLS)' : 'an authentication mechanism';
}
