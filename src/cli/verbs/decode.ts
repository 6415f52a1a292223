/** `decode`: explains captured octets; `--batch` does it for a file of vectors. The JSON is a contract, see CLI.md. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { fromHex } from '../../core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { type BatchVector, decodeBatch } from '../../dlms/decode/batch.ts';
import { DECODE_INPUTS, decodeBytes } from '../../dlms/decode/bytes.ts';
import type { DecodeKeys } from '../../dlms/decode/security.ts';
import { type Context, verb } from '../context.ts';
import { addKeyFlags, type KeyFlags, keysFromFlags } from '../flags/key-flags.ts';
import { parseChoice } from '../flags/values.ts';
import { decodedText } from '../views/decode-text.ts';

interface DecodeFlags extends KeyFlags {
  readonly input: string;
  readonly challenge?: string;
  readonly batch?: string;
}

export function registerDecode(program: Command): void {
  addKeyFlags(
    program
      .command('decode [hex...]')
      .description('explain captured octets: HEX, or - for standard input')
      .option('--input <layer>', DECODE_INPUTS.join(', '), 'auto')
      .option('--challenge <hex>', 'the octets are the GMAC value of this challenge: verify it')
      .option('--batch <file>', 'a JSON array of {id, layer, hex, context}; prints [{id, result}]'),
  ).action(verb(decode));
}

function decode(context: Context, command: Command): undefined {
  const flags = command.opts<DecodeFlags>();
  const input = parseChoice('--input', flags.input, DECODE_INPUTS);
  const keys = keysFromFlags(flags);
  const challenge = challengeOf(flags, keys);
  if (flags.batch !== undefined) {
    const results = decodeBatch(readVectors(flags.batch));
    context.print(results as unknown as JsonValue, () => writeJson(results as unknown as JsonValue));
    return undefined;
  }
  const decoded = decodeBytes(octetsOf(command.args), { input, keys, challenge });
  context.print(decoded as unknown as JsonValue, () => decodedText(decoded));
  return undefined;
}

/** Hex as people paste it: with blanks, `0x` or signs between the octets. */
function octetsOf(args: readonly string[]): Uint8Array {
  if (args.length === 0) fail('USAGE', 'decode needs HEX, - for standard input, or --batch FILE');
  const text = args.length === 1 && args[0] === '-' ? readFileSync(0, 'utf8') : args.join(' ');
  return fromHex(text);
}

function challengeOf({ challenge }: DecodeFlags, keys: DecodeKeys): Uint8Array | null {
  if (challenge === undefined) return null;
  const { encryptionKey, authenticationKey, systemTitle } = keys;
  if ([encryptionKey, authenticationKey, systemTitle].includes(null)) {
    fail('USAGE', '--challenge needs --block-cipher-key, --authentication-key and --system-title');
  }
  return fromHex(challenge);
}

function readVectors(path: string): BatchVector[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new BridgeError('INVALID_VALUE', `${path} is no JSON file: ${asBridgeError(cause).message}`, { cause });
  }
  if (!Array.isArray(parsed) || !parsed.every(isVector)) {
    return fail('INVALID_VALUE', `${path} is no array of {id, layer, hex, context}`);
  }
  return parsed;
}

function isVector(value: unknown): value is BatchVector {
  if (typeof value !== 'object' || value === null) return false;
  const { id, layer, hex } = value as Partial<Record<string, unknown>>;
  return typeof id === 'string' && typeof layer === 'string' && typeof hex === 'string';
}
