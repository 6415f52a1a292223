/**
 * The client's application association with a meter, sans I/O: takes what the application wants and the APDUs that
 * arrive, gives the APDUs to send and what happened (Green Book 9.3.4 COSEM-OPEN, 9.3.5 COSEM-RELEASE, 9.3.10 GET).
 *
 * States
 *   closed       no association.
 *   associating  AARQ sent, AARE awaited.
 *   associated   stands; nothing is under way.
 *   requesting   one confirmed service is under way. Block transfer is part of it: each block received makes a new
 *                request for the next one, until the last block has come.
 *   releasing    RLRQ sent, RLRE awaited.
 *
 * One confirmed service at a time. Whatever arrives that the table has no place for ends nothing: an unsolicited APDU
 * is handed out, an answer to a request that was given up is ignored.
 */
import { ByteReader, concat } from '../core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { decodeAcse } from './acse/acse.ts';
import { associationError } from './acse/diagnostics.ts';
import {
  type AgreedContext,
  aarqBytes,
  agreedContextOf,
  furtherAuthenticationError,
  rlrqBytes,
} from './association-open.ts';
import { listOf } from './axdr/codec.ts';
import { parseData } from './axdr/data.ts';
import type { MeterSecrets, MeterSettings } from './settings.ts';
import { type Apdu, decodeApdu, encodeApdu } from './xdlms/apdu.ts';
import { dataAccessError } from './xdlms/data-access-result.ts';
import { getResult } from './xdlms/elements.ts';
import { invokeIdAndPriority } from './xdlms/invoke-id.ts';
import { endsAssociation, responseError } from './xdlms/response-error.ts';
import type { AttributeReference, GetResponse, GetResult } from './xdlms/services.ts';

export type AssociationState = 'closed' | 'associating' | 'associated' | 'requesting' | 'releasing';
type AssociationInput =
  | 'open'
  | 'accepted'
  | 'refused'
  | 'request'
  | 'block'
  | 'answered'
  | 'release'
  | 'released'
  | 'lost';

const TRANSITIONS: Readonly<Record<AssociationState, Partial<Record<AssociationInput, AssociationState>>>> = {
  closed: { open: 'associating', lost: 'closed' },
  associating: { accepted: 'associated', refused: 'closed', lost: 'closed' },
  associated: { request: 'requesting', release: 'releasing', lost: 'closed' },
  requesting: { block: 'requesting', answered: 'associated', lost: 'closed' },
  releasing: { released: 'closed', lost: 'closed' },
};

export type AssociationEvent =
  | { readonly kind: 'associated'; readonly negotiated: AgreedContext }
  /** The meter refused the association. */
  | { readonly kind: 'refused'; readonly error: BridgeError }
  /** One result for each attribute asked for, in order. */
  | { readonly kind: 'answered'; readonly results: readonly GetResult[] }
  /** The service was refused as a whole; the association stands. */
  | { readonly kind: 'failed'; readonly error: BridgeError }
  /** The association is gone. */
  | { readonly kind: 'lost'; readonly error: BridgeError }
  | { readonly kind: 'released' }
  /** A notification between request and answer. */
  | { readonly kind: 'unsolicited'; readonly apdu: Apdu };

export interface AssociationStep {
  readonly send: Uint8Array | null;
  readonly event: AssociationEvent | null;
}

/** The service under way. */
interface Request {
  readonly attributes: readonly AttributeReference[];
  readonly invokeId: number;
  readonly blocks: Uint8Array[];
  octets: number;
  /** The number the next block must have; null before the first, which some meters number 0. */
  nextBlock: number | null;
}

const IGNORED: AssociationStep = { send: null, event: null };
/** Blocks of one answer together; a year of quarter hours with 20 columns is about 4 MB. */
const LONGEST_ANSWER = 16 * 1024 * 1024;
const UNSOLICITED: ReadonlySet<string> = new Set([
  'data-notification',
  'event-notification-request',
  'informationReport',
]);

export class AssociationClient {
  private readonly settings: MeterSettings;
  private readonly secrets: MeterSecrets;
  private current: AssociationState = 'closed';
  private agreed: AgreedContext | null = null;
  private request: Request | null = null;
  private invokeId = 0;
  /** Invoke ids that came back as sent; two different ones show that this meter echoes them. */
  private readonly echoed = new Set<number>();

  constructor(settings: MeterSettings, secrets: MeterSecrets) {
    this.settings = settings;
    this.secrets = secrets;
  }

  get state(): AssociationState {
    return this.current;
  }

  /** What was agreed in the AARE; null while there is no association. */
  get negotiated(): AgreedContext | null {
    return this.agreed;
  }

  /** The AARQ. */
  open(): Uint8Array {
    const bytes = aarqBytes(this.settings, this.secrets);
    this.move('open');
    return bytes;
  }

  /** A GET of one attribute, or of several with-list. Throws SERVICE_NOT_GRANTED, PDU_TOO_SMALL. */
  get(attributes: readonly AttributeReference[]): Uint8Array {
    const [attribute] = attributes;
    if (attribute === undefined) return fail('INTERNAL', 'a GET of nothing', { layer: 'xdlms' });
    this.requireGranted('get');
    if (attributes.length > 1) this.requireGranted('multiple-references');
    const invokeId = (this.invokeId + 1) & 0x0f;
    const header = { apdu: 'get-request', invokeIdAndPriority: invokeIdAndPriority(invokeId) } as const;
    const bytes = encodeApdu(
      attributes.length === 1
        ? { ...header, type: 'normal', attribute, accessSelection: null }
        : { ...header, type: 'with-list', attributes: attributes.map((one) => ({ ...one, accessSelection: null })) },
    );
    const limit = this.agreed?.serverMaxReceivePduSize ?? 0;
    if (limit > 0 && bytes.length > limit) {
      fail(
        'PDU_TOO_SMALL',
        `a GET of ${attributes.length} attributes takes ${bytes.length} octets, the meter takes ${limit}`,
      );
    }
    this.move('request');
    this.invokeId = invokeId;
    this.request = { attributes, invokeId, blocks: [], octets: 0, nextBlock: null };
    return bytes;
  }

  /** The RLRQ. */
  release(): Uint8Array {
    this.move('release');
    return rlrqBytes();
  }

  /** The line or the link below is gone. */
  lost(): void {
    this.move('lost');
    this.agreed = null;
    this.request = null;
  }

  /** One APDU from the meter. Malformed ones lose the association: nothing after them can be trusted. */
  receive(bytes: Uint8Array): AssociationStep {
    try {
      switch (this.current) {
        case 'closed':
          return IGNORED;
        case 'associating':
          return this.onAssociating(bytes);
        case 'releasing':
          return this.onReleasing();
        case 'associated':
        case 'requesting':
          return this.onService(decodeApdu(bytes));
      }
    } catch (thrown) {
      return this.loseTo(asBridgeError(thrown));
    }
  }

  private onAssociating(bytes: Uint8Array): AssociationStep {
    const answer = decodeAcse(bytes);
    if (answer.apdu !== 'aare') {
      return this.loseTo(
        new BridgeError('UNEXPECTED_RESPONSE', `${answer.apdu} where an AARE was awaited`, { layer: 'acse' }),
      );
    }
    const error = associationError(answer) ?? furtherAuthenticationError(answer);
    if (error !== null) {
      this.move('refused');
      return { send: null, event: { kind: 'refused', error } };
    }
    this.agreed = agreedContextOf(answer);
    this.move('accepted');
    return { send: null, event: { kind: 'associated', negotiated: this.agreed } };
  }

  /** Whatever answers an RLRQ, the association is over: some meters answer with wrong lengths, some with an exception. */
  private onReleasing(): AssociationStep {
    this.move('released');
    this.agreed = null;
    return { send: null, event: { kind: 'released' } };
  }

  private onService(apdu: Apdu): AssociationStep {
    if (UNSOLICITED.has(apdu.apdu)) return { send: null, event: { kind: 'unsolicited', apdu } };
    if (this.request === null) return IGNORED;
    if (apdu.apdu === 'get-response') return this.onGetResponse(this.request, apdu);
    const error = responseError(apdu);
    return endsAssociation(error, this.request.attributes.length > 1) ? this.loseTo(error) : this.failWith(error);
  }

  private onGetResponse(request: Request, response: GetResponse): AssociationStep {
    if (this.isStale(request, response.invokeIdAndPriority.invokeId)) return IGNORED;
    const asked = request.attributes.length;
    switch (response.type) {
      case 'normal': {
        if (asked === 1) return this.answer([response.result]);
        const { result } = response;
        return 'dataAccessResult' in result
          ? this.failWith(dataAccessError(result.dataAccessResult.code, 'the list'))
          : this.loseTo(unexpected('one value for a list'));
      }
      case 'with-list':
        return response.results.length === asked
          ? this.answer(response.results)
          : this.loseTo(unexpected(`${response.results.length} results for ${asked} attributes`));
      case 'with-datablock':
        return this.onBlock(request, response);
    }
  }

  private onBlock(request: Request, block: Extract<GetResponse, { type: 'with-datablock' }>): AssociationStep {
    if ('dataAccessResult' in block) {
      const { dataAccessResult } = block;
      return request.attributes.length === 1
        ? this.answer([{ dataAccessResult }])
        : this.failWith(dataAccessError(dataAccessResult.code, 'the list'));
    }
    const { blockNumber, rawData, lastBlock } = block;
    const inSequence = request.nextBlock === null ? blockNumber <= 1 : blockNumber === request.nextBlock;
    if (!inSequence) return this.loseTo(unexpected(`block ${blockNumber} where ${request.nextBlock ?? 1} was awaited`));
    request.octets += rawData.length;
    if (request.octets > LONGEST_ANSWER)
      return this.loseTo(
        new BridgeError('LIMIT_EXCEEDED', `an answer of more than ${LONGEST_ANSWER} octets`, { layer: 'xdlms' }),
      );
    request.blocks.push(rawData.slice());
    request.nextBlock = blockNumber + 1;
    if (!lastBlock) {
      this.move('block');
      const next = encodeApdu({
        apdu: 'get-request',
        type: 'next',
        invokeIdAndPriority: invokeIdAndPriority(request.invokeId),
        blockNumber,
      });
      return { send: next, event: null };
    }
    const whole = concat(request.blocks);
    if (request.attributes.length === 1) return this.answer([{ data: parseData(whole) }]);
    const results = joinedResults(whole);
    return results.length === request.attributes.length
      ? this.answer(results)
      : this.loseTo(unexpected(`${results.length} results for ${request.attributes.length} attributes`));
  }

  /** An answer to an earlier request, from a meter that is known to echo invoke ids; others answer with whatever they like. */
  private isStale(request: Request, invokeId: number): boolean {
    if (invokeId === request.invokeId) {
      this.echoed.add(invokeId);
      return false;
    }
    return this.echoed.size > 1;
  }

  private answer(results: readonly GetResult[]): AssociationStep {
    this.move('answered');
    this.request = null;
    return { send: null, event: { kind: 'answered', results } };
  }

  private failWith(error: BridgeError): AssociationStep {
    this.move('answered');
    this.request = null;
    return { send: null, event: { kind: 'failed', error } };
  }

  private loseTo(error: BridgeError): AssociationStep {
    this.lost();
    return { send: null, event: { kind: 'lost', error } };
  }

  private requireGranted(bit: 'get' | 'multiple-references'): void {
    if (this.agreed === null || !this.agreed.conformance.bits.includes(bit)) {
      fail('SERVICE_NOT_GRANTED', `the meter did not grant "${bit}" to this client`);
    }
  }

  private move(input: AssociationInput): void {
    this.current =
      TRANSITIONS[this.current][input] ??
      fail('INTERNAL', `association: ${input} while ${this.current}`, { layer: 'acse' });
  }
}

/** The blocks of a GET-with-list joined: a count and that many Get-Data-Results. */
function joinedResults(whole: Uint8Array): readonly GetResult[] {
  const reader = new ByteReader(whole, 'xdlms');
  const results = listOf(getResult).decode(reader);
  reader.expectEnd('list of results');
  return results;
}

function unexpected(what: string): BridgeError {
  return new BridgeError('UNEXPECTED_RESPONSE', what);
}
