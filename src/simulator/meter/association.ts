/**
 * Opening an application association at a virtual meter (Green Book 9.3.4, 9.4.2): who may come, with which proof and in
 * which application context, and what is granted.
 */
import { sameBytes } from '../../core/bytes.ts';
import { BridgeError } from '../../core/errors.ts';
import { aareOf, contextOf, encodeAcse } from '../../dlms/acse/acse.ts';
import { type ApplicationContext, MECHANISMS } from '../../dlms/acse/names.ts';
import type { Aarq } from '../../dlms/acse/types.ts';
import { SYSTEM_TITLE_OCTETS } from '../../dlms/security/gcm.ts';
import { generalOverhead } from '../../dlms/security/general-protection.ts';
import { CHALLENGE_OCTETS, type HlsMechanism } from '../../dlms/security/hls.ts';
import { certifiedKey } from '../../dlms/security/key-material.ts';
import { securitySuite } from '../../dlms/security/suite.ts';
import { AUTHENTICATION_LEVELS, type AuthenticationLevel, type MeterSettings } from '../../dlms/settings.ts';
import type { Apdu } from '../../dlms/xdlms/apdu.ts';
import {
  type Conformance,
  type ConformanceBit,
  commonConformance,
  conformance,
  hasConformance,
} from '../../dlms/xdlms/conformance.ts';
import { DLMS_VERSION, type InitiateRequest, initiateResponseOf } from '../../dlms/xdlms/initiate.ts';
import { confirmedServiceErrorOf } from '../../dlms/xdlms/refusal.ts';
import { CIPHERING_OVERHEAD, Ciphering, protectedApdu } from './ciphering.ts';
import { hlsCredentials, type ServerHls, serverChallenge } from './hls-exchange.ts';
import type { InvocationCounters } from './invocation-counters.ts';
import type { MeterSecurity } from './meter-security.ts';
import { counterRefusal } from './refusals.ts';

/** With anything but `none` the public client sees very little, and everyone else needs the password or proof. */
export type SimulatedAuthentication = AuthenticationLevel;

export interface ClientAccess {
  readonly authentication: SimulatedAuthentication;
  readonly rights: 'all' | 'public';
}

export const PUBLIC_CLIENT = 16;
/** Management and meter reading. */
const OTHER_CLIENTS: readonly number[] = [1, 17];

/** How a client SAP is treated; null for one that the meter does not know: it gets no answer at all, as in real meters. */
export function accessOf(
  client: number,
  { authentication, security }: { readonly authentication: SimulatedAuthentication; readonly security: MeterSecurity },
): ClientAccess | null {
  const isOpen = authentication === 'none' && security.policy === 'none';
  if (client === PUBLIC_CLIENT) return { authentication: 'none', rights: isOpen ? 'all' : 'public' };
  return OTHER_CLIENTS.includes(client) ? { authentication, rights: 'all' } : null;
}

/** The smallest PDU in which a block of an answer has room. */
export const SMALLEST_PDU = 12;

const REJECTED_PERMANENT = 1;
/** Diagnostics of the ACSE service user. */
const DIAGNOSTIC = {
  null: 0,
  noReasonGiven: 1,
  contextNotSupported: 2,
  callingTitleNotRecognised: 3,
  mechanismNotRecognised: 11,
  mechanismRequired: 12,
  authenticationFailure: 13,
  authenticationRequired: 14,
} as const;
const INITIATE_SERVICE = 1;
/** ServiceError: class and error. */
const SERVICE_ERROR = {
  decipheringError: [0, 6],
  otherInitiateError: [6, 0],
  versionTooLow: [6, 1],
  incompatibleConformance: [6, 2],
  pduSizeTooShort: [6, 3],
} as const;

/** What an association agreed on. */
export interface Agreement {
  readonly context: ApplicationContext;
  /** System title of the client; empty when it gave none. */
  readonly clientTitle: Uint8Array;
  readonly conformance: Conformance;
  /** Octets of an APDU that the meter may send, before it is ciphered. */
  readonly maxSendPdu: number;
  /** The same with ciphering. */
  readonly longestAnswer: number;
  /** Octets of an APDU that the client may send. */
  readonly maxReceivePdu: number;
  /** null in a plain context. */
  readonly ciphering: Ciphering | null;
  /** The exchange that must come first; null without high level security. */
  readonly hls: ServerHls | null;
}

export interface Opening {
  /** The AARE, or an exception-response. */
  readonly answer: Uint8Array;
  /** null when it was rejected. */
  readonly agreement: Agreement | null;
}

export interface OpeningRules {
  readonly access: ClientAccess;
  /** LLS password or HLS secret. */
  readonly password: Uint8Array;
  /** Octets of the longest APDU that the meter receives or sends. */
  readonly maxPdu: number;
  readonly security: MeterSecurity;
  /** Services that the meter offers, of those that it has. */
  readonly granted: readonly ConformanceBit[];
  /** Of the global key. */
  readonly counters: InvocationCounters;
  /** Which names the meter speaks. */
  readonly referencing: MeterSettings['referencing'];
}

/** Answers an AARQ. */
export function openAssociation(aarq: Aarq, rules: OpeningRules): Opening {
  const context = contextAllowed(aarq, rules);
  if (context === null) return rejected(PLAIN_CONTEXT[rules.referencing], DIAGNOSTIC.contextNotSupported);
  const reject = (diagnostic: number, error?: readonly [number, number]): Opening =>
    rejected(context, diagnostic, error);
  const clientKey = clientKeyOf(aarq, rules.security);
  const ciphering = cipheringOf(aarq, context, clientKey, rules);
  if (ciphering === 'no-title') return reject(DIAGNOSTIC.callingTitleNotRecognised);
  if (rules.access.authentication === 'ecdsa' && clientKey === null) return reject(DIAGNOSTIC.authenticationFailure);
  const refusedProof = checkProof(aarq, rules);
  if (refusedProof !== null) return reject(refusedProof);

  const sent = aarq.userInformation?.decoded ?? null;
  if (sent === null) return reject(DIAGNOSTIC.noReasonGiven);
  const opened = ciphering === null ? { request: sent, reply: (plain: Uint8Array) => plain } : ciphering.open(sent);
  if ('refused' in opened) {
    return opened.refused === 'counter'
      ? { answer: counterRefusal(opened.expected), agreement: null }
      : reject(DIAGNOSTIC.noReasonGiven, SERVICE_ERROR.decipheringError);
  }
  const proposal = opened.request;
  if (proposal.apdu !== 'initiateRequest') return reject(DIAGNOSTIC.noReasonGiven);
  const granted = grantedOf(proposal, rules, ciphering);
  if ('error' in granted) return reject(DIAGNOSTIC.noReasonGiven, granted.error);

  ciphering?.agree(proposal.dedicatedKey, hasConformance(granted.conformance, 'general-protection'));
  const clientTitle = aarq.callingAPTitle ?? new Uint8Array(0);
  const hls = hlsOf(aarq, clientTitle, clientKey, rules);
  const response = protectedApdu(
    initiateResponseOf(granted.conformance.bits, rules.maxPdu, rules.referencing),
    opened.reply,
  );
  return {
    answer: accepted(context, response, rules.security, hls, ciphering),
    agreement: { context, clientTitle, ...granted, maxReceivePdu: rules.maxPdu, ciphering, hls },
  };
}

const PLAIN_CONTEXT = { ln: 'LN', sn: 'SN' } as const;

/** What is agreed without any AARQ: what the meter has, but for general blocks, which a client need not know. */
export function preEstablishedAgreement(clientTitle: Uint8Array, rules: OpeningRules): Agreement {
  const { security, counters, maxPdu, referencing, granted: offers } = rules;
  const { keys, signatures } = security;
  const ciphering =
    keys === null || security.policy === 'none'
      ? null
      : new Ciphering({ security, keys, counters, clientTitle, clientKey: signatures?.clientPublicKey ?? null });
  ciphering?.agree(null, true);
  const common = offers.filter((bit) => bit !== 'general-block-transfer');
  const granted = conformance(ciphering === null ? common : [...common, 'general-protection']);
  return {
    context: contextOf(referencing, ciphering !== null),
    clientTitle,
    conformance: granted,
    maxSendPdu: maxPdu - (ciphering === null ? 0 : overheadOf(granted, security)),
    longestAnswer: maxPdu,
    maxReceivePdu: maxPdu,
    ciphering,
    hls: null,
  };
}

/** The application context asked for, when this client may have it. */
function contextAllowed(
  { applicationContextName: { context } }: Aarq,
  { access, security, referencing }: OpeningRules,
) {
  const plain = PLAIN_CONTEXT[referencing];

  const mayBePlain = security.policy === 'none' || access.rights === 'public';
  if (context === plain && mayBePlain) return context;
  if (context === `${plain}_WITH_CIPHERING` && security.keys !== null && access.rights === 'all') return context;
  return null;
}

function cipheringOf(
  { callingAPTitle: clientTitle }: Aarq,
  context: ApplicationContext,
  clientKey: Uint8Array | null,
  { security, counters }: OpeningRules,
): Ciphering | 'no-title' | null {
  if (!context.endsWith('_WITH_CIPHERING') || security.keys === null) return null;
  if (clientTitle?.length !== SYSTEM_TITLE_OCTETS) return 'no-title';
  return new Ciphering({ security, keys: { ...security.keys }, counters, clientTitle, clientKey });
}

/** The client's key for signatures: that of a certificate it sends, where an authority is trusted; else the known one. */
function clientKeyOf({ callingAEQualifier, callingAPTitle }: Aarq, { signatures }: MeterSecurity): Uint8Array | null {
  if (signatures === null) return null;
  const { clientAuthority, clientPublicKey } = signatures;
  if (clientAuthority === null || callingAEQualifier === undefined) return clientPublicKey;
  try {
    return certifiedKey(callingAEQualifier, clientAuthority, callingAPTitle ?? new Uint8Array(0)).key;
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}

const MECHANISMS_WITH_TITLES: readonly SimulatedAuthentication[] = ['gmac', 'sha256', 'ecdsa'];

/** The diagnostic with which a client's authentication is refused, or null. */
function checkProof(aarq: Aarq, { access: { authentication }, password }: OpeningRules): number | null {
  const given = aarq.mechanismName === undefined ? 'NONE' : aarq.mechanismName.mechanism;
  if (authentication !== 'none' && given === 'NONE') return DIAGNOSTIC.mechanismRequired;
  if (given !== MECHANISMS[AUTHENTICATION_LEVELS.indexOf(authentication)]) return DIAGNOSTIC.mechanismNotRecognised;
  if (authentication === 'none') return null;
  const value = aarq.callingAuthenticationValue?.hex ?? new Uint8Array(0);
  if (authentication === 'low') return sameBytes(value, password) ? null : DIAGNOSTIC.authenticationFailure;
  if (MECHANISMS_WITH_TITLES.includes(authentication) && aarq.callingAPTitle?.length !== SYSTEM_TITLE_OCTETS) {
    return DIAGNOSTIC.callingTitleNotRecognised;
  }
  const { smallest, smallestEcdsa, largest } = CHALLENGE_OCTETS;
  const fits = value.length >= (authentication === 'ecdsa' ? smallestEcdsa : smallest) && value.length <= largest;
  return fits ? null : DIAGNOSTIC.authenticationFailure;
}

function grantedOf(
  proposal: InitiateRequest,
  { maxPdu, security, granted: offers }: OpeningRules,
  ciphering: Ciphering | null,
): Pick<Agreement, 'conformance' | 'maxSendPdu' | 'longestAnswer'> | { readonly error: readonly [number, number] } {
  if (proposal.proposedDlmsVersion < DLMS_VERSION) return { error: SERVICE_ERROR.versionTooLow };
  const offered: readonly ConformanceBit[] = ciphering === null ? offers : [...offers, 'general-protection'];
  const granted = commonConformance(proposal.proposedConformance, conformance(offered));
  if (granted.bits.length === 0) return { error: SERVICE_ERROR.incompatibleConformance };
  if (proposal.dedicatedKey !== null) {
    const fits = ciphering !== null && proposal.dedicatedKey.length === securitySuite(security.suite).keyOctets;
    if (!fits) return { error: SERVICE_ERROR.otherInitiateError };
  }
  const clientLimit = proposal.clientMaxReceivePduSize === 0 ? maxPdu : proposal.clientMaxReceivePduSize;
  const overhead = ciphering === null ? 0 : overheadOf(granted, security);
  const longestAnswer = Math.min(clientLimit, maxPdu);
  const maxSendPdu = longestAnswer - overhead;
  if (maxSendPdu < SMALLEST_PDU) return { error: SERVICE_ERROR.pduSizeTooShort };
  return { conformance: granted, maxSendPdu, longestAnswer };
}

/** What the client will choose nobody knows yet: as much as the meter has keys for. */
function overheadOf(granted: Conformance, { suite, masterKey, agreement, signatures }: MeterSecurity): number {
  if (!hasConformance(granted, 'general-protection')) return CIPHERING_OVERHEAD.service;
  const widest = agreement !== null ? 'one-pass' : masterKey !== null ? 'wrapped' : null;
  return CIPHERING_OVERHEAD.general + generalOverhead(widest, signatures !== null, suite);
}

/** Called only after `checkProof` has found titles and challenge in order. */
function hlsOf(
  { callingAuthenticationValue }: Aarq,
  clientTitle: Uint8Array,
  clientKey: Uint8Array | null,
  { access: { authentication }, password, security }: OpeningRules,
): ServerHls | null {
  if (authentication === 'none' || authentication === 'low') return null;
  const mechanism: HlsMechanism = authentication;
  return {
    mechanism,
    exchange: {
      clientTitle,
      serverTitle: security.systemTitle,
      ctos: callingAuthenticationValue?.hex ?? new Uint8Array(0),
      stoc: serverChallenge(mechanism),
    },
    credentials: hlsCredentials(mechanism, password, security, clientKey),
  };
}

function accepted(
  context: ApplicationContext,
  userInformation: Apdu,
  { systemTitle, signatures }: MeterSecurity,
  hls: ServerHls | null,
  ciphering: Ciphering | null,
): Uint8Array {
  const namesItself = ciphering !== null || (hls !== null && MECHANISMS_WITH_TITLES.includes(hls.mechanism));
  return encodeAcse(
    aareOf({
      context,
      result: 0,
      diagnostic: hls === null ? DIAGNOSTIC.null : DIAGNOSTIC.authenticationRequired,
      userInformation,
      ...(namesItself && { systemTitle }),
      ...(hls?.mechanism === 'ecdsa' && signatures?.certificate && { certificate: signatures.certificate }),
      ...(hls !== null && { challenge: { authentication: hls.mechanism, value: hls.exchange.stoc } }),
    }),
  );
}

function rejected(context: ApplicationContext, diagnostic: number, error?: readonly [number, number]): Opening {
  const aare = aareOf({
    context,
    result: REJECTED_PERMANENT,
    diagnostic,
    ...(error !== undefined && { userInformation: confirmedServiceErrorOf(INITIATE_SERVICE, ...error) }),
  });
  return { answer: encodeAcse(aare), agreement: null };
}
