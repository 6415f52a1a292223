/** Invoke-Id-And-Priority and its long form (Green Book 9.5). `raw` is hex text, and alone what is encoded. */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import type { Codec } from '../axdr/codec.ts';

export type ServiceClass = 'confirmed' | 'unconfirmed';
export type Priority = 'high' | 'normal';

export interface InvokeIdAndPriority {
  readonly raw: string;
  /** 0 to 15. */
  readonly invokeId: number;
  readonly serviceClass: ServiceClass;
  readonly priority: Priority;
}

export interface LongInvokeIdAndPriority {
  readonly raw: string;
  /** 0 to 2^24 - 1. */
  readonly invokeId: number;
  readonly selfDescriptive: boolean;
  readonly breakOnError: boolean;
  readonly serviceClass: ServiceClass;
  readonly priority: Priority;
}

const CONFIRMED = 0x40;
const HIGH = 0x80;
const LONG = { selfDescriptive: 0x1000_0000, breakOnError: 0x2000_0000, confirmed: 0x4000_0000, high: 0x8000_0000 };
const LONG_INVOKE_ID = 0xff_ffff;

/** There are only 256 of them, so each is made once. */
const ALL: readonly InvokeIdAndPriority[] = Array.from({ length: 256 }, (_, octet) =>
  Object.freeze({
    raw: octet.toString(16).padStart(2, '0'),
    invokeId: octet & 0x0f,
    serviceClass: (octet & CONFIRMED) !== 0 ? 'confirmed' : 'unconfirmed',
    priority: (octet & HIGH) !== 0 ? 'high' : 'normal',
  }),
);

/** From its octet: bits 0-3 id, bit 6 service class, bit 7 priority. */
export function invokeIdAndPriorityOf(octet: number): InvokeIdAndPriority {
  return ALL[octet & 0xff] as InvokeIdAndPriority;
}

/** For a request of ours; the id wraps at 16. */
export function invokeIdAndPriority(
  invokeId: number,
  serviceClass: ServiceClass = 'confirmed',
  priority: Priority = 'high',
): InvokeIdAndPriority {
  const flags = (serviceClass === 'confirmed' ? CONFIRMED : 0) | (priority === 'high' ? HIGH : 0);
  return invokeIdAndPriorityOf((invokeId & 0x0f) | flags);
}

/** From its 32 bits: bits 0-23 id, 28 self-descriptive, 29 break on error, 30 service class, 31 priority. */
export function longInvokeIdAndPriorityOf(word: number): LongInvokeIdAndPriority {
  return {
    raw: (word >>> 0).toString(16).padStart(8, '0'),
    invokeId: word & LONG_INVOKE_ID,
    selfDescriptive: (word & LONG.selfDescriptive) !== 0,
    breakOnError: (word & LONG.breakOnError) !== 0,
    serviceClass: (word & LONG.confirmed) !== 0 ? 'confirmed' : 'unconfirmed',
    priority: (word & LONG.high) !== 0 ? 'high' : 'normal',
  };
}

export function longInvokeIdAndPriority(
  invokeId: number,
  flags: Partial<Omit<LongInvokeIdAndPriority, 'raw' | 'invokeId'>> = {},
): LongInvokeIdAndPriority {
  let word = invokeId & LONG_INVOKE_ID;
  if (flags.selfDescriptive) word |= LONG.selfDescriptive;
  if (flags.breakOnError) word |= LONG.breakOnError;
  if (flags.serviceClass === 'confirmed') word |= LONG.confirmed;
  if (flags.priority === 'high') word |= LONG.high;
  return longInvokeIdAndPriorityOf(word);
}

export const invokeIdCodec: Codec<InvokeIdAndPriority> = {
  decode: (reader: ByteReader) => invokeIdAndPriorityOf(reader.u8('invoke-id-and-priority')),
  encode: (writer: ByteWriter, { raw }) => void writer.u8(Number.parseInt(raw, 16)),
};

export const longInvokeIdCodec: Codec<LongInvokeIdAndPriority> = {
  decode: (reader: ByteReader) => longInvokeIdAndPriorityOf(reader.u32('long-invoke-id-and-priority')),
  encode: (writer: ByteWriter, { raw }) => void writer.u32(Number.parseInt(raw, 16)),
};
