/**
 * The layer "security" of `decode --batch`, in the words of `vectors/security.json`: ciphered APDUs, and the smaller things that
 * vectors hold (contents without a tag octet, GMAC values, wrapped keys, key derivation, signatures).
 */
import { sameBytes } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import { isCiphered } from '../push/receiver.ts';
import { decodeOpened, type GloDedApdu, isGloDed } from '../security/apdu-protection.ts';
import {
  GENERAL_CIPHERED_TAGS,
  type GeneralCiphering,
  type GeneralHeader,
  type GeneralSigning,
  parseProtected,
  SERVICE_CIPHERED_TAGS,
} from '../security/ciphered.ts';
import { unprotectContent } from '../security/content-protection.ts';
import { SYSTEM_TITLE_OCTETS } from '../security/gcm.ts';
import { unprotectGeneral } from '../security/general-ciphering.ts';
import { afterReceiving, FRESH_REPLAY_GUARD } from '../security/invocation-counter.ts';
import { agreementOf, concatenationKdf, sharedSecretOf } from '../security/key-agreement.ts';
import { unwrapKey } from '../security/key-wrap.ts';
import { type SecuritySuite, securitySuite } from '../security/suite.ts';
import { type Apdu, decodeApdu } from '../xdlms/apdu.ts';
import { attempt } from './attempt.ts';
import { contentKey, isSignatureValid } from './open-layer.ts';
import { apduInLayer, hasKeys, openSecurityLayer } from './security.ts';
import { bareCiphertext, derivedKey, gmacValue, type Shown, signature } from './security-pieces.ts';
import { given, keysIn, octets, optional, type VectorContext } from './vector-context.ts';

type Context = VectorContext;

const DEEPEST = 6;

/**
 * One vector of the layer "security". Its context says what the bytes are: a challenge makes them a GMAC value, a signature
 * the signed octets, `kek` a wrapped key, `algorithmId` a shared secret, `iv` a bare ciphertext; otherwise they are a
 * ciphered APDU or what its length encloses. Throws BridgeError for whatever is malformed, forged, replayed or lacks its key.
 */
export function decodeSecurityVector(bytes: Uint8Array, context: Context): Shown {
  if (given(context, 'kek') && !isGeneralCiphering(bytes)) {
    return { kind: 'aes-key-wrap', unwrapped: unwrapKey(octets(context, 'kek'), bytes) };
  }
  if (given(context, 'signature')) return signature(bytes, context);
  if (given(context, 'challenge')) return gmacValue(bytes, context);
  if (given(context, 'algorithmId')) return derivedKey(bytes, context);
  if (given(context, 'iv')) return bareCiphertext(bytes, context);
  return isCipheredTag(bytes[0] ?? 0) ? apduOrContent(bytes, context) : content(bytes, context);
}

/** A wrapped key may begin with that tag too, and then is no such APDU. */
function isGeneralCiphering(bytes: Uint8Array): boolean {
  if (bytes[0] !== GENERAL_CIPHERED_TAGS['general-ciphering']) return false;
  return attempt(() => decodeApdu(bytes)).error === null;
}

const CIPHERED_TAGS: ReadonlySet<number> = new Set([
  ...Object.values(SERVICE_CIPHERED_TAGS),
  ...Object.values(GENERAL_CIPHERED_TAGS),
]);

function isCipheredTag(octet: number): boolean {
  return CIPHERED_TAGS.has(octet);
}

/** 21 is the tag of glo-initiateRequest, and the security control of suite 1, encrypted. */
const AMBIGUOUS = SERVICE_CIPHERED_TAGS['glo-initiateRequest'];

function apduOrContent(bytes: Uint8Array, context: Context): Shown {
  let apdu: Apdu;
  try {
    apdu = decodeApdu(bytes);
  } catch (notAnApdu) {
    if (bytes[0] !== AMBIGUOUS || !(notAnApdu instanceof BridgeError)) throw notAnApdu;
    try {
      return content(bytes, context);
    } catch {
      throw notAnApdu;
    }
  }
  return opened(apdu, context);
}

/** @param depth layers that were around it. */
function opened(apdu: Apdu, context: Context, depth = 0): Shown {
  if (isGloDed(apdu)) return gloDed(apdu, context, depth);
  if (apdu.apdu === 'general-ciphering') return generalCiphering(apdu, context, depth);
  if (apdu.apdu === 'general-signing') return generalSigning(apdu, context, depth);
  return { inner: apdu };
}

function gloDed(apdu: GloDedApdu, context: Context, depth: number): Shown {
  const keys = keysIn(context);
  if (keys.encryptionKey === null) requireHeaderOnly(context, apdu.securityControl.encrypted);
  const { layer, plaintext, ...shown } = openSecurityLayer(apdu, keys);
  const inner = apduInLayer({ layer, plaintext, ...shown });
  refuseReplay(context, apdu.invocationCounter);
  return {
    ...shown,
    tagValid: shown.tagVerified,
    ...(plaintext !== null && { plaintext }),
    ...(inner !== null && within(inner, context, depth + 1)),
  };
}

/** An APDU that came out of a layer, without those that are still around it. */
function within(apdu: Apdu, context: Context, depth: number): Shown {
  if (depth > DEEPEST) fail('LIMIT_EXCEEDED', 'too many layers of protection', { layer: 'xdlms' });
  const opens = apdu.apdu === 'general-signing' || (isCiphered(apdu) && hasKeys(keysIn(context)));
  return opens ? opened(apdu, context, depth) : { inner: apdu };
}

/** Without a key, ciphertext may be shown; contents in the clear whose tag nobody checked may not pass as good. */
function requireHeaderOnly(context: Context, encrypted: boolean): void {
  if (encrypted || context.encryptionKey === null) return;
  fail('KEY_MISSING', 'the message is authenticated, and there is no key to verify it with');
}

function content(bytes: Uint8Array, context: Context): Shown {
  const protectedContent = parseProtected(bytes);
  const { securityControl, invocationCounter, authenticationTag } = protectedContent;
  const { encryptionKey, authenticationKey, systemTitle } = keysIn(context);
  if (encryptionKey === null) {
    const octet = securityControl.raw;
    return fail('KEY_MISSING', `${octet} is no tag of a ciphered APDU; as bare protected contents they need keys`);
  }
  const result = unprotectContent(protectedContent, {
    encryptionKey,
    authenticationKey,
    systemTitle: systemTitle ?? noTitle(),
    acceptUnverified: true,
  });
  const inner = decodeOpened(result);
  refuseReplay(context, invocationCounter);
  return {
    kind: 'protected-apdu-content',
    securityControl,
    invocationCounter,
    plaintext: result.plaintext,
    authenticationTag,
    tagValid: result.tagVerified === true ? true : null,
    inner,
  };
}

function refuseReplay(context: Context, invocationCounter: number): void {
  const last = context.lastReceivedInvocationCounter;
  if (typeof last !== 'number') return;
  const guard = { ...FRESH_REPLAY_GUARD, unicast: last };
  afterReceiving(guard, { key: 'unicast', invocationCounter, tagVerified: true });
}

function header(message: GeneralHeader): GeneralHeader {
  const { transactionId, originatorSystemTitle, recipientSystemTitle, dateTime, otherInformation } = message;
  return { transactionId, originatorSystemTitle, recipientSystemTitle, dateTime, otherInformation };
}

function generalCiphering(message: GeneralCiphering, context: Context, depth: number): Shown {
  const { keyInfo, securityControl, invocationCounter, authenticationTag: mac } = message;
  const shown = { ...header(message), keyInfo, securityControl, invocationCounter, mac };
  const isAgreedBefore = ['derivedKey', 'sharedSecret'].some((name) => given(context, name));
  const keys = keysIn(context);
  if (!isAgreedBefore && !hasKeys(keys)) {
    requireHeaderOnly(context, securityControl.encrypted);
    return { generalCiphering: { ...shown, macValid: null } };
  }
  const agreed = message.keyInfo === null ? derivedKeyIn(context, securitySuite(securityControl.suite)) : null;
  const encryptionKey = agreed ?? contentKey(message, keys);
  const result = unprotectGeneral(message, {
    encryptionKey,
    // GBCS, whose messages these are, has no authentication key.
    authenticationKey: optional(context, 'authenticationKey') ?? new Uint8Array(0),
    systemTitle: senderOf(message, context),
  });
  refuseReplay(context, invocationCounter);
  return {
    generalCiphering: { ...shown, macValid: result.tagVerified },
    plaintext: result.plaintext,
    ...within(decodeOpened(result), context, depth + 1),
  };
}

/** The key that both parties derived, checked against the secret it comes from where that is known. */
function derivedKeyIn(context: Context, suite: SecuritySuite): Uint8Array | null {
  const stated = optional(context, 'derivedKey');
  const secret = sharedSecretIn(context, suite);
  const otherInfo = optional(context, 'kdfOtherInfo');
  if (secret === null || otherInfo === null) return stated;
  const key = concatenationKdf(agreementOf(suite).hash, secret, otherInfo, suite.keyOctets);
  if (stated !== null && !sameBytes(stated, key)) {
    fail('INVALID_VALUE', 'the derived key does not come from this shared secret', { layer: 'security' });
  }
  return key;
}

function sharedSecretIn(context: Context, suite: SecuritySuite): Uint8Array | null {
  const { agreementKey, peerAgreementKey } = keysIn(context);
  const stated = optional(context, 'sharedSecret');
  if (stated !== null || !agreementKey || !peerAgreementKey) return stated;
  return sharedSecretOf(suite, agreementKey, peerAgreementKey);
}

/** Where the header is empty, the IV has the title of the signer inside (GBCS). */
function senderOf(message: GeneralCiphering, context: Context): Uint8Array {
  const iv = optional(context, 'gmacIv');
  if (iv !== null) return iv.subarray(0, SYSTEM_TITLE_OCTETS);
  const { encrypted } = message.securityControl;
  if (!encrypted && message.ciphertextOrPlain[0] === GENERAL_CIPHERED_TAGS['general-signing']) {
    const signed = decodeApdu(message.ciphertextOrPlain);
    if (signed.apdu === 'general-signing') return signed.originatorSystemTitle;
  }
  return optional(context, 'systemTitle') ?? message.originatorSystemTitle;
}

/** Where another layer vouches for the message, it needs no signature of its own. */
function generalSigning(message: GeneralSigning, context: Context, depth: number): Shown {
  const signed = message.signature.length > 0;
  const signatureValid = isSignatureValid(message, keysIn(context).signingKeys);
  if (signatureValid === null && depth === 0) {
    fail('KEY_MISSING', 'no signature, or no public key to verify it with');
  }
  return {
    generalSigning: {
      ...header(message),
      content: message.content,
      signature: message.signature,
      signatureLength: message.signature.length,
      ...(signed && { signatureValid }),
    },
    ...within(decodeApdu(message.content), context, depth + 1),
  };
}

function noTitle(): never {
  return fail('KEY_MISSING', 'the system title of the sender is needed', { hint: 'give --system-title' });
}
