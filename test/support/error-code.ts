/** The code of the `BridgeError` that an action throws, `none` when it throws nothing; anything else is thrown on. */
import { BridgeError } from '../../src/core/errors.ts';

export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return 'none';
}
