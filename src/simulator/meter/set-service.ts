/** The SET service of a virtual meter (Green Book 9.3.11): normal, with-list, and either of them in blocks. */
import { ByteReader } from '../../core/bytes.ts';
import { BridgeError } from '../../core/errors.ts';
import { listOf } from '../../dlms/axdr/codec.ts';
import { type Data, decodeData, encodeData, parseData } from '../../dlms/axdr/data.ts';
import { dataAccessResult } from '../../dlms/xdlms/data-access-result.ts';
import type { AttributeSelection, Datablock, SetRequest, SetResponse } from '../../dlms/xdlms/services.ts';
import { writeAttribute } from './access.ts';
import { IncomingBlocks } from './block-transfer.ts';
import { type MeterContext, type ObjectDefinition, RESULT } from './object-model.ts';

const TRANSFER = { longSetAborted: 17, noLongSetInProgress: 18, dataBlockNumberInvalid: 19 } as const;

interface Target {
  readonly attributes: readonly AttributeSelection[];
  readonly isList: boolean;
}

type Header = Pick<SetResponse, 'apdu' | 'invokeIdAndPriority'>;

/** SET within one association: keeps the block transfer that is under way. */
export class SetService {
  private readonly objects: readonly ObjectDefinition[];
  private transfer: IncomingBlocks<Target> | null = null;

  constructor(objects: readonly ObjectDefinition[]) {
    this.objects = objects;
  }

  answer(request: SetRequest, context: MeterContext): SetResponse {
    const header: Header = { apdu: 'set-response', invokeIdAndPriority: request.invokeIdAndPriority };
    if (request.type === 'with-datablock') return this.block(request, context, header);
    // A new request abandons the transfer of an older one.
    this.transfer = null;
    switch (request.type) {
      case 'normal': {
        const { attribute, accessSelection, value } = request;
        const result = this.write({ ...attribute, accessSelection }, value, context);
        return { ...header, type: 'normal', result: dataAccessResult(result) };
      }
      case 'with-list':
        return { ...header, type: 'with-list', results: this.writeAll(request.attributes, request.values, context) };
      case 'with-first-datablock': {
        const attributes = [{ ...request.attribute, accessSelection: request.accessSelection }];
        this.transfer = new IncomingBlocks({ attributes, isList: false });
        return this.block(request, context, header);
      }
      case 'with-list-and-first-datablock':
        this.transfer = new IncomingBlocks({ attributes: request.attributes, isList: true });
        return this.block(request, context, header);
    }
  }

  private block(block: Datablock, context: MeterContext, header: Header): SetResponse {
    const { transfer } = this;
    const { blockNumber } = block;
    const aborted = (code: number): SetResponse => {
      this.transfer = null;
      return { ...header, type: 'last-datablock', result: dataAccessResult(code), blockNumber };
    };
    if (transfer === null) return aborted(TRANSFER.noLongSetInProgress);
    const taken = transfer.take(block);
    switch (taken.kind) {
      case 'partial':
        return { ...header, type: 'datablock', blockNumber };
      case 'wrong-number':
        return aborted(TRANSFER.dataBlockNumberInvalid);
      case 'too-long':
        return aborted(TRANSFER.longSetAborted);
      case 'whole':
        this.transfer = null;
        return this.finish(transfer.target, taken.octets, context, { ...header, blockNumber });
    }
  }

  private finish(
    { attributes, isList }: Target,
    octets: Uint8Array,
    context: MeterContext,
    header: Header & { readonly blockNumber: number },
  ): SetResponse {
    const values = valuesIn(octets, isList);
    const results = this.writeAll(attributes, values, context);
    if (isList) return { ...header, type: 'last-datablock-with-list', results };
    return { ...header, type: 'last-datablock', result: results[0] ?? dataAccessResult(RESULT.otherReason) };
  }

  /** An attribute for which no value came stays as it is. */
  private writeAll(attributes: readonly AttributeSelection[], values: readonly Data[], context: MeterContext) {
    return attributes.map((attribute, index) => {
      const value = values[index];
      return dataAccessResult(value === undefined ? RESULT.otherReason : this.write(attribute, value, context));
    });
  }

  private write(selection: AttributeSelection, value: Data, context: MeterContext): number {
    if (selection.accessSelection !== null) return RESULT.scopeOfAccessViolated;
    return writeAttribute(this.objects, selection, value, context);
  }
}

const dataList = listOf<Data>({ decode: decodeData, encode: encodeData });

/** What blocks carried: one value, or a list of them; none when the octets are no such thing. */
export function valuesIn(octets: Uint8Array, isList: boolean): readonly Data[] {
  try {
    if (!isList) return [parseData(octets)];
    const reader = new ByteReader(octets, 'xdlms');
    const values = dataList.decode(reader);
    reader.expectEnd('list of values');
    return values;
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return [];
    throw error;
  }
}
