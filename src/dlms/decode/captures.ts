/** Captures of one framing: every frame is told, and what it holds goes on to `Messages`. Segments are joined for each direction. */
import { concat, sameBytes } from '../../core/bytes.ts';
import { addressName } from '../hdlc/address.ts';
import type { HdlcFrame } from '../hdlc/frame.ts';
import { splitLlc } from '../hdlc/llc.ts';
import { MbusSegments } from '../mbus.ts';
import { WrapperDeframer, type WrapperItem } from '../wrapper.ts';
import { attempt } from './attempt.ts';
import { type Findings, reportOf } from './findings.ts';
import { deframe, noFrame, presentFrame } from './hdlc.ts';
import type { Messages } from './messages.ts';
import { presentObject } from './present.ts';
import { deframeMbus, presentMbusFrame } from './push.ts';

const LONGEST_APDU = 16 * 1024 * 1024;

/** @param base offset of the octets in the input. */
export type Capture = (octets: Uint8Array, base: number, findings: Findings, messages: Messages) => void;

/** Information that awaits its next segment, from one station to another. */
interface Direction {
  /** For a person. */
  readonly name: string;
  parts: Uint8Array[];
  /** The frame before this one, if it was an I frame. */
  last: { readonly ns: number; readonly information: Uint8Array } | null;
}

export const captureHdlc: Capture = (octets, base, findings, messages) => {
  const directions = new Map<string, Direction>();
  const giveUp = (): void => {
    for (const direction of directions.values()) lost(direction, findings);
    directions.clear();
  };
  const items = deframe(octets);
  for (const item of items) {
    if (item.kind === 'discarded') {
      findings.discard(item.discarded, base);
      continue;
    }
    findings.layer('hdlc', { offset: base + item.offset, ...presentFrame(item.frame) });
    const { frameType } = item.frame.control;
    if (frameType === 'SNRM' || frameType === 'UA') giveUp();
    else if (frameType === 'I' || frameType === 'UI') takeInformation(item.frame, directions, findings, messages);
  }
  giveUp();
  const none = items.every(({ kind }) => kind === 'discarded') ? attempt(() => noFrame(items)).error : null;
  if (none !== null) findings.wrong(none);
};

function lost({ name, parts }: Direction, findings: Findings): void {
  if (parts.length > 0) findings.incomplete(concat(parts), `the last segment ${name} is missing`, 'hdlc');
}

function takeInformation(
  frame: HdlcFrame,
  directions: Map<string, Direction>,
  findings: Findings,
  messages: Messages,
): void {
  const { control, segmented } = frame;
  const information = frame.information ?? new Uint8Array(0);
  const sender = addressName(frame.source);
  const name = `from ${sender} to ${addressName(frame.destination)} (${control.frameType})`;
  const direction: Direction = directions.get(name) ?? { name, parts: [], last: null };
  directions.set(name, direction);
  const { last } = direction;
  direction.last = control.frameType === 'I' ? { ns: control.ns, information } : null;
  // Sent again: the same number, and the same information. Some meters have the number 0 in every frame.
  if (last !== null && last.ns === direction.last?.ns && sameBytes(last.information, information)) {
    findings.amend({ repeated: true });
    return;
  }
  if (splitLlc(information).llc !== null) {
    lost(direction, findings);
    direction.parts = [];
  }
  direction.parts.push(messages.withoutLlc(information));
  if (segmented) return;
  const message = concat(direction.parts);
  direction.parts = [];
  if (message.length > 0) messages.take(sender, message);
}

/** All wrapper messages in the octets, and what was left out. */
export function deframeWrapper(octets: Uint8Array): WrapperItem[] {
  const deframer = new WrapperDeframer();
  return [...deframer.push(octets), ...deframer.flush()];
}

export const captureWrapper: Capture = (octets, base, findings, messages) => {
  let frames = 0;
  for (const item of deframeWrapper(octets)) {
    if (item.kind === 'discarded') {
      findings.discard(item.discarded, base);
      continue;
    }
    frames += 1;
    const { apdu, ...header } = item.frame;
    findings.layer('wrapper', { offset: base + item.offset, ...presentObject(header) });
    messages.take(`wPort ${header.sourceWPort}`, apdu);
  }
  if (frames === 0) findings.wrong(reportOf('MALFORMED', 'no whole wrapper message', 'wrapper'));
};

export const captureMbus: Capture = (octets, base, findings, messages) => {
  const senders = new Map<string, MbusSegments>();
  let frames = 0;
  for (const item of deframeMbus(octets)) {
    if (item.kind === 'discarded') {
      findings.discard(item.discarded, base);
      continue;
    }
    frames += 1;
    const { frame } = item;
    findings.layer('mbus', { offset: base + item.offset, ...presentMbusFrame(frame) });
    const sender = `M-Bus ${frame.a}/${frame.stsap}`;
    const segments = senders.get(sender) ?? new MbusSegments(LONGEST_APDU);
    senders.set(sender, segments);
    for (const joined of segments.take(frame)) {
      if (joined.kind === 'whole') messages.take(sender, joined.octets);
      if (joined.kind === 'broken') findings.wrong(reportOf('TRUNCATED', joined.reason, 'mbus'));
    }
  }
  for (const [sender, { began }] of senders) {
    if (began) findings.wrong(reportOf('TRUNCATED', `the last segment of ${sender} is missing`, 'mbus'));
  }
  if (frames === 0) findings.wrong(reportOf('MALFORMED', 'no valid M-Bus long frame', 'mbus'));
};
