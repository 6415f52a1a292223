/**
 * From the messages of a line to pushes: several APDUs in one message are taken one by one, blocks of general block transfer
 * joined for each sender, ciphered APDUs opened, and the body read. However these layers are nested: each is taken off as it
 * is met. Nothing here depends on time: blocks may be seconds apart and other messages between them.
 */
import { ByteReader } from '../../core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { splitLlc } from '../hdlc/llc.ts';
import { decodeP1Telegram, looksLikeTelegram, type P1Telegram } from '../mode-e/p1-telegram.ts';
import type { CipheredApdu } from '../security/ciphered.ts';
import type { OpenedContent } from '../security/content-protection.ts';
import { type Apdu, encodeApdu, readApdu } from '../xdlms/apdu.ts';
import { BlockReceiver } from '../xdlms/block-receiver.ts';
import { acknowledgementBlock } from '../xdlms/block-sender.ts';
import type { GeneralBlockTransfer } from '../xdlms/block-transfer.ts';
import type { DataNotification, EventNotificationRequest } from '../xdlms/services.ts';
import type { InformationReportRequest } from '../xdlms/short-name.ts';
import { type PushBody, type PushItem, positional, readPushBody } from './body.ts';
import { LONGEST_MESSAGE } from './framing.ts';
import { decodeUntaggedNotification, type UntaggedNotification } from './untagged.ts';

export type PushContent =
  | { readonly kind: 'data-notification'; readonly apdu: DataNotification; readonly body: PushBody }
  /** A body that only the lenient reader understands. */
  | { readonly kind: 'untagged'; readonly apdu: UntaggedNotification; readonly body: PushBody }
  | { readonly kind: 'event-notification'; readonly apdu: EventNotificationRequest; readonly body: PushBody }
  | { readonly kind: 'information-report'; readonly apdu: InformationReportRequest; readonly body: PushBody }
  /** Any other APDU. */
  | { readonly kind: 'apdu'; readonly apdu: Apdu }
  /** ASCII, as some meters send it ciphered. */
  | { readonly kind: 'telegram'; readonly telegram: P1Telegram; readonly octets: Uint8Array };

export interface OpenedPush<Opened extends OpenedContent = OpenedContent> {
  readonly apdu: CipheredApdu;
  readonly opened: Opened;
}

export interface Push<Opened extends OpenedContent = OpenedContent> {
  readonly source: string;
  readonly content: PushContent;
  /** What protected it, the outermost first; empty when nothing did. */
  readonly protection: readonly OpenedPush<Opened>[];
  /** The blocks it came in, without their data; empty when it came whole. */
  readonly blocks: readonly PushBlock[];
  /** Octets behind the APDU that belong to nothing; null as a rule. */
  readonly trailing: Uint8Array | null;
}

export type PushBlock = Omit<GeneralBlockTransfer, 'apdu' | 'blockData'> & { readonly length: number };

export type PushEvent<Opened extends OpenedContent = OpenedContent> =
  | { readonly kind: 'push'; readonly push: Push<Opened> }
  /** The sender of blocks waits for this APDU. */
  | { readonly kind: 'acknowledge'; readonly source: string; readonly apdu: Uint8Array }
  | { readonly kind: 'failed'; readonly source: string; readonly error: BridgeError };

export interface PushReceiverSettings<Opened extends OpenedContent> {
  /**
   * Opens a ciphered APDU with the keys of whoever sent it; throws BridgeErrors. It may give null, as all of it may be null:
   * the APDU stays closed, it is the content.
   */
  readonly open: ((apdu: CipheredApdu, source: string) => Opened | null) | null;
}

/** Blocks that we take in a row from a sender that wants them acknowledged. */
const WINDOW = 63;
/** Protection in protection in blocks; real meters have two. */
const DEEPEST = 6;
const MOST_SOURCES = 16;
const BLOCK_TAG = 0xe0;

interface Layers<Opened extends OpenedContent> {
  readonly protection: readonly OpenedPush<Opened>[];
  readonly blocks: readonly PushBlock[];
  readonly depth: number;
}

interface BlocksUnderWay {
  readonly receiver: BlockReceiver;
  readonly blocks: PushBlock[];
  acknowledged: number;
}

export class PushReceiver<Opened extends OpenedContent = OpenedContent> {
  private readonly open: PushReceiverSettings<Opened>['open'];
  private readonly underWay = new Map<string, BlocksUnderWay>();

  constructor({ open }: PushReceiverSettings<Opened>) {
    this.open = open;
  }

  /** A message of one sender, with or without LLC headers. What cannot be read is told as `failed`; never throws for it. */
  take(source: string, octets: Uint8Array): PushEvent<Opened>[] {
    return this.read(source, octets, { protection: [], blocks: [], depth: 0 });
  }

  /** Gives up blocks that are under way: the line was silent for long, or the capture ends. */
  flush(): PushEvent<Opened>[] {
    const sources = [...this.underWay.keys()];
    this.underWay.clear();
    return sources.map((source) => failure(source, lostBlocks('the last blocks never came')));
  }

  private read(source: string, octets: Uint8Array, layers: Layers<Opened>): PushEvent<Opened>[] {
    const events: PushEvent<Opened>[] = [];
    let rest: Uint8Array | null = octets;
    while (rest !== null) {
      const { rest: message } = splitLlc(rest);
      rest = null;
      try {
        if (message.length === 0) fail('TRUNCATED', 'a message without an APDU', { layer: 'xdlms' });
        const { content, trailing } = decodeFirst(message);
        const follows = trailing !== null && isNextMessage(content, trailing);
        if (follows) rest = trailing;
        events.push(...this.takeOff(source, content, layers, follows ? null : trailing));
      } catch (thrown) {
        const error = asBridgeError(thrown);
        if (error.code === 'INTERNAL') throw thrown;
        events.push(failure(source, inside(layers, error)));
      }
    }
    return events;
  }

  /** One layer less, or the push. */
  private takeOff(
    source: string,
    content: PushContent,
    layers: Layers<Opened>,
    trailing: Uint8Array | null,
  ): PushEvent<Opened>[] {
    if (layers.depth > DEEPEST) fail('LIMIT_EXCEEDED', 'too many layers of protection and blocks', { layer: 'xdlms' });
    const depth = layers.depth + 1;
    if (content.kind === 'apdu') {
      const { apdu } = content;
      // Lengths stand in an outer layer: octets behind it show that they are wrong.
      if (trailing !== null)
        fail('TRAILING_BYTES', `${trailing.length} octets follow ${apdu.apdu}`, { layer: 'xdlms' });
      if (apdu.apdu === 'general-block-transfer') return this.takeBlock(source, apdu, { ...layers, depth });
      const opened = isCiphered(apdu) ? this.opened(apdu, source) : null;
      if (opened !== null) {
        const protection = [...layers.protection, opened];
        return this.read(source, opened.opened.plaintext, { ...layers, protection, depth });
      }
    }
    // Nothing vouches for octets that were decrypted without a tag but that they are all of an APDU.
    if (trailing !== null && isUnverified(layers)) {
      fail('TRAILING_BYTES', `${trailing.length} octets follow what was decrypted`, { layer: 'xdlms' });
    }
    const { protection, blocks } = layers;
    return [{ kind: 'push', push: { source, content, protection, blocks, trailing } }];
  }

  private opened(apdu: CipheredApdu, source: string): OpenedPush<Opened> | null {
    const opened = this.open?.(apdu, source) ?? null;
    return opened === null ? null : { apdu, opened };
  }

  private takeBlock(source: string, block: GeneralBlockTransfer, layers: Layers<Opened>): PushEvent<Opened>[] {
    const under = this.underWay.get(source) ?? newBlocks();
    const { outcome, acknowledge } = under.receiver.accept(block);
    const events: PushEvent<Opened>[] = [];
    if (acknowledge !== null) {
      under.acknowledged += 1;
      const apdu = encodeApdu(acknowledgementBlock(under.acknowledged, acknowledge));
      events.push({ kind: 'acknowledge', source, apdu });
    }
    if (outcome.kind === 'duplicate') return events;
    under.blocks.push(summaryOf(block));
    switch (outcome.kind) {
      case 'whole': {
        this.underWay.delete(source);
        const blocks = under.blocks.sort((a, b) => a.blockNumber - b.blockNumber);
        return [...events, ...this.read(source, outcome.octets, { ...layers, blocks })];
      }
      case 'conflict': {
        this.underWay.delete(source);
        if (!under.receiver.began) {
          return [...events, failure(source, lostBlocks(`block ${block.blockNumber} comes first`))];
        }
        events.push(failure(source, lostBlocks('another one begins')));
        return [...events, ...this.takeBlock(source, block, layers)];
      }
      case 'too-long': {
        this.underWay.delete(source);
        const message = `a push of more than ${LONGEST_MESSAGE} octets`;
        return [...events, failure(source, new BridgeError('LIMIT_EXCEEDED', message, { layer: 'xdlms' }))];
      }
      default:
        return [...events, ...this.keep(source, under)];
    }
  }

  private keep(source: string, under: BlocksUnderWay): PushEvent<Opened>[] {
    this.underWay.delete(source);
    this.underWay.set(source, under);
    const [oldest] = this.underWay.keys();
    if (this.underWay.size <= MOST_SOURCES || oldest === undefined) return [];
    this.underWay.delete(oldest);
    return [failure(oldest, lostBlocks('too many senders at once'))];
  }
}

function newBlocks(): BlocksUnderWay {
  return { receiver: new BlockReceiver({ limit: LONGEST_MESSAGE, window: WINDOW }), blocks: [], acknowledged: 0 };
}

function failure(source: string, error: BridgeError): { kind: 'failed'; source: string; error: BridgeError } {
  return { kind: 'failed', source, error };
}

function lostBlocks(reason: string): BridgeError {
  return new BridgeError('TRUNCATED', `a message in blocks is incomplete: ${reason}`, { layer: 'xdlms' });
}

function summaryOf({ apdu: _, blockData, ...header }: GeneralBlockTransfer): PushBlock {
  return { ...header, length: blockData.length };
}

/** APDUs of one message have an LLC header each; blocks follow one another without. */
export function isNextMessage(content: PushContent, trailing: Uint8Array): boolean {
  if (splitLlc(trailing).llc !== null) return true;
  const isBlock = content.kind === 'apdu' && content.apdu.apdu === 'general-block-transfer';
  return isBlock && trailing[0] === BLOCK_TAG;
}

/** Whether something was decrypted and no tag vouches for it. A signature that nobody verified hides and vouches for nothing. */
function isUnverified({ protection }: Layers<OpenedContent>): boolean {
  const telling = protection.findLast(
    ({ apdu, opened }) => opened.tagVerified === true || apdu.apdu !== 'general-signing',
  );
  return telling !== undefined && telling.opened.tagVerified !== true;
}

/** Octets that were decrypted without a verified tag and are nothing known: the key is wrong, not the meter. */
function inside(layers: Layers<OpenedContent>, error: BridgeError): BridgeError {
  const about: ReadonlySet<string> = new Set([
    'TRUNCATED',
    'MALFORMED',
    'TRAILING_BYTES',
    'LIMIT_EXCEEDED',
    'UNSUPPORTED',
  ]);
  if (!isUnverified(layers) || !about.has(error.code)) return error;
  return new BridgeError('DECRYPT_FAILED', 'what was decrypted is no push', { cause: error });
}

export function isCiphered(apdu: Apdu): apdu is CipheredApdu {
  return 'securityControl' in apdu || apdu.apdu === 'general-signing';
}

/** The content that octets begin with, and what follows it; null for nothing. Throws what `readApdu` and `readPushBody` do. */
export function decodeFirst(octets: Uint8Array): {
  readonly content: PushContent;
  readonly trailing: Uint8Array | null;
} {
  if (looksLikeTelegram(octets)) {
    return { content: { kind: 'telegram', telegram: decodeP1Telegram(octets), octets }, trailing: null };
  }
  const reader = new ByteReader(octets, 'xdlms');
  try {
    const apdu = readApdu(reader);
    return { content: contentOf(apdu), trailing: reader.remaining === 0 ? null : reader.rest() };
  } catch (error) {
    const untagged = error instanceof BridgeError ? untaggedIn(octets) : null;
    if (untagged === null) throw error;
    const body: PushBody = { layout: 'untagged-descriptors', items: untagged.items };
    return { content: { kind: 'untagged', apdu: untagged, body }, trailing: null };
  }
}

function untaggedIn(octets: Uint8Array): UntaggedNotification | null {
  try {
    return decodeUntaggedNotification(octets);
  } catch (error) {
    if (error instanceof BridgeError) return null;
    throw error;
  }
}

/** What an APDU says. Throws MALFORMED for a notification whose names and values do not match. */
export function contentOf(apdu: Apdu): PushContent {
  switch (apdu.apdu) {
    case 'data-notification':
      return { kind: apdu.apdu, apdu, body: readPushBody(apdu.body) };
    case 'event-notification-request': {
      const { classId, instanceId: obis, attributeId } = apdu.attribute;
      const attribute = { classId, attributeId, dataIndex: null };
      const items = [{ obis, attribute, data: apdu.value, scalerUnit: null, isList: false }];
      return { kind: 'event-notification', apdu, body: { layout: 'value', items } };
    }
    case 'informationReportRequest':
      return { kind: 'information-report', apdu, body: reportBody(apdu) };
    default:
      return { kind: 'apdu', apdu };
  }
}

/** One value for each variable; more or fewer would change places. */
function reportBody({ variables, data }: InformationReportRequest): PushBody {
  if (variables.length !== data.length) {
    fail('MALFORMED', `an informationReport with ${data.length} values for ${variables.length} variables`, {
      layer: 'xdlms',
    });
  }
  const items = data.map((value, index): PushItem => {
    const access = variables[index];
    const shortName = access !== undefined && 'variable-name' in access ? access['variable-name'] : null;
    return { ...positional(value), ...(shortName !== null && { shortName }) };
  });
  return { layout: 'flat', items };
}
