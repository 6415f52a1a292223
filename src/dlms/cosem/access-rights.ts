/**
 * Access modes of attributes and methods (Blue Book 4.4.4.2.2) as text. Versions 0 to 2 of the association enumerate them;
 * version 3 has bits: what may be done, and how request and response must be protected. Both come out in one vocabulary:
 * `no-access`, `read-only`, `write-only`, `read-and-write`, for methods `access`, with `authenticated-` before them when the
 * request must be authenticated, and in version 3 `+encrypted-request`, `+signed-request`, `+authenticated-response`,
 * `+encrypted-response`, `+signed-response` behind them.
 */
import { fail } from '../../core/errors.ts';

const FIRST_VERSION_WITH_BITS = 3;

const ATTRIBUTE_MODES = [
  'no-access',
  'read-only',
  'write-only',
  'read-and-write',
  'authenticated-read-only',
  'authenticated-write-only',
  'authenticated-read-and-write',
] as const;
const METHOD_MODES = ['no-access', 'access', 'authenticated-access'] as const;

const AUTHENTICATED_REQUEST = 0x04;
const AUTHENTICATED = 'authenticated-';
/** Further protection that version 3 may demand, from bit 3 on. */
const PROTECTION = [
  [0x08, 'encrypted-request'],
  [0x10, 'signed-request'],
  [0x20, 'authenticated-response'],
  [0x40, 'encrypted-response'],
  [0x80, 'signed-response'],
] as const;

/** What stands in the lowest bits: attributes have two (read, write), methods one. */
const ATTRIBUTE_BITS = ATTRIBUTE_MODES.slice(0, 4);
const METHOD_BITS = METHOD_MODES.slice(0, 2);

export function attributeAccess(mode: number, associationVersion: number): string {
  return associationVersion >= FIRST_VERSION_WITH_BITS ? fromBits(mode, ATTRIBUTE_BITS) : listed(mode, ATTRIBUTE_MODES);
}

export function methodAccess(mode: number, associationVersion: number): string {
  return associationVersion >= FIRST_VERSION_WITH_BITS ? fromBits(mode, METHOD_BITS) : listed(mode, METHOD_MODES);
}

/** The reverse of `attributeAccess`; throws INVALID_VALUE for what the version cannot say. */
export function attributeMode(access: string, associationVersion: number): number {
  return associationVersion >= FIRST_VERSION_WITH_BITS
    ? toBits(access, ATTRIBUTE_BITS)
    : indexOf(access, ATTRIBUTE_MODES);
}

/** The reverse of `methodAccess`; throws INVALID_VALUE for what the version cannot say. */
export function methodMode(access: string, associationVersion: number): number {
  return associationVersion >= FIRST_VERSION_WITH_BITS ? toBits(access, METHOD_BITS) : indexOf(access, METHOD_MODES);
}

function listed(mode: number, modes: readonly string[]): string {
  return modes[mode] ?? `mode-${mode}`;
}

function indexOf(access: string, modes: readonly string[]): number {
  const mode = modes.indexOf(access);
  return mode < 0 ? unknown(access) : mode;
}

function fromBits(mode: number, base: readonly string[]): string {
  const what = base[mode & (base.length - 1)];
  const demands = PROTECTION.filter(([bit]) => (mode & bit) !== 0).map(([, name]) => `+${name}`);
  return `${(mode & AUTHENTICATED_REQUEST) !== 0 ? AUTHENTICATED : ''}${what}${demands.join('')}`;
}

function toBits(access: string, base: readonly string[]): number {
  const [what = '', ...demands] = access.split('+');
  const authenticated = what.startsWith(AUTHENTICATED);
  const mode = base.indexOf(authenticated ? what.slice(AUTHENTICATED.length) : what);
  if (mode < 0) return unknown(access);
  return demands.reduce(
    (bits, demand) => bits | (PROTECTION.find(([, name]) => name === demand)?.[0] ?? unknown(access)),
    mode | (authenticated ? AUTHENTICATED_REQUEST : 0),
  );
}

function unknown(access: string): never {
  return fail('INVALID_VALUE', `"${access}" is no access right of this association version`, { layer: 'cosem' });
}
