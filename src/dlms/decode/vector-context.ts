/** What a vector says beside its octets: the keys, titles and challenges of its `context`, hex where they are octets. */
import { fromHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { DecodeKeys } from './security.ts';

export type VectorContext = Readonly<Record<string, unknown>>;

export function given(context: VectorContext, name: string): boolean {
  return context[name] !== undefined && context[name] !== null;
}

/** Throws KEY_MISSING when they are not given, MALFORMED when they are no hex. */
export function octets(context: VectorContext, name: string): Uint8Array {
  const value = context[name];
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return fromHex(value);
  return fail('KEY_MISSING', `the context gives no "${name}"`);
}

/** The first of these names that is given; null without. */
export function optional(context: VectorContext, ...names: readonly string[]): Uint8Array | null {
  const name = names.find((one) => given(context, one));
  return name === undefined ? null : octets(context, name);
}

/** `dsPublicKey`: one public key for signatures, or several. */
function signingKeys({ dsPublicKey }: VectorContext): readonly Uint8Array[] {
  const keys: readonly unknown[] = Array.isArray(dsPublicKey) ? dsPublicKey : [dsPublicKey];
  return keys.filter((key) => key !== undefined && key !== null).map((key) => octets({ key }, 'key'));
}

export function keysIn(context: VectorContext): DecodeKeys {
  return {
    encryptionKey: optional(context, 'encryptionKey'),
    authenticationKey: optional(context, 'authenticationKey'),
    systemTitle: optional(context, 'systemTitle'),
    masterKey: optional(context, 'kek'),
    agreementKey: optional(context, 'privateKey'),
    peerAgreementKey: optional(context, 'peerPublicKey', 'kaPublicKey'),
    signingKeys: signingKeys(context),
  };
}
