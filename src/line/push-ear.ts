/**
 * Hears the pushes on one connection, line or sender of datagrams: octets in; opened with the keys of the stored meter
 * that sent them; handed to who takes that meter's pushes; confirmed once they are kept for good.
 */
import { fromHex } from '../core/bytes.ts';
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { deviceNameIn } from '../dlms/push/about.ts';
import { canConfirm, confirmationOf, protectedConfirmation } from '../dlms/push/confirm.ts';
import {
  HdlcPushFraming,
  type PushFraming,
  type PushFramingEvent,
  type PushStation,
  WrapperPushFraming,
} from '../dlms/push/framing.ts';
import { type Push, PushReceiver } from '../dlms/push/receiver.ts';
import { encodeApdu } from '../dlms/xdlms/apdu.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Framing } from '../transport/link-address.ts';
import type { MeterOnLine } from './meter-slot.ts';
import { type OpenedBySender, openedWith, refusePlain, titleIn } from './push-protection.ts';
import { within } from './within.ts';

/** The stored meters of a line, by what a push tells of its sender. */
export interface Senders {
  byTitle(title: string): MeterOnLine | null;
  byDeviceName(name: string): MeterOnLine | null;
  byStation(station: PushStation): MeterOnLine | null;
}

export interface PushEarOptions {
  readonly framing: Framing;
  /** Who is at the other end, for people. */
  readonly from: string;
  readonly senders: Senders;
  readonly clock: Clock;
  readonly log: Logger;
  /** null where there is no way back. */
  readonly write: ((bytes: Uint8Array) => Promise<void>) | null;
  /** Whether a session of ours takes what is sent there. */
  readonly isSessions: (station: PushStation) => boolean;
  /** A push of this meter could be opened, or it says that it is of this one and need not be protected. */
  readonly onSender: (meter: MeterOnLine) => void;
  /** A push of nobody that is known here. */
  readonly onStranger: (error: BridgeError) => void;
  /** A push that does not tell whose it is, where that can be found out: it is kept until then. */
  readonly onAnonymous?: () => void;
  readonly onDiscarded: (octets: number) => void;
}

const FRAMINGS: Readonly<Record<Framing, () => PushFraming>> = {
  hdlc: () => new HdlcPushFraming(),
  wrapper: () => new WrapperPushFraming(),
};
/** Tags of what may hold a push: notifications, blocks, general protection (Green Book 9.5). */
const PUSH_TAGS: ReadonlySet<number> = new Set([0x0f, 0x18, 0xc2, 0xe0, 0xdb, 0xdc, 0xdd, 0xdf]);
/** LLC stands before the APDU in HDLC frames. */
const LLC_OCTETS = 3;
/** Pushes that are being stored; what comes beyond that is left to be sent again. */
const MOST_UNDER_WAY = 64;
/** Pushes of a connection whose owner is being asked for. */
const MOST_HELD = 16;
/** A disk that takes longer than this: the meter has to send it again. */
const STORE_WITHIN_MS = 20_000;

export class PushEar {
  private owner: MeterOnLine | null = null;
  /** Anonymous ones that wait for an owner. */
  private held: (() => void)[] = [];
  private readonly options: PushEarOptions;
  private readonly framing: PushFraming;
  private readonly receiver: PushReceiver<OpenedBySender>;
  private underWay = 0;

  constructor(options: PushEarOptions) {
    this.options = options;
    this.framing = FRAMINGS[options.framing]();
    this.receiver = new PushReceiver<OpenedBySender>({
      open: (apdu) => {
        const title = titleIn(apdu);
        const byTitle = title === null ? null : options.senders.byTitle(title);
        const meter = byTitle ?? this.owner;
        if (meter !== null) return openedWith(apdu, meter);
        return fail('UNKNOWN_CALLER', `a ciphered push of ${title ?? 'nobody that it names'}`);
      },
    });
  }

  /** Whose connection it is; null while that is not known. */
  own(meter: MeterOnLine | null): void {
    this.owner = meter;
    if (meter !== null) for (const again of this.held.splice(0)) again();
  }

  receive(bytes: Uint8Array): void {
    for (const event of this.framing.receive(bytes)) this.take(event);
  }

  /** A datagram: nothing of the framing goes on in the next one. */
  receiveWhole(bytes: Uint8Array): void {
    this.receive(bytes);
    for (const event of this.framing.flush()) this.take(event);
  }

  private take(event: PushFramingEvent): void {
    if (event.kind === 'discarded') {
      this.options.onDiscarded(event.discarded.length);
      return;
    }
    const { source, station, octets, answer } = event;
    if (!mayBePush(octets) || (station !== null && this.options.isSessions(station))) return;
    const send = async (apdu: Uint8Array): Promise<void> => {
      const { write } = this.options;
      if (answer !== null && write !== null) await write(answer(apdu));
    };
    const byStation = station === null ? null : this.options.senders.byStation(station);
    for (const taken of this.receiver.take(source, octets)) {
      if (taken.kind === 'acknowledge') this.attempt(() => send(taken.apdu));
      else if (taken.kind === 'failed') this.failed(taken.error, byStation);
      else this.pushed(taken.push, byStation, answer === null ? null : send);
    }
  }

  private pushed(
    push: Push<OpenedBySender>,
    byStation: MeterOnLine | null,
    send: ((apdu: Uint8Array) => Promise<void>) | null,
  ): void {
    const { content, protection } = push;
    // An answer to a session of ours that has ended.
    if (content.kind === 'apdu') return;
    const meter = protection[0]?.opened.meter ?? this.senderOf(push) ?? byStation ?? this.owner;
    if (meter === null && this.mayHold(push)) {
      if (this.held.length < MOST_HELD) this.held.push(() => this.pushed(push, byStation, send));
      this.options.onAnonymous?.();
      return;
    }
    if (meter === null) {
      this.options.onStranger(new BridgeError('UNKNOWN_CALLER', strangerText(push)));
      return;
    }
    try {
      refusePlain(protection, meter);
    } catch (thrown) {
      meter.pushes?.refused(this.options.from, asBridgeError(thrown));
      return;
    }
    this.options.onSender(meter);
    if (this.underWay >= MOST_UNDER_WAY) return;
    this.underWay += 1;
    this.attempt(() => this.storeAndConfirm(push, meter, send).finally(() => (this.underWay -= 1)));
  }

  private mayHold({ content }: Push<OpenedBySender>): boolean {
    return this.options.onAnonymous !== undefined && deviceNameIn(content) === null;
  }

  private senderOf({ content }: Push<OpenedBySender>): MeterOnLine | null {
    const name = deviceNameIn(content);
    return name === null ? null : this.options.senders.byDeviceName(name);
  }

  private async storeAndConfirm(
    { content, protection }: Push<OpenedBySender>,
    meter: MeterOnLine,
    send: ((apdu: Uint8Array) => Promise<void>) | null,
  ): Promise<void> {
    const { clock, from } = this.options;
    const confirmation = content.kind === 'data-notification' ? confirmationOf(content.apdu) : null;
    const counter = protection.find(({ opened }) => opened.counter !== null)?.opened.counter ?? null;
    const wantsConfirmation = confirmation !== null;
    const taken = meter.pushes?.take({ content, receivedAt: clock.now(), from, wantsConfirmation, counter });
    if (taken === undefined || !(await within(taken, STORE_WITHIN_MS, clock))) return;
    const layers = protection.map(({ apdu }) => apdu);
    const { blockCipherKey: encryptionKey, authenticationKey } = meter.secrets;
    if (confirmation === null || send === null || !canConfirm(layers, { encryptionKey, authenticationKey })) return;
    if (layers.length === 0) return send(encodeApdu(confirmation));
    const { systemTitle, counters } = meter.security;
    const invocationCounter = await counters.reserve(1);
    const keys = { encryptionKey, authenticationKey, systemTitle: ownTitle(meter) ?? systemTitle, invocationCounter };
    await send(protectedConfirmation(confirmation, layers, keys));
  }

  private failed(error: BridgeError, byStation: MeterOnLine | null): void {
    const meter = byStation ?? this.owner;
    if (error.code === 'UNKNOWN_CALLER' || meter === null) this.options.onStranger(error);
    else meter.pushes?.refused(this.options.from, error);
  }

  private attempt(action: () => Promise<void>): void {
    action().catch((thrown) => {
      const { code, message } = asBridgeError(thrown);
      this.options.log.debug({ from: this.options.from, code }, `push not confirmed: ${message}`);
    });
  }
}

function mayBePush(octets: Uint8Array): boolean {
  return PUSH_TAGS.has(octets[0] ?? 0) || PUSH_TAGS.has(octets[LLC_OCTETS] ?? 0);
}

function ownTitle({ settings: { systemTitle } }: MeterOnLine): Uint8Array | null {
  return systemTitle === null ? null : fromHex(systemTitle);
}

function strangerText({ content }: Push<OpenedBySender>): string {
  const name = deviceNameIn(content);
  return name === null ? 'a push that does not name its sender' : `a push of "${name.slice(0, 64)}"`;
}
