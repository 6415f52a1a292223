/** What the client hears: the meter's frames, out of echoes, other stations and noise. Everything else is told as discarded. */
import type { BridgeError } from '../../core/errors.ts';
import { Evidence } from '../evidence.ts';
import { addressName, type HdlcAddress } from './address.ts';
import { HdlcDeframer, type HdlcItem } from './deframer.ts';
import { StationFilter } from './filter.ts';
import type { HdlcFrame } from './frame.ts';
import type { StepOutput } from './output.ts';

export type Discard = (reason: string) => void;

export interface HeardFrame {
  readonly frame: HdlcFrame;
  /** Tells that nothing is done with it. */
  readonly discard: Discard;
}

export class StationInput {
  private readonly client: HdlcAddress;
  private readonly server: HdlcAddress;
  private readonly output: StepOutput;
  private readonly deframer = new HdlcDeframer();
  private readonly filter: StationFilter;
  private evidence = new Evidence('hdlc');

  constructor(client: HdlcAddress, server: HdlcAddress, output: StepOutput) {
    this.client = client;
    this.server = server;
    this.output = output;
    this.filter = new StationFilter(client, server);
  }

  /** A new command: what was heard before does not count as its answer. */
  begin(): void {
    this.evidence = new Evidence('hdlc');
  }

  /** Every frame that goes out: it may come back as an echo. */
  sent(bytes: Uint8Array): void {
    this.filter.sent(bytes);
  }

  /** Why nothing usable came since `begin`. */
  failure(awaited: string): BridgeError {
    return this.evidence.error(awaited);
  }

  *hear(bytes: Uint8Array): Generator<HeardFrame> {
    this.evidence.heard(bytes);
    yield* this.meant(this.deframer.push(bytes));
  }

  /** What half a frame may have hidden. */
  *flush(): Generator<HeardFrame> {
    yield* this.meant(this.deframer.flush());
  }

  private *meant(items: readonly HdlcItem[]): Generator<HeardFrame> {
    for (const item of items) {
      if (item.kind === 'discarded') {
        this.evidence.discarded(item.discarded.reason);
        this.output.event(item);
        continue;
      }
      const { frame, offset } = item;
      this.evidence.frame();
      const discard: Discard = (reason) => {
        this.output.event({ kind: 'discarded', discarded: { offset, length: frame.length + 2, reason } });
      };
      if (this.isMeant(frame, discard)) yield { frame, discard };
    }
  }

  private isMeant(frame: HdlcFrame, discard: Discard): boolean {
    const origin = this.filter.originOf(frame);
    if (origin === 'meter') return true;
    if (origin === 'echo') {
      this.evidence.echo();
      discard('own echo');
      return false;
    }
    const answered = `server ${addressName(frame.source)} to client ${addressName(frame.destination)}`;
    if (this.filter.concernsUs(frame)) {
      this.evidence.otherAddress(`server ${addressName(this.server)} as client ${this.client.upper}`, answered);
    }
    discard(`other address: ${answered}`);
    return false;
  }
}
