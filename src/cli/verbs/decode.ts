/** `decode`: explains captured octets; `--batch` does it for a file of vectors. The JSON is a contract, see CLI.md. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { fromHex } from '../../core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { type JsonValue, writeJson } from '../../core/json.ts';
import { type BatchVector, decodeBatch } from '../../dlms/decode/batch.ts';
import { DECODE_INPUTS, decodeBytes } from '../../dlms/decode/bytes.ts';
import { type Context, verb } from '../context.ts';
import { parseChoice } from '../values.ts';

interface DecodeFlags {
  readonly input: string;
  readonly batch?: string;
}

export function registerDecode(program: Command): void {
  program
    .command('decode [hex]')
    .description('explain captured octets: HEX, or - for standard input')
    .option('--input <layer>', DECODE_INPUTS.join(', '), 'auto')
    .option('--batch <file>', 'a JSON array of {id, layer, hex, context}; prints [{id, result}]')
    .action(verb(decode));
}

function decode(context: Context, command: Command): undefined {
  const flags = command.opts<DecodeFlags>();
  const input = parseChoice('--input', flags.input, DECODE_INPUTS);
  if (flags.batch !== undefined) {
    const results = decodeBatch(readVectors(flags.batch));
    context.print(results as unknown as JsonValue, () => writeJson(results as unknown as JsonValue));
    return undefined;
  }
  const [hex] = command.args;
  if (hex === undefined) fail('USAGE', 'decode needs HEX, - for standard input, or --batch FILE');
  const decoded = decodeBytes(fromHex(hex === '-' ? readFileSync(0, 'utf8') : hex), { input });
  context.print(decoded as unknown as JsonValue, () => writeJson(decoded as unknown as JsonValue, 2));
  return undefined;
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
