/** The flags that open ciphered octets of others: for `decode`, and for `listen`, which confirms under the same keys. */
import type { Command } from 'commander';
import { fromHex } from '../../core/bytes.ts';
import type { DecodeKeys } from '../../dlms/decode/security.ts';
import { readPrivateKey, readPublicKey } from '../../dlms/security/key-material.ts';
import { curveKey } from './secret-flags.ts';
import { parseKey, parseSecretOctets, parseSystemTitle } from './values.ts';

export interface KeyFlags {
  readonly blockCipherKey?: string;
  readonly authenticationKey?: string;
  readonly systemTitle?: string;
  readonly acceptUnverified?: boolean;
  readonly masterKey?: string;
  readonly agreementKey?: string;
  readonly serverSigningKey?: readonly string[];
  readonly serverAgreementKey?: string;
}

export function addKeyFlags(command: Command): Command {
  return command
    .option('--ek, --block-cipher-key <key>', 'opens what is encrypted: hex, file:PATH or env:NAME')
    .option('--ak, --authentication-key <key>', 'verifies tags: hex, file:PATH or env:NAME')
    .option('--accept-unverified', 'open what is authenticated although there is no --authentication-key')
    .option('--system-title <hex>', 'of the sender, for messages that do not name it')
    .option('--master-key <key>', 'opens keys that travel wrapped: hex, file:PATH or env:NAME')
    .option('--agreement-key <key>', 'private, for agreed keys: file:PATH or env:NAME with PEM, or hex')
    .option('--server-signing-key <key>', 'public, or its certificate: verifies signatures; may be repeated', collected)
    .option('--server-agreement-key <key>', 'public, or its certificate, for keys agreed without an ephemeral one');
}

function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Throws SECRET_UNREADABLE, INVALID_VALUE. */
export function keysFromFlags(flags: KeyFlags): DecodeKeys {
  const { systemTitle, acceptUnverified, agreementKey, serverAgreementKey } = flags;
  const symmetric = (flag: string, text: string | undefined): Uint8Array | null =>
    text === undefined ? null : parseKey(flag, text);
  return {
    encryptionKey: symmetric('--block-cipher-key', flags.blockCipherKey),
    authenticationKey: symmetric('--authentication-key', flags.authenticationKey),
    systemTitle: systemTitle === undefined ? null : fromHex(parseSystemTitle('--system-title', systemTitle)),
    wantsVerified: acceptUnverified !== true,
    masterKey: symmetric('--master-key', flags.masterKey),
    agreementKey: curveKey('--agreement-key', agreementKey, readPrivateKey),
    peerAgreementKey: curveKey('--server-agreement-key', serverAgreementKey, readPublicKey),
    signingKeys: (flags.serverSigningKey ?? []).map(
      (text) => readPublicKey(parseSecretOctets(text), '--server-signing-key').key,
    ),
  };
}
