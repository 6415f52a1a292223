/** SET (Green Book 9.3.11): normal, with-list, and in blocks where the request is larger than the meter takes. */
import { fail } from '../../core/errors.ts';
import { type Data, dataBytes } from '../axdr/data.ts';
import { type Apdu, encodeApdu } from '../xdlms/apdu.ts';
import { type DataAccessResult, dataAccessError } from '../xdlms/data-access-result.ts';
import type { InvokeIdAndPriority } from '../xdlms/invoke-id.ts';
import type { AttributeSelection, SetRequest, SetResponse } from '../xdlms/services.ts';
import { BlockCutter, encodedForBlocks } from './blocks.ts';
import {
  type ExchangeContext,
  type ExchangeStep,
  goesWhole,
  lostTo,
  ResultSlot,
  type ServiceExchange,
} from './exchange.ts';

export interface AttributeValue extends AttributeSelection {
  readonly value: Data;
}

/** Octets of a set-request with-datablock around its block: tag, form, invoke id. */
const AROUND_BLOCK = 3;

const SUCCESS = 0;

/** Writes one attribute, or several at once; one result for each, in order. */
export class SetExchange implements ServiceExchange<readonly DataAccessResult[]> {
  readonly answers = 'set-response';
  private readonly values: readonly AttributeValue[];
  private readonly slot = new ResultSlot<readonly DataAccessResult[]>();
  private invokeIdAndPriority: InvokeIdAndPriority | null = null;
  private blocks: BlockCutter | null = null;

  constructor(values: readonly AttributeValue[]) {
    this.values = values;
  }

  get isList(): boolean {
    return this.values.length > 1;
  }

  get result(): readonly DataAccessResult[] {
    return this.slot.get();
  }

  begin(context: ExchangeContext): Apdu {
    const { invokeIdAndPriority, maxRequestPdu, firstBlock, require } = context;
    require('set');
    if (this.isList) require('multiple-references');
    if (this.values.some(({ accessSelection }) => accessSelection !== null)) require('selective-access');
    const whole = this.request(invokeIdAndPriority);
    this.invokeIdAndPriority = invokeIdAndPriority;
    if (goesWhole(encodeApdu(whole).length, context, 'block-transfer-with-set-or-write')) return whole;
    this.blocks = new BlockCutter(
      encodedForBlocks(
        this.values.map(({ value }) => dataBytes(value)),
        this.isList,
      ),
      maxRequestPdu,
      firstBlock,
    );
    return this.firstBlock(this.blocks, invokeIdAndPriority);
  }

  private request(invokeIdAndPriority: InvokeIdAndPriority): SetRequest {
    const header = { apdu: 'set-request', invokeIdAndPriority } as const;
    if (this.isList) {
      return {
        ...header,
        type: 'with-list',
        attributes: this.attributes(),
        values: this.values.map(({ value }) => value),
      };
    }
    const { accessSelection, value, ...attribute } = this.first();
    return { ...header, type: 'normal', attribute, accessSelection, value };
  }

  private first(): AttributeValue {
    return this.values[0] ?? fail('INTERNAL', 'a SET of nothing', { layer: 'xdlms' });
  }

  private attributes(): AttributeSelection[] {
    return this.values.map(({ value: _, ...attribute }) => attribute);
  }

  private firstBlock(blocks: BlockCutter, invokeIdAndPriority: InvokeIdAndPriority): SetRequest {
    const header = { apdu: 'set-request', invokeIdAndPriority } as const;
    const empty = { lastBlock: false, blockNumber: 1, rawData: new Uint8Array(0) };
    const { accessSelection, value: _, ...attribute } = this.first();
    const form = this.isList
      ? ({ ...header, type: 'with-list-and-first-datablock', attributes: this.attributes() } as const)
      : ({ ...header, type: 'with-first-datablock', attribute, accessSelection } as const);
    return { ...form, ...blocks.cut(encodeApdu({ ...form, ...empty }).length) };
  }

  receive(apdu: Apdu): ExchangeStep {
    const response = apdu as SetResponse;
    switch (response.type) {
      case 'normal':
        return this.onNormal(response.result);
      case 'with-list':
      case 'last-datablock-with-list':
        return this.onResults(response.results);
      case 'last-datablock':
        return this.onNormal(response.result);
      case 'datablock':
        return this.onAcknowledged(response.blockNumber);
    }
  }

  private onNormal(result: DataAccessResult): ExchangeStep {
    if (!this.isList) return this.slot.set([result]);
    if (result.code === SUCCESS) return lostTo('one success for a list');
    return { kind: 'failed', error: dataAccessError(result.code, 'the list') };
  }

  private onResults(results: readonly DataAccessResult[]): ExchangeStep {
    const asked = this.values.length;
    return results.length === asked
      ? this.slot.set(results)
      : lostTo(`${results.length} results for ${asked} attributes`);
  }

  private onAcknowledged(blockNumber: number): ExchangeStep {
    const { invokeIdAndPriority } = this;
    const block = this.blocks?.after(blockNumber, AROUND_BLOCK) ?? null;
    if (block === null || invokeIdAndPriority === null)
      return lostTo(`block ${blockNumber} acknowledged, which was not sent last`);
    return { kind: 'send', apdu: { apdu: 'set-request', type: 'with-datablock', invokeIdAndPriority, ...block } };
  }
}
