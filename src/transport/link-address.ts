/** Links as a person writes them (docs/cli.md, "Naming a meter") as data, with one canonical text for each. */
import { fail } from '../core/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { conditioned, conditionedSerial } from './conditioned.ts';
import { DEFAULT_LINE_SETTINGS, type LineSettings } from './line-settings.ts';
import { modeETransport } from './mode-e.ts';
import { type SerialFormat, serialTransport } from './serial.ts';
import { tcpTransport } from './tcp.ts';
import type { Transport } from './transport.ts';
import { udpTransport } from './udp.ts';

export type Framing = 'hdlc' | 'wrapper';

interface NetworkLink {
  /** Canonical: two links that mean the same have the same text. */
  readonly text: string;
  /** Lower-case, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

interface SerialLink {
  readonly text: string;
  readonly path: string;
  readonly baudRate: number;
  readonly format: SerialFormat;
}

export type LinkAddress =
  | (NetworkLink & { readonly kind: 'tcp'; readonly framing: Framing })
  | (NetworkLink & { readonly kind: 'udp'; readonly framing: 'wrapper' })
  | (SerialLink & { readonly kind: 'serial'; readonly framing: 'hdlc' })
  /** With the mode E sign-on of IEC 62056-21; baud rate and format are those of the sign-on. */
  | (SerialLink & { readonly kind: 'serial+e'; readonly framing: 'hdlc' })
  | ListenLink;

/** Where we listen: meters dial in there, or push. */
export type ListenLink =
  | (NetworkLink & { readonly kind: 'listen+tcp'; readonly framing: Framing })
  | (NetworkLink & { readonly kind: 'listen+udp'; readonly framing: 'wrapper' })
  | (SerialLink & { readonly kind: 'listen+serial'; readonly framing: 'hdlc' });

/** IANA's port for DLMS/COSEM. */
export const DEFAULT_PORT = 4059;

interface SerialDefaults {
  readonly baud: number;
  readonly format: string;
}
const SERIAL_DEFAULTS = {
  serial: { baud: 9600, format: '8N1' },
  'serial+e': { baud: 300, format: '7E1' },
  'listen+serial': { baud: 9600, format: '8N1' },
} as const satisfies Record<string, SerialDefaults>;

const HIGHEST_BAUD = 4_000_000;

/** Parses a link. Throws INVALID_LINK, saying what is wrong. */
export function parseLink(text: string): LinkAddress {
  const [, scheme = '', rest = ''] = /^([a-z+]+):\/\/(.*)$/is.exec(text.trim()) ?? [];
  switch (scheme.toLowerCase()) {
    case 'tcp':
      return { kind: 'tcp', framing: 'wrapper', ...networkLink('tcp', rest) };
    case 'tcp+hdlc':
      return { kind: 'tcp', framing: 'hdlc', ...networkLink('tcp+hdlc', rest) };
    case 'udp':
      return { kind: 'udp', framing: 'wrapper', ...networkLink('udp', rest) };
    case 'serial':
      return { kind: 'serial', framing: 'hdlc', ...serialLink('serial', rest) };
    case 'serial+e':
      return { kind: 'serial+e', framing: 'hdlc', ...serialLink('serial+e', rest) };
    case 'listen+tcp':
      return { kind: 'listen+tcp', framing: 'wrapper', ...networkLink('listen+tcp', rest) };
    case 'listen+tcp+hdlc':
      return { kind: 'listen+tcp', framing: 'hdlc', ...networkLink('listen+tcp+hdlc', rest) };
    case 'listen+udp':
      return { kind: 'listen+udp', framing: 'wrapper', ...networkLink('listen+udp', rest) };
    case 'listen+serial':
      return { kind: 'listen+serial', framing: 'hdlc', ...serialLink('listen+serial', rest) };
    default:
      return fail('INVALID_LINK', `"${shown(text)}" is no link`);
  }
}

/** Whether the meter has to be signed on to each time the line is opened, and the line opened for each association. */
export function signsOn({ kind }: LinkAddress): boolean {
  return kind === 'serial+e';
}

/** Whether it is the meters that begin to talk. */
export function listens(address: LinkAddress): address is ListenLink {
  return address.kind.startsWith('listen+');
}

/** Whether the link is a connection that stands over a network. */
export function isNetwork({ kind }: LinkAddress): boolean {
  return kind === 'tcp';
}

/** What stands between the transport and the APDUs on this link. */
export function framingOf(address: LinkAddress): Framing {
  return address.framing;
}

/** Mode E makes its parity bit in software. */
const SOFTWARE_PARITY: SerialFormat = { dataBits: 8, parity: 'N', stopBits: 1 };

/** The transport of a link, not opened yet. Throws UNSUPPORTED for a link where many meters dial in. */
export function transportOf(
  address: LinkAddress,
  clock: Clock,
  settings: LineSettings = DEFAULT_LINE_SETTINGS,
): Transport {
  switch (address.kind) {
    case 'tcp': {
      const { host, port } = address;
      return conditioned(
        tcpTransport({ host, port, clock, openTimeoutMs: settings.connectTimeoutMs }),
        settings,
        clock,
      );
    }
    case 'listen+tcp':
    case 'listen+udp':
      return fail('UNSUPPORTED', `meters dial in at ${address.text}: it cannot be opened from here`, {
        layer: 'transport',
        hint: 'add the meter with `meter add`, start `run`, and ask for it by its name; or hear pushes with `listen`',
      });
    case 'listen+serial':
    case 'serial':
      return conditionedSerial(serialTransport({ ...address, clock }), address.baudRate, settings, clock);
    case 'udp':
      return conditioned(udpTransport({ host: address.host, port: address.port }), settings, clock);
    case 'serial+e': {
      const plain = serialTransport({ ...address, format: SOFTWARE_PARITY, clock });
      const { signOnReactionMs: reactionMs, signOnTimeoutMs: timeoutMs } = settings;
      const serial = conditionedSerial(plain, address.baudRate, settings, clock);
      return modeETransport({ serial, clock, reactionMs, timeoutMs });
    }
  }
}

function networkLink(scheme: string, rest: string): NetworkLink {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^\s:/?#[\]@]+))(?::(\d{1,5}))?\/?$/i.exec(rest);
  const host = (match?.[1] ?? match?.[2])?.toLowerCase();
  if (match === null || host === undefined) {
    return fail('INVALID_LINK', `"${shown(rest)}" is not HOST:PORT`);
  }
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > 65535) fail('INVALID_LINK', `a port is 1 to 65535, not ${port}`);
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return { text: `${scheme}://${bracketed}:${port}`, host, port };
}

function serialLink(scheme: keyof typeof SERIAL_DEFAULTS, rest: string): SerialLink {
  const [path = '', query = '', ...more] = rest.split('?');
  if (!path.startsWith('/') || path.length < 2 || more.length > 0) {
    fail('INVALID_LINK', `"${shown(rest)}" is no path of a serial port: write ${scheme}:///dev/...`);
  }
  const given = new URLSearchParams(query);
  for (const name of given.keys()) {
    if (name !== 'baud' && name !== 'format')
      fail('INVALID_LINK', `"${shown(name)}" is no serial setting: baud, format`);
    if (given.getAll(name).length > 1) fail('INVALID_LINK', `${name} stands twice`);
  }
  const defaults = SERIAL_DEFAULTS[scheme];
  const baud = given.get('baud') ?? String(defaults.baud);
  const baudRate = /^\d{1,7}$/.test(baud) ? Number(baud) : 0;
  if (baudRate < 1 || baudRate > HIGHEST_BAUD) fail('INVALID_LINK', `"${shown(baud)}" is no baud rate`);
  const format = parseFormat(given.get('format') ?? defaults.format);
  const formatText = `${format.dataBits}${format.parity}${format.stopBits}`;
  return { text: `${scheme}://${path}?baud=${baudRate}&format=${formatText}`, path, baudRate, format };
}

function parseFormat(text: string): SerialFormat {
  const match = /^([78])([neo])([12])$/i.exec(text);
  if (match === null) return fail('INVALID_LINK', `"${shown(text)}" is no serial format such as 8N1 or 7E1`);
  return {
    dataBits: Number(match[1]) as SerialFormat['dataBits'],
    parity: match[2]?.toUpperCase() as SerialFormat['parity'],
    stopBits: Number(match[3]) as SerialFormat['stopBits'],
  };
}

function shown(text: string): string {
  return text.slice(0, 80);
}
