/** The conformance block (Green Book 9.4.6.1): which services a client proposes and a server grants, as 24 named bits. */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { Codec } from '../axdr/codec.ts';

/** Names by bit number; bit 0 is the most significant of the first octet. */
export const CONFORMANCE_BITS = [
  'reserved-zero',
  'general-protection',
  'general-block-transfer',
  'read',
  'write',
  'unconfirmed-write',
  'delta-value-encoding',
  'reserved-seven',
  'attribute0-supported-with-set',
  'priority-mgmt-supported',
  'attribute0-supported-with-get',
  'block-transfer-with-get-or-read',
  'block-transfer-with-set-or-write',
  'block-transfer-with-action',
  'multiple-references',
  'information-report',
  'data-notification',
  'access',
  'parameterized-access',
  'get',
  'set',
  'selective-access',
  'event-notification',
  'action',
] as const;

export type ConformanceBit = (typeof CONFORMANCE_BITS)[number];

export interface Conformance {
  /** The 24 bits as three octets; alone what is encoded. */
  readonly hex: Uint8Array;
  /** Names of the bits that are set, in bit order. */
  readonly bits: readonly ConformanceBit[];
  /** Set when the tag was written without 1F, as IEC 62056-53 had it; the encoder then writes it so. */
  readonly legacyTag?: string;
}

const OCTETS = 3;
const LEGACY_TAG = '5f04 (tag octet 1f omitted)';

/** From any number of bit names. */
export function conformance(bits: Iterable<ConformanceBit>): Conformance {
  const octets = new Uint8Array(OCTETS);
  for (const bit of bits) {
    const number = CONFORMANCE_BITS.indexOf(bit);
    if (number < 0) fail('INVALID_VALUE', `"${bit}" is no conformance bit`, { layer: 'xdlms' });
    octets[number >> 3]! |= 0x80 >> (number & 7);
  }
  return conformanceOf(octets);
}

/** From its three octets. */
export function conformanceOf(octets: Uint8Array): Conformance {
  return {
    hex: octets,
    bits: CONFORMANCE_BITS.filter((_, number) => ((octets[number >> 3] ?? 0) & (0x80 >> (number & 7))) !== 0),
  };
}

/** What both sides have: the negotiated conformance. */
export function commonConformance(a: Conformance, b: Conformance): Conformance {
  return conformance(a.bits.filter((bit) => b.bits.includes(bit)));
}

export function hasConformance({ bits }: Conformance, bit: ConformanceBit): boolean {
  return bits.includes(bit);
}

/** Contents of the bit string: the count of unused bits, always 0, and three octets. */
export function decodeConformanceContents(reader: ByteReader): Conformance & { readonly unusedBits: number } {
  const unusedBits = reader.u8('unused bits');
  if (unusedBits !== 0) reader.fail('MALFORMED', `a conformance block with ${unusedBits} unused bits`);
  return { unusedBits, ...conformanceOf(reader.take(OCTETS, 'conformance')) };
}

/** `5F 1F 04` and the contents: BER in the midst of A-XDR, [APPLICATION 31]. `5F 04` is taken too, for old meters send it. */
export const conformanceCodec: Codec<Conformance> = {
  decode(reader) {
    const tag = reader.u8('conformance tag');
    if (tag === 0x5e) reader.fail('UNSUPPORTED', 'a 16-bit conformance block (5E): DLMS before version 6');
    if (tag !== 0x5f) reader.fail('MALFORMED', `tag ${tag} where the conformance block should be`);
    const legacy = reader.peek() === OCTETS + 1;
    if (!legacy && reader.u8('conformance tag') !== 0x1f) reader.fail('MALFORMED', 'no conformance block');
    const length = reader.u8('conformance length');
    if (length !== OCTETS + 1) reader.fail('MALFORMED', `a conformance block of ${length} octets`);
    const { hex, bits } = decodeConformanceContents(reader);
    return legacy ? { hex, bits, legacyTag: LEGACY_TAG } : { hex, bits };
  },
  encode(writer: ByteWriter, { hex, legacyTag }) {
    writer.u8(0x5f);
    if (legacyTag === undefined) writer.u8(0x1f);
    writer
      .u8(OCTETS + 1)
      .u8(0)
      .bytes(hex);
  },
};
