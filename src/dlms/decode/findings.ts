/** What `decode` finds in captured octets, piece by piece. */
import { BridgeError, type ErrorCode, type ErrorReport, type Layer } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import type { Discarded } from '../link.ts';
import { type JsonObject, presentObject } from './present.ts';

export interface Decoded {
  /** In the order met: `{layer: 'mode-e' | 'hdlc' | 'wrapper' | 'llc' | 'mbus' | 'gbt' | 'security', ...}`. */
  readonly layers: readonly JsonObject[];
  /** Decoded APDUs, the inner ones of ciphered; one that cannot be decoded is `{valid: false, hex, error}`. Plain Data is `{data}`. */
  readonly apdus: readonly JsonObject[];
  /** Octets that belong to no frame. */
  readonly discarded: readonly Discarded[];
  /** The first thing that was wrong. */
  readonly error: ErrorReport | null;
}

export class Findings implements Decoded {
  readonly layers: JsonObject[] = [];
  readonly apdus: JsonObject[] = [];
  readonly discarded: Discarded[] = [];
  error: ErrorReport | null = null;

  layer(layer: string, content: { readonly [key: string]: JsonValue }): void {
    this.layers.push({ layer, ...content });
  }
  /** Adds to the layer met last. */
  amend(content: { readonly [key: string]: JsonValue }): void {
    const last = this.layers.pop();
    if (last !== undefined) this.layers.push({ ...last, ...content });
  }
  apdu(apdu: JsonObject): void {
    this.apdus.push(apdu);
  }
  wrong(error: ErrorReport): void {
    this.error ??= error;
  }
  undecodable(octets: Uint8Array, error: ErrorReport): void {
    this.apdus.push(presentObject({ valid: false, hex: octets, error }));
    this.wrong(error);
  }
  incomplete(octets: Uint8Array, message: string, layer: Layer): void {
    this.undecodable(octets, reportOf('TRUNCATED', message, layer));
  }
  discard(discarded: Discarded, base = 0): void {
    this.discarded.push({ ...discarded, offset: base + discarded.offset });
  }
  result(): Decoded {
    const { layers, apdus, discarded, error } = this;
    return { layers, apdus, discarded, error };
  }
}

export function reportOf(code: ErrorCode, message: string, layer: Layer): ErrorReport {
  return new BridgeError(code, message, { layer }).report();
}
