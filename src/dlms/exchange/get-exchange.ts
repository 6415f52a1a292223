/** GET (Green Book 9.3.10): normal, with-list, and the blocks of a long answer. */
import { ByteReader } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { listOf } from '../axdr/codec.ts';
import { type Data, parseData } from '../axdr/data.ts';
import { type Apdu, encodeApdu } from '../xdlms/apdu.ts';
import { dataAccessError } from '../xdlms/data-access-result.ts';
import { getResult } from '../xdlms/elements.ts';
import type { InvokeIdAndPriority } from '../xdlms/invoke-id.ts';
import type { AttributeSelection, GetRequest, GetResponse, GetResult } from '../xdlms/services.ts';
import { BlockJoiner } from './blocks.ts';
import {
  type ExchangeContext,
  type ExchangeStep,
  lostTo,
  ResultSlot,
  requireRoom,
  type ServiceExchange,
} from './exchange.ts';

/** Reads one attribute, or several at once; one result for each, in order. */
export class GetExchange implements ServiceExchange<readonly GetResult[]> {
  readonly answers = 'get-response';
  private readonly attributes: readonly AttributeSelection[];
  private readonly blocks = new BlockJoiner();
  private readonly slot = new ResultSlot<readonly GetResult[]>();
  private readonly parse: (octets: Uint8Array) => Data;
  private invokeIdAndPriority: InvokeIdAndPriority | null = null;

  /** @param parse what the joined blocks of a single value come to. */
  constructor(attributes: readonly AttributeSelection[], parse = parseData) {
    this.attributes = attributes;
    this.parse = parse;
  }

  get isList(): boolean {
    return this.attributes.length > 1;
  }

  get result(): readonly GetResult[] {
    return this.slot.get();
  }

  begin(context: ExchangeContext): Apdu {
    const { invokeIdAndPriority, require } = context;
    require('get');
    if (this.isList) require('multiple-references');
    if (this.attributes.some(({ accessSelection }) => accessSelection !== null)) require('selective-access');
    const request = this.request(invokeIdAndPriority);
    requireRoom(encodeApdu(request).length, context, `a GET of ${this.attributes.length} attributes`);
    this.invokeIdAndPriority = invokeIdAndPriority;
    return request;
  }

  private request(invokeIdAndPriority: InvokeIdAndPriority): GetRequest {
    const [first] = this.attributes;
    if (first === undefined) return fail('INTERNAL', 'a GET of nothing', { layer: 'xdlms' });
    const header = { apdu: 'get-request', invokeIdAndPriority } as const;
    if (this.isList) return { ...header, type: 'with-list', attributes: this.attributes };
    const { accessSelection, ...attribute } = first;
    return { ...header, type: 'normal', attribute, accessSelection };
  }

  receive(apdu: Apdu): ExchangeStep {
    const response = apdu as GetResponse;
    switch (response.type) {
      case 'normal':
        return this.onNormal(response.result);
      case 'with-list':
        return this.onResults(response.results);
      case 'with-datablock':
        return this.onBlock(response);
    }
  }

  private onNormal(result: GetResult): ExchangeStep {
    if (!this.isList) return this.slot.set([result]);
    if ('data' in result) return lostTo('one value for a list');
    return { kind: 'failed', error: dataAccessError(result.dataAccessResult.code, 'the list') };
  }

  private onResults(results: readonly GetResult[]): ExchangeStep {
    const asked = this.attributes.length;
    return results.length === asked
      ? this.slot.set(results)
      : lostTo(`${results.length} results for ${asked} attributes`);
  }

  private onBlock(block: Extract<GetResponse, { type: 'with-datablock' }>): ExchangeStep {
    if ('dataAccessResult' in block) return this.onNormal({ dataAccessResult: block.dataAccessResult });
    const { blockNumber, lastBlock } = block;
    if (!this.blocks.add(block)) return lostTo(`block ${blockNumber} where ${this.blocks.awaited} was awaited`);
    if (lastBlock) {
      const whole = this.blocks.joined();
      return this.isList ? this.onResults(joinedResults(whole)) : this.slot.set([{ data: this.parse(whole) }]);
    }
    const invokeIdAndPriority =
      this.invokeIdAndPriority ?? fail('INTERNAL', 'a block before the request', { layer: 'xdlms' });
    return { kind: 'send', apdu: { apdu: 'get-request', type: 'next', invokeIdAndPriority, blockNumber } };
  }
}

/** The blocks of a GET-with-list joined: a count and that many Get-Data-Results. */
function joinedResults(whole: Uint8Array): readonly GetResult[] {
  const reader = new ByteReader(whole, 'xdlms');
  const results = listOf(getResult).decode(reader);
  reader.expectEnd('list of results');
  return results;
}
