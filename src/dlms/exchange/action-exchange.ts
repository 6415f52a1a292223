/** ACTION (Green Book 9.3.12): normal, with-list, and in blocks both ways. */
import { ByteReader } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { listOf, optional, sequence } from '../axdr/codec.ts';
import { type Data, dataBytes } from '../axdr/data.ts';
import { NULL_DATA } from '../axdr/scalar.ts';
import { type Apdu, encodeApdu } from '../xdlms/apdu.ts';
import { actionResultCodec } from '../xdlms/data-access-result.ts';
import { getResult } from '../xdlms/elements.ts';
import type { InvokeIdAndPriority } from '../xdlms/invoke-id.ts';
import type { ActionOutcome, ActionRequest, ActionResponse, MethodReference } from '../xdlms/services.ts';
import { BlockCutter, BlockJoiner, encodedForBlocks } from './blocks.ts';
import {
  type ExchangeContext,
  type ExchangeStep,
  goesWhole,
  lostTo,
  ResultSlot,
  type ServiceExchange,
} from './exchange.ts';

export interface MethodCall {
  readonly method: MethodReference;
  /** null where the method takes none. */
  readonly parameters: Data | null;
}

/** Octets of an action-request with-pblock around its block. */
const AROUND_BLOCK = 3;

const outcome = sequence<ActionOutcome>({ result: actionResultCodec, returnParameters: optional(getResult) });

/** Invokes one method, or several at once; one outcome for each, in order. */
export class ActionExchange implements ServiceExchange<readonly ActionOutcome[]> {
  readonly answers = 'action-response';
  private readonly calls: readonly MethodCall[];
  private readonly slot = new ResultSlot<readonly ActionOutcome[]>();
  private readonly received = new BlockJoiner();
  private invokeIdAndPriority: InvokeIdAndPriority | null = null;
  private blocks: BlockCutter | null = null;

  constructor(calls: readonly MethodCall[]) {
    this.calls = calls;
  }

  get isList(): boolean {
    return this.calls.length > 1;
  }

  get result(): readonly ActionOutcome[] {
    return this.slot.get();
  }

  begin(context: ExchangeContext): Apdu {
    const { invokeIdAndPriority, maxRequestPdu, firstBlock, require } = context;
    require('action');
    if (this.isList) require('multiple-references');
    const whole = this.request(invokeIdAndPriority);
    this.invokeIdAndPriority = invokeIdAndPriority;
    if (goesWhole(encodeApdu(whole).length, context, 'block-transfer-with-action')) return whole;
    this.blocks = new BlockCutter(
      encodedForBlocks(
        this.calls.map((call) => dataBytes(call.parameters ?? NULL_DATA)),
        this.isList,
      ),
      maxRequestPdu,
      firstBlock,
    );
    return this.firstBlock(this.blocks, invokeIdAndPriority);
  }

  private request(invokeIdAndPriority: InvokeIdAndPriority): ActionRequest {
    const header = { apdu: 'action-request', invokeIdAndPriority } as const;
    if (!this.isList) return { ...header, type: 'normal', ...this.first() };
    const methods = this.calls.map(({ method }) => method);
    return {
      ...header,
      type: 'with-list',
      methods,
      parameters: this.calls.map(({ parameters }) => parameters ?? NULL_DATA),
    };
  }

  private first(): MethodCall {
    return this.calls[0] ?? fail('INTERNAL', 'an ACTION of nothing', { layer: 'xdlms' });
  }

  private firstBlock(blocks: BlockCutter, invokeIdAndPriority: InvokeIdAndPriority): ActionRequest {
    const header = { apdu: 'action-request', invokeIdAndPriority } as const;
    const empty = { lastBlock: false, blockNumber: 1, rawData: new Uint8Array(0) };
    const form = this.isList
      ? ({ ...header, type: 'with-list-and-first-pblock', methods: this.calls.map(({ method }) => method) } as const)
      : ({ ...header, type: 'with-first-pblock', method: this.first().method } as const);
    return { ...form, ...blocks.cut(encodeApdu({ ...form, ...empty }).length) };
  }

  receive(apdu: Apdu): ExchangeStep {
    const response = apdu as ActionResponse;
    switch (response.type) {
      case 'normal': {
        if (this.isList) return lostTo('one outcome for a list');
        const { result, returnParameters } = response;
        return this.slot.set([{ result, returnParameters }]);
      }
      case 'with-list':
        return this.onOutcomes(response.results);
      case 'next-pblock':
        return this.onAcknowledged(response.blockNumber);
      case 'with-pblock':
        return this.onBlock(response);
    }
  }

  private onOutcomes(outcomes: readonly ActionOutcome[]): ExchangeStep {
    const asked = this.calls.length;
    return outcomes.length === asked
      ? this.slot.set(outcomes)
      : lostTo(`${outcomes.length} outcomes for ${asked} methods`);
  }

  private onAcknowledged(blockNumber: number): ExchangeStep {
    const { invokeIdAndPriority } = this;
    const block = this.blocks?.after(blockNumber, AROUND_BLOCK) ?? null;
    if (block === null || invokeIdAndPriority === null)
      return lostTo(`block ${blockNumber} acknowledged, which was not sent last`);
    return { kind: 'send', apdu: { apdu: 'action-request', type: 'with-pblock', invokeIdAndPriority, ...block } };
  }

  private onBlock(block: Extract<ActionResponse, { type: 'with-pblock' }>): ExchangeStep {
    const { blockNumber, lastBlock } = block;
    if (!this.received.add(block)) return lostTo(`block ${blockNumber} where ${this.received.awaited} was awaited`);
    if (lastBlock) return this.onOutcomes(joinedOutcomes(this.received.joined(), this.isList));
    const invokeIdAndPriority =
      this.invokeIdAndPriority ?? fail('INTERNAL', 'a block before the request', { layer: 'xdlms' });
    return { kind: 'send', apdu: { apdu: 'action-request', type: 'next-pblock', invokeIdAndPriority, blockNumber } };
  }
}

function joinedOutcomes(whole: Uint8Array, isList: boolean): readonly ActionOutcome[] {
  const reader = new ByteReader(whole, 'xdlms');
  const outcomes = isList ? listOf(outcome).decode(reader) : [outcome.decode(reader)];
  reader.expectEnd('outcome');
  return outcomes;
}
