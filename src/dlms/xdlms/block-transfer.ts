/** general-block-transfer [224] (Green Book 9.3.15): any APDU in numbered blocks, streamed in windows. */
import type { Codec } from '../axdr/codec.ts';
import { decodeOctetString, encodeOctetString } from '../axdr/length.ts';

export interface GeneralBlockTransfer {
  readonly apdu: 'general-block-transfer';
  readonly lastBlock: boolean;
  readonly streaming: boolean;
  /** Blocks that the sender can receive in a row, 0 to 63; 0: no confirmation is wanted. */
  readonly window: number;
  readonly blockNumber: number;
  readonly blockNumberAck: number;
  readonly blockData: Uint8Array;
}

const LAST_BLOCK = 0x80;
const STREAMING = 0x40;
const WINDOW = 0x3f;

export const generalBlockTransfer: Codec<Omit<GeneralBlockTransfer, 'apdu'>> = {
  decode(reader) {
    const control = reader.u8('block-control');
    return {
      lastBlock: (control & LAST_BLOCK) !== 0,
      streaming: (control & STREAMING) !== 0,
      window: control & WINDOW,
      blockNumber: reader.u16('block-number'),
      blockNumberAck: reader.u16('block-number-ack'),
      blockData: decodeOctetString(reader, 'block-data'),
    };
  },
  encode(writer, { lastBlock, streaming, window, blockNumber, blockNumberAck, blockData }) {
    const control = (lastBlock ? LAST_BLOCK : 0) | (streaming ? STREAMING : 0) | (window & WINDOW);
    writer.u8(control).u16(blockNumber).u16(blockNumberAck);
    encodeOctetString(writer, blockData);
  },
};
