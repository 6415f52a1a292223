/**
 * By what a meter is known that dials in, as people write it: `source=10.0.0.7`, `title=4D4D4D0000000001`,
 * `device-name=MMM0000000000001`. Any one of several is enough.
 */
import { isIP } from 'node:net';
import { fail } from '../core/errors.ts';

export type DialInKind = 'source' | 'title' | 'device-name';

export interface DialInMark {
  readonly kind: DialInKind;
  /** An IP address, 16 hex digits in lower case, a logical device name. */
  readonly value: string;
}

const LONGEST_NAME = 64;

/** Throws INVALID_VALUE. */
export function parseDialIn(text: string): DialInMark {
  const [, kind = '', value = ''] = /^(source|title|device-name)=(.+)$/s.exec(text.trim()) ?? [];
  switch (kind) {
    case 'source':
      if (isIP(value) === 0) fail('INVALID_VALUE', `"${value.slice(0, 80)}" is no IP address`);
      return { kind, value: plainAddress(value) };
    case 'title':
      if (!/^[0-9a-f]{16}$/i.test(value)) fail('INVALID_VALUE', 'a system title has 16 hex digits');
      return { kind, value: value.toLowerCase() };
    case 'device-name':
      if (value.length > LONGEST_NAME) fail('INVALID_VALUE', `a device name of more than ${LONGEST_NAME} characters`);
      if (/\p{Cc}/u.test(value)) fail('INVALID_VALUE', 'a device name without control characters');
      return { kind, value };
    default:
      return fail('INVALID_VALUE', `"${text.slice(0, 80)}" does not say by what the meter is known`, {
        hint: 'write source=IP, title=HEX or device-name=TEXT',
      });
  }
}

/** One text for one mark. Throws INVALID_VALUE. */
export function canonicalDialIn(text: string): string {
  const { kind, value } = parseDialIn(text);
  return `${kind}=${value}`;
}

/** An IPv4 address that came over an IPv6 socket is written as IPv4. */
export function plainAddress(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
}

/**
 * The marks of a meter; without any of its own its system title, and without that its name is taken for its logical device
 * name.
 */
export function marksOf(meter: {
  readonly name: string;
  readonly settings: { readonly identify: readonly string[]; readonly serverSystemTitle: string | null };
}): readonly DialInMark[] {
  const { identify, serverSystemTitle } = meter.settings;
  if (identify.length > 0) return identify.map(parseDialIn);
  if (serverSystemTitle !== null) return [{ kind: 'title', value: serverSystemTitle.toLowerCase() }];
  return [{ kind: 'device-name', value: meter.name }];
}
