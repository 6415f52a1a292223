/** How one meter is talked to: addresses, association and security. Plain data, the same in the database, CLI and code. */
import { choice, defaultsOf, flag, orNone, type SettingsOf, structure, text, whole } from '../core/setting.ts';
import type { Quirks } from './quirks.ts';
import { GENERAL_KEYS, SECURITY_POLICIES, type SuiteId } from './security/suite.ts';
import type { ConformanceBit } from './xdlms/conformance.ts';

/** Authentication mechanism (Green Book 9.4.2.2.3, mechanism ids 0 to 7). */
export const AUTHENTICATION_LEVELS = ['none', 'low', 'high', 'md5', 'sha1', 'gmac', 'sha256', 'ecdsa'] as const;
export type AuthenticationLevel = (typeof AUTHENTICATION_LEVELS)[number];

/** keep: the association stands between reads; release: it is released after each; auto: as the interval wants it. */
export const SESSION_POLICIES = ['keep', 'release', 'auto'] as const;
export type SessionPolicy = (typeof SESSION_POLICIES)[number];

/**
 * negotiated: general-glo/ded where the meter grants general protection, else glo/ded; service: glo/ded, nothing else is
 * proposed; the others: general-ciphering with such a key.
 */
export const PROTECTIONS = ['negotiated', 'service', ...GENERAL_KEYS] as const;
export type Protection = (typeof PROTECTIONS)[number];

export type PreEstablished = {
  /** Services that the meter grants; null: those that are usually proposed. */
  readonly conformance: readonly ConformanceBit[] | null;
  /** Octets of the largest APDU that the meter takes; 0 for no limit. */
  readonly serverMaxPdu: number;
};

const MINUTE = 60_000;
const DAY = 86_400_000;

const line = { applies: 'line' } as const;
const SYSTEM_TITLE = { pattern: /^[0-9a-f]{16}$/i, takes: '16 hex digits' };

/** Every setting of a meter, as `meter show` names it. */
export const METER_SETTINGS = {
  client: whole(16, { least: 0, most: 0xffff, ...line, about: 'client SAP: 16 is the public client' }),
  server: whole(1, {
    least: 0,
    most: 0xffff,
    ...line,
    about: 'server logical device: upper HDLC address, or destination wPort',
  }),
  physical: orNone(
    'none',
    whole(0, { least: 0, most: 0x3fff, ...line, about: 'HDLC lower address; none when the link has none' }),
  ),
  addressSize: orNone(
    'auto',
    choice([1, 2, 4], 1, { ...line, about: 'octets of the HDLC server address; auto: the shortest that fits' }),
  ),
  referencing: choice(['ln', 'sn'], 'ln', { ...line, about: 'logical or short names' }),
  authentication: choice(AUTHENTICATION_LEVELS, 'none', { ...line, about: 'authentication mechanism' }),
  security: choice(SECURITY_POLICIES, 'none', {
    ...line,
    about: 'protection of every APDU after the association stands; anything but none takes a ciphered context',
  }),
  suite: choice([0, 1, 2], 0 as SuiteId, { ...line, about: 'security suite' }),
  protection: choice(PROTECTIONS, 'negotiated', {
    ...line,
    about: 'which ciphering carries requests once the association stands',
  }),
  signing: flag(false, { ...line, about: 'requests are signed (general-signing), and answers have to be' }),
  acceptUnverified: flag(false, {
    ...line,
    about: 'opens what is authenticated although there is no authentication key to verify it with',
  }),
  systemTitle: orNone(
    'none',
    text('', { ...SYSTEM_TITLE, ...line, about: 'our system title; none: one of our own making' }),
  ),
  serverSystemTitle: orNone(
    'none',
    text('', { ...SYSTEM_TITLE, ...line, about: "the meter's system title, where it is not told in the AARE" }),
  ),
  dedicatedKey: flag(false, { ...line, about: 'proposes a key for each association alone; its counter begins at 0' }),
  timeoutMs: whole(5000, {
    least: 10,
    most: 10 * MINUTE,
    unit: 'ms',
    ...line,
    about: 'how long to wait for the first octet of an answer and between octets of one',
  }),
  maxPdu: whole(65535, {
    least: 0,
    most: 0xffff,
    unit: 'octets',
    ...line,
    about: 'client-max-receive-pdu-size proposed in the AARQ; 0 proposes no limit',
  }),
  window: whole(1, { least: 1, most: 7, ...line, about: 'HDLC window proposed in the SNRM' }),
  infoLength: whole(128, {
    least: 32,
    most: 2030,
    unit: 'octets',
    ...line,
    about: 'HDLC maximum information field length proposed in the SNRM',
  }),
  timeZone: orNone(
    'none',
    text('', {
      pattern: /^\S{1,100}$/,
      takes: 'an IANA name as Europe/Madrid',
      ...line,
      about: "zone of the meter's local times, for times that carry no deviation; none: as its clock tells",
    }),
  ),
  preEstablished: orNone(
    'none',
    structure<PreEstablished>(
      { conformance: null, serverMaxPdu: 0 },
      {
        takes: 'conformance and serverMaxPdu',
        ...line,
        about: 'the association stands without AARQ and RLRQ; what would be agreed in them. none: it is opened',
      },
    ),
  ),
  clockDrift: flag(true, {
    ...line,
    about: "the meter's clock is looked at with each new association, and how far it is off published",
  }),
  clockLimitMs: whole(60_000, {
    least: 1000,
    most: DAY,
    unit: 'ms',
    ...line,
    about: 'beyond this the clock counts as off',
  }),
  clockSetWithinMs: whole(0, {
    least: 0,
    most: DAY,
    unit: 'ms',
    ...line,
    about: 'a clock that is off by no more than this is set, at most once a day; 0: never',
  }),
  quirks: structure<Partial<Quirks>>(
    {},
    { takes: 'a list of NAME or NAME=VALUE', ...line, about: 'deviations of this meter' },
  ),
  session: choice(SESSION_POLICIES, 'auto', { ...line, about: 'whether the association stands between reads' }),
  identify: structure<readonly string[]>([], {
    takes: 'a list of KIND=VALUE',
    ...line,
    about: 'by what a meter is known that dials in',
  }),
  push: structure<readonly string[]>([], {
    takes: 'a list of POINT=key',
    ...line,
    about: 'what the meter pushes and under which keys that goes',
  }),
};

export type MeterSettings = SettingsOf<typeof METER_SETTINGS>;

export const DEFAULT_METER_SETTINGS: MeterSettings = defaultsOf(METER_SETTINGS);

/** What must not be seen: kept sealed in the database, never logged. */
export interface MeterSecrets {
  /** LLS password or HLS secret. */
  readonly secret: Uint8Array | null;
  /** Global unicast encryption key. */
  readonly blockCipherKey: Uint8Array | null;
  readonly authenticationKey: Uint8Array | null;
  /** Key encryption key: what travels wrapped is wrapped under it. */
  readonly masterKey: Uint8Array | null;
  /** Ours for signatures: the scalar. */
  readonly signingKey: Uint8Array | null;
  /** Ours for key agreement: the scalar. */
  readonly agreementKey: Uint8Array | null;
  /** The certificate of our signing key in DER, for meters that want it in the AARQ. */
  readonly certificate: Uint8Array | null;
  /** The meter's public keys, x || y. No secrets; sealed with the others, so that nobody puts keys of their own there. */
  readonly serverSigningKey: Uint8Array | null;
  readonly serverAgreementKey: Uint8Array | null;
  /** In DER: whose certificates are believed that meters send in the AARE. */
  readonly serverAuthority: Uint8Array | null;
}

export const NO_SECRETS: MeterSecrets = {
  secret: null,
  blockCipherKey: null,
  authenticationKey: null,
  masterKey: null,
  signingKey: null,
  agreementKey: null,
  certificate: null,
  serverSigningKey: null,
  serverAgreementKey: null,
  serverAuthority: null,
};
