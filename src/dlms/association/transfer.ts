/**
 * Between the services of an association and the octets of its APDUs: protection, and general block transfer around it
 * (Green Book 9.2.7, 9.3.5). An APDU is protected whole, then cut: blocks carry parts of a ciphered APDU and are not
 * ciphered themselves.
 *
 * A request is cut when it is larger than the meter takes and general block transfer was granted; services that have blocks
 * of their own cut themselves where those were granted (`goesWhole`). Answers are taken in blocks whenever it was granted:
 * the meter decides.
 */
import { asBridgeError, type BridgeError, fail } from '../../core/errors.ts';
import { exceeds, LONGEST_ANSWER } from '../exchange/blocks.ts';
import { type Apdu, decodeApdu, encodeApdu } from '../xdlms/apdu.ts';
import { BlockDialogue } from '../xdlms/block-dialogue.ts';
import { hasConformance } from '../xdlms/conformance.ts';
import type { AgreedContext } from './open.ts';
import type { ApduSecurity } from './security.ts';
import { isUnsolicited } from './services.ts';

export type Transferred =
  /** Whole and opened. */
  | { readonly kind: 'apdu'; readonly apdu: Apdu }
  /** What nobody vouches for and nobody asked for. */
  | { readonly kind: 'disregarded'; readonly error: BridgeError }
  /** A part of an APDU; what is to be sent for the next ones. */
  | { readonly kind: 'block'; readonly send: readonly Uint8Array[] };

export type ReadApdu = (plain: Uint8Array) => Apdu;

const GENERAL_BLOCK_TRANSFER = 0xe0;
/** Blocks that we take in a row: as many as a datagram socket holds without asking for more room. */
const WINDOW = 16;

export class ApduTransfer {
  private readonly security: ApduSecurity | null;
  private maxPdu = 0;
  private mayCut = false;
  private blocks = newBlocks();

  /** @param security null without ciphering. */
  constructor(security: ApduSecurity | null) {
    this.security = security;
  }

  agreed({ conformance, serverMaxReceivePduSize }: AgreedContext): void {
    this.maxPdu = serverMaxReceivePduSize;
    this.mayCut = hasConformance(conformance, 'general-block-transfer');
  }

  /** A request as it is sent. Throws PDU_TOO_SMALL, LIMIT_EXCEEDED, and what protection throws. */
  outgoing(apdu: Apdu): readonly Uint8Array[] {
    this.blocks = newBlocks();
    const octets = this.protected(apdu);
    if (!this.mayCut || !exceeds(octets.length, this.maxPdu)) return [octets];
    return this.blocks.send(octets, this.maxPdu).map(encodeApdu);
  }

  /** An APDU beside the request that is under way: the confirmation of a notification. */
  protected(apdu: Apdu): Uint8Array {
    const plain = encodeApdu(apdu);
    return this.security === null ? plain : this.security.protect(plain);
  }

  /** Octets of the meter; `read` decodes what is inside. Throws what decoding, opening and block transfer throw. */
  incoming(octets: Uint8Array, read: ReadApdu): Transferred {
    if (octets[0] !== GENERAL_BLOCK_TRANSFER || !this.mayCut) return this.opened(octets, read);
    const block = decodeApdu(octets);
    if (block.apdu !== 'general-block-transfer')
      return fail('INTERNAL', `${block.apdu} for a block`, { layer: 'xdlms' });
    const { send, whole } = this.blocks.receive(block);
    if (whole === null) return { kind: 'block', send: send.map(encodeApdu) };
    return this.opened(whole, read);
  }

  /** What came was not the answer but a notification, or an answer of before: the next blocks are of something else. */
  awaitAnother(): void {
    this.blocks.awaitAnother();
  }

  /** Nothing came for a response time-out: asks for missing blocks; empty when there is nothing to ask for. */
  silence(): readonly Uint8Array[] {
    return this.blocks.silence().map(encodeApdu);
  }

  private opened(octets: Uint8Array, read: ReadApdu): Transferred {
    if (this.security === null) return { kind: 'apdu', apdu: read(octets) };
    const apdu = decodeApdu(octets);
    try {
      return { kind: 'apdu', apdu: this.security.open(apdu, read) };
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (isOfNoConcern(apdu, error)) return { kind: 'disregarded', error };
      throw thrown;
    }
  }
}

/**
 * A notification without the protection that was agreed, or under a key made for this message alone, which no request of ours
 * and no counter tells from a repetition. Neither answers anything: it is not believed, and the association goes on.
 */
function isOfNoConcern(apdu: Apdu, { code }: BridgeError): boolean {
  if (code === 'PROTECTION_MISSING') return isUnsolicited(apdu);
  return code === 'REPLAYED' && (apdu.apdu === 'general-ciphering' || apdu.apdu === 'general-signing');
}

function newBlocks(): BlockDialogue {
  return new BlockDialogue({ limit: LONGEST_ANSWER, window: WINDOW });
}
