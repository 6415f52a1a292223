/** A captured push as `decode` shows it, from the frames to the items, in the vocabulary of `vectors/push.json`. */
import { toHex } from '../../core/bytes.ts';
import { type BridgeError, fail } from '../../core/errors.ts';
import { encodeAddress } from '../hdlc/address.ts';
import { encodeControl, type HdlcFrame } from '../hdlc/frame.ts';
import { splitLlc } from '../hdlc/llc.ts';
import type { Discarded } from '../link.ts';
import { MbusDeframer, type MbusFrame, type MbusItem } from '../mbus.ts';
import { asciiText, parseIdentification } from '../mode-e/messages.ts';
import { HdlcPushFraming, MbusPushFraming, type PushFraming, WrapperPushFraming } from '../push/framing.ts';
import { type Push, PushReceiver } from '../push/receiver.ts';
import type { CipheredApdu } from '../security/ciphered.ts';
import { WrapperDeframer } from '../wrapper.ts';
import { deframe } from './hdlc.ts';
import { openLayer } from './open-layer.ts';
import { type JsonObject, presentObject } from './present.ts';
import { type OpenedLayer, presentPush } from './push-content.ts';
import { type DecodeKeys, hasKeys } from './security.ts';
import { keysIn, type VectorContext } from './vector-context.ts';

/** Messages of a capture, and what is told of the frames they came in. */
interface Captured {
  readonly messages: readonly Uint8Array[];
  readonly shown: JsonObject;
  readonly discarded: readonly Discarded[];
}

const TRANSPORTS: Readonly<Record<string, (octets: Uint8Array) => Captured>> = {
  hdlc: captureHdlc,
  wrapper: captureWrapper,
  mbus: captureMbus,
  raw: captureRaw,
  p1: captureP1,
};

/**
 * Decodes a captured push. Without a key a ciphered one is shown closed. Throws BridgeError when any of it is malformed or
 * incomplete, or its tag does not fit.
 */
export function decodePush(octets: Uint8Array, context: VectorContext = {}): JsonObject {
  const { messages, shown, discarded } = captureOf(context.transport, octets)(octets);
  if (messages.length === 0) {
    const [first] = discarded;
    fail('MALFORMED', `no whole push: ${first?.reason ?? 'there are no octets'}`, { layer: 'xdlms' });
  }
  const receiver = new PushReceiver<OpenedLayer>({ open: pushOpener(keysIn(context)) });
  const pushes: Push<OpenedLayer>[] = [];
  const failures: BridgeError[] = [];
  for (const event of [...messages.flatMap((message) => receiver.take('', message)), ...receiver.flush()]) {
    if (event.kind === 'push') pushes.push(event.push);
    if (event.kind === 'failed') failures.push(event.error);
  }
  const [failed] = failures;
  if (failed !== undefined) throw failed;
  const [first = {}, ...others] = pushes.map(presentPush);
  return {
    ...shown,
    ...first,
    ...(others.length > 0 && { others }),
    discarded: discarded.map(presentObject),
  };
}

function captureOf(transport: unknown, octets: Uint8Array): (octets: Uint8Array) => Captured {
  if (typeof transport === 'string' && Object.hasOwn(TRANSPORTS, transport)) {
    return TRANSPORTS[transport] as (octets: Uint8Array) => Captured;
  }
  const [a = -1, b = -1, , d] = octets;
  if (a === 0x7e) return captureHdlc;
  if (a === 0x68 && d === 0x68) return captureMbus;
  if (a === 0x00 && b === 0x01) return captureWrapper;
  return a === 0x2f ? captureP1 : captureRaw;
}

/**
 * Opens protected pushes for a `PushReceiver`. null for those that stay closed, as without keys all do that are ciphered. A
 * signature hides nothing.
 */
export function pushOpener(keys: DecodeKeys): (apdu: CipheredApdu) => OpenedLayer | null {
  return (apdu) => {
    if (apdu.apdu !== 'general-signing' && !hasKeys(keys)) return null;
    const layer = openLayer(apdu, keys);
    return { ...layer, plaintext: layer.plaintext ?? fail('KEY_MISSING', 'no key to open the push with') };
  };
}

function received(framing: PushFraming, octets: Uint8Array): Pick<Captured, 'messages' | 'discarded'> {
  const events = [...framing.receive(octets), ...framing.flush()];
  return {
    messages: events.flatMap((event) => (event.kind === 'message' ? [event.octets] : [])),
    discarded: events.flatMap((event) => (event.kind === 'discarded' ? [event.discarded] : [])),
  };
}

function captureHdlc(octets: Uint8Array): Captured {
  const frames = deframe(octets).flatMap((item) => (item.kind === 'frame' ? [item.frame] : []));
  const { llc } = splitLlc(frames[0]?.information ?? new Uint8Array(0));
  const shown = { hdlc: { frames: frames.map(presentHdlcFrame), llc: llc === null ? null : toHex(llc) } };
  return { ...received(new HdlcPushFraming(), octets), shown };
}

function presentHdlcFrame({ length, segmented, control, destination, source }: HdlcFrame): JsonObject {
  const octet = encodeControl(control).toString(16).padStart(2, '0');
  const addresses = { destination: encodeAddress(destination), source: encodeAddress(source) };
  return presentObject({ length, segmented, control: octet, ...addresses });
}

function captureWrapper(octets: Uint8Array): Captured {
  const deframer = new WrapperDeframer();
  const headers = [...deframer.push(octets), ...deframer.flush()].flatMap((item) => {
    if (item.kind === 'discarded') return [];
    const { apdu: _, ...header } = item.frame;
    return [presentObject(header)];
  });
  const [wrapper = null, ...others] = headers;
  const shown = { wrapper, ...(others.length > 0 && { wrappers: headers }) };
  return { ...received(new WrapperPushFraming(), octets), shown };
}

/** All long frames in the octets, and what was left out. */
export function deframeMbus(octets: Uint8Array): MbusItem[] {
  const deframer = new MbusDeframer();
  return [...deframer.push(octets), ...deframer.flush()];
}

/** C, A, CI and check sum as hex. */
export function presentMbusFrame({ c, a, ci, checksum, data: _, ...others }: MbusFrame): JsonObject {
  const hex = (octet: number): string => octet.toString(16).padStart(2, '0');
  return presentObject({ ...others, c: hex(c), a: hex(a), ci: hex(ci), checksum: hex(checksum) });
}

function captureMbus(octets: Uint8Array): Captured {
  const frames = deframeMbus(octets).flatMap((item) => (item.kind === 'frame' ? [presentMbusFrame(item.frame)] : []));
  return { ...received(new MbusPushFraming(), octets), shown: { mbus: { frames } } };
}

function captureRaw(octets: Uint8Array): Captured {
  const { llc } = splitLlc(octets);
  return { messages: [octets], shown: { llc: llc === null ? null : toHex(llc) }, discarded: [] };
}

/** A P1 port: an ASCII telegram, or a ciphered APDU, which may stand behind an identification line. */
function captureP1(octets: Uint8Array): Captured {
  const line = /^(\/[^\r\n]*)(?:\r\n)+/.exec(asciiText(octets.subarray(0, 256)));
  const behind = line === null ? undefined : octets[line[0].length];
  const isBinary = behind !== undefined && (behind < 0x20 || behind > 0x7e);
  if (line === null || !isBinary || parseIdentification(line[1] as string) === null) return captureRaw(octets);
  const shown = { identificationLine: line[1] as string };
  return { messages: [octets.subarray(line[0].length)], shown, discarded: [] };
}
