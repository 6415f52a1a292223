/** Octets of a meter as text: which code page they are in stands nowhere in the data, so each point may say it. */
import { toHex } from '../core/bytes.ts';
import { fail } from '../core/errors.ts';

/** `hex`, `ascii`, `latin1`, `date-time`, or a label of the WHATWG Encoding Standard (`utf-8`, `windows-1251`, `koi8-r`, ...). */
export type TextEncoding = string;

const OWN: ReadonlySet<string> = new Set(['hex', 'ascii', 'latin1', 'date-time']);
const LAST_ASCII = 0x7f;
const REPLACEMENT = '\ufffd';

export function isTextEncoding(label: string): boolean {
  return OWN.has(label) || decoderOf(label) !== null;
}

/**
 * The text of the octets, without the blanks and zero octets that fill it up; `hex` in lower case and whole.
 * What the encoding does not know becomes U+FFFD. Throws INVALID_VALUE for an unknown encoding. Not for `date-time`.
 */
export function decodeText(octets: Uint8Array, encoding: TextEncoding): string {
  if (encoding === 'hex') return toHex(octets);
  return withoutFilling(
    encoding === 'ascii' || encoding === 'latin1' ? single(octets, encoding) : page(octets, encoding),
  );
}

function single(octets: Uint8Array, encoding: 'ascii' | 'latin1'): string {
  const last = encoding === 'ascii' ? LAST_ASCII : 0xff;
  return Array.from(octets, (octet) => (octet <= last ? String.fromCharCode(octet) : REPLACEMENT)).join('');
}

function page(octets: Uint8Array, label: string): string {
  const decoder = decoderOf(label) ?? fail('INVALID_VALUE', `"${label.slice(0, 40)}" is no text encoding`);
  return decoder.decode(octets);
}

function decoderOf(label: string): InstanceType<typeof TextDecoder> | null {
  try {
    return new TextDecoder(label);
  } catch (error) {
    // RangeError is how it says that it does not know the label.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Meters fill fixed fields up with zero octets or blanks. */
function withoutFilling(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the zero octets are what it looks for.
  return text.replace(/[\u0000 ]+$/, '').replace(/^ +/, '');
}
