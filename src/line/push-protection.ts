/** Opens protected pushes with the keys of the meter that sent them, and refuses those that are protected too little. */
import { fromHex, toHex } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';
import type { OpenedPush } from '../dlms/push/receiver.ts';
import { unprotectApdu } from '../dlms/security/apdu-protection.ts';
import type { CipheredApdu } from '../dlms/security/ciphered.ts';
import type { OpenedContent } from '../dlms/security/content-protection.ts';
import { generalKeyOf, openGenerally, type PartyKeys, verifySigned } from '../dlms/security/general-protection.ts';
import { satisfiesPolicy } from '../dlms/security/suite.ts';
import type { HeardPush } from './heard-push.ts';
import type { MeterOnLine } from './meter-slot.ts';

export interface OpenedBySender extends OpenedContent {
  readonly meter: MeterOnLine;
  readonly counter: HeardPush['counter'];
}

/** The sender that a protected APDU names, 16 hex digits; null when it names none. */
export function titleIn(apdu: CipheredApdu): string | null {
  const title =
    'originatorSystemTitle' in apdu ? apdu.originatorSystemTitle : 'systemTitle' in apdu ? apdu.systemTitle : null;
  return title === null || title.length === 0 ? null : toHex(title);
}

/** Throws KEY_MISSING, DECRYPT_FAILED, SIGNATURE_WRONG, SECURITY_UNSUPPORTED, MALFORMED. */
export function openedWith(apdu: CipheredApdu, meter: MeterOnLine): OpenedBySender {
  const { settings, secrets } = meter;
  const { acceptUnverified, serverSystemTitle } = settings;
  if (apdu.apdu === 'general-signing') {
    const plaintext = verifySigned(apdu, settings.suite, partyKeys(meter));
    return { plaintext, tagVerified: true, meter, counter: null };
  }
  if (apdu.apdu === 'general-ciphering') {
    const { invocationCounter, originatorSystemTitle } = apdu;
    const opened = openGenerally(apdu, partyKeys(meter), originatorSystemTitle, acceptUnverified);
    const counts = generalKeyOf(apdu) === 'identified';
    return {
      ...opened,
      meter,
      counter: counts ? counterOf(meter, originatorSystemTitle, invocationCounter, opened) : null,
    };
  }
  const opened = unprotectApdu(apdu, {
    unicast: secrets.blockCipherKey,
    broadcast: null,
    dedicated: null,
    authentication: secrets.authenticationKey,
    systemTitle: serverSystemTitle === null ? null : fromHex(serverSystemTitle),
    acceptUnverified,
  });
  const { plaintext, tagVerified } = opened;
  return {
    plaintext,
    tagVerified,
    meter,
    counter: counterOf(meter, opened.systemTitle, opened.invocationCounter, opened),
  };
}

/** Throws PUSH_NOT_PROTECTED: somebody may have stripped the protection, or made the push up. */
export function refusePlain(
  protection: readonly OpenedPush<OpenedBySender>[],
  { settings: { security, signing } }: MeterOnLine,
): void {
  const isCiphered =
    security === 'none' ||
    protection.some(({ apdu }) => 'securityControl' in apdu && satisfiesPolicy(apdu.securityControl, security));
  if (!isCiphered) fail('PUSH_NOT_PROTECTED', `a push that is not protected as "${security}"`);
  if (signing && !protection.some(({ apdu }) => apdu.apdu === 'general-signing')) {
    fail('PUSH_NOT_PROTECTED', 'a push that is not signed');
  }
}

function counterOf(
  { secrets: { blockCipherKey } }: MeterOnLine,
  systemTitle: Uint8Array,
  invocationCounter: number,
  { tagVerified }: OpenedContent,
): HeardPush['counter'] {
  if (blockCipherKey === null) return null;
  return { encryptionKey: blockCipherKey, systemTitle, invocationCounter, verified: tagVerified === true };
}

function partyKeys({ secrets }: MeterOnLine): PartyKeys {
  const { blockCipherKey, authenticationKey, masterKey, signingKey, agreementKey } = secrets;
  const { serverSigningKey: peerSigningKey, serverAgreementKey: peerAgreementKey } = secrets;
  return { blockCipherKey, authenticationKey, masterKey, signingKey, agreementKey, peerSigningKey, peerAgreementKey };
}
