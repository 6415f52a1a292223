/** A virtual meter: its model, its faults and its truth, and what it does with one client on one line. */
import { isAcseTag } from '../../dlms/acse/acse.ts';
import { longInvokeIdAndPriority } from '../../dlms/xdlms/invoke-id.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Framing } from '../../transport/link-address.ts';
import { accessOf } from './association.ts';
import { BlockServer } from './block-server.ts';
import { CosemServer } from './cosem-server.ts';
import { composeFaults, type FaultChoice, type Misbehaviour, type Notifying } from './faults.ts';
import type { SaidValue } from './get-service.ts';
import type { MeterModel } from './meter-model.ts';
import { seedOf } from './random.ts';
import { MeterTruth, type Said } from './truth.ts';

export interface VirtualMeterOptions {
  readonly model: MeterModel;
  /** Lower HDLC address; null when it has none. */
  readonly physical: number | null;
  readonly faults: readonly FaultChoice[];
  readonly seed: number;
  readonly clock: Clock;
}

export class VirtualMeter {
  readonly model: MeterModel;
  readonly physical: number | null;
  readonly truth = new MeterTruth();
  private readonly faults: readonly FaultChoice[];
  private readonly seed: number;
  private readonly clock: Clock;
  private dialogues = 0;

  constructor({ model, physical, faults, seed, clock }: VirtualMeterOptions) {
    this.model = model;
    this.physical = physical;
    this.faults = faults;
    this.seed = seed;
    this.clock = clock;
  }

  /** How this meter misbehaves on a new connection: chances and counts begin anew, and differ from those before. */
  misbehave(framing: Framing): Misbehaviour {
    this.dialogues += 1;
    return composeFaults(this.faults, seedOf(this.seed, this.dialogues), framing);
  }

  /** A client SAP that begins to talk; null when the meter does not know it and stays silent. */
  dialogueWith(client: number, misbehaviour: Misbehaviour): Dialogue | null {
    if (accessOf(client, this.model) === null) return null;
    return new Dialogue(this, new CosemServer(this.model, client), misbehaviour, this.clock);
  }

  /** Keeps in the truth what was said at a moment, milliseconds UTC. */
  remember(said: readonly SaidValue[], at: number, intact: boolean): void {
    this.truth.add(said.map((value): Said => ({ ...value, at, intact })));
  }
}

export interface DialogueAnswer {
  /** An APDU that goes before the answer, unasked. */
  readonly notification: Uint8Array | null;
  /** In order; empty for silence. */
  readonly apdus: readonly Uint8Array[];
  readonly said: readonly SaidValue[];
}

/** One client and one meter on one line: requests in, answers out, as far as the faults let them. */
export class Dialogue {
  readonly meter: VirtualMeter;
  readonly misbehaviour: Misbehaviour;
  private readonly server: CosemServer;
  private readonly clock: Clock;
  private readonly blocks: BlockServer;
  private notifications = 0;
  /** Invoke id of the notification that is to be confirmed. */
  private awaited: number | null = null;

  constructor(meter: VirtualMeter, server: CosemServer, misbehaviour: Misbehaviour, clock: Clock) {
    this.meter = meter;
    this.server = server;
    this.blocks = new BlockServer(server);
    this.misbehaviour = misbehaviour;
    this.clock = clock;
  }

  /** The link below was opened or closed: an association does not outlive it. */
  reset(): void {
    this.server.forget();
  }

  answer(request: Uint8Array): DialogueAnswer {
    const { misbehaviour, server, blocks } = this;
    if (misbehaviour.forgets(request)) server.forget();
    const heard = misbehaviour.hears(request);
    const refused = misbehaviour.refuses(heard);
    if (refused !== null) return { notification: null, apdus: [refused], said: [] };
    const notification = this.mayNotify(heard) ? this.notification(misbehaviour.notifies(heard)) : null;
    const { apdus, said } = blocks.receive(heard, this.clock.now());
    return { notification, apdus: misbehaviour.leaves(apdus.map((apdu) => misbehaviour.says(apdu))), said };
  }

  /** An APDU that wants no answer: the confirmation of a notification. */
  hear(apdu: Uint8Array): void {
    this.blocks.receive(apdu, this.clock.now());
  }

  /** One that is not confirmed yet keeps others back: its confirmation looks like a request. */
  private mayNotify(request: Uint8Array): boolean {
    const { confirmed } = this.meter.model.state;
    return this.awaited === null || confirmed.at(-1) === this.awaited ? !isAcseTag(request[0] ?? 0) : false;
  }

  private notification(notifying: Notifying): Uint8Array | null {
    if (notifying === null || !this.server.isAssociated) return null;
    this.notifications += 1;
    this.awaited = notifying === 'confirmed' ? this.notifications : null;
    return this.server.notification({
      apdu: 'data-notification',
      longInvokeIdAndPriority: longInvokeIdAndPriority(this.notifications, { serviceClass: notifying }),
      dateTime: null,
      body: { type: 'double-long-unsigned', value: this.notifications },
    });
  }
}
