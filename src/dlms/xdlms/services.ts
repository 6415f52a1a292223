/**
 * Shapes of the LN services (Green Book 9.3.10 to 9.3.14, 9.5). Absent optional elements are null; `rawData` is a part of
 * an encoded value that block transfer cut out.
 */
import type { Data } from '../axdr/data.ts';
import type { CosemDateTime } from '../axdr/date-time.ts';
import type { ActionResult, DataAccessResult } from './data-access-result.ts';
import type { InvokeIdAndPriority, LongInvokeIdAndPriority } from './invoke-id.ts';

/** Cosem-Attribute-Descriptor. */
export interface AttributeReference {
  readonly classId: number;
  /** OBIS code, dotted. */
  readonly instanceId: string;
  readonly attributeId: number;
}

/** Cosem-Method-Descriptor. */
export interface MethodReference {
  readonly classId: number;
  readonly instanceId: string;
  readonly methodId: number;
}

/** Selective-Access-Descriptor. */
export interface AccessSelection {
  readonly selector: number;
  readonly parameters: Data;
}

export interface AttributeSelection extends AttributeReference {
  readonly accessSelection: AccessSelection | null;
}

export interface DatablockHeader {
  readonly lastBlock: boolean;
  readonly blockNumber: number;
}
export interface Datablock extends DatablockHeader {
  readonly rawData: Uint8Array;
}

/** Get-Data-Result. */
export type GetResult = { readonly data: Data } | { readonly dataAccessResult: DataAccessResult };

interface Service {
  readonly invokeIdAndPriority: InvokeIdAndPriority;
}

interface GetRequestForm extends Service {
  readonly apdu: 'get-request';
}
export type GetRequest =
  | (GetRequestForm & {
      readonly type: 'normal';
      readonly attribute: AttributeReference;
      readonly accessSelection: AccessSelection | null;
    })
  | (GetRequestForm & { readonly type: 'next'; readonly blockNumber: number })
  | (GetRequestForm & { readonly type: 'with-list'; readonly attributes: readonly AttributeSelection[] });

interface GetResponseForm extends Service {
  readonly apdu: 'get-response';
}
/** DataBlock-G: raw data, or why there is none. */
export type GetDatablock = Datablock | (DatablockHeader & { readonly dataAccessResult: DataAccessResult });
export type GetResponse =
  | (GetResponseForm & { readonly type: 'normal'; readonly result: GetResult })
  | (GetResponseForm & { readonly type: 'with-datablock' } & GetDatablock)
  | (GetResponseForm & { readonly type: 'with-list'; readonly results: readonly GetResult[] });

interface SetRequestForm extends Service {
  readonly apdu: 'set-request';
}
export type SetRequest =
  | (SetRequestForm & {
      readonly type: 'normal';
      readonly attribute: AttributeReference;
      readonly accessSelection: AccessSelection | null;
      readonly value: Data;
    })
  | (SetRequestForm &
      Datablock & {
        readonly type: 'with-first-datablock';
        readonly attribute: AttributeReference;
        readonly accessSelection: AccessSelection | null;
      })
  | (SetRequestForm & Datablock & { readonly type: 'with-datablock' })
  | (SetRequestForm & {
      readonly type: 'with-list';
      readonly attributes: readonly AttributeSelection[];
      /** One for each attribute. */
      readonly values: readonly Data[];
    })
  | (SetRequestForm &
      Datablock & {
        readonly type: 'with-list-and-first-datablock';
        readonly attributes: readonly AttributeSelection[];
      });

interface SetResponseForm extends Service {
  readonly apdu: 'set-response';
}
export type SetResponse =
  | (SetResponseForm & { readonly type: 'normal'; readonly result: DataAccessResult })
  | (SetResponseForm & { readonly type: 'datablock'; readonly blockNumber: number })
  | (SetResponseForm & {
      readonly type: 'last-datablock';
      readonly result: DataAccessResult;
      readonly blockNumber: number;
    })
  | (SetResponseForm & {
      readonly type: 'last-datablock-with-list';
      readonly results: readonly DataAccessResult[];
      readonly blockNumber: number;
    })
  | (SetResponseForm & { readonly type: 'with-list'; readonly results: readonly DataAccessResult[] });

interface ActionRequestForm extends Service {
  readonly apdu: 'action-request';
}
export type ActionRequest =
  | (ActionRequestForm & {
      readonly type: 'normal';
      readonly method: MethodReference;
      readonly parameters: Data | null;
    })
  | (ActionRequestForm & { readonly type: 'next-pblock'; readonly blockNumber: number })
  | (ActionRequestForm & {
      readonly type: 'with-list';
      readonly methods: readonly MethodReference[];
      /** One for each method; null-data where a method takes none. */
      readonly parameters: readonly Data[];
    })
  | (ActionRequestForm & Datablock & { readonly type: 'with-first-pblock'; readonly method: MethodReference })
  | (ActionRequestForm &
      Datablock & { readonly type: 'with-list-and-first-pblock'; readonly methods: readonly MethodReference[] })
  | (ActionRequestForm & Datablock & { readonly type: 'with-pblock' });

/** Action-Response-With-Optional-Data. */
export interface ActionOutcome {
  readonly result: ActionResult;
  readonly returnParameters: GetResult | null;
}

interface ActionResponseForm extends Service {
  readonly apdu: 'action-response';
}
export type ActionResponse =
  | (ActionResponseForm & ActionOutcome & { readonly type: 'normal' })
  | (ActionResponseForm & Datablock & { readonly type: 'with-pblock' })
  | (ActionResponseForm & { readonly type: 'with-list'; readonly results: readonly ActionOutcome[] })
  | (ActionResponseForm & { readonly type: 'next-pblock'; readonly blockNumber: number });

/** A date-time with its octets, as APDUs carry it beside their values. */
export interface DateTimeStamp extends CosemDateTime {
  /** The twelve octets; alone what is encoded. */
  readonly hex: Uint8Array;
}

interface LongService {
  readonly longInvokeIdAndPriority: LongInvokeIdAndPriority;
  readonly dateTime: DateTimeStamp | null;
}

/** Access-Request-Specification. */
export type AccessSpecification =
  | ({ readonly access: 'get' | 'set' } & AttributeReference)
  | ({ readonly access: 'action' } & MethodReference)
  | ({ readonly access: 'get-with-selection' | 'set-with-selection' } & AttributeReference & {
        readonly accessSelection: AccessSelection;
      });

export interface AccessRequest extends LongService {
  readonly apdu: 'access-request';
  readonly specifications: readonly AccessSpecification[];
  /** One for each specification; null-data for a get. */
  readonly data: readonly Data[];
}

export interface AccessResponse extends LongService {
  readonly apdu: 'access-response';
  /** The request's, when the server repeats them. */
  readonly specifications: readonly AccessSpecification[] | null;
  readonly data: readonly Data[];
  readonly results: readonly AccessOutcome[];
}

/** Access-Response-Specification. */
export interface AccessOutcome {
  readonly access: 'get' | 'set' | 'action';
  readonly result: DataAccessResult;
}

export interface DataNotification extends LongService {
  readonly apdu: 'data-notification';
  readonly body: Data;
}

export interface DataNotificationConfirm extends LongService {
  readonly apdu: 'data-notification-confirm';
}

export interface EventNotificationRequest {
  readonly apdu: 'event-notification-request';
  readonly time: DateTimeStamp | null;
  readonly attribute: AttributeReference;
  readonly value: Data;
}
