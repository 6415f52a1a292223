/**
 * ACCESS (Green Book 9.3.14): reads, writes and calls mixed in one request, one result for each. It has no blocks of its own:
 * what is too long, in either direction, goes by general block transfer.
 */
import { fail } from '../../core/errors.ts';
import type { Data } from '../axdr/data.ts';
import { NULL_DATA } from '../axdr/scalar.ts';
import { type Apdu, encodeApdu } from '../xdlms/apdu.ts';
import type { DataAccessResult } from '../xdlms/data-access-result.ts';
import { type InvokeIdAndPriority, longInvokeIdAndPriority } from '../xdlms/invoke-id.ts';
import type {
  AccessOutcome,
  AccessRequest,
  AccessResponse,
  AccessSpecification,
  ActionOutcome,
  AttributeSelection,
  GetResult,
} from '../xdlms/services.ts';
import type { MethodCall } from './action-exchange.ts';
import {
  type ExchangeContext,
  type ExchangeStep,
  lostTo,
  ResultSlot,
  requireRoom,
  type ServiceExchange,
} from './exchange.ts';
import type { AttributeValue } from './set-exchange.ts';

export type AccessItem =
  | ({ readonly access: 'get' } & AttributeSelection)
  | ({ readonly access: 'set' } & AttributeValue)
  | ({ readonly access: 'action' } & MethodCall);

export interface AccessResult extends AccessOutcome {
  /** What was read or returned; null-data otherwise. */
  readonly data: Data;
}

export interface AccessOptions {
  /** Asks the meter to repeat the specifications in its answer. Default false. */
  readonly selfDescriptive?: boolean;
}

export class AccessExchange implements ServiceExchange<readonly AccessResult[]> {
  readonly answers = 'access-response';
  /** The service of one item is the same as of several. */
  readonly isList: boolean;
  private readonly items: readonly AccessItem[];
  private readonly options: AccessOptions;
  private readonly slot = new ResultSlot<readonly AccessResult[]>();

  constructor(items: readonly AccessItem[], options: AccessOptions = {}) {
    this.items = items;
    this.options = options;
    this.isList = items.length > 1;
  }

  get result(): readonly AccessResult[] {
    return this.slot.get();
  }

  begin(context: ExchangeContext): Apdu {
    if (this.items.length === 0) fail('INTERNAL', 'an ACCESS of nothing', { layer: 'xdlms' });
    context.require('access');
    if (this.items.some(usesSelection)) context.require('selective-access');
    const request = this.request(context.invokeIdAndPriority);
    requireRoom(encodeApdu(request).length, context, `an ACCESS of ${this.items.length} items`);
    return request;
  }

  private request({ invokeId, priority }: InvokeIdAndPriority): AccessRequest {
    const { selfDescriptive = false } = this.options;
    return {
      apdu: 'access-request',
      longInvokeIdAndPriority: longInvokeIdAndPriority(invokeId, {
        serviceClass: 'confirmed',
        priority,
        selfDescriptive,
      }),
      dateTime: null,
      specifications: this.items.map(specificationOf),
      data: this.items.map(dataOf),
    };
  }

  receive(apdu: Apdu): ExchangeStep {
    const { specifications, data, results } = apdu as AccessResponse;
    const asked = this.items.length;
    const counts = [data.length, results.length, specifications?.length ?? asked];
    if (counts.some((count) => count !== asked)) return lostTo(`${counts.join(', ')} parts for ${asked} items`);
    const other = this.items.findIndex(({ access }, index) => access !== results[index]?.access);
    if (other >= 0) return lostTo(`a result of another kind for item ${other + 1}`);
    return this.slot.set(results.map((result, index) => ({ ...result, data: data[index] ?? NULL_DATA })));
  }
}

/** ACCESS in the place of one older service, with the results that that would have. */
class AccessInstead<Result> implements ServiceExchange<readonly Result[]> {
  readonly answers = 'access-response';
  readonly isList: boolean;
  private readonly exchange: AccessExchange;
  private readonly resultOf: (result: AccessResult) => Result;

  constructor(items: readonly AccessItem[], resultOf: (result: AccessResult) => Result) {
    this.exchange = new AccessExchange(items);
    this.isList = this.exchange.isList;
    this.resultOf = resultOf;
  }

  get result(): readonly Result[] {
    return this.exchange.result.map(this.resultOf);
  }

  begin(context: ExchangeContext): Apdu {
    return this.exchange.begin(context);
  }

  receive(apdu: Apdu): ExchangeStep {
    return this.exchange.receive(apdu);
  }
}

/** Reads attributes as GET does. */
export class AccessReadExchange extends AccessInstead<GetResult> {
  constructor(attributes: readonly AttributeSelection[]) {
    super(
      attributes.map((attribute) => ({ access: 'get', ...attribute })),
      ({ result, data }) => (isSuccess(result) ? { data } : { dataAccessResult: result }),
    );
  }
}

/** Writes attributes as SET does. */
export class AccessWriteExchange extends AccessInstead<DataAccessResult> {
  constructor(values: readonly AttributeValue[]) {
    super(
      values.map((value) => ({ access: 'set', ...value })),
      ({ result }) => result,
    );
  }
}

/** Calls methods as ACTION does. null-data is what a method gives that returns nothing. */
export class AccessCallExchange extends AccessInstead<ActionOutcome> {
  constructor(calls: readonly MethodCall[]) {
    super(
      calls.map((call) => ({ access: 'action', ...call })),
      ({ result, data }) => ({ result, returnParameters: data.type === 'null-data' ? null : { data } }),
    );
  }
}

function isSuccess({ code }: DataAccessResult): boolean {
  return code === 0;
}

function usesSelection(item: AccessItem): boolean {
  return 'accessSelection' in item && item.accessSelection !== null;
}

function specificationOf(item: AccessItem): AccessSpecification {
  if (item.access === 'action') return { access: 'action', ...item.method };
  const { access, classId, instanceId, attributeId, accessSelection } = item;
  const attribute = { classId, instanceId, attributeId };
  return accessSelection === null
    ? { access, ...attribute }
    : { access: `${access}-with-selection`, ...attribute, accessSelection };
}

function dataOf(item: AccessItem): Data {
  switch (item.access) {
    case 'get':
      return NULL_DATA;
    case 'set':
      return item.value;
    case 'action':
      return item.parameters ?? NULL_DATA;
  }
}
