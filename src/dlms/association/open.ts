/** Opening and releasing an association: what the client proposes, and what was agreed (Green Book 9.3.4, 9.3.5). */
import { BridgeError, fail } from '../../core/errors.ts';
import { aarqOf, encodeAcse, userInformationOf } from '../acse/acse.ts';
import { otherReferencingError } from '../acse/diagnostics.ts';
import type { Aare, UserInformation } from '../acse/types.ts';
import { quirksOf } from '../quirks.ts';
import type { HlsCredentials } from '../security/hls.ts';
import type { MeterSecrets, MeterSettings } from '../settings.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../xdlms/apdu.ts';
import type { Conformance, ConformanceBit } from '../xdlms/conformance.ts';
import { initiateRequestOf, VAA_NAMES } from '../xdlms/initiate.ts';
import type { ApduSecurity } from './security.ts';

/** What both sides hold to while the association stands. */
export interface AgreedContext {
  readonly conformance: Conformance;
  /** Largest APDU the meter takes, octets; 0 for no limit. */
  readonly serverMaxReceivePduSize: number;
}

type Referencing = MeterSettings['referencing'];

/** The services that this client uses, by referencing; what is not proposed is not granted. */
const PROPOSED: Readonly<Record<Referencing, readonly ConformanceBit[]>> = {
  ln: [
    'general-block-transfer',
    'priority-mgmt-supported',
    'block-transfer-with-get-or-read',
    'block-transfer-with-set-or-write',
    'block-transfer-with-action',
    'multiple-references',
    'data-notification',
    'access',
    'get',
    'set',
    'selective-access',
    'event-notification',
    'action',
  ],
  sn: [
    'read',
    'write',
    'unconfirmed-write',
    'block-transfer-with-get-or-read',
    'block-transfer-with-set-or-write',
    'multiple-references',
    'information-report',
    'parameterized-access',
  ],
};

/** What this client proposes with these settings, and uses where nothing is negotiated. */
export function proposedServices({ referencing, security, protection }: MeterSettings): readonly ConformanceBit[] {
  const generally = security !== 'none' && protection !== 'service';
  return generally ? ['general-protection', ...PROPOSED[referencing]] : PROPOSED[referencing];
}

export interface Opening {
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  /** null without ciphering. */
  readonly security: ApduSecurity | null;
  /** Ours, 8 octets; HLS with ciphering or titles needs it. */
  readonly clientTitle: Uint8Array | null;
  /** CtoS, for the high levels. */
  readonly challenge: Uint8Array | null;
  readonly dedicatedKey: Uint8Array | null;
}

/** The AARQ. Throws UNSUPPORTED for what this client does not speak, KEY_MISSING without the secret that a level needs. */
export function aarqBytes({ settings, secrets, security, clientTitle, challenge, dedicatedKey }: Opening): Uint8Array {
  const { authentication, referencing, maxPdu } = settings;
  if (authentication === 'low' && secrets.secret === null) {
    fail('KEY_MISSING', 'authentication level low needs a password', { layer: 'acse' });
  }
  const plain = { ...initiateRequestOf(proposedServices(settings), maxPdu), dedicatedKey };
  return encodeAcse(
    aarqOf({
      referencing,
      authentication,
      authenticationValue: authentication === 'low' ? secrets.secret : challenge,
      userInformation: security === null ? plain : decodeApdu(security.protectInitiate(encodeApdu(plain))),
      ciphered: security !== null,
      ...(clientTitle !== null && { systemTitle: clientTitle }),
      ...(secrets.certificate !== null && { certificate: secrets.certificate }),
    }),
  );
}

/** The RLRQ; with ciphering it proves by its contents that it comes from us. */
export function rlrqBytes(settings: MeterSettings, security: ApduSecurity | null): Uint8Array {
  if (security === null) return encodeAcse({ apdu: 'rlrq', reason: 'normal' });
  const plain = encodeApdu(initiateRequestOf(PROPOSED[settings.referencing], settings.maxPdu));
  const userInformation: UserInformation = userInformationOf(decodeApdu(security.protectInitiate(plain)));
  return encodeAcse({ apdu: 'rlrq', reason: 'normal', userInformation });
}

/**
 * From an accepting AARE. Throws MALFORMED when it does not say what was agreed, CONTEXT_NOT_SUPPORTED when it agreed to the
 * other kind of names; DECRYPT_FAILED and the like.
 */
export function agreedContextOf(aare: Aare, security: ApduSecurity | null, referencing: Referencing): AgreedContext {
  const { respondingAPTitle } = aare;
  if (respondingAPTitle !== undefined) security?.learnServerTitle(respondingAPTitle);
  const response = openedContents(aare, security);
  if (response?.apdu !== 'initiateResponse') {
    return fail('MALFORMED', 'the meter accepted without an initiateResponse', { layer: 'acse' });
  }
  const { negotiatedConformance: conformance, serverMaxReceivePduSize, vaaName } = response;
  requireNames(referencing, vaaName, conformance);
  security?.agreed(conformance.bits.includes('general-protection'));
  return { conformance, serverMaxReceivePduSize };
}

/**
 * The VAA name tells which names the meter speaks (FA00: short ones). One that names itself wrongly and grants our services
 * all the same is taken at its deeds.
 */
function requireNames(asked: Referencing, vaaName: string, { bits }: Conformance): void {
  const other: Referencing = asked === 'ln' ? 'sn' : 'ln';
  if (vaaName !== VAA_NAMES[other] || bits.includes(asked === 'ln' ? 'get' : 'read')) return;
  throw otherReferencingError(`the meter accepted with the VAA name ${vaaName}`, other);
}

/** Meters may answer a ciphered proposal in the plain when they refuse; accepting in the plain is a downgrade. */
function openedContents({ userInformation }: Aare, security: ApduSecurity | null): Apdu | null {
  const contents = userInformation?.decoded ?? null;
  return contents === null || security === null ? contents : security.open(contents);
}

/** What proves us in the HLS exchange. Throws KEY_MISSING. */
export function hlsCredentialsOf(settings: MeterSettings, secrets: MeterSecrets): HlsCredentials {
  const { authentication, suite } = settings;
  const secret = (): Uint8Array =>
    secrets.secret ?? fail('KEY_MISSING', `authentication level ${authentication} needs a secret`, { layer: 'acse' });
  switch (authentication) {
    case 'high':
      return { mechanism: 'high', variant: quirksOf(settings).hlsVariant, secret: secret() };
    case 'md5':
    case 'sha1':
    case 'sha256':
      return { mechanism: authentication, secret: secret() };
    case 'gmac':
      return {
        mechanism: 'gmac',
        suite,
        encryptionKey: secrets.blockCipherKey,
        authenticationKey: secrets.authenticationKey,
      };
    case 'ecdsa':
      return {
        mechanism: 'ecdsa',
        suite,
        privateKey:
          secrets.signingKey ??
          fail('KEY_MISSING', 'authentication level ecdsa needs a signing key', { layer: 'acse' }),
        peerPublicKey: secrets.serverSigningKey,
      };
    default:
      return fail('INTERNAL', `authentication level ${authentication} has no exchange`, { layer: 'acse' });
  }
}

/** Accepted with diagnostic 14: the meter goes on to the HLS exchange, which this client did not ask for. */
export function furtherAuthenticationError(): BridgeError {
  return new BridgeError('AUTHENTICATION_REQUIRED', 'the meter accepted, but wants high level security');
}
