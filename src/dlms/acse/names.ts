/** Names and object identifiers of the association (Green Book 9.4.2). */
import { fail } from '../../core/errors.ts';
import { listTable, nameTable } from '../axdr/names.ts';
import type { ApplicationContextName, MechanismName } from './types.ts';

/** joint-iso-ccitt(2) country(16) country-name(756) identified-organization(5) DLMS-UA(8). */
const DLMS_UA = '2.16.756.5.8';
const CONTEXT_ARC = `${DLMS_UA}.1.`;
const MECHANISM_ARC = `${DLMS_UA}.2.`;

/** Application contexts, numbered from 1. */
export const APPLICATION_CONTEXTS = ['LN', 'SN', 'LN_WITH_CIPHERING', 'SN_WITH_CIPHERING'] as const;
export type ApplicationContext = (typeof APPLICATION_CONTEXTS)[number];

/** Authentication mechanisms, numbered from 0 as the levels in `settings.ts` are. */
export const MECHANISMS = ['NONE', 'LLS', 'HLS', 'HLS_MD5', 'HLS_SHA1', 'HLS_GMAC', 'HLS_SHA256', 'HLS_ECDSA'] as const;
export type Mechanism = (typeof MECHANISMS)[number];

export function applicationContextName(context: ApplicationContext): ApplicationContextName {
  return { oid: `${CONTEXT_ARC}${APPLICATION_CONTEXTS.indexOf(context) + 1}`, context };
}

export function applicationContextNameOf(oid: string): ApplicationContextName {
  const number = oid.startsWith(CONTEXT_ARC) ? Number(oid.slice(CONTEXT_ARC.length)) : 0;
  return { oid, context: APPLICATION_CONTEXTS[number - 1] ?? null };
}

export function mechanismName(mechanism: Mechanism): MechanismName {
  return { oid: `${MECHANISM_ARC}${MECHANISMS.indexOf(mechanism)}`, mechanism };
}

export function mechanismNameOf(oid: string): MechanismName {
  const number = oid.startsWith(MECHANISM_ARC) ? Number(oid.slice(MECHANISM_ARC.length)) : -1;
  return { oid, mechanism: MECHANISMS[number] ?? null };
}

export const ASSOCIATION_RESULTS = listTable(['accepted', 'rejected-permanent', 'rejected-transient']);

/** Associate-source-diagnostic of the ACSE service user: the meter's application. */
export const USER_DIAGNOSTICS = listTable([
  'null',
  'no-reason-given',
  'application-context-name-not-supported',
  'calling-AP-title-not-recognized',
  'calling-AP-invocation-identifier-not-recognized',
  'calling-AE-qualifier-not-recognized',
  'calling-AE-invocation-identifier-not-recognized',
  'called-AP-title-not-recognized',
  'called-AP-invocation-identifier-not-recognized',
  'called-AE-qualifier-not-recognized',
  'called-AE-invocation-identifier-not-recognized',
  'authentication-mechanism-name-not-recognised',
  'authentication-mechanism-name-required',
  'authentication-failure',
  'authentication-required',
]);

/** Associate-source-diagnostic of the ACSE service provider: the meter's protocol stack. */
export const PROVIDER_DIAGNOSTICS = listTable(['null', 'no-reason-given', 'no-common-acse-version']);

export const RELEASE_REQUEST_REASONS = nameTable({ 0: 'normal', 1: 'urgent', 30: 'user-defined' });
export const RELEASE_RESPONSE_REASONS = nameTable({ 0: 'normal', 1: 'not-finished', 30: 'user-defined' });

/** Dotted text of the contents of a BER OBJECT IDENTIFIER; throws MALFORMED. */
export function oidText(octets: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of octets) {
    arc = arc * 0x80 + (octet & 0x7f);
    if (arc > 0xffff_ffff) return malformed('an object identifier with an arc beyond 32 bits');
    if ((octet & 0x80) !== 0) continue;
    if (arcs.length > 0) arcs.push(arc);
    else arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    arc = 0;
  }
  if (arcs.length === 0 || ((octets[octets.length - 1] ?? 0) & 0x80) !== 0) {
    return malformed('an object identifier that does not end');
  }
  return arcs.join('.');
}

function malformed(message: string): never {
  return fail('MALFORMED', message, { layer: 'acse' });
}

/** Contents of a BER OBJECT IDENTIFIER from dotted text. */
export function oidBytes(oid: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number);
  const octets = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 0x80];
    for (let left = Math.floor(arc / 0x80); left > 0; left = Math.floor(left / 0x80)) {
      groups.unshift((left % 0x80) | 0x80);
    }
    return groups;
  });
  return Uint8Array.from(octets);
}
