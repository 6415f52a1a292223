/** Decoding that may fail, as a value. */
import { asBridgeError, type ErrorReport } from '../../core/errors.ts';

export type Attempt<T> =
  | { readonly value: T; readonly error: null }
  | { readonly value: null; readonly error: ErrorReport };

export function attempt<T>(decode: () => T): Attempt<T> {
  try {
    return { value: decode(), error: null };
  } catch (thrown) {
    return { value: null, error: asBridgeError(thrown).report() };
  }
}
