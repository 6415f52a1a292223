/** general-signing (Green Book 9.2.7.2.5): an APDU with an ECDSA signature of its originator over header and content. */
import { ByteWriter, concat } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { encodeOctetString } from '../axdr/length.ts';
import { type GeneralHeader, type GeneralSigning, generalHeaderBytes } from './ciphered.ts';
import { ecdsaSign, ecdsaVerify } from './elliptic-curve.ts';
import type { Curve } from './suite.ts';

/** What is signed: all that stands between the tag of the APDU and the signature. */
function signedOctets(header: GeneralHeader, content: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  encodeOctetString(writer, content);
  return concat([generalHeaderBytes(header), writer.finish()]);
}

export function signGeneral(
  content: Uint8Array,
  header: GeneralHeader,
  curve: Curve,
  privateKey: Uint8Array,
): GeneralSigning {
  const signature = ecdsaSign(curve, privateKey, signedOctets(header, content));
  return { apdu: 'general-signing', ...header, content, signature };
}

/** Throws SIGNATURE_WRONG, also for an empty signature: where another layer protects the message, do not ask. */
export function verifySigning(message: GeneralSigning, curve: Curve, publicKey: Uint8Array): void {
  if (message.signature.length === 0) fail('SIGNATURE_WRONG', 'the message is not signed');
  ecdsaVerify(curve, publicKey, signedOctets(message, message.content), message.signature);
}
