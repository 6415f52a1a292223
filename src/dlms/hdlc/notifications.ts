/** UI frames: unnumbered information that a meter sends on its own. Segmented ones are joined; nothing is acknowledged. */
import { concat } from '../../core/bytes.ts';
import type { HdlcFrame } from './frame.ts';
import { splitLlc } from './llc.ts';

export class Notifications {
  private parts: Uint8Array[] = [];
  private size = 0;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** The APDU, once its last segment is here. What must be given up is told to `discard`. */
  take(frame: HdlcFrame, discard: (reason: string) => void): Uint8Array | null {
    const { llc, rest } = splitLlc(frame.information ?? new Uint8Array(0));
    if (llc !== null && this.parts.length > 0) {
      discard('a UI message begins before the one before it has ended');
      this.clear();
    }
    if (this.size + rest.length > this.limit) {
      discard(`a UI message of more than ${this.limit} octets`);
      this.clear();
      return null;
    }
    this.parts.push(rest);
    this.size += rest.length;
    if (frame.segmented) return null;
    const apdu = concat(this.parts);
    this.clear();
    return apdu.length > 0 ? apdu : null;
  }

  private clear(): void {
    this.parts = [];
    this.size = 0;
  }
}
