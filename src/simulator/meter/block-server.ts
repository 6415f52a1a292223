/**
 * General block transfer at a virtual meter (Green Book 9.3.5), around the server of one association: requests that come in
 * blocks are joined; an answer to one, and any answer that is longer than the client takes, leaves in blocks, one window
 * after the other. The windows are those of the client.
 */
import { BridgeError } from '../../core/errors.ts';
import { decodeApdu, encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { BlockDialogue, type BlockDialogueStep } from '../../dlms/xdlms/block-dialogue.ts';
import type { GeneralBlockTransfer } from '../../dlms/xdlms/block-transfer.ts';
import type { CosemServer } from './cosem-server.ts';
import type { SaidValue } from './get-service.ts';

export interface BlockAnswer {
  /** In order; empty for silence. */
  readonly apdus: readonly Uint8Array[];
  /** What the client knows once it has these. */
  readonly said: readonly SaidValue[];
}

const GENERAL_BLOCK_TRANSFER = 0xe0;
const SETTINGS = { limit: 1024 * 1024, window: 5 };

export class BlockServer {
  private readonly server: CosemServer;
  private dialogue = new BlockDialogue(SETTINGS);
  /** Of an answer whose last block has not left. */
  private unsaid: readonly SaidValue[] = [];

  constructor(server: CosemServer) {
    this.server = server;
  }

  /** Takes one APDU at a moment in milliseconds UTC. Never throws for what is in the octets. */
  receive(octets: Uint8Array, at: number): BlockAnswer {
    const block = this.server.hasGeneralBlocks && octets[0] === GENERAL_BLOCK_TRANSFER ? blockIn(octets) : null;
    if (block !== null) return this.onBlock(block, at);
    const { apdu, said } = this.server.receive(octets, at);
    if (apdu === null) return { apdus: [], said };
    this.dialogue = new BlockDialogue(SETTINGS);
    // What is ciphered is longer than what the limit is meant for: only answers that the services did not cut are too long.
    const isLong = this.server.hasGeneralBlocks && apdu.length > this.server.longestAnswer;
    return isLong ? this.inBlocks(apdu, said) : { apdus: [apdu], said };
  }

  private onBlock(block: GeneralBlockTransfer, at: number): BlockAnswer {
    const step = this.accepted(block);
    if (step === null) return { apdus: [], said: [] };
    if (step.whole === null) return this.leaving(step.send);
    const { apdu, said } = this.server.receive(step.whole, at, { inBlocks: true });
    return apdu === null ? { apdus: [], said } : this.inBlocks(apdu, said);
  }

  /** A block that does not fit what is under way begins another request. */
  private accepted(block: GeneralBlockTransfer): BlockDialogueStep | null {
    try {
      return this.dialogue.receive(block);
    } catch (error) {
      if (!(error instanceof BridgeError) || error.code === 'INTERNAL') throw error;
    }
    this.dialogue = new BlockDialogue(SETTINGS);
    return block.blockNumber <= 1 ? this.dialogue.receive(block) : null;
  }

  private inBlocks(apdu: Uint8Array, said: readonly SaidValue[]): BlockAnswer {
    this.unsaid = said;
    return this.leaving(this.dialogue.send(apdu, this.server.longestAnswer));
  }

  private leaving(blocks: readonly GeneralBlockTransfer[]): BlockAnswer {
    const apdus = blocks.map(encodeApdu);
    if (!blocks.some(({ lastBlock, blockData }) => lastBlock && blockData.length > 0)) return { apdus, said: [] };
    const said = this.unsaid;
    this.unsaid = [];
    return { apdus, said };
  }
}

/** null for octets that are no block. */
function blockIn(octets: Uint8Array): GeneralBlockTransfer | null {
  try {
    const apdu = decodeApdu(octets);
    return apdu.apdu === 'general-block-transfer' ? apdu : null;
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}
