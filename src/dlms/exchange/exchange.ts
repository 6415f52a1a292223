/**
 * One confirmed service from its request to its result, sans I/O (Green Book 9.3.10 to 9.3.12): takes answers, gives the
 * requests that are still to be made. Block transfer in either direction is part of it. The association knows nothing
 * of what is exchanged; an exchange knows nothing of ciphering, links or time.
 */
import { BridgeError, fail } from '../../core/errors.ts';
import type { Apdu } from '../xdlms/apdu.ts';
import type { ConformanceBit } from '../xdlms/conformance.ts';
import type { InvokeIdAndPriority } from '../xdlms/invoke-id.ts';
import { exceeds } from './blocks.ts';

/** What every request has to keep to. */
export interface ServiceLimits {
  /** Octets of the largest request that the meter takes; 0 for no limit. */
  readonly maxRequestPdu: number;
  /** Number of the first block of a request in blocks; 1 when it is left out. */
  readonly firstBlock?: 0 | 1;
  /** Throws SERVICE_NOT_GRANTED when the meter did not grant it. */
  require(bit: ConformanceBit): void;
  isGranted(bit: ConformanceBit): boolean;
}

/**
 * Whether a request goes out as one APDU, where the association may still cut it by general block transfer. A service's own
 * blocks go before that: every meter that has them has had them for longer. Throws SERVICE_NOT_GRANTED with neither.
 */
export function goesWhole(octets: number, context: ExchangeContext, ownBlocks: ConformanceBit): boolean {
  if (!exceeds(octets, context.maxRequestPdu)) return true;
  if (!context.isGranted(ownBlocks) && context.isGranted('general-block-transfer')) return true;
  context.require(ownBlocks);
  return false;
}

/** For a service whose requests have no blocks of their own. Throws PDU_TOO_SMALL without general block transfer. */
export function requireRoom(octets: number, context: ExchangeContext, what: string): void {
  if (!exceeds(octets, context.maxRequestPdu) || context.isGranted('general-block-transfer')) return;
  fail('PDU_TOO_SMALL', `${what} takes ${octets} octets, the meter takes ${context.maxRequestPdu}`);
}

export interface ExchangeContext extends ServiceLimits {
  readonly invokeIdAndPriority: InvokeIdAndPriority;
}

export type ExchangeStep =
  | { readonly kind: 'send'; readonly apdu: Apdu }
  /** The result stands in `result`. */
  | { readonly kind: 'done' }
  /** The service was refused as a whole; the association stands. */
  | { readonly kind: 'failed'; readonly error: BridgeError }
  /** What came cannot be understood as an answer; the association cannot be trusted any more. */
  | { readonly kind: 'lost'; readonly error: BridgeError };

export interface ServiceExchange<Result> {
  /** Of the answers that belong to it. */
  readonly answers: Apdu['apdu'];
  /** Asked for several attributes or methods at once. */
  readonly isList: boolean;
  /** The first request. Throws SERVICE_NOT_GRANTED, PDU_TOO_SMALL; then nothing has happened. */
  begin(context: ExchangeContext): Apdu;
  /**
   * Reads an answer itself, for values that the codec would refuse; null leaves it to the codec. Gets what is inside of
   * any ciphering.
   */
  decode?(plain: Uint8Array): Apdu | null;
  /** An answer, one of `answers`. */
  receive(apdu: Apdu): ExchangeStep;
  /** Once it is done. */
  readonly result: Result;
}

export function lostTo(what: string): ExchangeStep {
  return { kind: 'lost', error: new BridgeError('UNEXPECTED_RESPONSE', what) };
}

/** A place for the result, filled once. */
export class ResultSlot<Result> {
  private value: { readonly result: Result } | null = null;

  set(result: Result): ExchangeStep {
    this.value = { result };
    return { kind: 'done' };
  }

  get(): Result {
    return (this.value ?? fail('INTERNAL', 'the service has no result yet', { layer: 'xdlms' })).result;
  }
}
