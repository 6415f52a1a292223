/** The flags that open ciphered octets of others: for `decode`, and for `listen`, which confirms under the same keys. */
import type { Command } from 'commander';
import { fromHex } from '../core/bytes.ts';
import type { DecodeKeys } from '../dlms/decode/security.ts';
import { parseKey, parseSystemTitle } from './values.ts';

export interface KeyFlags {
  readonly blockCipherKey?: string;
  readonly authenticationKey?: string;
  readonly systemTitle?: string;
  readonly acceptUnverified?: boolean;
}

export function addKeyFlags(command: Command): Command {
  return command
    .option('--ek, --block-cipher-key <key>', 'opens what is encrypted: hex, file:PATH or env:NAME')
    .option('--ak, --authentication-key <key>', 'verifies tags: hex, file:PATH or env:NAME')
    .option('--accept-unverified', 'open what is authenticated although there is no --authentication-key')
    .option('--system-title <hex>', 'of the sender, for messages that do not name it');
}

/** Throws SECRET_UNREADABLE, INVALID_VALUE. */
export function keysFromFlags({
  blockCipherKey,
  authenticationKey,
  systemTitle,
  acceptUnverified,
}: KeyFlags): DecodeKeys {
  return {
    encryptionKey: blockCipherKey === undefined ? null : parseKey('--block-cipher-key', blockCipherKey),
    authenticationKey: authenticationKey === undefined ? null : parseKey('--authentication-key', authenticationKey),
    systemTitle: systemTitle === undefined ? null : fromHex(parseSystemTitle('--system-title', systemTitle)),
    wantsVerified: acceptUnverified !== true,
  };
}
