/**
 * The services of a meter in the words of logical names, whatever the association speaks: everything above asks for
 * classes, OBIS codes and numbers of attributes and methods.
 */

import type { ObjectList } from '../dlms/cosem/object-list.ts';
import type { ShortNames } from '../dlms/cosem/short-names.ts';
import type { MethodCall } from '../dlms/exchange/action-exchange.ts';
import type { ServiceExchange } from '../dlms/exchange/exchange.ts';
import type { AttributeValue } from '../dlms/exchange/set-exchange.ts';
import type { ConformanceBit } from '../dlms/xdlms/conformance.ts';
import type { DataAccessResult } from '../dlms/xdlms/data-access-result.ts';
import type { ActionOutcome, AttributeReference, AttributeSelection, GetResult } from '../dlms/xdlms/services.ts';

/** An attribute, as a rule without selective access. */
export type AttributeRequest = AttributeReference & Partial<Pick<AttributeSelection, 'accessSelection'>>;

/** Octets of a request for several attributes: before its items, and of an item without selective access. */
export interface ListShape {
  readonly header: number;
  readonly item: number;
}

/** Carries one exchange after the other over a standing association. */
export interface ServiceCarrier {
  run<Result>(exchange: ServiceExchange<Result>): Promise<Result>;
  isGranted(bit: ConformanceBit): boolean;
  /** How many attributes without selective access may be asked for at once. */
  readonly longestList: number;
}

export interface MeterServices {
  /** null where the meter granted no way to ask for several at once. */
  readonly listShape: ListShape | null;
  /** One service: one attribute, or several with-list; a refused one is a result. */
  get(attributes: readonly AttributeSelection[]): Promise<readonly GetResult[]>;
  set(values: readonly AttributeValue[]): Promise<readonly DataAccessResult[]>;
  action(calls: readonly MethodCall[]): Promise<readonly ActionOutcome[]>;
  /** What the association shows, with what was odd about it. Throws DATA_ACCESS_*, MALFORMED. */
  objectList(): Promise<ObjectList>;
  /** A new association stands: the meter may not be what it was. */
  associated(): void;
  /** Short names as far as they are known; null where they are not, and where the meter has none. */
  readonly shortNames: ShortNames | null;
  /** Short names that were learned before. */
  recall(names: ShortNames): void;
}

/** A count that any meter takes, where the PDU would allow thousands. */
const LONGEST_LIST = 255;

/** How many attributes fit into a request. @param maxRequestPdu octets, 0 for no limit. */
export function longestListOf({ header, item }: ListShape, maxRequestPdu: number): number {
  if (maxRequestPdu === 0) return LONGEST_LIST;
  return Math.max(1, Math.min(LONGEST_LIST, Math.floor((maxRequestPdu - header) / item)));
}
