/** What one step of a link brings about: frames to write and events, gathered until the step is over. */
import type { LinkEvent, LinkOutput } from '../link.ts';
import type { HdlcAddress } from './address.ts';
import { encodeFrame, type HdlcControl } from './frame.ts';

export class StepOutput {
  private readonly source: HdlcAddress;
  private readonly destination: HdlcAddress;
  private send: Uint8Array[] = [];
  private events: LinkEvent[] = [];

  constructor(source: HdlcAddress, destination: HdlcAddress) {
    this.source = source;
    this.destination = destination;
  }

  get hasFrames(): boolean {
    return this.send.length > 0;
  }

  /** Returns the octets of the frame. */
  frame(control: HdlcControl, information: Uint8Array | null = null, segmented = false): Uint8Array {
    const { source, destination } = this;
    const bytes = encodeFrame({ destination, source, control, segmented, information });
    this.send.push(bytes);
    return bytes;
  }

  event(event: LinkEvent): void {
    this.events.push(event);
  }

  /** The step is over. */
  take(): LinkOutput {
    const output = { send: this.send, events: this.events };
    this.send = [];
    this.events = [];
    return output;
  }
}
