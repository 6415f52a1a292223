/**
 * Read, Write and UnconfirmedWrite of a virtual meter (Green Book 9.3.14 to 9.3.16): several variables at once, with
 * parameters, methods, and block transfer of requests and answers.
 */
import { ByteReader } from '../../core/bytes.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { dataAccessResult } from '../../dlms/xdlms/data-access-result.ts';
import type { AccessSelection } from '../../dlms/xdlms/services.ts';
import {
  type ReadRequest,
  type ReadResponse,
  type ReadResult,
  readRequest,
  type VariableAccess,
  type WriteRequest,
  type WriteResponse,
  type WriteResult,
  writeRequest,
} from '../../dlms/xdlms/short-name.ts';
import { callMethod, readAttribute, writeAttribute } from './access.ts';
import { IncomingBlocks, OutgoingBlocks } from './block-transfer.ts';
import type { SaidValue, ServiceLimits } from './get-service.ts';
import { type MeterContext, type ObjectDefinition, RESULT } from './object-model.ts';
import { readable } from './readable.ts';
import type { ShortNameTable, ShortNameTarget } from './short-name-table.ts';

const TRANSFER = { noLongGet: 16, longSetAborted: 17, noLongSet: 18, blockNumberInvalid: 19 } as const;

/** Octets of a readResponse before the length of the raw data of its block: tag, count, choice, last, number. */
const BLOCK_HEADER = 6;

interface Variable {
  readonly target: ShortNameTarget;
  readonly selection: AccessSelection | null;
}

export interface ReadAnswer {
  readonly response: ReadResponse;
  /** What the client knows once it has this answer. */
  readonly said: readonly SaidValue[];
}

/** The services of short names within one association: keeps the block transfers that are under way. */
export class ShortNameService {
  private readonly objects: readonly ObjectDefinition[];
  private readonly names: ShortNameTable | null;
  private readonly limits: ServiceLimits;
  private outgoing: { readonly blocks: OutgoingBlocks; readonly said: readonly SaidValue[] } | null = null;
  private reading: IncomingBlocks<null> | null = null;
  private writing: IncomingBlocks<null> | null = null;

  /** @param names null for a meter that has none: then every variable is undefined. */
  constructor(objects: readonly ObjectDefinition[], names: ShortNameTable | null, limits: ServiceLimits) {
    this.objects = objects;
    this.names = names;
    this.limits = limits;
  }

  read({ variables }: Pick<ReadRequest, 'variables'>, context: MeterContext): ReadAnswer | 'pdu-too-long' {
    const [only] = variables;
    if (only !== undefined && 'block-number-access' in only) return this.next(only['block-number-access'].blockNumber);
    this.outgoing = null;
    if (only !== undefined && 'read-data-block-access' in only) {
      const block = only['read-data-block-access'];
      const incoming = block.blockNumber === 1 ? new IncomingBlocks(null) : this.reading;
      this.reading = null;
      if (incoming === null) return readError(TRANSFER.noLongGet);
      const taken = incoming.take(block);
      if (taken.kind === 'partial') {
        this.reading = incoming;
        return readAnswer([{ blockNumber: block.blockNumber }]);
      }
      const whole = taken.kind === 'whole' ? readable(() => bodyOf(readRequest, taken.octets)) : null;
      return whole === null ? readError(TRANSFER.blockNumberInvalid) : this.readAll(whole.variables, context);
    }
    return this.readAll(variables, context);
  }

  private readAll(variables: readonly VariableAccess[], context: MeterContext): ReadAnswer | 'pdu-too-long' {
    const said: SaidValue[] = [];
    const results = variables.map((variable) => this.readOne(variable, context, said));
    const response: ReadResponse = { apdu: 'readResponse', results };
    const octets = encodeApdu(response);
    const { maxSendPdu, blockTransfer } = this.limits;
    if (octets.length <= maxSendPdu) return { response, said };
    if (!blockTransfer) return 'pdu-too-long';
    this.outgoing = { blocks: new OutgoingBlocks(octets.subarray(1), maxSendPdu, BLOCK_HEADER), said };
    return this.nextBlock(this.outgoing);
  }

  private readOne(access: VariableAccess, context: MeterContext, said: SaidValue[]): ReadResult {
    const variable = this.variableOf(access);
    if (variable === null) return refused(RESULT.objectUndefined);
    const { target, selection: accessSelection } = variable;
    const { classId, obis } = target.object;
    if (target.kind === 'method') {
      const { result, returned } = this.call(target, accessSelection?.parameters ?? null, context);
      return result === RESULT.success ? { data: returned ?? { type: 'null-data' } } : refused(result);
    }
    const reference = { classId, instanceId: obis, attributeId: target.id, accessSelection };
    const outcome = readAttribute(this.objects, reference, context);
    if ('refused' in outcome) return refused(outcome.refused);
    if (outcome.said !== null) said.push({ obis, classId, attribute: target.id, value: outcome.said });
    return { data: outcome.data };
  }

  private next(blockNumber: number): ReadAnswer {
    const { outgoing } = this;
    this.outgoing = null;
    if (outgoing === null) return readError(TRANSFER.noLongGet);
    if (blockNumber !== outgoing.blocks.blockNumber) return readError(TRANSFER.blockNumberInvalid);
    this.outgoing = outgoing;
    return this.nextBlock(outgoing);
  }

  private nextBlock({ blocks, said }: NonNullable<typeof this.outgoing>): ReadAnswer {
    const dataBlockResult = blocks.next();
    if (dataBlockResult.lastBlock) this.outgoing = null;
    return { ...readAnswer([{ dataBlockResult }]), said: dataBlockResult.lastBlock ? said : [] };
  }

  write({ variables, data }: Pick<WriteRequest, 'variables' | 'data'>, context: MeterContext): WriteResponse {
    const [only] = variables;
    if (only === undefined || !('write-data-block-access' in only)) return this.writeAll(variables, data, context);
    const { blockNumber, lastBlock } = only['write-data-block-access'];
    const [raw] = data;
    const incoming = blockNumber === 1 ? new IncomingBlocks(null) : this.writing;
    this.writing = null;
    if (incoming === null) return writeAnswer([refused(TRANSFER.noLongSet)]);
    if (raw?.type !== 'octet-string') return writeAnswer([refused(RESULT.typeUnmatched)]);
    const taken = incoming.take({ blockNumber, lastBlock, rawData: raw.value });
    if (taken.kind === 'partial') {
      this.writing = incoming;
      return writeAnswer([{ blockNumber }]);
    }
    if (taken.kind === 'too-long') return writeAnswer([refused(TRANSFER.longSetAborted)]);
    const whole = taken.kind === 'whole' ? readable(() => bodyOf(writeRequest, taken.octets)) : null;
    if (whole === null) return writeAnswer([refused(TRANSFER.blockNumberInvalid)]);
    return this.writeAll(whole.variables, whole.data, context);
  }

  /** A variable for which no value came stays as it is. */
  private writeAll(variables: readonly VariableAccess[], data: readonly Data[], context: MeterContext): WriteResponse {
    return writeAnswer(
      variables.map((variable, index) => {
        const value = data[index];
        const code = value === undefined ? RESULT.otherReason : this.writeOne(variable, value, context);
        return code === RESULT.success ? 'success' : refused(code);
      }),
    );
  }

  private writeOne(access: VariableAccess, value: Data, context: MeterContext): number {
    const variable = this.variableOf(access);
    if (variable === null) return RESULT.objectUndefined;
    const { target, selection } = variable;
    if (selection !== null) return RESULT.scopeOfAccessViolated;
    if (target.kind === 'method') return this.call(target, value, context).result;
    const { classId, obis: instanceId } = target.object;
    return writeAttribute(this.objects, { classId, instanceId, attributeId: target.id }, value, context);
  }

  private call({ object, id }: ShortNameTarget, parameters: Data | null, context: MeterContext) {
    const { classId, obis: instanceId } = object;
    const given = parameters?.type === 'null-data' ? null : parameters;
    return callMethod(this.objects, { classId, instanceId, methodId: id }, given, context);
  }

  private variableOf(access: VariableAccess): Variable | null {
    if ('variable-name' in access) return this.named(access['variable-name'], null);
    if (!('parameterized-access' in access)) return null;
    const { variableName, selector, parameter: parameters } = access['parameterized-access'];
    return this.named(variableName, { selector, parameters });
  }

  private named(name: number, selection: AccessSelection | null): Variable | null {
    const target = this.names?.find(name) ?? null;
    return target === null ? null : { target, selection };
  }
}

function refused(code: number): { readonly dataAccessError: ReturnType<typeof dataAccessResult> } {
  return { dataAccessError: dataAccessResult(code) };
}

function readAnswer(results: readonly ReadResult[]): ReadAnswer {
  return { response: { apdu: 'readResponse', results }, said: [] };
}

function readError(code: number): ReadAnswer {
  return readAnswer([refused(code)]);
}

function writeAnswer(results: readonly WriteResult[]): WriteResponse {
  return { apdu: 'writeResponse', results };
}

function bodyOf<T>(codec: { decode(reader: ByteReader): T }, octets: Uint8Array): T {
  const reader = new ByteReader(octets, 'xdlms');
  const body = codec.decode(reader);
  reader.expectEnd('request in blocks');
  return body;
}
