/** Block transfer (Green Book 9.3.7): an encoded value cut into numbered blocks, and joined again. */
import { ByteWriter, concat } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { encodeLength } from '../axdr/length.ts';
import type { Datablock } from '../xdlms/services.ts';

/** Blocks of one answer together; a year of quarter hours with 20 columns is about 4 MB. */
export const LONGEST_ANSWER = 16 * 1024 * 1024;

/** Joins received blocks. Numbers rise by one from 1; some meters begin with 0. */
export class BlockJoiner {
  private readonly parts: Uint8Array[] = [];
  private octets = 0;
  private next: number | null = null;

  /** The number that the next block has to have. */
  get awaited(): number {
    return this.next ?? 1;
  }

  /** Whether the block comes in sequence; only then it is kept. Throws LIMIT_EXCEEDED. */
  add({ blockNumber, rawData }: Pick<Datablock, 'blockNumber' | 'rawData'>): boolean {
    const inSequence = this.next === null ? blockNumber <= 1 : blockNumber === this.next;
    if (!inSequence) return false;
    this.octets += rawData.length;
    if (this.octets > LONGEST_ANSWER)
      fail('LIMIT_EXCEEDED', `an answer of more than ${LONGEST_ANSWER} octets`, { layer: 'xdlms' });
    // A copy: what was received may be a view of a buffer that lives on.
    this.parts.push(rawData.slice());
    this.next = blockNumber + 1;
    return true;
  }

  joined(): Uint8Array {
    return concat(this.parts);
  }
}

/** Octets of a block beside its raw data: last-block flag, number, length. */
const BLOCK_HEADER = 1 + 4 + 3;
/** A block of fewer octets than this makes no sense: the meter's PDU is too small for the request. */
const SMALLEST_BLOCK = 8;

/** Cuts an encoded value into blocks; the first shares its APDU with the descriptors, which take more room. */
export class BlockCutter {
  private readonly whole: Uint8Array;
  private readonly maxPdu: number;
  private offset = 0;
  private number: number;
  private ended = false;

  /** @param maxPdu octets of the largest request, not 0. */
  constructor(whole: Uint8Array, maxPdu: number, firstBlock: 0 | 1 = 1) {
    this.whole = whole;
    this.maxPdu = maxPdu;
    this.number = firstBlock - 1;
  }

  /** The block after the one that was acknowledged; null when that was not the last one sent, or there is none after it. */
  after(acknowledged: number, around: number): Datablock | null {
    return this.ended || acknowledged !== this.number ? null : this.cut(around);
  }

  /** @param around octets of the APDU around the block. Throws PDU_TOO_SMALL. */
  cut(around: number): Datablock {
    const room = this.maxPdu - around - BLOCK_HEADER;
    if (room < SMALLEST_BLOCK) fail('PDU_TOO_SMALL', `the meter takes ${this.maxPdu} octets: too few for a block`);
    const rawData = this.whole.subarray(this.offset, this.offset + room);
    this.offset += rawData.length;
    this.number += 1;
    this.ended = this.offset >= this.whole.length;
    return { lastBlock: this.ended, blockNumber: this.number, rawData };
  }
}

/** What is cut into blocks: one encoded value, or for a list their count and the values. */
export function encodedForBlocks(values: readonly Uint8Array[], isList: boolean): Uint8Array {
  if (!isList) return concat(values);
  const count = new ByteWriter();
  encodeLength(count, values.length);
  return concat([count.finish(), ...values]);
}

/** Whether an encoded request is larger than the meter takes. */
export function exceeds(octets: number, maxPdu: number): boolean {
  return maxPdu > 0 && octets > maxPdu;
}
