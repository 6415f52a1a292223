/** What people write on the command line, as values: secrets, numbers. */
import { readFileSync } from 'node:fs';
import { fromHex } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import { isValid, readSetting, type Setting, takesText } from '../../core/setting.ts';

/** `TEXT`, `hex:..`, `file:PATH` or `env:NAME`, as octets. Throws SECRET_UNREADABLE; the secret is in no message. */
export function parseSecret(text: string): Uint8Array {
  const value = parseSecretText(text);
  if (value.startsWith('hex:')) {
    try {
      return fromHex(value.slice(4));
    } catch {
      return fail('INVALID_VALUE', 'the secret after hex: is no hex');
    }
  }
  return new TextEncoder().encode(value);
}

/** A secret that may be binary: a file as it is, anything else as text. Throws SECRET_UNREADABLE. */
export function parseSecretOctets(text: string): Uint8Array {
  return text.startsWith('file:') ? readSecretFile(text.slice(5)) : Buffer.from(parseSecretText(text));
}

/** A key of 16 or 32 octets in hex, perhaps behind `hex:`, `file:` or `env:`. Throws SECRET_UNREADABLE, INVALID_VALUE. */
export function parseKey(flag: string, text: string): Uint8Array {
  const digits = parseSecretText(text).trim().replace(/^hex:/, '');
  if (!/^(?:[0-9a-f]{32}|[0-9a-f]{64})$/i.test(digits)) {
    fail(
      'INVALID_VALUE',
      `${flag} takes a key of 32 hex digits (64 for suite 2), or file:PATH or env:NAME holding one`,
    );
  }
  return fromHex(digits);
}

/** A system title: 16 hex digits, in lower case. Throws INVALID_VALUE. */
export function parseSystemTitle(flag: string, text: string): string {
  if (!/^[0-9a-f]{16}$/i.test(text))
    fail('INVALID_VALUE', `${flag} takes a system title of 16 hex digits, not "${text}"`);
  return text.toLowerCase();
}

/** An IANA name such as Europe/Madrid. Throws INVALID_VALUE. */
export function parseTimeZone(text: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch (cause) {
    throw new BridgeError('INVALID_VALUE', `"${text}" is no time zone: write one as Europe/Madrid`, { cause });
  }
}

/** The same for a secret that is text, such as a token. */
export function parseSecretText(text: string): string {
  if (text.startsWith('env:')) {
    const name = text.slice(4);
    return process.env[name] ?? fail('SECRET_UNREADABLE', `the environment variable ${name} is not set`);
  }
  if (text.startsWith('file:'))
    return readSecretFile(text.slice(5))
      .toString('utf8')
      .replace(/\r?\n$/, '');
  return text;
}

function readSecretFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new BridgeError('SECRET_UNREADABLE', `${path} cannot be read`, { cause });
  }
}

/** A whole number within limits. Throws USAGE naming the flag. */
export function parseWhole(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    fail('USAGE', `${flag} takes a whole number from ${min} to ${max}, not "${text}"`);
  return value;
}

/** A value as a setting takes it. Throws USAGE naming the flag. */
export function parseDeclared<T>(flag: string, setting: Setting<T>, text: string): T {
  const value = readSetting(setting, text);
  return isValid(setting, value) ? (value as T) : fail('USAGE', `${flag} takes ${takesText(setting)}, not "${text}"`);
}

/** Seconds, decimals allowed, as milliseconds. Throws USAGE. */
export function parseSeconds(flag: string, text: string, min = 0.1, max = 31_536_000): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) fail('USAGE', `${flag} takes ${min} to ${max} seconds, not "${text}"`);
  return Math.round(value * 1000);
}

/** One of a few words. Throws USAGE. */
export function parseChoice<T extends string>(flag: string, text: string, choices: readonly T[]): T {
  return (
    choices.find((choice) => choice === text) ?? fail('USAGE', `${flag} takes ${choices.join(' | ')}, not "${text}"`)
  );
}

const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/** A date alone is its midnight; like a time without offset it is the host's local one. Throws USAGE. */
export function parseTime(flag: string, text: string): number {
  const time = Date.parse(text.includes('T') ? text : `${text}T00:00:00`);
  return ISO.test(text) && !Number.isNaN(time)
    ? time
    : fail('USAGE', `${flag} takes a time such as 2026-01-31T12:00:00Z, not "${text}"`);
}

/** `HOST:PORT`, `[IPv6]:PORT`, or `PORT` of this host alone. Throws INVALID_VALUE. */
export function parseListenAddress(flag: string, text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, name, digits = ''] =
    /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535) {
    fail('INVALID_VALUE', `${flag} takes HOST:PORT or PORT, not "${text}"`, { layer: 'cli' });
  }
  return { host: bracketed ?? name ?? '127.0.0.1', port };
}
