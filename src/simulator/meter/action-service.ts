/**
 * The ACTION service of a virtual meter (Green Book 9.3.12): normal, with-list, either of them in parameter blocks, and an
 * answer in blocks when it exceeds what the client can receive. The blocks of an answer carry what the answer has behind
 * its header: result and return parameters, or a list of them.
 */
import { ByteWriter } from '../../core/bytes.ts';
import { listOf, optional, sequence } from '../../dlms/axdr/codec.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { actionResult, actionResultCodec } from '../../dlms/xdlms/data-access-result.ts';
import { getResult } from '../../dlms/xdlms/elements.ts';
import type {
  ActionOutcome,
  ActionRequest,
  ActionResponse,
  Datablock,
  MethodReference,
} from '../../dlms/xdlms/services.ts';
import { callMethod } from './access.ts';
import { IncomingBlocks, OutgoingBlocks } from './block-transfer.ts';
import { leavesWhole, type ServiceLimits } from './get-service.ts';
import { type MeterContext, type ObjectDefinition, RESULT } from './object-model.ts';
import { valuesIn } from './set-service.ts';

const TRANSFER = { longActionAborted: 15, noLongActionInProgress: 16 } as const;

/** Octets of an action-response-with-pblock before the length of its raw data: tag, form, id, last, number. */
const BLOCK_HEADER = 8;

interface Target {
  readonly methods: readonly MethodReference[];
  readonly isList: boolean;
}

type Header = Pick<ActionResponse, 'apdu' | 'invokeIdAndPriority'>;

const outcomeCodec = sequence<ActionOutcome>({ result: actionResultCodec, returnParameters: optional(getResult) });

/** ACTION within one association: keeps the block transfers that are under way. */
export class ActionService {
  private readonly objects: readonly ObjectDefinition[];
  private readonly limits: ServiceLimits;
  private incoming: IncomingBlocks<Target> | null = null;
  private outgoing: OutgoingBlocks | null = null;

  constructor(objects: readonly ObjectDefinition[], limits: ServiceLimits) {
    this.objects = objects;
    this.limits = limits;
  }

  answer(request: ActionRequest, context: MeterContext): ActionResponse | 'pdu-too-long' {
    const header: Header = { apdu: 'action-response', invokeIdAndPriority: request.invokeIdAndPriority };
    if (request.type === 'next-pblock') return this.next(request.blockNumber, header);
    this.outgoing = null;
    if (request.type === 'with-pblock') return this.block(request, context, header);
    // A new request abandons the transfer of an older one.
    this.incoming = null;
    switch (request.type) {
      case 'normal':
        return this.fitting({ ...header, type: 'normal', ...this.call(request.method, request.parameters, context) });
      case 'with-list':
        return this.fitting({
          ...header,
          type: 'with-list',
          results: this.callAll(request.methods, request.parameters, context),
        });
      case 'with-first-pblock':
        this.incoming = new IncomingBlocks({ methods: [request.method], isList: false });
        return this.block(request, context, header);
      case 'with-list-and-first-pblock':
        this.incoming = new IncomingBlocks({ methods: request.methods, isList: true });
        return this.block(request, context, header);
    }
  }

  private block(block: Datablock, context: MeterContext, header: Header): ActionResponse | 'pdu-too-long' {
    const { incoming } = this;
    if (incoming === null) return failed(header, TRANSFER.noLongActionInProgress);
    const taken = incoming.take(block);
    if (taken.kind === 'partial') return { ...header, type: 'next-pblock', blockNumber: block.blockNumber };
    this.incoming = null;
    if (taken.kind !== 'whole') return failed(header, TRANSFER.longActionAborted);
    const { methods, isList } = incoming.target;
    const results = this.callAll(methods, valuesIn(taken.octets, isList), context);
    if (isList) return this.fitting({ ...header, type: 'with-list', results });
    return this.fitting({ ...header, type: 'normal', ...(results[0] ?? outcome(RESULT.otherReason)) });
  }

  /** A method for which no parameters came is not called. */
  private callAll(methods: readonly MethodReference[], parameters: readonly Data[], context: MeterContext) {
    return methods.map((method, index) => {
      const data = parameters[index];
      return data === undefined ? outcome(RESULT.otherReason) : this.call(method, data, context);
    });
  }

  private call(method: MethodReference, parameters: Data | null, context: MeterContext): ActionOutcome {
    const { result, returned } = callMethod(this.objects, method, parameters, context);
    return outcome(result, returned);
  }

  /** The response itself when it fits, else its first block. */
  private fitting(
    response: Extract<ActionResponse, { type: 'normal' | 'with-list' }>,
  ): ActionResponse | 'pdu-too-long' {
    const { maxSendPdu, blockTransfer } = this.limits;
    if (leavesWhole(encodeApdu(response).length, this.limits)) return response;
    if (!blockTransfer) return 'pdu-too-long';
    const writer = new ByteWriter(1024);
    if (response.type === 'normal') outcomeCodec.encode(writer, response);
    else listOf(outcomeCodec).encode(writer, response.results);
    this.outgoing = new OutgoingBlocks(writer.finish(), maxSendPdu, BLOCK_HEADER);
    const { apdu, invokeIdAndPriority } = response;
    return { apdu, invokeIdAndPriority, type: 'with-pblock', ...this.outgoing.next() };
  }

  private next(blockNumber: number, header: Header): ActionResponse {
    const { outgoing } = this;
    if (outgoing === null) return failed(header, TRANSFER.noLongActionInProgress);
    this.outgoing = null;
    if (blockNumber !== outgoing.blockNumber) return failed(header, TRANSFER.longActionAborted);
    const block = outgoing.next();
    if (!block.lastBlock) this.outgoing = outgoing;
    return { ...header, type: 'with-pblock', ...block };
  }
}

function outcome(result: number, returned: Data | null = null): ActionOutcome {
  return { result: actionResult(result), returnParameters: returned === null ? null : { data: returned } };
}

function failed(header: Header, result: number): ActionResponse {
  return { ...header, type: 'normal', ...outcome(result) };
}
