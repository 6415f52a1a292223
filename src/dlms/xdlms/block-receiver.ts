/**
 * The receiving side of general block transfer (Green Book 9.3.5, 9.4.6.13). Blocks are numbered from 1. The sender streams
 * a window of them and then waits: the last of a window has the streaming bit clear. The answer acknowledges the last block
 * up to which all are here. After a loss it names the block before the gap and a window as large as the gap; blocks behind
 * the gap are kept, so that a sender may send only what is missing, or everything from there on.
 *
 * A sender with window 0 takes no acknowledgements: pushes are streamed so, and what is lost then stays lost.
 */
import { concat, sameBytes } from '../../core/bytes.ts';
import type { GeneralBlockTransfer } from './block-transfer.ts';

/** What to tell the sender. */
export interface BlockAcknowledgement {
  /** The last block up to which all are here. */
  readonly blockNumberAck: number;
  /** How many blocks it may send now. */
  readonly window: number;
}

export type BlockOutcome =
  /** New and in sequence. */
  | { readonly kind: 'block' }
  /** All blocks are here. */
  | { readonly kind: 'whole'; readonly octets: Uint8Array }
  /** Here already. */
  | { readonly kind: 'duplicate' }
  /** It cannot be of this message: its number is here with other data, or is far off. Nothing has changed. */
  | { readonly kind: 'conflict' }
  /** Blocks from `missing` on are not here, but this one is: lost, or out of order. */
  | { readonly kind: 'gap'; readonly missing: number }
  | { readonly kind: 'too-long' };

export interface ReceivedBlock {
  readonly outcome: BlockOutcome;
  /** The sender waits for this; null while it streams on, when all is here, and when it takes no acknowledgement. */
  readonly acknowledge: BlockAcknowledgement | null;
}

const FIRST = 1;
/** The largest window: no block farther ahead can be in flight. */
const FARTHEST = 63;

export interface BlockReceiverSettings {
  /** Octets of the longest APDU that is taken. */
  readonly limit: number;
  /** Blocks that we can take in a row, 1 to 63. */
  readonly window: number;
  /** Number of the first block; 1 unless told. */
  readonly first?: number;
}

/** Joins the blocks of one APDU. */
export class BlockReceiver {
  private readonly settings: BlockReceiverSettings;
  private readonly parts: Uint8Array[] = [];
  private readonly ahead = new Map<number, Uint8Array>();
  private size = 0;
  private first: number;
  private last: number | null = null;
  private highest = -1;

  constructor(settings: BlockReceiverSettings) {
    this.settings = settings;
    this.first = settings.first ?? FIRST;
  }

  /** Whether blocks are here, but not all. */
  get began(): boolean {
    return this.parts.length > 0 || this.ahead.size > 0;
  }

  private get expected(): number {
    return this.first + this.parts.length;
  }

  accept(block: GeneralBlockTransfer): ReceivedBlock {
    const outcome = this.outcomeOf(block);
    const settled = outcome.kind === 'whole' || outcome.kind === 'too-long' || outcome.kind === 'conflict';
    const awaits = !settled && block.window > 0 && !block.streaming;
    return { outcome, acknowledge: awaits ? this.acknowledgement() : null };
  }

  /** What stands now; to be sent also when nothing came for a while, for the last block of a window may be the lost one. */
  acknowledgement(): BlockAcknowledgement {
    const nearest = Math.min(...this.ahead.keys());
    const gap = Number.isFinite(nearest) ? nearest - this.expected : this.settings.window;
    return { blockNumberAck: this.expected - 1, window: Math.min(gap, this.settings.window) };
  }

  private outcomeOf({ blockNumber, blockData, lastBlock }: GeneralBlockTransfer): BlockOutcome {
    // Some meters count from 0.
    if (!this.began && blockNumber === 0) this.first = 0;
    const distance = blockNumber - this.expected;
    const before = this.parts[blockNumber - this.first] ?? this.ahead.get(blockNumber);
    if (before !== undefined) return { kind: sameBytes(before, blockData) ? 'duplicate' : 'conflict' };
    const isBeyond = this.last !== null && blockNumber > this.last;
    if (distance < 0 || distance > FARTHEST || isBeyond) return { kind: 'conflict' };
    if (this.size + blockData.length > this.settings.limit) return { kind: 'too-long' };
    this.size += blockData.length;
    // A block that fills a gap may carry the bit as the last of what was asked for.
    if (lastBlock && blockNumber > this.highest) this.last = blockNumber;
    this.highest = Math.max(this.highest, blockNumber);
    this.ahead.set(blockNumber, blockData.slice());
    if (distance > 0) return { kind: 'gap', missing: this.expected };
    for (let part = this.ahead.get(this.expected); part !== undefined; part = this.ahead.get(this.expected)) {
      this.ahead.delete(this.expected);
      this.parts.push(part);
    }
    return this.last !== null && this.expected > this.last
      ? { kind: 'whole', octets: concat(this.parts) }
      : { kind: 'block' };
  }
}
