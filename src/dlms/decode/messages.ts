/**
 * From the messages in frames to APDUs: LLC headers, general block transfer and protection are taken off as they are met,
 * however they are nested, and each is told. What stations say of themselves on the way (system titles, a dedicated key)
 * opens what they send later.
 */
import { toHex } from '../../core/bytes.ts';
import { asBridgeError, BridgeError, type ErrorReport } from '../../core/errors.ts';
import { decodeAcse, isAcseTag } from '../acse/acse.ts';
import type { AcseApdu } from '../acse/types.ts';
import { splitLlc } from '../hdlc/llc.ts';
import { decodeFirst, isCiphered, isNextMessage, type PushContent } from '../push/receiver.ts';
import { isGloDed } from '../security/apdu-protection.ts';
import type { CipheredApdu } from '../security/ciphered.ts';
import { type Apdu, decodeApdu } from '../xdlms/apdu.ts';
import { BlockReceiver } from '../xdlms/block-receiver.ts';
import type { GeneralBlockTransfer } from '../xdlms/block-transfer.ts';
import { attempt } from './attempt.ts';
import { type Findings, reportOf } from './findings.ts';
import { closedLayer, type OpenLayer, openLayer } from './open-layer.ts';
import { type JsonObject, presentObject } from './present.ts';
import { presentContent, presentOther } from './push-content.ts';
import type { DecodeKeys } from './security.ts';

/** A capture may hold anything that was sent; this bounds what one APDU takes. */
const LONGEST_APDU = 16 * 1024 * 1024;
const MOST_BLOCKS_IN_FLIGHT = 63;
const DEEPEST = 6;

interface Blocks {
  readonly receiver: BlockReceiver;
  readonly kept: GeneralBlockTransfer[];
}

/** What surrounds octets. */
interface Around {
  readonly depth: number;
  /** They were decrypted, and no tag vouches for them. */
  readonly doubtful: boolean;
}

export class Messages {
  private readonly findings: Findings;
  private readonly keys: DecodeKeys;
  private readonly blocks = new Map<string, Blocks>();
  private readonly titles = new Map<string, Uint8Array>();
  private dedicatedKey: Uint8Array | null = null;

  constructor(findings: Findings, keys: DecodeKeys) {
    this.findings = findings;
    this.keys = keys;
  }

  /** A message of one sender, whose name tells it from other senders. */
  take(sender: string, octets: Uint8Array): void {
    this.read(sender, octets, { depth: 0, doubtful: false });
  }

  /** The input ends. */
  finish(): void {
    for (const blocks of this.blocks.values()) this.giveUp(blocks, 'not all of its blocks are there');
    this.blocks.clear();
  }

  /** Shows an LLC header and takes it off. */
  withoutLlc(octets: Uint8Array): Uint8Array {
    const { llc, rest } = splitLlc(octets);
    if (llc !== null) {
      this.findings.layer('llc', { hex: toHex(llc), direction: llc[1] === 0xe6 ? 'command' : 'response' });
    }
    return rest;
  }

  private read(sender: string, octets: Uint8Array, around: Around): void {
    let rest: Uint8Array | null = octets;
    while (rest !== null) {
      const message = this.withoutLlc(rest);
      rest = null;
      try {
        if (isAcseTag(message[0] ?? 0)) this.acse(sender, decodeAcse(message));
        else {
          const { content, trailing } = decodeFirst(message);
          const follows = trailing !== null && isNextMessage(content, trailing);
          if (follows) rest = trailing;
          this.content(sender, content, follows ? null : trailing, around);
        }
      } catch (thrown) {
        this.unreadable(message, asBridgeError(thrown), around);
      }
    }
  }

  private content(sender: string, content: PushContent, trailing: Uint8Array | null, around: Around): void {
    const extra =
      trailing === null ? null : new BridgeError('TRAILING_BYTES', `${trailing.length} octets follow the APDU`);
    if (content.kind !== 'apdu') {
      if (extra !== null && around.doubtful) throw extra;
      const shown = content.kind === 'data-notification' ? presentObject(content.apdu) : {};
      this.findings.apdu({
        ...shown,
        ...presentContent(content),
        ...(trailing !== null && { trailingAfterApdu: toHex(trailing) }),
      });
      if (extra !== null) this.findings.wrong(extra.report());
      return;
    }
    const { apdu } = content;
    if (extra !== null) throw extra;
    if (apdu.apdu === 'general-block-transfer') this.block(sender, apdu, around);
    else if (isCiphered(apdu)) this.ciphered(sender, apdu, around);
    else this.findings.apdu(presentObject(this.learned(apdu)));
  }

  private unreadable(octets: Uint8Array, error: BridgeError, { doubtful }: Around): void {
    if (error.code === 'INTERNAL') throw error;
    const told = doubtful
      ? new BridgeError('DECRYPT_FAILED', 'what was decrypted is no APDU', { cause: error })
      : error;
    // A push whose list and values do not match is an APDU all the same.
    const apdu = doubtful ? null : attempt(() => decodeApdu(octets)).value;
    if (apdu === null) this.findings.undecodable(octets, told.report());
    else this.findings.apdu(presentObject({ ...apdu, error: told.report() }));
    this.findings.wrong(told.report());
  }

  private ciphered(sender: string, apdu: CipheredApdu, around: Around): void {
    const { error, plaintext, doubtful } = this.opened(sender, apdu);
    if (error === null && plaintext !== null) this.inside(sender, plaintext, { ...around, doubtful });
    else this.findings.apdu({ ...(error !== null && presentObject({ valid: false, error })), ...presentOther(apdu) });
  }

  /** What a layer held. */
  private inside(sender: string, octets: Uint8Array, { depth, doubtful }: Around): void {
    if (depth < DEEPEST) this.read(sender, octets, { depth: depth + 1, doubtful });
    else {
      const message = 'too many layers of protection and blocks';
      this.findings.undecodable(octets, reportOf('LIMIT_EXCEEDED', message, 'xdlms'));
    }
  }

  /** Shows the layer, as far as the keys go; `error` when they do not fit. */
  private opened(sender: string, apdu: CipheredApdu): OpenLayer & { readonly error: ErrorReport | null } {
    const { value, error } = attempt(() => openLayer(apdu, this.keysFor(sender, apdu)));
    if (error === null) {
      this.findings.layer('security', presentObject({ apdu: apdu.apdu, ...value.shown }));
      return { ...value, error };
    }
    // A reserved suite cannot even be shown closed with its meaning: then the header alone.
    const closed = attempt(() => closedLayer(apdu)).value ?? {};
    this.findings.layer('security', presentObject({ apdu: apdu.apdu, ...closed, error }));
    this.findings.wrong(error);
    return { shown: closed, plaintext: null, tagVerified: null, doubtful: true, error };
  }

  private keysFor(sender: string, apdu: CipheredApdu): DecodeKeys {
    const { encryptionKey, systemTitle } = this.keys;
    const isDedicated = isGloDed(apdu) && /^(?:ded-|general-ded)/.test(apdu.apdu);
    return {
      ...this.keys,
      encryptionKey: (isDedicated ? this.dedicatedKey : null) ?? encryptionKey,
      systemTitle: this.titles.get(sender) ?? systemTitle,
    };
  }

  private learned(apdu: Apdu): Apdu {
    if (apdu.apdu === 'initiateRequest') this.dedicatedKey = apdu.dedicatedKey;
    return apdu;
  }

  /** The association's own APDUs, with what is ciphered inside them. */
  private acse(sender: string, apdu: AcseApdu): void {
    const title =
      apdu.apdu === 'aarq' ? apdu.callingAPTitle : apdu.apdu === 'aare' ? apdu.respondingAPTitle : undefined;
    if (title !== undefined && title.length > 0) this.titles.set(sender, title);
    const { userInformation } = apdu;
    const inside = userInformation?.decoded ?? null;
    if (inside === null || !isCiphered(inside)) {
      if (inside !== null) this.learned(inside);
      this.findings.apdu(presentObject(apdu));
      return;
    }
    const { plaintext, doubtful } = this.opened(sender, inside);
    const inner = plaintext === null ? {} : this.inner(plaintext, doubtful);
    this.findings.apdu(presentObject({ ...apdu, userInformation: { ...userInformation, ...inner } }));
  }

  private inner(plaintext: Uint8Array, doubtful: boolean): JsonObject {
    const { value, error } = attempt(() => decodeApdu(plaintext));
    if (error === null) return { inner: presentObject(this.learned(value)) };
    const told = doubtful ? reportOf('DECRYPT_FAILED', 'what was decrypted is no APDU', 'security') : error;
    this.findings.wrong(told);
    return presentObject({ inner: { valid: false, hex: plaintext, error: told } });
  }

  private block(sender: string, block: GeneralBlockTransfer, around: Around): void {
    const { apdu: _, blockData, ...header } = block;
    this.findings.layer('gbt', { ...header, length: blockData.length });
    const known = this.blocks.get(sender);
    // A block without data acknowledges, and is part of nothing.
    if (known === undefined && blockData.length === 0) return;
    const blocks: Blocks = known ?? {
      receiver: new BlockReceiver({ limit: LONGEST_APDU, window: MOST_BLOCKS_IN_FLIGHT }),
      kept: [],
    };
    const { outcome } = blocks.receiver.accept(block);
    switch (outcome.kind) {
      case 'duplicate':
        this.findings.amend({ repeated: true });
        break;
      case 'too-long':
        this.blocks.delete(sender);
        this.giveUp(blocks, 'it is too long');
        break;
      case 'conflict':
        this.blocks.delete(sender);
        blocks.kept.push(...(known === undefined ? [block] : []));
        this.giveUp(blocks, `block ${block.blockNumber} is of another one`);
        if (known !== undefined) {
          this.findings.layers.pop();
          this.block(sender, block, around);
        }
        break;
      case 'whole':
        this.blocks.delete(sender);
        this.findings.amend({ reassembledLength: outcome.octets.length });
        this.inside(sender, outcome.octets, around);
        break;
      default:
        blocks.kept.push(block);
        this.blocks.set(sender, blocks);
    }
  }

  /** Blocks of which no APDU comes are shown as they are. */
  private giveUp({ kept }: Blocks, reason: string): void {
    for (const block of kept) this.findings.apdu(presentObject(block));
    this.findings.wrong(reportOf('TRUNCATED', `an APDU in blocks is incomplete: ${reason}`, 'xdlms'));
  }
}
