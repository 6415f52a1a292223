/**
 * `dlms decode`: explains captured octets. Frames of either framing are taken out of them, what belongs to none is told;
 * segmented HDLC information is joined for each direction; every APDU is decoded, and what cannot be says why.
 */
import { concat } from '../../core/bytes.ts';
import { BridgeError, type ErrorReport } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { parseData } from '../axdr/data.ts';
import { addressName } from '../hdlc/address.ts';
import type { HdlcFrame } from '../hdlc/frame.ts';
import { splitLlc } from '../hdlc/llc.ts';
import type { Discarded } from '../link.ts';
import { WrapperDeframer, type WrapperItem } from '../wrapper.ts';
import { decodeAnyApdu } from './apdu.ts';
import { attempt } from './attempt.ts';
import { deframe, noFrame, presentFrame } from './hdlc.ts';
import { type JsonObject, presentObject } from './present.ts';

export const DECODE_INPUTS = ['auto', 'hdlc', 'wrapper', 'apdu', 'data'] as const;
export type DecodeInput = (typeof DECODE_INPUTS)[number];

export interface Decoded {
  /** In the order met: `{layer: 'hdlc' | 'llc' | 'wrapper', ...}`. */
  readonly layers: readonly JsonObject[];
  /** Decoded APDUs; one that cannot be decoded is `{valid: false, hex, error}`. Plain Data is `{data}`. */
  readonly apdus: readonly JsonObject[];
  readonly discarded: readonly Discarded[];
  /** The first thing that was wrong. */
  readonly error: ErrorReport | null;
}

/** Explains octets. Never throws for what they hold. */
export function decodeBytes(octets: Uint8Array, { input }: { readonly input: DecodeInput }): Decoded {
  switch (input === 'auto' ? detected(octets) : input) {
    case 'hdlc':
      return decodeHdlcCapture(octets);
    case 'wrapper':
      return decodeWrapperCapture(octets);
    case 'data':
      return plain(octets, () => presentObject({ data: parseData(octets) }));
    default:
      return plain(octets, () => presentObject(decodeAnyApdu(octets)));
  }
}

/** What octets are: the first reading that succeeds; when none does, what they look like. */
function detected(octets: Uint8Array): Exclude<DecodeInput, 'auto'> {
  if (deframe(octets).some(({ kind }) => kind === 'frame')) return 'hdlc';
  const looksWrapped = octets[0] === 0x00 && octets[1] === 0x01;
  if (looksWrapped && deframeWrapper(octets).some(({ kind }) => kind === 'frame')) return 'wrapper';
  if (attempt(() => decodeAnyApdu(octets)).error === null) return 'apdu';
  if (attempt(() => parseData(octets)).error === null) return 'data';
  if (octets.indexOf(0x7e) >= 0 && octets[octets.indexOf(0x7e) + 1]! >> 4 === 0xa) return 'hdlc';
  return looksWrapped ? 'wrapper' : 'apdu';
}

function plain(octets: Uint8Array, decode: () => JsonObject): Decoded {
  const result = attempt(decode);
  const apdus = [result.error === null ? result.value : undecodable(octets, result.error)];
  return { layers: [], apdus, discarded: [], error: result.error };
}

function undecodable(octets: Uint8Array, error: ErrorReport): JsonObject {
  return presentObject({ valid: false, hex: octets, error });
}

/** What is found, piece by piece. */
class Findings {
  readonly layers: JsonObject[] = [];
  readonly apdus: JsonObject[] = [];
  readonly discarded: Discarded[] = [];
  error: ErrorReport | null = null;

  layer(layer: string, content: { readonly [key: string]: JsonValue }): void {
    this.layers.push({ layer, ...content });
  }
  apdu(octets: Uint8Array): void {
    const { value, error } = attempt(() => decodeAnyApdu(octets));
    this.apdus.push(error === null ? presentObject(value) : undecodable(octets, error));
    this.error ??= error;
  }
  incomplete(octets: Uint8Array, message: string): void {
    const error = new BridgeError('TRUNCATED', message, { layer: 'hdlc' }).report();
    this.apdus.push(undecodable(octets, error));
    this.error ??= error;
  }
  result(): Decoded {
    const { layers, apdus, discarded, error } = this;
    return { layers, apdus, discarded, error };
  }
}

function deframeWrapper(octets: Uint8Array): WrapperItem[] {
  const deframer = new WrapperDeframer();
  return [...deframer.push(octets), ...deframer.flush()];
}

function decodeWrapperCapture(octets: Uint8Array): Decoded {
  const findings = new Findings();
  for (const item of deframeWrapper(octets)) {
    if (item.kind === 'discarded') findings.discarded.push(item.discarded);
    else {
      const { apdu, ...header } = item.frame;
      findings.layer('wrapper', { offset: item.offset, ...presentObject(header) });
      findings.apdu(apdu);
    }
  }
  if (findings.layers.length === 0) {
    findings.error = new BridgeError('MALFORMED', 'no whole wrapper message', { layer: 'wrapper' }).report();
  }
  return findings.result();
}

/** Information that awaits its next segment, from one station to another. */
interface Direction {
  readonly name: string;
  parts: Uint8Array[];
  lastNs: number | null;
}

function decodeHdlcCapture(octets: Uint8Array): Decoded {
  const findings = new Findings();
  const directions = new Map<string, Direction>();
  const items = deframe(octets);
  for (const item of items) {
    if (item.kind === 'discarded') {
      findings.discarded.push(item.discarded);
      continue;
    }
    findings.layer('hdlc', { offset: item.offset, ...presentFrame(item.frame) });
    const { frameType } = item.frame.control;
    if (frameType === 'SNRM' || frameType === 'UA') directions.clear();
    else if (frameType === 'I' || frameType === 'UI') takeInformation(item.frame, directions, findings);
  }
  for (const { name, parts } of directions.values()) {
    if (parts.length > 0) findings.incomplete(concat(parts), `the last segment ${name} is missing`);
  }
  if (findings.layers.length === 0) findings.error = attempt(() => noFrame(items)).error;
  return findings.result();
}

function takeInformation(frame: HdlcFrame, directions: Map<string, Direction>, findings: Findings): void {
  const { control, information, segmented } = frame;
  const name = `from ${addressName(frame.source)} to ${addressName(frame.destination)} (${control.frameType})`;
  const direction: Direction = directions.get(name) ?? { name, parts: [], lastNs: null };
  directions.set(name, direction);
  // A frame that was sent again: the same number, one behind the other.
  const ns = control.frameType === 'I' ? control.ns : null;
  if (ns !== null && ns === direction.lastNs) {
    findings.layers[findings.layers.length - 1] = { ...findings.layers.at(-1), repeated: true } as JsonObject;
    return;
  }
  direction.lastNs = ns;
  const { llc, rest } = splitLlc(information ?? new Uint8Array(0));
  if (llc !== null) {
    if (direction.parts.length > 0) findings.incomplete(concat(direction.parts), `the last segment ${name} is missing`);
    direction.parts = [];
    findings.layer('llc', presentObject({ hex: llc, direction: llc[1] === 0xe6 ? 'command' : 'response' }));
  }
  direction.parts.push(rest);
  if (segmented) return;
  const apdu = concat(direction.parts);
  direction.parts = [];
  if (apdu.length > 0) findings.apdu(apdu);
}
