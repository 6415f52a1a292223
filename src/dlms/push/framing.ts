/**
 * Lines on which meters only talk: octets in, whole messages out, for each framing. A message is what one frame, or one run
 * of segments, holds: one APDU as a rule, several sometimes, each with its LLC header then. There is no gap by which
 * messages could be told apart: frames are found by their lengths, segments by their marks.
 */
import { concat } from '../../core/bytes.ts';
import { addressName, isForAnybody } from '../hdlc/address.ts';
import { HdlcDeframer, type HdlcItem } from '../hdlc/deframer.ts';
import { encodeFrame, type HdlcFrame, MIN_FRAME_LENGTH } from '../hdlc/frame.ts';
import { LLC_COMMAND } from '../hdlc/llc.ts';
import { Notifications } from '../hdlc/notifications.ts';
import type { Discarded } from '../link.ts';
import { MbusDeframer, type MbusItem, MbusSegments } from '../mbus.ts';
import { encodeWrapper, WrapperDeframer, type WrapperItem } from '../wrapper.ts';

export type PushFramingEvent =
  | {
      readonly kind: 'message';
      /** Who sent it, as far as the framing tells; for a person, and to keep senders apart. */
      readonly source: string;
      /** Its address, where the framing has such. */
      readonly station: PushStation | null;
      readonly octets: Uint8Array;
      /** An APDU to its sender, framed likewise; null where there is no way back. */
      readonly answer: ((apdu: Uint8Array) => Uint8Array) | null;
    }
  | { readonly kind: 'discarded'; readonly discarded: Discarded };

/** Who sends to whom: wPorts, or HDLC addresses. */
export interface PushStation {
  readonly server: number;
  readonly physical: number | null;
  readonly client: number;
}

export interface PushFraming {
  /** Octets of the line, in any portions. */
  receive(bytes: Uint8Array): PushFramingEvent[];
  /** The line was silent for long, or the capture ends: what is incomplete is given up. */
  flush(): PushFramingEvent[];
}

/** Octets of the longest message that is joined from segments. */
export const LONGEST_MESSAGE = 64 * 1024;
/** Senders whose segments are kept at the same time; the one that was silent longest goes first. */
const MOST_SOURCES = 16;

const discardedEvent = (offset: number, length: number, reason: string): PushFramingEvent => ({
  kind: 'discarded',
  discarded: { offset, length, reason },
});

/** What each sender has under way; bounded. */
class Sources<State> {
  private readonly states = new Map<string, State>();

  get(source: string): State | undefined {
    return this.states.get(source);
  }
  /** Returns the state of a sender that had to go. */
  set(source: string, state: State): State | undefined {
    this.states.delete(source);
    this.states.set(source, state);
    if (this.states.size <= MOST_SOURCES) return undefined;
    const [oldest] = this.states.keys();
    return oldest === undefined ? undefined : this.remove(oldest);
  }
  remove(source: string): State | undefined {
    const state = this.states.get(source);
    this.states.delete(source);
    return state;
  }
  clear(): State[] {
    const states = [...this.states.values()];
    this.states.clear();
    return states;
  }
}

interface UnderWay {
  readonly joiner: Notifications;
  readonly offset: number;
  readonly octets: number;
}

/** UI frames, and I frames of meters that push without a link. Their numbers are not looked at: some send 0 for ever. */
export class HdlcPushFraming implements PushFraming {
  private readonly deframer = new HdlcDeframer();
  private readonly sources = new Sources<UnderWay>();

  receive(bytes: Uint8Array): PushFramingEvent[] {
    return this.deframer.push(bytes).flatMap((item) => this.take(item));
  }

  flush(): PushFramingEvent[] {
    return [...this.deframer.flush().flatMap((item) => this.take(item)), ...this.giveUp('the last segment is missing')];
  }

  private take(item: HdlcItem): PushFramingEvent[] {
    if (item.kind === 'discarded') {
      // A damaged frame may have been a segment of anybody.
      const isFrame = item.discarded.length >= MIN_FRAME_LENGTH;
      return [item, ...(isFrame ? this.giveUp('a segment was lost') : [])];
    }
    const { frame, offset } = item;
    const length = frame.length + 2;
    const { frameType } = frame.control;
    if (frameType !== 'UI' && frameType !== 'I') return [discardedEvent(offset, length, `a frame ${frameType}`)];
    return this.join(frame, offset, length);
  }

  private join(frame: HdlcFrame, offset: number, length: number): PushFramingEvent[] {
    const source = addressName(frame.source);
    const key = `${source} to ${addressName(frame.destination)}`;
    const before = this.sources.get(key) ?? { joiner: new Notifications(LONGEST_MESSAGE), offset, octets: 0 };
    const events: PushFramingEvent[] = [];
    const octets = before.joiner.take(frame, (reason) => {
      events.push(discardedEvent(before.offset, before.octets, reason));
    });
    const fresh = events.length > 0;
    if (frame.segmented) {
      const state = fresh ? { ...before, offset, octets: length } : { ...before, octets: before.octets + length };
      const gone = this.sources.set(key, state);
      if (gone !== undefined) events.push(discardedEvent(gone.offset, gone.octets, 'too many senders at once'));
    } else this.sources.remove(key);
    if (octets !== null)
      events.push({ kind: 'message', source, station: stationOf(frame), octets, answer: answerTo(frame) });
    return events;
  }

  private giveUp(reason: string): PushFramingEvent[] {
    return this.sources.clear().map(({ offset, octets }) => discardedEvent(offset, octets, reason));
  }
}

function stationOf({ source, destination }: HdlcFrame): PushStation {
  return { server: source.upper, physical: source.lower, client: destination.upper };
}

/** Nobody has the address that calls all stations: what was sent to it cannot be answered from it. */
function answerTo({ source, destination }: HdlcFrame): ((apdu: Uint8Array) => Uint8Array) | null {
  if (isForAnybody(destination)) return null;
  return (apdu) =>
    encodeFrame({
      destination: source,
      source: destination,
      control: { frameType: 'UI', pollFinal: false },
      segmented: false,
      information: concat([LLC_COMMAND, apdu]),
    });
}

/** Messages of the TCP-UDP/IP wrapper; of UDP, one datagram after the other. */
export class WrapperPushFraming implements PushFraming {
  private readonly deframer = new WrapperDeframer();

  receive(bytes: Uint8Array): PushFramingEvent[] {
    return this.deframer.push(bytes).map(wrapperEvent);
  }
  flush(): PushFramingEvent[] {
    return this.deframer.flush().map(wrapperEvent);
  }
}

function wrapperEvent(item: WrapperItem): PushFramingEvent {
  if (item.kind === 'discarded') return item;
  const { sourceWPort, destinationWPort, apdu: octets } = item.frame;
  const answer = (apdu: Uint8Array): Uint8Array => encodeWrapper(destinationWPort, sourceWPort, apdu);
  const station = { server: sourceWPort, physical: null, client: destinationWPort };
  return { kind: 'message', source: `wPort ${sourceWPort}`, station, octets, answer };
}

/** Long frames of wired M-Bus. */
export class MbusPushFraming implements PushFraming {
  private readonly deframer = new MbusDeframer();
  private readonly sources = new Sources<{ readonly segments: MbusSegments; readonly offset: number }>();

  receive(bytes: Uint8Array): PushFramingEvent[] {
    return this.deframer.push(bytes).flatMap((item) => this.take(item));
  }

  flush(): PushFramingEvent[] {
    const events = this.deframer.flush().flatMap((item) => this.take(item));
    const incomplete = this.sources
      .clear()
      .map(({ segments, offset }) => discardedEvent(offset, segments.pending, 'the last segment is missing'));
    return [...events, ...incomplete];
  }

  private take(item: MbusItem): PushFramingEvent[] {
    if (item.kind === 'discarded') return [item];
    const { frame, offset } = item;
    const source = `M-Bus ${frame.a}/${frame.stsap}`;
    const before = this.sources.get(source) ?? { segments: new MbusSegments(LONGEST_MESSAGE), offset };
    const events: PushFramingEvent[] = [];
    for (const joined of before.segments.take(frame)) {
      if (joined.kind === 'whole')
        events.push({ kind: 'message', source, station: null, octets: joined.octets, answer: null });
      if (joined.kind === 'broken') events.push(discardedEvent(before.offset, joined.octets, joined.reason));
    }
    if (!before.segments.began) {
      this.sources.remove(source);
      return events;
    }
    const gone = this.sources.set(source, frame.segment === 0 ? { ...before, offset } : before);
    if (gone !== undefined) events.push(discardedEvent(gone.offset, gone.segments.pending, 'too many senders at once'));
    return events;
  }
}
