/**
 * The server's end of one HDLC link, between one client and one server address (normal response mode: the secondary
 * station). Many of them may live behind one port: whoever owns the port finds the frames, picks the link by source and
 * destination, and feeds it frames.
 *
 * It transmits only when it was polled. A poll that carries a whole request is kept until the application answers with
 * `send` (or says with `noAnswer` that there is nothing to say); a poll meanwhile changes nothing. A poll that does not
 * acknowledge what was sent makes it send that again: so lost answers are recovered without timers.
 *
 *   state        | SNRM                | DISC              | I, RR, RNR, REJ
 *   -------------+---------------------+-------------------+--------------------------------
 *   disconnected | UA, connected       | DM                | DM when polled
 *   connected    | UA, numbers from 0  | UA, disconnected  | information transfer; or FRMR, and disconnected
 */
import type { BridgeError } from '../../core/errors.ts';
import { asBridgeError } from '../../core/errors.ts';
import type { LinkOutput } from '../link.ts';
import type { HdlcAddress } from './address.ts';
import { apdusIn } from './apdus.ts';
import { encodeControl, type HdlcControl, type HdlcFrame } from './frame.ts';
import { LLC_RESPONSE, segmentsOf } from './llc.ts';
import { StepOutput } from './output.ts';
import {
  decodeParameters,
  encodeFrameReject,
  encodeParameters,
  type HdlcLimits,
  type HdlcParameters,
  negotiated,
  parametersOf,
} from './parameters.ts';
import { SegmentReceiver, SegmentSender } from './sequence.ts';

/** The same bound as for a client. */
const MAX_APDU_LENGTH = 4 * 1024 * 1024;

/** Reason bits of a FRMR. */
const REJECTED = { unknownControl: 1, informationNotPermitted: 2, informationTooLong: 4 } as const;

export interface HdlcServerOptions {
  readonly client: HdlcAddress;
  readonly server: HdlcAddress;
  /** What this station can do; the client's proposal limits it further. */
  readonly parameters: HdlcParameters;
  /** A frame out of sequence is answered by REJ; otherwise by RR, as the DLMS profile has it. */
  readonly rejects: boolean;
}

export class HdlcServerLink {
  private readonly options: HdlcServerOptions;
  private readonly sender = new SegmentSender();
  private readonly receiver = new SegmentReceiver(MAX_APDU_LENGTH);
  private limits: HdlcLimits;
  private connected = false;
  /** We were polled and have not given the turn back. */
  private turn = false;
  /** A request is in the application's hands. */
  private busy = false;
  /** A frame before the last one is missing, and it has not been asked for again. */
  private missing = false;
  private readonly output: StepOutput;

  constructor(options: HdlcServerOptions) {
    this.options = options;
    this.output = new StepOutput(options.server, options.client);
    this.limits = negotiated(options.parameters, {});
  }

  get isConnected(): boolean {
    return this.connected;
  }
  get negotiated(): HdlcLimits {
    return this.limits;
  }

  /** Takes one valid frame from the client to the server of this link. */
  receive(frame: HdlcFrame): LinkOutput {
    const { control } = frame;
    switch (control.frameType) {
      case 'SNRM':
        this.snrm(frame);
        break;
      case 'DISC':
        this.disc();
        break;
      case 'UI':
        this.deliver(frame.information ?? new Uint8Array(0), true);
        break;
      case 'I':
      case 'RR':
      case 'RNR':
      case 'REJ':
        if (this.connected) this.transfer(frame, control);
        else if (control.pollFinal) this.output.frame({ frameType: 'DM', pollFinal: true });
        break;
      case 'unknown':
        if (this.connected) this.reject(control, REJECTED.unknownControl);
        break;
      default:
        // Responses of a secondary station: ours, echoed.
        break;
    }
    return this.output.take();
  }

  /** The application's answer to the request it was given; several go in order, one for each time that we are polled. */
  send(apdu: Uint8Array): LinkOutput {
    if (this.connected) {
      this.sender.enqueue(segmentsOf(LLC_RESPONSE, apdu, this.limits.sendInfoLength));
      if (this.sender.unsent > 0) this.goOn();
      else if (this.busy || this.sender.isIdle) this.sendNext();
      this.busy = false;
    }
    return this.output.take();
  }

  private sendNext(): void {
    this.sender.next();
    this.goOn();
  }

  private goOn(): void {
    if (this.turn) this.sendBurst();
  }

  /** The request needs no answer (an unconfirmed service): gives the turn back. */
  noAnswer(): LinkOutput {
    this.busy = false;
    if (this.turn) this.sendReady();
    return this.output.take();
  }

  /** Sends an APDU in UI frames, unasked (push). */
  notify(apdu: Uint8Array): LinkOutput {
    const segments = segmentsOf(LLC_RESPONSE, apdu, this.limits.sendInfoLength);
    for (const [index, information] of segments.entries()) {
      const segmented = index < segments.length - 1;
      this.output.frame({ frameType: 'UI', pollFinal: !segmented }, information, segmented);
    }
    return this.output.take();
  }

  private snrm({ information, control }: HdlcFrame): void {
    let theirs: Partial<HdlcParameters>;
    try {
      theirs = information === null ? {} : decodeParameters(information);
    } catch (error) {
      this.unreadable(control, asBridgeError(error));
      return;
    }
    this.limits = negotiated(this.options.parameters, theirs);
    this.sender.reset(this.limits.sendWindow);
    this.receiver.reset(this.limits.receiveWindow);
    this.connected = true;
    this.turn = false;
    this.busy = false;
    this.missing = false;
    this.output.event({ kind: 'connected' });
    this.output.frame({ frameType: 'UA', pollFinal: true }, encodeParameters(parametersOf(this.limits)));
  }

  private disc(): void {
    this.output.frame({ frameType: this.connected ? 'UA' : 'DM', pollFinal: true });
    if (this.connected) this.output.event({ kind: 'disconnected' });
    this.connected = false;
  }

  private transfer(frame: HdlcFrame, control: Extract<HdlcControl, { frameType: 'I' | 'RR' | 'RNR' | 'REJ' }>): void {
    this.sender.acknowledge(control.nr);
    if (control.pollFinal) this.turn = true;
    if (control.frameType === 'I') {
      const information = frame.information ?? new Uint8Array(0);
      if (information.length > this.limits.receiveInfoLength) {
        this.reject(control, REJECTED.informationTooLong);
        return;
      }
      const accepted = this.receiver.accept(control.ns, frame.segmented, information);
      if (accepted.kind === 'too-long') {
        this.reject(control, REJECTED.informationTooLong);
        return;
      }
      this.missing = accepted.kind === 'gap';
      if (accepted.kind === 'whole') {
        this.sender.clear();
        this.busy = this.deliver(accepted.information, false) > 0;
        if (this.busy) return;
      }
    }
    if (this.turn) this.answerPoll(control.frameType === 'RNR');
  }

  /** Repeats what is unacknowledged, goes on with what is unsent, or says that it is ready. */
  private answerPoll(peerBusy: boolean): void {
    if (peerBusy) this.sendReady();
    else if (this.sender.unacknowledged > 0) {
      this.sender.rewind();
      this.sendBurst();
    } else if (this.sender.unsent > 0) this.sendBurst();
    else if (this.sender.waits && !this.busy) this.sendNext();
    else if (!this.busy) this.sendReady();
  }

  /** Returns how many APDUs there were. */
  private deliver(information: Uint8Array, unsolicited: boolean): number {
    const apdus = apdusIn(information);
    for (const apdu of apdus) this.output.event({ kind: 'apdu', apdu, unsolicited });
    return apdus.length;
  }

  private reject(control: HdlcControl, bits: number): void {
    const information = encodeFrameReject(encodeControl(control), this.sender.vs, this.receiver.vr, bits);
    this.output.frame({ frameType: 'FRMR', pollFinal: true }, information);
    if (this.connected) this.output.event({ kind: 'disconnected' });
    this.connected = false;
  }

  private unreadable(control: HdlcControl, cause: BridgeError): void {
    this.output.event({ kind: 'failed', error: cause });
    this.reject(control, REJECTED.unknownControl | REJECTED.informationNotPermitted);
  }

  private sendBurst(): void {
    this.turn = false;
    for (const { ns, information, segmented, pollFinal } of this.sender.burst()) {
      this.output.frame({ frameType: 'I', ns, nr: this.receiver.vr, pollFinal }, information, segmented);
    }
  }

  private sendReady(): void {
    this.turn = false;
    const frameType = this.missing && this.options.rejects ? 'REJ' : 'RR';
    this.missing = false;
    this.output.frame({ frameType, nr: this.receiver.vr, pollFinal: true });
  }
}
