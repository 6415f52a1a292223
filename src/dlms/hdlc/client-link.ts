/**
 * The client's end of an HDLC link (Green Book 8.4; ISO/IEC 13239, unbalanced operation, normal response mode).
 *
 * Theory. The client is the primary station: the meter may transmit only after a frame with the poll bit, and gives the
 * turn back with the final bit. A request goes out in I-frames of at most the length and the window that the meter can
 * receive, the last of a burst polling; RR acknowledges, and the next burst follows. The answer comes in I-frames; while
 * its segmentation bit is set, each window is acknowledged by an RR that polls for more. Meters that never set the final
 * bit are understood too: a full window, or an APDU that is whole, ends their turn.
 *
 * Recovery. Nothing that is corrupt is ever answered; silence is. On a time-out the client first enquires with RR (poll):
 * N(R) of what comes back tells whether the request or the answer was lost, and the meter repeats what we did not
 * acknowledge (checkpoint recovery). The next time-out repeats the unacknowledged I-frames, for meters that do not
 * understand an enquiry. REJ is understood but never sent: the DLMS profile does not know it. Sequence numbers keep
 * repetitions from being delivered twice. A duplicate is answered only while an answer is being received, and once for
 * each V(R); otherwise every stray copy would beget another one, for ever.
 *
 * `client-states.ts` is the table of states and frames. When the retries are used up, any waiting state fails with what
 * the line had to say (`Evidence`).
 */
import { BridgeError, fail } from '../../core/errors.ts';
import { Evidence } from '../evidence.ts';
import type { ClientLink, LinkEvent, LinkOutput } from '../link.ts';
import { type Quirks, quirksOf } from '../quirks.ts';
import type { MeterSettings } from '../settings.ts';
import { addressName, clientAddress, type HdlcAddress, serverAddressOf } from './address.ts';
import { AWAITED, type HdlcClientState, lostBy, REACTIONS } from './client-states.ts';
import { HdlcDeframer, type HdlcItem } from './deframer.ts';
import { StationFilter } from './filter.ts';
import { encodeFrame, type HdlcControl, type HdlcFrame } from './frame.ts';
import { LLC_COMMAND, segmentsOf, splitLlc } from './llc.ts';
import { Notifications } from './notifications.ts';
import {
  DEFAULT_INFO_LENGTH,
  DEFAULT_WINDOW,
  decodeParameters,
  encodeParameters,
  type HdlcLimits,
  type HdlcParameters,
  negotiated,
  symmetricParameters,
} from './parameters.ts';
import { SegmentReceiver, SegmentSender } from './sequence.ts';

type InformationControl = Extract<HdlcControl, { frameType: 'I' }>;
type SupervisoryControl = Extract<HdlcControl, { frameType: 'RR' | 'RNR' | 'REJ' }>;
type Discard = (reason: string) => void;

/** What of a meter's settings concerns the link. */
export type HdlcLinkSettings = Pick<
  MeterSettings,
  'client' | 'server' | 'physical' | 'addressSize' | 'window' | 'infoLength'
> & { readonly quirks?: MeterSettings['quirks'] };

export const DEFAULT_RETRIES = 2;
/** No APDU of a real meter is longer. */
export const MAX_APDU_LENGTH = 4 * 1024 * 1024;
/** A meter that is not ready answers a poll with RR. After so many in a row the response time-out paces the polls. */
const MAX_POLLS_IN_A_ROW = 20;

export class HdlcClientLink implements ClientLink {
  private readonly client: HdlcAddress;
  private readonly server: HdlcAddress;
  private readonly retries: number;
  private readonly proposal: HdlcParameters;
  private readonly deframer = new HdlcDeframer();
  private readonly filter: StationFilter;
  private readonly sender = new SegmentSender();
  private readonly receiver = new SegmentReceiver(MAX_APDU_LENGTH);
  private readonly notifications = new Notifications(MAX_APDU_LENGTH);
  private readonly plainProposal: HdlcParameters;
  private readonly quirks: Quirks;
  private state: HdlcClientState = 'disconnected';
  private limits: HdlcLimits;
  /** The SNRM goes without parameters, since the meter refused one that had them. */
  private plain = false;
  private evidence = new Evidence('hdlc');
  /** Since the last progress: time-outs, repetitions of I-frames, polls that were answered by RR, answered duplicates. */
  private timeouts = 0;
  private repetitions = 0;
  private polls = 0;
  private answeredDuplicate = false;
  /** Frames received since our last poll. */
  private received = 0;
  /** The meter gave the turn back, or never had it. */
  private hasTurn = true;
  private out: Uint8Array[] = [];
  private events: LinkEvent[] = [];

  /** Throws INVALID_VALUE for addresses that HDLC cannot carry. `retries` is how often silence is answered by repeating. */
  constructor(settings: HdlcLinkSettings, retries = DEFAULT_RETRIES) {
    this.client = clientAddress(settings.client);
    this.server = serverAddressOf(settings);
    this.retries = retries;
    this.quirks = quirksOf(settings);
    this.filter = new StationFilter(this.client, this.server);
    this.proposal = symmetricParameters(settings.infoLength, settings.window);
    this.plainProposal = symmetricParameters(Math.min(settings.infoLength, DEFAULT_INFO_LENGTH), DEFAULT_WINDOW);
    this.limits = negotiated(this.plainProposal, {});
  }

  /** What was negotiated with the meter; the defaults before that. */
  get negotiated(): HdlcLimits {
    return this.limits;
  }

  connect(): LinkOutput {
    this.state = 'disconnected';
    this.takeAll(this.deframer.flush());
    this.begin('connecting');
    this.plain = this.quirks.snrmWithoutParameters;
    this.sendSnrm();
    return this.drain();
  }

  send(apdu: Uint8Array): LinkOutput {
    this.requireLink();
    this.sender.enqueue(segmentsOf(LLC_COMMAND, apdu, this.limits.sendInfoLength));
    if (this.state === 'connected') this.begin('awaiting');
    if (this.sender.isIdle) this.sendNext();
    return this.drain();
  }

  listen(): LinkOutput {
    this.requireLink();
    if (this.state === 'connected') {
      this.begin('awaiting');
      if (this.hasTurn) this.poll();
    }
    return this.drain();
  }

  notify(apdu: Uint8Array): LinkOutput {
    this.requireLink();
    const segments = segmentsOf(LLC_COMMAND, apdu, this.limits.sendInfoLength);
    for (const [index, information] of segments.entries()) {
      this.sendControl({ frameType: 'UI', pollFinal: false }, information, index < segments.length - 1);
    }
    return this.drain();
  }

  get isSettled(): boolean {
    return this.sender.isIdle && !this.sender.waits;
  }

  private requireLink(): void {
    if (this.state !== 'connected' && this.state !== 'awaiting') fail('LINK_LOST', `the HDLC link is ${this.state}`);
  }

  private sendNext(): void {
    this.sender.next();
    this.sendBurst();
  }

  receive(bytes: Uint8Array): LinkOutput {
    this.evidence.heard(bytes);
    this.takeAll(this.deframer.push(bytes));
    return this.drain();
  }

  timeout(): LinkOutput {
    // Half a frame may hide a whole one behind it: what is found now is as good as if it had come in time.
    const before = this.state;
    this.takeAll(this.deframer.flush());
    if (this.out.length > 0 || this.state !== before) return this.drain();
    if (this.state === 'disconnected' || this.state === 'connected') return this.drain();
    if (this.timeouts >= this.retries) this.lose(this.evidence.error(AWAITED[this.state]));
    else {
      this.timeouts += 1;
      this.repeat();
    }
    return this.drain();
  }

  disconnect(): LinkOutput {
    if (this.state === 'disconnected') this.events.push({ kind: 'disconnected' });
    else {
      this.begin('disconnecting');
      this.sendControl({ frameType: 'DISC', pollFinal: true });
    }
    return this.drain();
  }

  private repeat(): void {
    this.polls = 0;
    if (this.state === 'connecting') this.sendSnrm();
    else if (this.state === 'disconnecting') this.sendControl({ frameType: 'DISC', pollFinal: true });
    else if (this.sender.unacknowledged === 0 || this.timeouts % 2 === 1) this.poll();
    else {
      this.sender.rewind();
      this.sendBurst();
    }
  }

  private takeAll(items: readonly HdlcItem[]): void {
    for (const item of items) {
      if (item.kind === 'discarded') {
        this.evidence.discarded(item.discarded.reason);
        this.events.push(item);
      } else this.takeFrame(item.frame, item.offset);
    }
  }

  private takeFrame(frame: HdlcFrame, offset: number): void {
    this.evidence.frame();
    const discard: Discard = (reason) => {
      this.events.push({ kind: 'discarded', discarded: { offset, length: frame.length + 2, reason } });
    };
    const origin = this.filter.originOf(frame);
    if (origin === 'meter') this.react(frame, discard);
    else if (origin === 'echo') {
      this.evidence.echo();
      discard('own echo');
    } else {
      const answered = `server ${addressName(frame.source)} to client ${addressName(frame.destination)}`;
      if (this.filter.concernsUs(frame)) {
        this.evidence.otherAddress(`server ${addressName(this.server)} as client ${this.client.upper}`, answered);
      }
      discard(`other address: ${answered}`);
    }
  }

  private react(frame: HdlcFrame, discard: Discard): void {
    const { control } = frame;
    switch (REACTIONS[this.state][control.frameType]) {
      case 'establish':
        this.establish(frame);
        break;
      case 'refused':
        this.refused(frame);
        break;
      case 'lost':
        this.lose(lostBy(frame));
        break;
      case 'inform':
        if (control.frameType === 'I') this.inform(frame, control, discard);
        break;
      case 'acknowledge':
        if (control.frameType === 'RR' || control.frameType === 'RNR' || control.frameType === 'REJ') {
          this.acknowledge(control);
        }
        break;
      case 'notify':
        this.notified(frame, discard);
        break;
      case 'end':
        this.state = 'disconnected';
        this.events.push({ kind: 'disconnected' });
        break;
      case 'stale':
        discard(`${control.frameType} while ${this.state}`);
    }
  }

  private establish({ information }: HdlcFrame): void {
    let theirs: Partial<HdlcParameters>;
    try {
      theirs = information === null ? {} : decodeParameters(information);
    } catch (error) {
      this.lose(
        new BridgeError('MALFORMED', 'the link parameters in the UA are unreadable', { layer: 'hdlc', cause: error }),
      );
      return;
    }
    const limits = negotiated(this.plain ? this.plainProposal : this.proposal, theirs);
    this.limits = this.quirks.infoLengthCountsFrame ? withinFrames(limits, this.server) : limits;
    this.hasTurn = true;
    this.sender.reset(this.limits.sendWindow);
    this.receiver.reset(this.limits.receiveWindow);
    this.state = 'connected';
    this.events.push({ kind: 'connected' });
  }

  private refused({ control }: HdlcFrame): void {
    if (this.plain) {
      this.lose(new BridgeError('LINK_REFUSED', `the meter answered ${control.frameType} to the SNRM`));
      return;
    }
    this.plain = true;
    this.progress();
    this.sendSnrm();
  }

  private inform(frame: HdlcFrame, { ns, nr, pollFinal }: InformationControl, discard: Discard): void {
    const hadTurn = this.hasTurn;
    if (pollFinal) this.hasTurn = true;
    if (this.sender.acknowledge(nr) > 0) this.progress();
    const accepted = this.receiver.accept(ns, frame.segmented, frame.information ?? new Uint8Array(0));
    switch (accepted.kind) {
      case 'duplicate':
      case 'gap': {
        discard(`I-frame ${ns} while ${this.receiver.vr} is expected: ${accepted.kind}`);
        const wanted = accepted.kind === 'gap' || this.receiver.began;
        if (this.state === 'awaiting' && pollFinal && wanted && !this.answeredDuplicate) {
          this.answeredDuplicate = true;
          this.poll();
        }
        return;
      }
      case 'too-long':
        this.lose(
          new BridgeError('LIMIT_EXCEEDED', `an APDU of more than ${MAX_APDU_LENGTH} octets`, { layer: 'hdlc' }),
        );
        return;
      case 'segment':
        this.progress();
        this.received += 1;
        // The first of a message may follow another one within the turn that we gave.
        if (this.state === 'connected' && hadTurn) {
          this.lose(new BridgeError('LINK_LOST', 'the meter began a long message that nobody asked for'));
        } else if (this.state === 'awaiting' && (pollFinal || this.received >= this.limits.receiveWindow)) this.poll();
        return;
      case 'whole': {
        this.progress();
        const unsolicited = this.state !== 'awaiting';
        // Whoever answers has the request, also when its N(R) does not say so.
        this.sender.finish();
        this.state = 'connected';
        this.events.push({ kind: 'apdu', apdu: splitLlc(accepted.information).rest, unsolicited });
        if (this.sender.waits) {
          this.begin('awaiting');
          this.sendNext();
        }
      }
    }
  }

  private acknowledge({ frameType, nr, pollFinal }: SupervisoryControl): void {
    if (this.sender.acknowledge(nr) > 0) this.progress();
    if (pollFinal) this.hasTurn = true;
    if (!pollFinal && frameType !== 'REJ') return;
    if (this.sender.unacknowledged > 0 && frameType !== 'RNR') {
      // The meter has had its turn and still lacks these.
      if (this.repetitions >= this.retries) return;
      this.repetitions += 1;
      this.sender.rewind();
      this.sendBurst();
    } else if (this.sender.unsent > 0 && frameType !== 'RNR') this.sendBurst();
    else if (this.sender.waits && frameType !== 'RNR') this.sendNext();
    else if (this.polls < MAX_POLLS_IN_A_ROW) {
      this.polls += 1;
      this.poll();
    }
  }

  private notified(frame: HdlcFrame, discard: Discard): void {
    const apdu = this.notifications.take(frame, discard);
    if (apdu !== null) this.events.push({ kind: 'apdu', apdu, unsolicited: true });
  }

  /** A new command: what was heard before does not count as its answer. */
  private begin(state: HdlcClientState): void {
    this.state = state;
    this.evidence = new Evidence('hdlc');
    this.progress();
  }

  private progress(): void {
    this.timeouts = 0;
    this.repetitions = 0;
    this.polls = 0;
    this.answeredDuplicate = false;
  }

  private lose(error: BridgeError): void {
    this.state = 'disconnected';
    this.sender.clear();
    this.sender.finish();
    this.events.push({ kind: 'failed', error });
  }

  private sendSnrm(): void {
    const information = this.plain ? null : encodeParameters(this.proposal);
    this.sendControl({ frameType: 'SNRM', pollFinal: true }, information);
  }

  private sendBurst(): void {
    this.received = 0;
    this.hasTurn = false;
    for (const { ns, information, segmented, pollFinal } of this.sender.burst()) {
      this.sendControl({ frameType: 'I', ns, nr: this.receiver.vr, pollFinal }, information, segmented);
    }
  }

  private poll(): void {
    this.received = 0;
    this.hasTurn = false;
    this.sendControl({ frameType: 'RR', nr: this.receiver.vr, pollFinal: true });
  }

  private sendControl(control: HdlcControl, information: Uint8Array | null = null, segmented = false): void {
    const bytes = encodeFrame({ destination: this.server, source: this.client, control, segmented, information });
    this.filter.sent(bytes);
    this.out.push(bytes);
  }

  private drain(): LinkOutput {
    const output = { send: this.out, events: this.events };
    this.out = [];
    this.events = [];
    return output;
  }
}

/** Flags, format, client address, control, HCS and FCS of a frame; the server address comes to it. */
const AROUND_INFORMATION = 2 + 2 + 1 + 1 + 2 + 2;

/** For a meter whose length is that of the whole frame: what is left for the information field. */
function withinFrames(limits: HdlcLimits, { length }: HdlcAddress): HdlcLimits {
  return { ...limits, sendInfoLength: Math.max(1, limits.sendInfoLength - AROUND_INFORMATION - length) };
}
