/**
 * Write and UnconfirmedWrite (Green Book 9.3.15, 9.3.16): the services of short names that write attributes, and invoke
 * methods that return nothing. A Write that is larger than the meter takes goes in blocks.
 */
import { fail } from '../../core/errors.ts';
import type { Data } from '../axdr/data.ts';
import { type Apdu, encodeApdu } from '../xdlms/apdu.ts';
import { type DataAccessResult, dataAccessError, dataAccessResult } from '../xdlms/data-access-result.ts';
import type { ShortNameDatablock, WriteRequest, WriteResponse, WriteResult } from '../xdlms/short-name.ts';
import { BlockCutter, exceeds } from './blocks.ts';
import { type ExchangeStep, lostTo, ResultSlot, type ServiceExchange, type ServiceLimits } from './exchange.ts';
import { type VariableSelection, variableAccess } from './read-exchange.ts';

export interface VariableValue extends VariableSelection {
  readonly value: Data;
}

/** Octets of a writeRequest around the raw data of its block: tag, count, choice, count of values, tag of the octet-string. */
const AROUND_BLOCK = 5;
const SUCCESS = 0;

/** Writes one variable, or several at once; one result for each, in order. */
export class WriteExchange implements ServiceExchange<readonly DataAccessResult[]> {
  readonly answers = 'writeResponse';
  private readonly values: readonly VariableValue[];
  private readonly slot = new ResultSlot<readonly DataAccessResult[]>();
  private sent: BlockCutter | null = null;

  constructor(values: readonly VariableValue[]) {
    this.values = values;
  }

  get isList(): boolean {
    return this.values.length > 1;
  }

  get result(): readonly DataAccessResult[] {
    return this.slot.get();
  }

  begin(limits: ServiceLimits): Apdu {
    const { maxRequestPdu, require } = limits;
    require('write');
    const request = requestOf('writeRequest', this.values, limits);
    const octets = encodeApdu(request);
    if (!exceeds(octets.length, maxRequestPdu)) return request;
    require('block-transfer-with-set-or-write');
    this.sent = new BlockCutter(octets.subarray(1), maxRequestPdu);
    return inBlock(this.sent.cut(AROUND_BLOCK));
  }

  receive(apdu: Apdu): ExchangeStep {
    const { results } = apdu as WriteResponse;
    const [only] = results;
    if (only !== undefined && results.length === 1 && only !== 'success' && 'blockNumber' in only) {
      return this.onAcknowledged(only.blockNumber);
    }
    return this.onResults(results);
  }

  private onResults(results: readonly WriteResult[]): ExchangeStep {
    const codes = results.flatMap((result) => resultOf(result) ?? []);
    if (codes.length !== results.length) return lostTo('a block among other results');
    const [only] = codes;
    if (this.isList && codes.length === 1 && only !== undefined && only.code !== SUCCESS) {
      return { kind: 'failed', error: dataAccessError(only.code, 'the list') };
    }
    const asked = this.values.length;
    return codes.length === asked ? this.slot.set(codes) : lostTo(`${codes.length} results for ${asked} variables`);
  }

  private onAcknowledged(blockNumber: number): ExchangeStep {
    const block = this.sent?.after(blockNumber, AROUND_BLOCK) ?? null;
    if (block === null) return lostTo(`block ${blockNumber} acknowledged, which was not sent last`);
    return { kind: 'send', apdu: inBlock(block) };
  }
}

/** An unconfirmedWriteRequest, which nothing answers. Throws SERVICE_NOT_GRANTED; PDU_TOO_SMALL, for it has no blocks. */
export function unconfirmedWrite(values: readonly VariableValue[], limits: ServiceLimits): Apdu {
  const { maxRequestPdu, require } = limits;
  require('unconfirmed-write');
  const request = requestOf('unconfirmedWriteRequest', values, limits);
  const octets = encodeApdu(request).length;
  if (exceeds(octets, maxRequestPdu)) {
    fail('PDU_TOO_SMALL', `an UnconfirmedWrite of ${octets} octets, the meter takes ${maxRequestPdu}`);
  }
  return request;
}

function requestOf(
  apdu: WriteRequest['apdu'],
  values: readonly VariableValue[],
  { require }: ServiceLimits,
): WriteRequest {
  if (values.length === 0) fail('INTERNAL', 'a Write of nothing', { layer: 'xdlms' });
  if (values.length > 1) require('multiple-references');
  if (values.some(({ accessSelection }) => accessSelection !== null)) require('parameterized-access');
  return { apdu, variables: values.map(variableAccess), data: values.map(({ value }) => value) };
}

function inBlock({ lastBlock, blockNumber, rawData }: ShortNameDatablock): WriteRequest {
  return {
    apdu: 'writeRequest',
    variables: [{ 'write-data-block-access': { lastBlock, blockNumber } }],
    data: [{ type: 'octet-string', value: rawData }],
  };
}

/** null for a part of block transfer. */
function resultOf(result: WriteResult): DataAccessResult | null {
  if (result === 'success') return dataAccessResult(SUCCESS);
  return 'dataAccessError' in result ? result.dataAccessError : null;
}
