/**
 * Every failure in this program is a `BridgeError`: a stable code, the layer where it arose, whose fault it is,
 * whether trying again can help, and a hint that a person can act on. What each code means stands in `error-codes.ts`.
 */
import { ERROR_CODES, type ErrorCode, type Fault, type Layer } from './error-codes.ts';

export type { ErrorCode, Fault, Layer } from './error-codes.ts';

/** The JSON shape of an error, as `CLI.md` promises it. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly layer: Layer;
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly hint: string;
}

/** What one occurrence knows better than the table: another layer, fault or hint, and the cause. */
export interface ErrorDetail {
  readonly layer?: Layer;
  readonly fault?: Fault;
  readonly retryable?: boolean;
  readonly hint?: string;
  readonly cause?: unknown;
  /** Facts for machines (offset, data-access-result, expected counter ...). Never secrets. */
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
}

export class BridgeError extends Error {
  override readonly name = 'BridgeError';
  readonly code: ErrorCode;
  readonly layer: Layer;
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly hint: string;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    const known = ERROR_CODES[code];
    this.code = code;
    this.layer = detail.layer ?? known.layer;
    this.fault = detail.fault ?? known.fault;
    this.retryable = detail.retryable ?? known.retryable;
    this.hint = detail.hint ?? known.hint;
    this.facts = detail.facts ?? {};
  }

  report(): ErrorReport {
    const { code, message, layer, fault, retryable, hint } = this;
    return { code, message, layer, fault, retryable, hint };
  }
}

/** The error that a report tells of, as far as it does. */
export function errorOfReport({ code, message, ...detail }: ErrorReport): BridgeError {
  return new BridgeError(code, message, detail);
}

/** Throws a `BridgeError`; an expression, so that it can stand behind `??`. */
export function fail(code: ErrorCode, message: string, detail?: ErrorDetail): never {
  throw new BridgeError(code, message, detail);
}

/** Any thrown value as a `BridgeError`. What is not one already is a fault of ours: `INTERNAL`, with the cause kept. */
export function asBridgeError(thrown: unknown): BridgeError {
  if (thrown instanceof BridgeError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new BridgeError('INTERNAL', message, { cause: thrown });
}
