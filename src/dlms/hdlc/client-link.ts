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
 * understand an enquiry. A frame out of sequence is answered by RR, which asks for the same frames as REJ would: the DLMS
 * profile has no REJ, and a station that does not know it answers FRMR. A meter that has sent REJ itself is sent REJ.
 * Sequence numbers keep repetitions from being delivered twice. A duplicate is answered only while an answer is being
 * received, and once for each V(R); otherwise every stray copy would beget another one, for ever.
 *
 * `client-states.ts` is the table of states and frames. When the retries are used up, any waiting state fails with what
 * the line had to say (`Evidence`).
 */
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { type ClientLink, isNotification, type LinkOutput } from '../link.ts';
import { clientAddress, serverAddressOf } from './address.ts';
import { apdusIn } from './apdus.ts';
import {
  type Attempts,
  AWAITED,
  COMMANDS,
  type HdlcClientState,
  type LinkCommand,
  lostBy,
  NO_ATTEMPTS,
  REACTIONS,
} from './client-states.ts';
import type { HdlcControl, HdlcFrame } from './frame.ts';
import { LLC_COMMAND, segmentsOf } from './llc.ts';
import { type HdlcLinkSettings, Negotiation } from './negotiation.ts';
import { Notifications } from './notifications.ts';
import { StepOutput } from './output.ts';
import type { HdlcLimits } from './parameters.ts';
import { PrimaryTurn } from './primary-turn.ts';
import { SegmentReceiver, SegmentSender } from './sequence.ts';
import { type Discard, type HeardFrame, StationInput } from './station-input.ts';

type InformationControl = Extract<HdlcControl, { frameType: 'I' }>;
type SupervisoryControl = Extract<HdlcControl, { frameType: 'RR' | 'RNR' | 'REJ' }>;

export const DEFAULT_RETRIES = 2;
/** No APDU of a real meter is longer. */
export const MAX_APDU_LENGTH = 4 * 1024 * 1024;
/** A meter that is not ready answers a poll with RR. After so many in a row the response time-out paces the polls. */
const MAX_POLLS_IN_A_ROW = 20;
const NO_OCTETS = new Uint8Array(0);

export class HdlcClientLink implements ClientLink {
  private readonly retries: number;
  private readonly negotiation: Negotiation;
  private readonly input: StationInput;
  private readonly sender = new SegmentSender();
  private readonly receiver = new SegmentReceiver(MAX_APDU_LENGTH);
  private readonly notifications = new Notifications(MAX_APDU_LENGTH);
  private state: HdlcClientState = 'disconnected';
  private attempts: Attempts = { ...NO_ATTEMPTS };
  /** The meter has sent REJ on this link, so it knows it. */
  private knowsReject = false;
  private readonly output: StepOutput;
  private readonly turn: PrimaryTurn;

  /** Throws INVALID_VALUE for addresses that HDLC cannot carry. `retries` is how often silence is answered by repeating. */
  constructor(settings: HdlcLinkSettings, retries = DEFAULT_RETRIES) {
    const client = clientAddress(settings.client);
    const server = serverAddressOf(settings);
    this.retries = retries;
    this.output = new StepOutput(client, server);
    this.input = new StationInput(client, server, this.output);
    const { sender, receiver, output, input } = this;
    this.turn = new PrimaryTurn({ sender, receiver, output, onSent: (bytes) => input.sent(bytes) });
    this.negotiation = new Negotiation(settings);
  }

  /** See `client-states.ts`. */
  get stateName(): HdlcClientState {
    return this.state;
  }

  /** What was negotiated with the meter; the defaults before that. */
  get negotiated(): HdlcLimits {
    return this.negotiation.limits;
  }

  connect(): LinkOutput {
    this.state = 'disconnected';
    this.takeAll(this.input.flush());
    this.begin('connecting');
    this.negotiation.begin();
    this.turn.snrm(this.negotiation.information);
    return this.output.take();
  }

  send(apdu: Uint8Array): LinkOutput {
    this.require('send');
    this.sender.enqueue(segmentsOf(LLC_COMMAND, apdu, this.negotiated.sendInfoLength));
    if (this.state === 'connected') this.begin('awaiting');
    if (this.sender.isIdle) this.sendNext();
    return this.output.take();
  }

  listen(): LinkOutput {
    this.require('listen');
    if (this.state === 'connected') {
      this.begin('awaiting');
      if (this.turn.isOurs) this.turn.poll();
    }
    return this.output.take();
  }

  keepAlive(): LinkOutput {
    this.require('keepAlive');
    this.begin('polling');
    this.turn.poll();
    return this.output.take();
  }

  notify(apdu: Uint8Array): LinkOutput {
    this.require('notify');
    this.turn.unnumbered(apdu, this.negotiated.sendInfoLength);
    return this.output.take();
  }

  get isSettled(): boolean {
    return this.sender.isIdle && !this.sender.waits;
  }

  /** Whether the command has a place in this state stands in `COMMANDS`. */
  private require(command: LinkCommand): void {
    const { state } = this;
    if (COMMANDS[state][command] !== undefined) return;
    if (state === 'awaiting' || state === 'polling') {
      fail('INTERNAL', `${command} while the HDLC link is ${state}`, { layer: 'hdlc' });
    }
    fail('LINK_LOST', `the HDLC link is ${state}`);
  }

  private sendNext(): void {
    this.sender.next();
    this.turn.burst();
  }

  receive(bytes: Uint8Array): LinkOutput {
    this.takeAll(this.input.hear(bytes));
    return this.output.take();
  }

  timeout(): LinkOutput {
    // Half a frame may hide a whole one behind it: what is found now is as good as if it had come in time.
    const before = this.state;
    this.takeAll(this.input.flush());
    if (this.output.hasFrames || this.state !== before) return this.output.take();
    if (this.state === 'disconnected' || this.state === 'connected') return this.output.take();
    if (this.attempts.timeouts >= this.retries) this.lose(this.input.failure(AWAITED[this.state]));
    else {
      this.attempts.timeouts += 1;
      this.repeat();
    }
    return this.output.take();
  }

  disconnect(): LinkOutput {
    if (this.state === 'disconnected') this.output.event({ kind: 'disconnected' });
    else {
      this.begin('disconnecting');
      this.turn.disc();
    }
    return this.output.take();
  }

  private repeat(): void {
    this.attempts.polls = 0;
    if (this.state === 'connecting') this.turn.snrm(this.negotiation.information);
    else if (this.state === 'disconnecting') this.turn.disc();
    else if (this.sender.unacknowledged === 0 || this.attempts.timeouts % 2 === 1) this.turn.poll();
    else {
      this.sender.rewind();
      this.turn.burst();
    }
  }

  private takeAll(heard: Iterable<HeardFrame>): void {
    for (const { frame, discard } of heard) this.react(frame, discard);
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
      case 'alive':
        this.turn.isOurs = true;
        this.alive();
        break;
      case 'notify':
        this.notified(frame, discard);
        break;
      case 'end':
        this.state = 'disconnected';
        this.output.event({ kind: 'disconnected' });
        break;
      case 'stale':
        discard(`${control.frameType} while ${this.state}`);
    }
  }

  private establish({ information }: HdlcFrame): void {
    try {
      const { sendWindow, receiveWindow } = this.negotiation.agree(information);
      this.sender.reset(sendWindow);
      this.receiver.reset(receiveWindow);
    } catch (error) {
      this.lose(asBridgeError(error));
      return;
    }
    this.knowsReject = false;
    this.turn.isOurs = true;
    this.state = 'connected';
    this.output.event({ kind: 'connected' });
  }

  private refused({ control }: HdlcFrame): void {
    if (!this.negotiation.tryPlain()) {
      this.lose(new BridgeError('LINK_REFUSED', `the meter answered ${control.frameType} to the SNRM`));
      return;
    }
    this.progress();
    this.turn.snrm(this.negotiation.information);
  }

  private inform(frame: HdlcFrame, { ns, nr, pollFinal }: InformationControl, discard: Discard): void {
    const hadTurn = this.turn.isOurs;
    if (pollFinal) this.turn.isOurs = true;
    if (this.sender.acknowledge(nr) > 0) this.progress();
    const accepted = this.receiver.accept(ns, frame.segmented, frame.information ?? NO_OCTETS);
    switch (accepted.kind) {
      case 'duplicate':
      case 'gap': {
        discard(`I-frame ${ns} while ${this.receiver.vr} is expected: ${accepted.kind}`);
        const wanted = accepted.kind === 'gap' || this.receiver.began;
        if (this.state === 'awaiting' && pollFinal && wanted && !this.attempts.answeredDuplicate) {
          this.attempts.answeredDuplicate = true;
          this.turn.poll(accepted.kind === 'gap' && this.knowsReject ? 'REJ' : 'RR');
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
        this.turn.received += 1;
        // The first of a message may follow another one within the turn that we gave.
        if (this.state === 'connected' && hadTurn) {
          this.lose(new BridgeError('LINK_LOST', 'the meter began a long message that nobody asked for'));
        } else if (this.state !== 'connected' && (pollFinal || this.turn.received >= this.negotiated.receiveWindow)) {
          this.turn.poll();
        }
        return;
      case 'whole':
        this.turn.received += 1;
        this.deliver(accepted.information, pollFinal);
    }
  }

  /** What an I message holds: the answer, or notifications before it, or both. */
  private deliver(information: Uint8Array, pollFinal: boolean): void {
    for (const apdu of apdusIn(information)) {
      const unsolicited = this.state !== 'awaiting' || isNotification(apdu);
      this.output.event({ kind: 'apdu', apdu, unsolicited });
      if (!unsolicited) {
        this.progress();
        // Whoever answers has the request, also when its N(R) does not say so. What has not left yet is another one's.
        if (this.sender.unsent === 0) this.sender.finish();
        this.state = 'connected';
      }
    }
    if (this.state === 'polling') this.alive();
    else if (this.sender.waits && this.sender.isIdle) {
      this.begin('awaiting');
      this.sendNext();
    } else if (this.state === 'connected' && this.sender.unsent > 0) {
      this.begin('awaiting');
      if (this.sender.unacknowledged === 0) this.turn.burst();
    } else if (this.state === 'awaiting' && pollFinal) this.pollOn();
  }

  private alive(): void {
    this.state = 'connected';
    this.output.event({ kind: 'alive' });
  }

  private acknowledge({ frameType, nr, pollFinal }: SupervisoryControl): void {
    if (this.sender.acknowledge(nr) > 0) this.progress();
    if (pollFinal) this.turn.isOurs = true;
    if (frameType === 'REJ') this.knowsReject = true;
    else if (!pollFinal) return;
    if (this.sender.unacknowledged > 0 && frameType !== 'RNR') {
      // The meter has had its turn and still lacks these.
      if (this.attempts.repetitions >= this.retries) return;
      this.attempts.repetitions += 1;
      this.sender.rewind();
      this.turn.burst();
    } else if (this.sender.unsent > 0 && frameType !== 'RNR') this.turn.burst();
    else if (this.sender.waits && frameType !== 'RNR') this.sendNext();
    else this.pollOn();
  }

  /** The meter has nothing for us yet. */
  private pollOn(): void {
    if (this.attempts.polls >= MAX_POLLS_IN_A_ROW) return;
    this.attempts.polls += 1;
    this.turn.poll();
  }

  private notified(frame: HdlcFrame, discard: Discard): void {
    const message = this.notifications.take(frame, discard);
    if (message === null) return;
    for (const apdu of apdusIn(message)) this.output.event({ kind: 'apdu', apdu, unsolicited: true });
  }

  private begin(state: HdlcClientState): void {
    this.state = state;
    this.input.begin();
    this.progress();
  }

  private progress(): void {
    this.attempts = { ...NO_ATTEMPTS };
  }

  private lose(error: BridgeError): void {
    this.state = 'disconnected';
    this.sender.clear();
    this.sender.finish();
    this.output.event({ kind: 'failed', error });
  }
}
