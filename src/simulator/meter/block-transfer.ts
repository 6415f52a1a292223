/** Block transfer of GET, SET and ACTION (Green Book 9.3.10 to 9.3.12), both directions: what is too long for one APDU in numbered parts. */
import { concat } from '../../core/bytes.ts';
import type { Datablock } from '../../dlms/xdlms/services.ts';

/** What a length of so many octets can say. */
const LENGTH_CAPACITIES = [127, 255, 65_535] as const;
/** Octets of all blocks of a request together: far more than any object here takes. */
const LONGEST_REQUEST = 65_536;

/** The most octets of raw data that a block of at most `maxPdu` octets holds behind its header; at least one. */
function blockCapacity(maxPdu: number, header: number): number {
  const candidates = LENGTH_CAPACITIES.map((capacity, index) => Math.min(capacity, maxPdu - header - index - 1));
  return Math.max(1, ...candidates);
}

/** An answer on its way out, block by block. */
export class OutgoingBlocks {
  private readonly whole: Uint8Array;
  private readonly capacity: number;
  private offset = 0;
  /** Number of the block sent last; 0 before the first. */
  blockNumber = 0;

  /** `header`: octets of the APDU before the length of its raw data. */
  constructor(whole: Uint8Array, maxPdu: number, header: number) {
    this.whole = whole;
    this.capacity = blockCapacity(maxPdu, header);
  }

  next(): Datablock {
    const end = this.offset + this.capacity;
    const rawData = this.whole.subarray(this.offset, end);
    this.offset = end;
    this.blockNumber += 1;
    return { lastBlock: end >= this.whole.length, blockNumber: this.blockNumber, rawData };
  }
}

export type BlockTaken =
  /** More are to come. */
  | { readonly kind: 'partial' }
  | { readonly kind: 'whole'; readonly octets: Uint8Array }
  /** The transfer is over without a result. */
  | { readonly kind: 'wrong-number' | 'too-long' };

/** A request on its way in; blocks are numbered from 1. */
export class IncomingBlocks<Target> {
  /** What the first block said the data is for. */
  readonly target: Target;
  private readonly parts: Uint8Array[] = [];
  private octets = 0;

  constructor(target: Target) {
    this.target = target;
  }

  take({ blockNumber, lastBlock, rawData }: Datablock): BlockTaken {
    if (blockNumber !== this.parts.length + 1) return { kind: 'wrong-number' };
    this.octets += rawData.length;
    if (this.octets > LONGEST_REQUEST) return { kind: 'too-long' };
    // A copy: the octets received belong to whoever received them.
    this.parts.push(rawData.slice());
    return lastBlock ? { kind: 'whole', octets: concat(this.parts) } : { kind: 'partial' };
  }
}
