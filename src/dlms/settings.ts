/** How one meter is talked to: addresses, association and security. Plain data, the same in the database, CLI and code. */

import type { Quirks } from './quirks.ts';
import { GENERAL_KEYS, type SecurityPolicy, type SuiteId } from './security/suite.ts';
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

export interface MeterSettings {
  /** Client SAP: 16 is the public client. */
  readonly client: number;
  /** Server logical device: upper HDLC address, or destination wPort. */
  readonly server: number;
  /** HDLC lower address; null when the link has none. */
  readonly physical: number | null;
  /** Octets of the HDLC server address; null chooses the shortest that fits. */
  readonly addressSize: 1 | 2 | 4 | null;
  readonly referencing: 'ln' | 'sn';
  readonly authentication: AuthenticationLevel;
  /** Protection of every APDU after the association stands; anything but none takes a ciphered context. */
  readonly security: SecurityPolicy;
  readonly suite: SuiteId;
  /** Which ciphering carries requests once the association stands. */
  readonly protection: Protection;
  /** Requests are signed (general-signing), and answers have to be. */
  readonly signing: boolean;
  /** Opens what is authenticated although there is no authentication key to verify it with. */
  readonly acceptUnverified: boolean;
  /** Our system title, 16 hex digits; null takes one of our own making. */
  readonly systemTitle: string | null;
  /** The meter's system title, 16 hex digits, where it is not told in the AARE. */
  readonly serverSystemTitle: string | null;
  /** Propose a key for this association alone; its counter begins at 0. */
  readonly dedicatedKey: boolean;
  /** How long to wait for the first octet of an answer and between octets of one, milliseconds. */
  readonly timeoutMs: number;
  /** client-max-receive-pdu-size proposed in the AARQ; 0 proposes no limit. */
  readonly maxPdu: number;
  /** HDLC window proposed in the SNRM, 1 to 7. */
  readonly window: number;
  /** HDLC maximum information field length proposed in the SNRM, 32 to 2030. */
  readonly infoLength: number;
  /** IANA name of the zone of the meter's local times, for times that carry no deviation; null takes what its clock tells. */
  readonly timeZone: string | null;
  /** The association stands without AARQ and RLRQ; what would be agreed in them. null: it is opened. */
  readonly preEstablished: PreEstablished | null;
  /** The meter's clock is looked at with each new association, and how far it is off published. */
  readonly clockDrift: boolean;
  /** Beyond this the clock counts as off, milliseconds. */
  readonly clockLimitMs: number;
  /** A clock that is off by no more than this is set, at most once a day; 0: never. */
  readonly clockSetWithinMs: number;
  /** Deviations of this meter; see `quirks.ts`. */
  readonly quirks: Partial<Quirks>;
  readonly session: SessionPolicy;
  /** By what a meter is known that dials in: texts of `transport/dial-in.ts`. */
  readonly identify: readonly string[];
  /** What the meter pushes and under which keys that goes: texts of `reading/push-point.ts`. */
  readonly push: readonly string[];
}

export const DEFAULT_METER_SETTINGS: MeterSettings = {
  client: 16,
  server: 1,
  physical: null,
  addressSize: null,
  referencing: 'ln',
  authentication: 'none',
  security: 'none',
  suite: 0,
  protection: 'negotiated',
  signing: false,
  acceptUnverified: false,
  systemTitle: null,
  serverSystemTitle: null,
  dedicatedKey: false,
  timeoutMs: 5000,
  maxPdu: 65535,
  window: 1,
  infoLength: 128,
  timeZone: null,
  preEstablished: null,
  clockDrift: true,
  clockLimitMs: 60_000,
  clockSetWithinMs: 0,
  quirks: {},
  session: 'auto',
  identify: [],
  push: [],
};

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
