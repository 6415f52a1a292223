/**
 * The layer "security" of `decode --batch`, in the words of `vectors/security.json`: ciphered APDUs, and the smaller things that
 * vectors hold (contents without a tag octet, GMAC values, wrapped keys, key derivation, signatures).
 */
import { fromHex, sameBytes } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import { decodeOpened, type GloDedApdu, isGloDed } from '../security/apdu-protection.ts';
import {
  GENERAL_CIPHERED_TAGS,
  type GeneralCiphering,
  type GeneralHeader,
  type GeneralSigning,
  parseProtected,
  SERVICE_CIPHERED_TAGS,
} from '../security/ciphered.ts';
import { type OpenedContent, unprotectContent } from '../security/content-protection.ts';
import { CURVES, ecdsaVerify } from '../security/elliptic-curve.ts';
import { gcmStream, IV_OCTETS, SYSTEM_TITLE_OCTETS } from '../security/gcm.ts';
import { contentKeyOf, unprotectGeneral } from '../security/general-ciphering.ts';
import { verifySigning } from '../security/general-signing.ts';
import { afterReceiving, FRESH_REPLAY_GUARD } from '../security/invocation-counter.ts';
import { agreementOf, concatenationKdf, otherInfoOf, sharedSecretOf } from '../security/key-agreement.ts';
import { unwrapKey } from '../security/key-wrap.ts';
import { type Curve, type SecuritySuite, securitySuite } from '../security/suite.ts';
import { type Apdu, decodeApdu } from '../xdlms/apdu.ts';
import { openGmacValue } from './gmac-value.ts';
import { apduInLayer, type DecodeKeys, openSecurityLayer } from './security.ts';

type Context = Readonly<Record<string, unknown>>;
type Shown = Readonly<Record<string, unknown>>;

/**
 * One vector of the layer "security". Its context says what the bytes are: a challenge makes them a GMAC value, a signature
 * the signed octets, `kek` a wrapped key, `algorithmId` a shared secret, `iv` a bare ciphertext; otherwise they are a
 * ciphered APDU or what its length encloses. Throws BridgeError for whatever is malformed, forged, replayed or lacks its key.
 */
export function decodeSecurityVector(bytes: Uint8Array, context: Context): Shown {
  if (given(context, 'kek')) return { kind: 'aes-key-wrap', unwrapped: unwrapKey(octets(context, 'kek'), bytes) };
  if (given(context, 'signature')) return signature(bytes, context);
  if (given(context, 'challenge')) return gmacValue(bytes, context);
  if (given(context, 'algorithmId')) return derivedKey(bytes, context);
  if (given(context, 'iv')) return bareCiphertext(bytes, context);
  return isCipheredTag(bytes[0] ?? 0) ? apduOrContent(bytes, context) : content(bytes, context);
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

function opened(apdu: Apdu, context: Context): Shown {
  if (isGloDed(apdu)) return gloDed(apdu, context);
  if (apdu.apdu === 'general-ciphering') return generalCiphering(apdu, context);
  if (apdu.apdu === 'general-signing') return generalSigning(apdu, context, false);
  return { inner: apdu };
}

function gloDed(apdu: GloDedApdu, context: Context): Shown {
  const keys = keysOf(context);
  if (keys.encryptionKey === null) requireHeaderOnly(context, apdu.securityControl.encrypted);
  const { layer, plaintext, ...shown } = openSecurityLayer(apdu, keys);
  const inner = apduInLayer({ layer, plaintext, ...shown });
  refuseReplay(context, apdu.invocationCounter);
  return {
    ...shown,
    tagValid: shown.tagVerified,
    ...(plaintext !== null && { plaintext }),
    ...(inner !== null && { inner }),
  };
}

/** Without a key, ciphertext may be shown; contents in the clear whose tag nobody checked may not pass as good. */
function requireHeaderOnly(context: Context, encrypted: boolean): void {
  if (encrypted || context.encryptionKey === null) return;
  fail('KEY_MISSING', 'the message is authenticated, and there is no key to verify it with');
}

function content(bytes: Uint8Array, context: Context): Shown {
  const protectedContent = parseProtected(bytes);
  const { securityControl, invocationCounter, authenticationTag } = protectedContent;
  const { encryptionKey, authenticationKey, systemTitle } = keysOf(context);
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

function generalCiphering(message: GeneralCiphering, context: Context): Shown {
  const { keyInfo, securityControl, invocationCounter, authenticationTag: mac } = message;
  const shown = { ...header(message), keyInfo, securityControl, invocationCounter, mac };
  if (!['encryptionKey', 'derivedKey', 'sharedSecret'].some((name) => given(context, name))) {
    requireHeaderOnly(context, securityControl.encrypted);
    return { generalCiphering: { ...shown, macValid: null } };
  }
  const encryptionKey = contentKeyOf(message, {
    unicast: optional(context, 'encryptionKey'),
    broadcast: optional(context, 'encryptionKey'),
    master: null,
    agreement: null,
    agreed: derivedKeyIn(context, securitySuite(securityControl.suite)) ?? optional(context, 'encryptionKey'),
  });
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
    ...withinGeneral(result, context),
  };
}

function withinGeneral(result: OpenedContent, context: Context): Shown {
  const inner = decodeOpened(result);
  return inner.apdu === 'general-signing' ? generalSigning(inner, context, true) : opened(inner, context);
}

/** The key that both parties derived, checked against the secret it comes from where that is known. */
function derivedKeyIn(context: Context, suite: SecuritySuite): Uint8Array | null {
  const stated = optional(context, 'derivedKey');
  const secret = optional(context, 'sharedSecret');
  const otherInfo = optional(context, 'kdfOtherInfo');
  if (secret === null || otherInfo === null) return stated;
  const key = concatenationKdf(agreementOf(suite).hash, secret, otherInfo, suite.keyOctets);
  if (stated !== null && !sameBytes(stated, key)) {
    fail('INVALID_VALUE', 'the derived key does not come from this shared secret', { layer: 'security' });
  }
  return key;
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

/** @param protectedOutside whether another layer vouches for the message, so that it needs no signature of its own. */
function generalSigning(message: GeneralSigning, context: Context, protectedOutside: boolean): Shown {
  const signed = message.signature.length > 0;
  const publicKey = optional(context, 'dsPublicKey');
  if (signed && publicKey !== null) verifySigning(message, curveOfKey(publicKey), publicKey);
  else if (!protectedOutside) fail('KEY_MISSING', 'no signature, or no public key to verify it with');
  return {
    generalSigning: {
      ...header(message),
      content: message.content,
      signature: message.signature,
      signatureLength: message.signature.length,
      ...(signed && { signatureValid: publicKey === null ? null : true }),
    },
    inner: decodeApdu(message.content),
  };
}

function curveOfKey(publicKey: Uint8Array): Curve {
  return publicKey.length === 2 * CURVES['P-384'].octets ? 'P-384' : 'P-256';
}

function gmacValue(bytes: Uint8Array, context: Context): Shown {
  const { securityControl, invocationCounter, tag } = openGmacValue(
    bytes,
    keysOf(context),
    octets(context, 'challenge'),
  );
  return {
    kind: 'hls-gmac-value',
    // The octets do not tell who made them.
    function: context.role === 'server to client' ? 'f(CtoS)' : 'f(StoC)',
    securityControl: securityControl.raw,
    invocationCounter,
    tag,
    valid: true,
  };
}

function bareCiphertext(bytes: Uint8Array, context: Context): Shown {
  const iv = octets(context, 'iv');
  if (iv.length !== IV_OCTETS) {
    fail('INVALID_VALUE', `an IV has ${IV_OCTETS} octets, this one has ${iv.length}`, { layer: 'security' });
  }
  const plaintext = gcmStream(octets(context, 'encryptionKey'), iv, bytes);
  return { kind: 'aes-gcm-ciphertext', plaintext, inner: decodeOpened({ plaintext, tagVerified: null }) };
}

function signature(bytes: Uint8Array, context: Context): Shown {
  ecdsaVerify(curveNamed(context), octets(context, 'publicKey'), bytes, octets(context, 'signature'));
  return { kind: 'ecdsa', signatureValid: true };
}

function curveNamed({ curve }: Context): Curve {
  if (curve === 'P-256' || curve === 'P-384') return curve;
  return fail('SECURITY_UNSUPPORTED', 'the curves of DLMS are P-256 and P-384');
}

const SUITE_BY_HASH: Readonly<Record<string, 1 | 2>> = { 'SHA-256': 1, 'SHA-384': 2 };

/** The bytes are the shared secret Z. */
function derivedKey(bytes: Uint8Array, context: Context): Shown {
  const id = SUITE_BY_HASH[String(context.hash)] ?? fail('SECURITY_UNSUPPORTED', 'key derivation by another hash');
  const suite = securitySuite(id);
  const { hash, curve } = agreementOf(suite);
  const coordinate = CURVES[curve].octets;
  if (bytes.length !== coordinate) {
    fail('MALFORMED', `a shared secret of ${curve} has ${coordinate} octets, not ${bytes.length}`, {
      layer: 'security',
    });
  }
  if (given(context, 'privateKey') && given(context, 'peerPublicKey')) {
    const secret = sharedSecretOf(suite, octets(context, 'privateKey'), octets(context, 'peerPublicKey'));
    if (!sameBytes(secret, bytes)) fail('MALFORMED', 'not the shared secret of these keys', { layer: 'security' });
  }
  const otherInfo = otherInfoIn(context);
  return {
    kind: 'kdf-nist-800-56a-concat',
    derivedKey: concatenationKdf(hash, bytes, otherInfo, suite.keyOctets),
    otherInfo,
  };
}

function otherInfoIn(context: Context): Uint8Array {
  const whole = optional(context, 'kdfOtherInfo') ?? optional(context, 'otherInfo');
  if (whole !== null) return whole;
  const originator = optional(context, 'originatorSystemTitle');
  const recipient = optional(context, 'recipientSystemTitle');
  if (originator === null || recipient === null) {
    return fail('KEY_MISSING', 'the key cannot be derived without the system titles of both parties');
  }
  return otherInfoOf(octets(context, 'algorithmId'), { originator, recipient });
}

function keysOf(context: Context): DecodeKeys {
  return {
    encryptionKey: optional(context, 'encryptionKey'),
    authenticationKey: optional(context, 'authenticationKey'),
    systemTitle: optional(context, 'systemTitle'),
  };
}

function noTitle(): never {
  return fail('KEY_MISSING', 'the system title of the sender is needed', { hint: 'give --system-title' });
}

function given(context: Context, name: string): boolean {
  return context[name] !== undefined && context[name] !== null;
}

function optional(context: Context, name: string): Uint8Array | null {
  return given(context, name) ? octets(context, name) : null;
}

function octets(context: Context, name: string): Uint8Array {
  const value = context[name];
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return fromHex(value);
  return fail('KEY_MISSING', `the context gives no "${name}"`);
}
