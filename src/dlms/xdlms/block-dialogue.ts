/**
 * One party of a confirmed service whose APDUs travel by general block transfer (Green Book 9.3.5, 9.4.6.13): sends one APDU
 * in windows, joins one that comes, and says what to do when nothing comes. The same for client and server.
 *
 * Every block that a party sends has a number of its own, also one without data that only acknowledges. So the answer of a
 * server that has acknowledged a request twice begins with block 3. Servers that count only blocks with data are understood.
 *
 * Bounded: in octets, and in blocks and silences that bring nothing new. Who transfers in which protection is decided
 * above: block transfer carries an APDU that is protected already.
 */
import { fail } from '../../core/errors.ts';
import { BlockReceiver, type BlockReceiverSettings } from './block-receiver.ts';
import { acknowledgementBlock, blockBurst, splitIntoBlocks } from './block-sender.ts';
import type { GeneralBlockTransfer } from './block-transfer.ts';

export interface BlockDialogueStep {
  readonly send: readonly GeneralBlockTransfer[];
  /** The peer's APDU, once all of it is here. */
  readonly whole: Uint8Array | null;
}

type Acknowledged = Pick<GeneralBlockTransfer, 'blockNumberAck' | 'window'>;

const LAYER = { layer: 'xdlms' } as const;
const LARGEST_NUMBER = 0xffff;
const NOTHING: BlockDialogueStep = { send: [], whole: null };
/** Blocks in a row that bring nothing new: four of the largest windows. */
const MOST_IDLE_BLOCKS = 4 * 63;
/** Silences in a row that are answered by asking again. */
export const MOST_SILENCES = 3;

export class BlockDialogue {
  private readonly settings: BlockReceiverSettings;
  private parts: readonly Uint8Array[] = [];
  /** Blocks of `parts` that the peer has. */
  private acknowledged = 0;
  /** Our numbers that were used before the first of `parts`, and altogether. */
  private base = 0;
  private used = 0;
  private peerWindow = 1;
  private receiver: BlockReceiver | null = null;
  /** The last acknowledgement without data. */
  private last: GeneralBlockTransfer | null = null;
  private isWhole = false;
  /** The highest number of a block without data, before the first with data. */
  private emptyBefore = 0;
  private idleBlocks = 0;
  private silences = 0;

  constructor(settings: BlockReceiverSettings) {
    this.settings = settings;
  }

  /** The first blocks of an APDU. Throws PDU_TOO_SMALL, LIMIT_EXCEEDED. */
  send(apdu: Uint8Array, maxPdu: number): readonly GeneralBlockTransfer[] {
    this.parts = splitIntoBlocks(apdu, maxPdu);
    this.acknowledged = 0;
    this.last = null;
    this.base = this.used;
    return this.burst(this.peerWindow);
  }

  /** Forgets what came, for it was not what is awaited: a push between request and answer. */
  awaitAnother(): void {
    this.receiver = null;
    this.isWhole = false;
    this.emptyBefore = 0;
  }

  /** One block of the peer. Throws UNEXPECTED_RESPONSE, LIMIT_EXCEEDED: the transfer is over then. */
  receive(block: GeneralBlockTransfer): BlockDialogueStep {
    this.idleBlocks += 1;
    if (this.idleBlocks > MOST_IDLE_BLOCKS) fail('UNEXPECTED_RESPONSE', 'blocks that bring nothing new', LAYER);
    this.peerWindow = Math.max(1, block.window);
    if (block.blockData.length > 0 || (this.receiver !== null && !this.isWhole)) return this.onData(block);
    if (this.receiver === null) this.emptyBefore = Math.max(this.emptyBefore, block.blockNumber);
    return { send: this.onAcknowledged(block), whole: null };
  }

  /** The next blocks of ours; the same again when the peer says that it lacks them. */
  private onAcknowledged({ blockNumberAck, streaming }: GeneralBlockTransfer): readonly GeneralBlockTransfer[] {
    const acknowledged = blockNumberAck - this.base;
    if (this.hasAll || acknowledged < this.acknowledged) return [];
    if (acknowledged > this.parts.length) {
      fail('UNEXPECTED_RESPONSE', `block ${blockNumberAck} is acknowledged, which was not sent`, LAYER);
    }
    if (acknowledged > this.acknowledged) this.progress();
    this.acknowledged = acknowledged;
    return streaming || this.hasAll ? [] : this.burst(this.peerWindow);
  }

  /** Whether the peer has all of our blocks. */
  private get hasAll(): boolean {
    return this.acknowledged === this.parts.length;
  }

  private onData(block: GeneralBlockTransfer): BlockDialogueStep {
    if (this.isLeftOver(block)) return NOTHING;
    this.receiver ??= new BlockReceiver({
      ...this.settings,
      first: block.blockNumber <= 1 ? block.blockNumber : this.emptyBefore + 1,
    });
    const { outcome, acknowledge } = this.receiver.accept(block);
    switch (outcome.kind) {
      case 'too-long':
        return fail('LIMIT_EXCEEDED', `an APDU of more than ${this.settings.limit} octets in blocks`, LAYER);
      case 'conflict':
        return fail('UNEXPECTED_RESPONSE', `block ${block.blockNumber} does not belong to the others`, LAYER);
      case 'duplicate':
        // It lacks our answer, or it would not repeat what it said.
        if (this.isWhole)
          return block.streaming || this.hasAll ? NOTHING : { send: this.burst(this.peerWindow), whole: null };
        break;
      default:
        this.progress();
        // Whoever answers has all of our blocks, also when it does not say so.
        this.acknowledged = this.parts.length;
    }
    this.isWhole = outcome.kind === 'whole';
    if (outcome.kind === 'whole') return { send: [], whole: outcome.octets };
    return acknowledge === null ? NOTHING : { send: [this.acknowledgement(acknowledge)], whole: null };
  }

  /** A late copy from an earlier transfer: it does not begin a message, and acknowledges more than was sent in this one. */
  private isLeftOver({ blockNumber, blockNumberAck }: GeneralBlockTransfer): boolean {
    return this.receiver === null && blockNumber > this.emptyBefore + 1 && blockNumberAck > this.used;
  }

  /**
   * Nothing came for a while: asks for what is missing, in whichever direction. Empty when no transfer is under way, or
   * when that was asked often enough.
   */
  silence(): readonly GeneralBlockTransfer[] {
    const isUnderWay = this.parts.length > 0 || this.receiver !== null;
    if (!isUnderWay || this.isWhole || this.silences >= MOST_SILENCES) return [];
    this.silences += 1;
    // One block will do: the peer answers it by saying what it has.
    if (!this.hasAll) return this.burst(1);
    return [this.acknowledgement(this.receiver?.acknowledgement() ?? this.nothingYet())];
  }

  /** Every block of the answer is missing. */
  private nothingYet(): Acknowledged {
    return { blockNumberAck: this.emptyBefore, window: this.settings.window };
  }

  private burst(peerWindow: number): readonly GeneralBlockTransfer[] {
    const { acknowledged, base } = this;
    const { window } = this.settings;
    const blockNumberAck = this.receiver?.acknowledgement().blockNumberAck ?? this.emptyBefore;
    const blocks = blockBurst(this.parts, { acknowledged, peerWindow, window, blockNumberAck });
    this.used = Math.max(this.used, base + acknowledged + blocks.length);
    return blocks.map((block) => ({ ...block, blockNumber: base + block.blockNumber }));
  }

  /** The same number again when it says the same again: only what is new counts. */
  private acknowledgement({ blockNumberAck, window }: Acknowledged): GeneralBlockTransfer {
    if (this.last?.blockNumberAck !== blockNumberAck || this.last.window !== window) {
      this.used += 1;
      this.last = acknowledgementBlock(this.used & LARGEST_NUMBER, { blockNumberAck, window });
    }
    return this.last;
  }

  private progress(): void {
    this.idleBlocks = 0;
    this.silences = 0;
  }
}
