/**
 * The GET service of a virtual meter (Green Book 9.3.10, 9.4.6.5): normal, with-list, and block transfer of either when
 * the answer exceeds what the client can receive.
 */
import { ByteWriter } from '../../core/bytes.ts';
import { listOf } from '../../dlms/axdr/codec.ts';
import { dataBytes } from '../../dlms/axdr/data.ts';
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { dataAccessResult } from '../../dlms/xdlms/data-access-result.ts';
import { getResult } from '../../dlms/xdlms/elements.ts';
import type { AttributeSelection, GetRequest, GetResponse, GetResult } from '../../dlms/xdlms/services.ts';
import { readAttribute } from './access.ts';
import { OutgoingBlocks } from './block-transfer.ts';
import type { MeterContext, ObjectDefinition } from './object-model.ts';

/** A register's value as it stands in an answer. */
export interface SaidValue {
  readonly obis: string;
  readonly classId: number;
  readonly attribute: number;
  readonly value: string;
}

export interface GetAnswer {
  readonly response: GetResponse;
  /** What the client knows once it has this answer; with block transfer once it has the last block. */
  readonly said: readonly SaidValue[];
}

/** The answer is longer than the client can receive, and block transfer was not negotiated. */
export type GetOutcome = GetAnswer | 'pdu-too-long';

const TRANSFER = { noLongGetInProgress: 16, dataBlockNumberInvalid: 19 } as const;

/** Octets of a get-response-with-datablock before the length of its raw data: tag, form, id, last, number, choice. */
const BLOCK_HEADER = 9;

interface Transfer {
  readonly blocks: OutgoingBlocks;
  readonly said: readonly SaidValue[];
}

export interface ServiceLimits {
  /** Octets of an APDU that the meter may send. */
  readonly maxSendPdu: number;
  readonly blockTransfer: boolean;
  /** General block transfer takes what is too long and has no blocks of its own. */
  readonly generalBlocks: boolean;
}

/** Whether an answer leaves the services whole. */
export function leavesWhole(octets: number, { maxSendPdu, blockTransfer, generalBlocks }: ServiceLimits): boolean {
  return octets <= maxSendPdu || (generalBlocks && !blockTransfer);
}

/** GET within one association: keeps the block transfer that is under way. */
export class GetService {
  private readonly objects: readonly ObjectDefinition[];
  private readonly limits: ServiceLimits;
  private transfer: Transfer | null = null;

  constructor(objects: readonly ObjectDefinition[], limits: ServiceLimits) {
    this.objects = objects;
    this.limits = limits;
  }

  answer(request: GetRequest, context: MeterContext): GetOutcome {
    if (request.type === 'next') return this.next(request);
    // A new request abandons the transfer of an older one.
    this.transfer = null;
    const { invokeIdAndPriority } = request;
    const said: SaidValue[] = [];
    if (request.type === 'normal') {
      const selection = { ...request.attribute, accessSelection: request.accessSelection };
      const result = this.read(selection, context, said);
      const response: GetResponse = { apdu: 'get-response', type: 'normal', invokeIdAndPriority, result };
      return this.fitting(response, said, () => ('data' in result ? dataBytes(result.data) : new Uint8Array(0)));
    }
    const results = request.attributes.map((selection) => this.read(selection, context, said));
    const response: GetResponse = { apdu: 'get-response', type: 'with-list', invokeIdAndPriority, results };
    return this.fitting(response, said, () => listBytes(results));
  }

  private read(selection: AttributeSelection, context: MeterContext, said: SaidValue[]): GetResult {
    const result = readAttribute(this.objects, selection, context);
    if ('refused' in result) return { dataAccessResult: dataAccessResult(result.refused) };
    if (result.said !== null) {
      const { instanceId: obis, classId, attributeId: attribute } = selection;
      said.push({ obis, classId, attribute, value: result.said });
    }
    return { data: result.data };
  }

  /** The response itself when it fits, else its first block; `contents` gives what the blocks carry. */
  private fitting(response: GetResponse, said: readonly SaidValue[], contents: () => Uint8Array): GetOutcome {
    const { maxSendPdu, blockTransfer } = this.limits;
    if (leavesWhole(encodeApdu(response).length, this.limits)) return { response, said };
    if (!blockTransfer) return 'pdu-too-long';
    this.transfer = { blocks: new OutgoingBlocks(contents(), maxSendPdu, BLOCK_HEADER), said };
    return this.nextBlock(this.transfer, response.invokeIdAndPriority);
  }

  private next({ blockNumber, invokeIdAndPriority }: Extract<GetRequest, { type: 'next' }>): GetAnswer {
    const { transfer } = this;
    if (transfer !== null && blockNumber === transfer.blocks.blockNumber)
      return this.nextBlock(transfer, invokeIdAndPriority);
    this.transfer = null;
    const code = transfer === null ? TRANSFER.noLongGetInProgress : TRANSFER.dataBlockNumberInvalid;
    return {
      response: {
        apdu: 'get-response',
        type: 'with-datablock',
        invokeIdAndPriority,
        lastBlock: true,
        blockNumber,
        dataAccessResult: dataAccessResult(code),
      },
      said: [],
    };
  }

  private nextBlock(transfer: Transfer, invokeIdAndPriority: GetRequest['invokeIdAndPriority']): GetAnswer {
    const block = transfer.blocks.next();
    if (block.lastBlock) this.transfer = null;
    return {
      response: { apdu: 'get-response', type: 'with-datablock', invokeIdAndPriority, ...block },
      said: block.lastBlock ? transfer.said : [],
    };
  }
}

/** SEQUENCE OF Get-Data-Result: what the blocks of a list's answer carry. */
function listBytes(results: readonly GetResult[]): Uint8Array {
  const writer = new ByteWriter(1024);
  listOf(getResult).encode(writer, results);
  return writer.finish();
}
