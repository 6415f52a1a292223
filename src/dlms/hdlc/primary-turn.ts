/** What the primary station transmits, and whose turn it is: every poll gives the turn to the meter. */
import type { HdlcControl } from './frame.ts';
import { LLC_COMMAND, segmentsOf } from './llc.ts';
import type { StepOutput } from './output.ts';
import type { SegmentReceiver, SegmentSender } from './sequence.ts';

export interface PrimaryTurnOptions {
  readonly sender: SegmentSender;
  readonly receiver: SegmentReceiver;
  readonly output: StepOutput;
  /** Hears of every frame that goes out: it may come back as an echo. */
  readonly onSent: (frame: Uint8Array) => void;
}

export class PrimaryTurn {
  /** I-frames received since the turn was given. */
  received = 0;
  /** The meter gave the turn back, or never had it. */
  isOurs = true;
  private readonly options: PrimaryTurnOptions;

  constructor(options: PrimaryTurnOptions) {
    this.options = options;
  }

  snrm(parameters: Uint8Array | null): void {
    this.send({ frameType: 'SNRM', pollFinal: true }, parameters);
  }

  disc(): void {
    this.send({ frameType: 'DISC', pollFinal: true });
  }

  /** The next segments that the window allows; the last one polls. */
  burst(): void {
    const { sender, receiver } = this.options;
    this.give();
    for (const { ns, information, segmented, pollFinal } of sender.burst()) {
      this.send({ frameType: 'I', ns, nr: receiver.vr, pollFinal }, information, segmented);
    }
  }

  /** Asks for what comes next; REJ says that something before it is missing. */
  poll(frameType: 'RR' | 'REJ' = 'RR'): void {
    this.give();
    this.send({ frameType, nr: this.options.receiver.vr, pollFinal: true });
  }

  /** UI frames want no answer and give no turn. */
  unnumbered(apdu: Uint8Array, infoLength: number): void {
    const segments = segmentsOf(LLC_COMMAND, apdu, infoLength);
    for (const [index, information] of segments.entries()) {
      this.send({ frameType: 'UI', pollFinal: false }, information, index < segments.length - 1);
    }
  }

  private give(): void {
    this.received = 0;
    this.isOurs = false;
  }

  private send(control: HdlcControl, information: Uint8Array | null = null, segmented = false): void {
    const { output, onSent } = this.options;
    onSent(output.frame(control, information, segmented));
  }
}
