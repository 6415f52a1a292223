/** One line, connection or sender that `listen` hears: octets in, pushes out, confirmations back. */
import { asBridgeError, type ErrorReport } from '../../core/errors.ts';
import type { JsonObject } from '../../dlms/decode/present.ts';
import { pushOpener } from '../../dlms/decode/push.ts';
import { type OpenedLayer, presentPush } from '../../dlms/decode/push-content.ts';
import type { DecodeKeys } from '../../dlms/decode/security.ts';
import type { Discarded } from '../../dlms/link.ts';
import { canConfirm, confirmationOf, protectedConfirmation } from '../../dlms/push/confirm.ts';
import {
  HdlcPushFraming,
  MbusPushFraming,
  type PushFraming,
  type PushFramingEvent,
  WrapperPushFraming,
} from '../../dlms/push/framing.ts';
import { type Push, PushReceiver } from '../../dlms/push/receiver.ts';
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';
import type { SecurityPorts } from '../../meter/session.ts';

export const PUSH_FRAMINGS = ['hdlc', 'wrapper', 'mbus'] as const;
export type PushFramingName = (typeof PUSH_FRAMINGS)[number];

export type Heard =
  | {
      readonly kind: 'push';
      readonly from: string;
      /** true: a confirmation was sent. false: one was wanted, and cannot be sent. null: none was wanted. */
      readonly confirmed: boolean | null;
      readonly push: JsonObject;
    }
  | { readonly kind: 'failed'; readonly from: string; readonly error: ErrorReport }
  | { readonly kind: 'discarded'; readonly from: string; readonly discarded: Discarded };

export interface PushInletOptions {
  /** Who is at the other end, for people. */
  readonly from: string;
  readonly framing: PushFramingName;
  readonly keys: DecodeKeys;
  /** Who we are in confirmations of ciphered pushes; made when the first one wants it. */
  readonly security: () => SecurityPorts;
  /** null where there is no way back. */
  readonly write: ((bytes: Uint8Array) => Promise<void>) | null;
  tell(heard: Heard): void;
}

type Answer = (apdu: Uint8Array) => Promise<boolean>;

const FRAMINGS: Readonly<Record<PushFramingName, () => PushFraming>> = {
  hdlc: () => new HdlcPushFraming(),
  wrapper: () => new WrapperPushFraming(),
  mbus: () => new MbusPushFraming(),
};

export class PushInlet {
  private readonly options: PushInletOptions;
  private readonly framing: PushFraming;
  private readonly receiver: PushReceiver<OpenedLayer>;
  /** What is told waits for its confirmation, in order. */
  private told: Promise<void> = Promise.resolve();

  constructor(options: PushInletOptions) {
    this.options = options;
    this.framing = FRAMINGS[options.framing]();
    this.receiver = new PushReceiver<OpenedLayer>({ open: pushOpener(options.keys) });
  }

  receive(bytes: Uint8Array): void {
    for (const event of this.framing.receive(bytes)) this.take(event);
  }

  /** A datagram: nothing of the framing goes on in the next one. */
  receiveWhole(bytes: Uint8Array): void {
    this.receive(bytes);
    for (const event of this.framing.flush()) this.take(event);
  }

  /** Gives up what is incomplete: nothing more comes. Resolves when all is told. */
  async end(): Promise<void> {
    for (const event of this.framing.flush()) this.take(event);
    for (const event of this.receiver.flush()) if (event.kind === 'failed') this.failed(event.source, event.error);
    await this.told;
  }

  private take(event: PushFramingEvent): void {
    if (event.kind === 'discarded') {
      this.later(async () => ({ ...event, from: this.options.from }));
      return;
    }
    const { answer } = event;
    const send: Answer = async (apdu) => {
      const { write } = this.options;
      if (answer === null || write === null) return false;
      await write(answer(apdu));
      return true;
    };
    for (const taken of this.receiver.take(event.source, event.octets)) {
      if (taken.kind === 'push') this.pushed(taken.push, send);
      else if (taken.kind === 'failed') this.failed(taken.source, taken.error);
      else this.acknowledge(taken.apdu, send);
    }
  }

  private pushed(push: Push<OpenedLayer>, send: Answer): void {
    this.later(async () => {
      const shown = { kind: 'push', from: this.from(push.source), push: presentPush(push) } as const;
      return { ...shown, confirmed: await this.confirm(push, send) };
    });
  }

  /** A push that is ciphered is confirmed ciphered: its sender would not believe less. */
  private async confirm({ content, protection }: Push<OpenedLayer>, send: Answer): Promise<boolean | null> {
    const confirmation = content.kind === 'data-notification' ? confirmationOf(content.apdu) : null;
    if (confirmation === null) return null;
    const layers = protection.map(({ apdu }) => apdu);
    if (this.options.write === null || !canConfirm(layers, this.options.keys)) return false;
    if (layers.length === 0) return send(encodeApdu(confirmation));
    const { encryptionKey, authenticationKey } = this.options.keys;
    const { systemTitle, counters } = this.options.security();
    const invocationCounter = await counters.reserve(1);
    const keys = { encryptionKey, authenticationKey, systemTitle, invocationCounter };
    return send(protectedConfirmation(confirmation, layers, keys));
  }

  private acknowledge(apdu: Uint8Array, send: Answer): void {
    this.later(async () => {
      await send(apdu);
      return null;
    });
  }

  private failed(source: string, thrown: unknown): void {
    this.later(async () => ({ kind: 'failed', from: this.from(source), error: asBridgeError(thrown).report() }));
  }

  private from(source: string): string {
    return `${this.options.from}, ${source}`;
  }

  private later(make: () => Promise<Heard | null>): void {
    const { from, tell } = this.options;
    this.told = this.told
      .then(make)
      .catch((thrown): Heard => ({ kind: 'failed', from, error: asBridgeError(thrown).report() }))
      .then((heard) => {
        if (heard !== null) tell(heard);
      });
  }
}
