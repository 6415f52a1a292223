/**
 * The sending side of general block transfer (Green Book 9.3.5, 9.4.6.13): an APDU in blocks, sent in windows. It needs no
 * state: what to send next follows from the last acknowledgement.
 */
import { fail } from '../../core/errors.ts';
import type { GeneralBlockTransfer } from './block-transfer.ts';

/** Tag, block control, two block numbers. */
const HEADER_OCTETS = 6;
const MOST_BLOCKS = 0xffff;
const FIRST = 1;

/**
 * An APDU in pieces, each of which fits a PDU of `maxPdu` octets as a block (0: no limit). Throws PDU_TOO_SMALL,
 * LIMIT_EXCEEDED for more blocks than 16 bits can number.
 */
export function splitIntoBlocks(apdu: Uint8Array, maxPdu: number): readonly Uint8Array[] {
  if (maxPdu === 0 || apdu.length === 0) return [apdu];
  const room = maxPdu - HEADER_OCTETS;
  const length = room - lengthOctets(Math.max(room, 0));
  if (length < 1) fail('PDU_TOO_SMALL', `no block fits a PDU of ${maxPdu} octets`, { layer: 'xdlms' });
  const count = Math.ceil(apdu.length / length);
  if (count > MOST_BLOCKS) fail('LIMIT_EXCEEDED', `an APDU in ${count} blocks`, { layer: 'xdlms' });
  return Array.from({ length: count }, (_, index) => apdu.subarray(index * length, (index + 1) * length));
}

/** Octets of the length field of block data in a room of so many octets. */
function lengthOctets(room: number): number {
  if (room <= 0x80) return 1;
  return room <= 0x101 ? 2 : room <= 0x1_0002 ? 3 : 5;
}

export interface Burst {
  /** The last block that the peer acknowledged; 0 at first. */
  readonly acknowledged: number;
  /** Blocks that the peer can take in a row; 1 until it told. */
  readonly peerWindow: number;
  /** What we can take ourselves, 1 to 63. */
  readonly window: number;
  /** The last block of the peer that is here. */
  readonly blockNumberAck: number;
}

/** The blocks to send now; empty when all are acknowledged. Throws UNEXPECTED_RESPONSE for a block that was never sent. */
export function blockBurst(parts: readonly Uint8Array[], burst: Burst): GeneralBlockTransfer[] {
  const { acknowledged, peerWindow, window, blockNumberAck } = burst;
  if (acknowledged > parts.length) {
    fail('UNEXPECTED_RESPONSE', `block ${acknowledged} of ${parts.length} is acknowledged`, { layer: 'xdlms' });
  }
  const blocks = parts.slice(acknowledged, acknowledged + Math.max(1, peerWindow));
  return blocks.map((blockData, index) => ({
    apdu: 'general-block-transfer',
    lastBlock: acknowledged + index + 1 === parts.length,
    streaming: index < blocks.length - 1,
    window,
    blockNumber: FIRST + acknowledged + index,
    blockNumberAck,
    blockData,
  }));
}

/** All blocks, streamed without any acknowledgement, as pushes are sent. */
export function unconfirmedBlocks(parts: readonly Uint8Array[]): GeneralBlockTransfer[] {
  return parts.map((blockData, index) => ({
    apdu: 'general-block-transfer',
    lastBlock: index === parts.length - 1,
    streaming: true,
    window: 0,
    blockNumber: FIRST + index,
    blockNumberAck: 0,
    blockData,
  }));
}

/** A block without data, from a party that has nothing to send but its acknowledgement. */
export function acknowledgementBlock(
  blockNumber: number,
  { blockNumberAck, window }: Pick<GeneralBlockTransfer, 'blockNumberAck' | 'window'>,
): GeneralBlockTransfer {
  return {
    apdu: 'general-block-transfer',
    lastBlock: true,
    streaming: false,
    window,
    blockNumber,
    blockNumberAck,
    blockData: new Uint8Array(0),
  };
}
