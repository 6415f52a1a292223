/**
 * Read (Green Book 9.3.14): the service of short names that reads attributes, and invokes methods that return something.
 * One variable or several, with parameters where wanted; an answer that is too long for one APDU comes in blocks, and so
 * does a request that the meter could not take whole.
 */
import { ByteReader } from '../../core/bytes.ts';
import { BridgeError, fail } from '../../core/errors.ts';
import { type Data, parseData } from '../axdr/data.ts';
import { type Apdu, encodeApdu } from '../xdlms/apdu.ts';
import { dataAccessError } from '../xdlms/data-access-result.ts';
import type { AccessSelection, GetResult } from '../xdlms/services.ts';
import {
  type ReadRequest,
  type ReadResponse,
  type ReadResult,
  readResponse,
  type ShortNameDatablock,
  type VariableAccess,
} from '../xdlms/short-name.ts';
import { BlockCutter, BlockJoiner, exceeds } from './blocks.ts';
import { type ExchangeStep, lostTo, ResultSlot, type ServiceExchange, type ServiceLimits } from './exchange.ts';

export interface VariableSelection {
  /** Short name of an attribute or a method. */
  readonly variableName: number;
  /** Selective access to an attribute, or what a method is invoked with. */
  readonly accessSelection: AccessSelection | null;
}

/** Octets of a readRequest around the block that it carries: tag, count, choice. */
const AROUND_BLOCK = 3;

/** Reads one variable, or several at once; one result for each, in order. */
export class ReadExchange implements ServiceExchange<readonly GetResult[]> {
  readonly answers = 'readResponse';
  private readonly variables: readonly VariableSelection[];
  private readonly received = new BlockJoiner();
  private readonly slot = new ResultSlot<readonly GetResult[]>();
  private sent: BlockCutter | null = null;

  constructor(variables: readonly VariableSelection[]) {
    this.variables = variables;
  }

  get isList(): boolean {
    return this.variables.length > 1;
  }

  get result(): readonly GetResult[] {
    return this.slot.get();
  }

  begin({ maxRequestPdu, require }: ServiceLimits): Apdu {
    if (this.variables.length === 0) fail('INTERNAL', 'a Read of nothing', { layer: 'xdlms' });
    require('read');
    if (this.isList) require('multiple-references');
    if (this.variables.some(({ accessSelection }) => accessSelection !== null)) require('parameterized-access');
    const request: ReadRequest = { apdu: 'readRequest', variables: this.variables.map(variableAccess) };
    const octets = encodeApdu(request);
    if (!exceeds(octets.length, maxRequestPdu)) return request;
    require('block-transfer-with-get-or-read');
    this.sent = new BlockCutter(octets.subarray(1), maxRequestPdu);
    return inBlock(this.sent.cut(AROUND_BLOCK));
  }

  receive(apdu: Apdu): ExchangeStep {
    const { results } = apdu as ReadResponse;
    const [only] = results;
    if (only !== undefined && results.length === 1) {
      if ('dataBlockResult' in only) return this.onBlock(only.dataBlockResult);
      if ('blockNumber' in only) return this.onAcknowledged(only.blockNumber);
    }
    return this.onResults(results);
  }

  private onResults(results: readonly ReadResult[]): ExchangeStep {
    const values = results.flatMap((result) => getResultOf(result) ?? []);
    if (values.length !== results.length) return lostTo('a block among other results');
    const [only] = values;
    if (this.isList && values.length === 1 && only !== undefined && 'dataAccessResult' in only) {
      return { kind: 'failed', error: dataAccessError(only.dataAccessResult.code, 'the list') };
    }
    const asked = this.variables.length;
    return values.length === asked ? this.slot.set(values) : lostTo(`${values.length} results for ${asked} variables`);
  }

  private onBlock(block: ShortNameDatablock): ExchangeStep {
    const { blockNumber, lastBlock } = block;
    if (!this.received.add(block)) return lostTo(`block ${blockNumber} where ${this.received.awaited} was awaited`);
    if (lastBlock) return this.onResults(this.joinedResults(this.received.joined()));
    return { kind: 'send', apdu: { apdu: 'readRequest', variables: [{ 'block-number-access': { blockNumber } }] } };
  }

  /** The blocks joined are the list of results. Some servers put one value there as it is: no octets are both. */
  private joinedResults(whole: Uint8Array): readonly ReadResult[] {
    try {
      return resultsIn(whole);
    } catch (thrown) {
      const bare = this.isList ? null : bareValue(whole);
      if (bare === null) throw thrown;
      return [{ data: bare }];
    }
  }

  private onAcknowledged(blockNumber: number): ExchangeStep {
    const block = this.sent?.after(blockNumber, AROUND_BLOCK) ?? null;
    if (block === null) return lostTo(`block ${blockNumber} acknowledged, which was not sent last`);
    return { kind: 'send', apdu: inBlock(block) };
  }
}

/** How a variable is written in a request, with or without parameters. */
export function variableAccess({ variableName, accessSelection }: VariableSelection): VariableAccess {
  if (accessSelection === null) return { 'variable-name': variableName };
  const { selector, parameters: parameter } = accessSelection;
  return { 'parameterized-access': { variableName, selector, parameter } };
}

function inBlock(block: ShortNameDatablock): ReadRequest {
  return { apdu: 'readRequest', variables: [{ 'read-data-block-access': block }] };
}

/** In the vocabulary of GET; null for a part of block transfer. */
function getResultOf(result: ReadResult): GetResult | null {
  if ('data' in result) return result;
  return 'dataAccessError' in result ? { dataAccessResult: result.dataAccessError } : null;
}

/** What a readResponse has behind its tag. */
function resultsIn(whole: Uint8Array): readonly ReadResult[] {
  const reader = new ByteReader(whole, 'xdlms');
  const { results } = readResponse.decode(reader);
  reader.expectEnd('list of results');
  return results;
}

function bareValue(octets: Uint8Array): Data | null {
  try {
    return parseData(octets);
  } catch (thrown) {
    if (thrown instanceof BridgeError) return null;
    throw thrown;
  }
}
