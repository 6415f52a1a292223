/**
 * Ciphering whole APDUs (Green Book 9.2.7.2.4.2 to .5): service-specific (glo-get-request ...), which each service has of its
 * own, and general-glo/ded-ciphering, which take any APDU and name the sender. Which of them is spoken is a matter of what
 * was negotiated: general-protection.
 */
import { BridgeError, fail } from '../../core/errors.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../xdlms/apdu.ts';
import {
  type GeneralGloDedCiphering,
  SERVICE_CIPHERED_TAGS,
  type SecurityControl,
  type ServiceCiphered,
} from './ciphered.ts';
import { type OpenedContent, type OutgoingContent, protectContent, unprotectContent } from './content-protection.ts';
import { SYSTEM_TITLE_OCTETS } from './gcm.ts';
import type { KeySlot } from './invocation-counter.ts';

/** `glo-` is under a global key, `ded-` under the dedicated key of the association. */
export type Wrapping = 'glo' | 'ded' | 'general-glo' | 'general-ded';

/** From a plain tag to the ciphered one: services of short names and initiate have low tags, those of logical names high. */
const TAG_OFFSETS = { glo: { low: 0x20, high: 0x08 }, ded: { low: 0x40, high: 0x10 } } as const;
const FIRST_HIGH_TAG = 0x80;
const NAMES_BY_TAG: ReadonlyMap<number, ServiceCiphered['apdu']> = new Map(
  Object.entries(SERVICE_CIPHERED_TAGS).map(([name, tag]) => [tag, name as ServiceCiphered['apdu']]),
);

function serviceCipheredName(plainTag: number, keys: 'glo' | 'ded'): ServiceCiphered['apdu'] | undefined {
  const offsets = TAG_OFFSETS[keys];
  const name = NAMES_BY_TAG.get(plainTag + (plainTag < FIRST_HIGH_TAG ? offsets.low : offsets.high));
  // From the tags of glo- the same step leads to those of ded-.
  return name?.startsWith(keys) ? name : undefined;
}

/** Whether a service-specific ciphered form exists: data-notification, ACCESS and block transfer have none. */
export function hasServiceCiphering(plainTag: number): boolean {
  return serviceCipheredName(plainTag, 'glo') !== undefined;
}

/**
 * A ciphered APDU from a plain one. With general wrapping it names the sender; `omitSystemTitle` leaves that to the
 * receiver's configuration. Throws what `protectContent` does, SECURITY_UNSUPPORTED when the APDU has no such form.
 */
export function protectApdu(
  plain: Uint8Array,
  wrapping: Wrapping,
  outgoing: OutgoingContent & { readonly omitSystemTitle?: boolean },
): Uint8Array {
  const content = protectContent(plain, outgoing);
  if (wrapping === 'general-glo' || wrapping === 'general-ded') {
    const systemTitle = outgoing.omitSystemTitle === true ? new Uint8Array(0) : outgoing.systemTitle;
    return encodeApdu({ apdu: `${wrapping}-ciphering`, systemTitle, ...content });
  }
  const [tag = 0] = plain;
  const apdu = serviceCipheredName(tag, wrapping);
  if (apdu !== undefined) return encodeApdu({ apdu, ...content });
  return fail(
    'SECURITY_UNSUPPORTED',
    `the APDU with tag ${tag.toString(16)} has no ${wrapping}- form: it needs general protection`,
  );
}

/** What opens the messages of one peer. */
export interface ReceiveKeys {
  /** Global unicast encryption key. */
  readonly unicast: Uint8Array | null;
  /** Global broadcast encryption key. */
  readonly broadcast: Uint8Array | null;
  /** Of this association. */
  readonly dedicated: Uint8Array | null;
  readonly authentication: Uint8Array | null;
  /** Of the peer, from the association or from configuration; a title in the message goes before it. */
  readonly systemTitle: Uint8Array | null;
  /** Takes messages whose tag cannot be verified for want of an authentication key; the result then says so. */
  readonly acceptUnverified?: boolean;
}

export interface OpenedApdu extends OpenedContent {
  /** The key that opened it, for the replay guard. */
  readonly key: KeySlot;
  readonly systemTitle: Uint8Array;
  readonly securityControl: SecurityControl;
  readonly invocationCounter: number;
}

export type GloDedApdu = ServiceCiphered | GeneralGloDedCiphering;

/** Whether an APDU is one that `unprotectApdu` opens. */
export function isGloDed(apdu: Apdu): apdu is GloDedApdu {
  return (
    apdu.apdu in SERVICE_CIPHERED_TAGS || apdu.apdu === 'general-glo-ciphering' || apdu.apdu === 'general-ded-ciphering'
  );
}

/**
 * Opens a glo- or ded- APDU. Throws DECRYPT_FAILED when the tag does not fit or, where no tag was verified, when the result
 * is not the service that the outer tag announces; KEY_MISSING for an absent key or system title; SECURITY_UNSUPPORTED,
 * MALFORMED. The counter is not judged: see `afterReceiving`.
 */
export function unprotectApdu(apdu: GloDedApdu, keys: ReceiveKeys): OpenedApdu {
  const key = keySlotOf(apdu);
  const systemTitle = senderOf(apdu, keys);
  const opened = unprotectContent(apdu, {
    encryptionKey: keys[key],
    authenticationKey: keys.authentication,
    systemTitle,
    acceptUnverified: keys.acceptUnverified ?? false,
  });
  if (opened.tagVerified !== true && !announces(apdu, opened.plaintext)) throw wrongKey();
  const { securityControl, invocationCounter } = apdu;
  return { ...opened, key, systemTitle, securityControl, invocationCounter };
}

function keySlotOf({ apdu, securityControl }: GloDedApdu): KeySlot {
  if (apdu.startsWith('ded-') || apdu === 'general-ded-ciphering') return 'dedicated';
  return securityControl.keySet;
}

function senderOf(apdu: GloDedApdu, keys: ReceiveKeys): Uint8Array {
  if ('systemTitle' in apdu && apdu.systemTitle.length > 0) {
    if (apdu.systemTitle.length === SYSTEM_TITLE_OCTETS) return apdu.systemTitle;
    fail('MALFORMED', `a system title of ${apdu.systemTitle.length} octets`, { layer: 'security' });
  }
  return (
    keys.systemTitle ??
    fail('KEY_MISSING', 'the message does not name its sender, and no system title is configured', {
      hint: 'give the system title of the meter',
    })
  );
}

/** General ciphering announces nothing. */
function announces(apdu: GloDedApdu, [tag = 0]: Uint8Array): boolean {
  if ('systemTitle' in apdu) return true;
  return serviceCipheredName(tag, apdu.apdu.startsWith('ded-') ? 'ded' : 'glo') === apdu.apdu;
}

/**
 * The APDU in what was opened. Octets that are none, without a verified tag, show that the key is wrong, not the meter:
 * DECRYPT_FAILED. Else throws what `decodeApdu` does.
 */
export function decodeOpened(
  { plaintext, tagVerified }: OpenedContent,
  read: (plain: Uint8Array) => Apdu = decodeApdu,
): Apdu {
  try {
    return read(plaintext);
  } catch (error) {
    throw tagVerified === true || !(error instanceof BridgeError) ? error : wrongKey(error);
  }
}

function wrongKey(cause?: BridgeError): BridgeError {
  return new BridgeError('DECRYPT_FAILED', 'what was decrypted is no APDU', cause === undefined ? {} : { cause });
}
