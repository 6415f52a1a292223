/**
 * The meters' end of one stream of octets, sans I/O: octets in; frames to send out, each with whose it is and what it
 * says. Any number of meters and clients share the stream, told apart by their addresses.
 */
import type { HdlcAddress } from '../../dlms/hdlc/address.ts';
import { HdlcDeframer } from '../../dlms/hdlc/deframer.ts';
import { decodeFrame, type HdlcFrame } from '../../dlms/hdlc/frame.ts';
import { type HdlcParameters, symmetricParameters } from '../../dlms/hdlc/parameters.ts';
import { HdlcServerLink } from '../../dlms/hdlc/server-link.ts';
import type { LinkOutput } from '../../dlms/link.ts';
import { encodeWrapper, WrapperDeframer, type WrapperFrame } from '../../dlms/wrapper.ts';
import type { Framing } from '../../transport/link-address.ts';
import type { Misbehaviour } from './faults.ts';
import type { SaidValue } from './get-service.ts';
import type { Dialogue, VirtualMeter } from './virtual-meter.ts';

/** A frame to send. */
export interface Outgoing {
  readonly frame: Uint8Array;
  readonly dialogue: Dialogue;
  /** What the client knows once it has this frame, and had those before it. */
  readonly said: readonly SaidValue[];
}

export interface Endpoint {
  receive(octets: Uint8Array): readonly Outgoing[];
  /** The line was silent for long: what is incomplete will not be completed. */
  silence(): readonly Outgoing[];
}

/** The meters that can be reached behind one line. */
export interface Site {
  /** By server SAP and, in HDLC, lower address; null when there is no such meter. */
  find(server: number, physical: number | null): VirtualMeter | null;
}

/** What these meters can do on an HDLC link: the client's proposal decides. */
const HDLC_PARAMETERS: HdlcParameters = symmetricParameters(1024, 7);

export function endpointOf(framing: Framing, site: Site): Endpoint {
  return framing === 'wrapper' ? new WrapperEndpoint(site) : new HdlcEndpoint(site);
}

/** The faults of each meter on one line: counts and chances begin anew with the line. */
class Misbehaviours {
  private readonly known = new Map<VirtualMeter, Misbehaviour>();
  private readonly framing: Framing;

  constructor(framing: Framing) {
    this.framing = framing;
  }

  of(meter: VirtualMeter): Misbehaviour {
    const known = this.known.get(meter) ?? meter.misbehave(this.framing);
    this.known.set(meter, known);
    return known;
  }
}

class WrapperEndpoint implements Endpoint {
  private readonly site: Site;
  private readonly deframer = new WrapperDeframer();
  private readonly misbehaviours = new Misbehaviours('wrapper');
  private readonly dialogues = new Map<string, Dialogue>();

  constructor(site: Site) {
    this.site = site;
  }

  receive(octets: Uint8Array): readonly Outgoing[] {
    return this.deframer.push(octets).flatMap((item) => (item.kind === 'frame' ? this.take(item.frame) : []));
  }

  silence(): readonly Outgoing[] {
    return this.deframer.flush().flatMap((item) => (item.kind === 'frame' ? this.take(item.frame) : []));
  }

  private take({ sourceWPort: client, destinationWPort: server, apdu: request }: WrapperFrame): readonly Outgoing[] {
    const dialogue = this.dialogue(client, server);
    if (dialogue === null) return [];
    const { notification, apdus, said } = dialogue.answer(request);
    const frames = [...(notification === null ? [] : [notification]), ...apdus].map((apdu) =>
      encodeWrapper(server, client, apdu),
    );
    return frames.map((frame, index) => ({ frame, dialogue, said: index === frames.length - 1 ? said : [] }));
  }

  private dialogue(client: number, server: number): Dialogue | null {
    const key = `${client}:${server}`;
    const known = this.dialogues.get(key);
    if (known !== undefined) return known;
    const meter = this.site.find(server, null);
    const begun = meter?.dialogueWith(client, this.misbehaviours.of(meter)) ?? null;
    if (begun !== null) this.dialogues.set(key, begun);
    return begun;
  }
}

interface HdlcDialogue {
  readonly link: HdlcServerLink;
  readonly dialogue: Dialogue;
  /** Said by the answer that is being sent, until its last segment has left. */
  unsaid: readonly SaidValue[];
}

class HdlcEndpoint implements Endpoint {
  private readonly site: Site;
  private readonly deframer = new HdlcDeframer();
  private readonly misbehaviours = new Misbehaviours('hdlc');
  private readonly dialogues = new Map<string, HdlcDialogue>();

  constructor(site: Site) {
    this.site = site;
  }

  receive(octets: Uint8Array): readonly Outgoing[] {
    return this.deframer.push(octets).flatMap((item) => (item.kind === 'frame' ? this.take(item.frame) : []));
  }

  silence(): readonly Outgoing[] {
    return this.deframer.flush().flatMap((item) => (item.kind === 'frame' ? this.take(item.frame) : []));
  }

  private take(frame: HdlcFrame): readonly Outgoing[] {
    const found = this.dialogue(frame.source, frame.destination);
    if (found === null) return [];
    const outgoing: Outgoing[] = [];
    const carryOut = (output: LinkOutput): void => {
      for (const bytes of output.send)
        outgoing.push({ frame: bytes, dialogue: found.dialogue, said: saidBy(bytes, found) });
      for (const event of output.events) {
        if (event.kind === 'connected' || event.kind === 'disconnected') {
          found.dialogue.reset();
          found.unsaid = [];
        } else if (event.kind === 'apdu' && !event.unsolicited) {
          const { notification, apdus, said } = found.dialogue.answer(event.apdu);
          if (notification !== null) carryOut(found.link.notify(notification));
          found.unsaid = said;
          if (apdus.length === 0) carryOut(found.link.noAnswer());
          for (const apdu of apdus) carryOut(found.link.send(apdu));
        } else if (event.kind === 'apdu') found.dialogue.hear(event.apdu);
      }
    };
    carryOut(found.link.receive(frame));
    return outgoing;
  }

  /** A link belongs to one client and one form of the server's address: an answer repeats the form of the request. */
  private dialogue(client: HdlcAddress, server: HdlcAddress): HdlcDialogue | null {
    if (client.length !== 1) return null;
    const key = `${client.upper}:${server.upper}/${server.lower}/${server.length}`;
    const known = this.dialogues.get(key);
    if (known !== undefined) return known;
    const meter = this.site.find(server.upper, server.lower);
    const dialogue = meter?.dialogueWith(client.upper, this.misbehaviours.of(meter)) ?? null;
    if (dialogue === null) return null;
    const link = new HdlcServerLink({ client, server, parameters: HDLC_PARAMETERS, rejects: false });
    const begun: HdlcDialogue = { link, dialogue, unsaid: [] };
    this.dialogues.set(key, begun);
    return begun;
  }
}

/** What is said with this frame: everything, if it is the last segment of the answer. */
function saidBy(bytes: Uint8Array, dialogue: HdlcDialogue): readonly SaidValue[] {
  if (dialogue.unsaid.length === 0) return [];
  const { control, segmented } = decodeFrame(bytes);
  if (control.frameType !== 'I' || segmented) return [];
  const said = dialogue.unsaid;
  dialogue.unsaid = [];
  return said;
}
