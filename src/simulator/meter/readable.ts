/** What is in the octets that a client sends may be anything. */
import { BridgeError } from '../../core/errors.ts';

/** What was decoded, or null when the octets are at fault. A fault of our own is passed on. */
export function readable<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof BridgeError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}
