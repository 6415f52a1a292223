/**
 * Opening an application association at a virtual meter (Green Book 9.3.4, 9.4.2): who may come, with which proof, and
 * what is granted.
 */
import { sameBytes } from '../../core/bytes.ts';
import { aareOf, encodeAcse } from '../../dlms/acse/acse.ts';
import type { Aarq } from '../../dlms/acse/types.ts';
import type { Apdu } from '../../dlms/xdlms/apdu.ts';
import { type Conformance, commonConformance, conformance } from '../../dlms/xdlms/conformance.ts';
import { DLMS_VERSION, initiateResponseOf } from '../../dlms/xdlms/initiate.ts';
import { confirmedServiceErrorOf } from '../../dlms/xdlms/refusal.ts';

/** `low`: everyone but the public client needs the password, and the public client sees very little. */
export type SimulatedAuthentication = 'none' | 'low';

export interface ClientAccess {
  readonly authentication: SimulatedAuthentication;
  readonly rights: 'all' | 'public';
}

export const PUBLIC_CLIENT = 16;
/** Management and meter reading. */
const OTHER_CLIENTS: readonly number[] = [1, 17];

/** How a client SAP is treated; null for one that the meter does not know: it gets no answer at all, as in real meters. */
export function accessOf(client: number, authentication: SimulatedAuthentication): ClientAccess | null {
  if (client === PUBLIC_CLIENT) return { authentication: 'none', rights: authentication === 'none' ? 'all' : 'public' };
  return OTHER_CLIENTS.includes(client) ? { authentication, rights: 'all' } : null;
}

/** Services that this meter really has. */
const OFFERED = conformance(['get', 'block-transfer-with-get-or-read', 'multiple-references']);
/** The smallest PDU in which a block of an answer has room. */
export const SMALLEST_PDU = 12;

const REJECTED_PERMANENT = 1;
/** Diagnostics of the ACSE service user. */
const DIAGNOSTIC = {
  null: 0,
  noReasonGiven: 1,
  contextNotSupported: 2,
  mechanismNotRecognised: 11,
  mechanismRequired: 12,
  authenticationFailure: 13,
} as const;
/** ServiceError class initiate [6]. */
const INITIATE_ERROR = {
  service: 1,
  errorClass: 6,
  versionTooLow: 1,
  incompatibleConformance: 2,
  pduSizeTooShort: 3,
} as const;

/** What an association agreed on. */
export interface Agreement {
  readonly conformance: Conformance;
  /** Octets of an APDU that the meter may send. */
  readonly maxSendPdu: number;
  /** Octets of an APDU that the client may send. */
  readonly maxReceivePdu: number;
}

export interface Opening {
  /** The AARE. */
  readonly answer: Uint8Array;
  /** null when it was rejected. */
  readonly agreement: Agreement | null;
}

export interface OpeningRules {
  readonly access: ClientAccess;
  readonly password: Uint8Array;
  /** Octets of the longest APDU that the meter receives or sends. */
  readonly maxPdu: number;
}

/** Answers an AARQ. */
export function openAssociation(aarq: Aarq, { access, password, maxPdu }: OpeningRules): Opening {
  if (aarq.applicationContextName.context !== 'LN') return rejected(DIAGNOSTIC.contextNotSupported);
  const refusedProof = checkProof(aarq, access, password);
  if (refusedProof !== null) return rejected(refusedProof);
  const proposal = aarq.userInformation?.decoded;
  if (proposal?.apdu !== 'initiateRequest') return rejected(DIAGNOSTIC.noReasonGiven);
  if (proposal.proposedDlmsVersion < DLMS_VERSION) return initiateError(INITIATE_ERROR.versionTooLow);
  const granted = commonConformance(proposal.proposedConformance, OFFERED);
  if (granted.bits.length === 0) return initiateError(INITIATE_ERROR.incompatibleConformance);
  const clientLimit = proposal.clientMaxReceivePduSize;
  if (clientLimit !== 0 && clientLimit < SMALLEST_PDU) return initiateError(INITIATE_ERROR.pduSizeTooShort);
  return {
    answer: encodeAcse(
      aareOf({
        context: 'LN',
        result: 0,
        diagnostic: DIAGNOSTIC.null,
        userInformation: initiateResponseOf(granted.bits, maxPdu),
      }),
    ),
    agreement: {
      conformance: granted,
      maxSendPdu: clientLimit === 0 ? maxPdu : Math.min(clientLimit, maxPdu),
      maxReceivePdu: maxPdu,
    },
  };
}

/** The diagnostic with which a client's authentication is refused, or null. */
function checkProof(aarq: Aarq, access: ClientAccess, password: Uint8Array): number | null {
  const mechanism = aarq.mechanismName?.mechanism ?? (aarq.mechanismName === undefined ? 'NONE' : null);
  if (access.authentication === 'none') return mechanism === 'NONE' ? null : DIAGNOSTIC.mechanismNotRecognised;
  if (mechanism === 'NONE') return DIAGNOSTIC.mechanismRequired;
  if (mechanism !== 'LLS') return DIAGNOSTIC.mechanismNotRecognised;
  const given = aarq.callingAuthenticationValue?.hex;
  return given !== undefined && sameBytes(given, password) ? null : DIAGNOSTIC.authenticationFailure;
}

function initiateError(error: number): Opening {
  const { service, errorClass } = INITIATE_ERROR;
  return rejected(DIAGNOSTIC.noReasonGiven, confirmedServiceErrorOf(service, errorClass, error));
}

function rejected(diagnostic: number, userInformation?: Apdu): Opening {
  const aare = aareOf({
    context: 'LN',
    result: REJECTED_PERMANENT,
    diagnostic,
    ...(userInformation !== undefined && { userInformation }),
  });
  return { answer: encodeAcse(aare), agreement: null };
}
