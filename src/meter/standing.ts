/**
 * An association over a channel: opened, used for one conversation after the other, and ended. Between and within
 * conversations it takes what the meter sends unasked, confirms it where that is wanted, and hands it out.
 */
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import type { AssociationClient } from '../dlms/association/association.ts';
import type { UnsolicitedApdu } from '../dlms/association/services.ts';
import type { AssociationEvent } from '../dlms/association/states.ts';
import type { ServiceExchange } from '../dlms/exchange/exchange.ts';
import { type ChannelOptions, MeterChannel } from './channel.ts';

export interface StandingOptions {
  readonly association: AssociationClient;
  readonly channel: Omit<ChannelOptions, 'onUnsolicited'>;
  /** The association stands without AARQ. */
  readonly preEstablished: boolean;
  /** The meter does not know RLRQ: the link below ends the association. */
  readonly noRelease: boolean;
  /** Before each step of the association: makes sure that it can take the counters that it may need. */
  ensureCounters(): Promise<void>;
  /** Resolves with whether the notification is kept; what is not kept is not confirmed. */
  onUnsolicited(apdu: UnsolicitedApdu): Promise<boolean>;
}

/** APDUs that answer nothing (notifications, answers to requests given up) are passed over, but not for ever. */
const MOST_PASSED_OVER = 16;

export class StandingAssociation {
  readonly association: AssociationClient;
  private readonly options: StandingOptions;
  private readonly channel: MeterChannel;
  /** What came between two conversations, until it is dealt with. */
  private heard: Promise<void> = Promise.resolve();

  constructor(options: StandingOptions) {
    this.options = options;
    this.association = options.association;
    this.channel = new MeterChannel({
      ...options.channel,
      onUnsolicited: (apdu) => {
        this.heard = this.heard.then(() => this.hear(apdu));
      },
    });
  }

  /** Makes link and association stand. Throws METER_*, LINK_*, LINE_*, ASSOCIATION_REJECTED, AUTHENTICATION_* and the like. */
  async open(): Promise<void> {
    const { channel, log } = this;
    try {
      await channel.connect();
      channel.confidential = true;
      const event = this.options.preEstablished
        ? this.association.assume()
        : await this.converse((association) => [association.open()]);
      channel.confidential = false;
      if (event.kind !== 'associated') throw errorOf(event);
      log.debug({ maxPdu: event.negotiated.serverMaxReceivePduSize }, 'association stands');
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.layer === 'acse' || error.layer === 'security') await this.disconnect();
      throw error;
    }
  }

  /** One confirmed service. A refusal of the whole service is thrown; the association may stand all the same. */
  async run<Result>(exchange: ServiceExchange<Result>): Promise<Result> {
    const event = await this.converse((association) => association.begin(exchange));
    if (event.kind !== 'answered') throw errorOf(event);
    return exchange.result;
  }

  /** Keeps the link from its inactivity time-out. Throws METER_TIMEOUT, LINK_LOST and LINE_*. */
  async keepAlive(): Promise<void> {
    await this.heard;
    await this.channel.keepAlive();
  }

  /** Releases association and link. What goes wrong then does not matter. */
  async end(): Promise<void> {
    try {
      if (!this.options.noRelease) await this.converse((association) => [association.release()]);
      await this.channel.disconnect();
    } catch (error) {
      this.log.debug({ code: asBridgeError(error).code }, 'release was not answered');
    }
  }

  private get log() {
    return this.options.channel.log;
  }

  /** A refused association leaves an HDLC link standing: DISC it. */
  private async disconnect(): Promise<void> {
    try {
      await this.channel.disconnect();
    } catch (failure) {
      this.log.debug({ code: asBridgeError(failure).code }, 'DISC was not answered');
    }
  }

  /** Sends what the association wants sent, and goes on until it says what came of it. */
  private async converse(begin: (association: AssociationClient) => readonly Uint8Array[]): Promise<AssociationEvent> {
    const { association, channel, options } = this;
    const silence = (): readonly Uint8Array[] => association.timedOut();
    try {
      await this.heard;
      await options.ensureCounters();
      let answer = channel.exchange(begin(association), silence);
      for (let passedOver = 0; passedOver <= MOST_PASSED_OVER; ) {
        const apdu = await answer;
        await options.ensureCounters();
        const { send, event } = association.receive(apdu);
        if (event?.kind === 'unsolicited') await this.handOut(event);
        else if (event?.kind === 'disregarded') this.passOver(event.error);
        else if (event !== null && event.kind !== 'block') return event;
        if (send.length === 0 && event?.kind !== 'block') passedOver += 1;
        answer = channel.next(send, silence);
      }
    } finally {
      channel.rest();
    }
    return fail('UNEXPECTED_RESPONSE', `the meter sent ${MOST_PASSED_OVER} APDUs that answer nothing`);
  }

  /** An APDU that came while nothing was asked. Never rejects: nobody waits for it. */
  private async hear(octets: Uint8Array): Promise<void> {
    try {
      await this.options.ensureCounters();
      const { send, event } = this.association.receive(octets);
      for (const apdu of send) this.channel.notify(apdu);
      if (event?.kind === 'unsolicited') await this.handOut(event);
      else if (event?.kind === 'disregarded') this.passOver(event.error);
      else if (event !== null && 'error' in event) {
        this.log.warn({ code: event.error.code }, 'an unasked APDU lost the association');
      } else this.log.debug({ octets: octets.length }, 'an APDU that answers nothing');
    } catch (thrown) {
      this.log.warn({ code: asBridgeError(thrown).code }, 'an unasked APDU could not be dealt with');
    }
  }

  /** Somebody may have made it up, or sent it again. */
  private passOver({ code, message }: BridgeError): void {
    this.log.warn({ code, reason: message }, 'a message of the meter is not believed, and passed over');
  }

  /** The next request waits meanwhile: its counter comes after that of the confirmation. */
  private async handOut({ apdu, confirmation }: Extract<AssociationEvent, { kind: 'unsolicited' }>): Promise<void> {
    const kept = await this.options.onUnsolicited(apdu);
    const confirmed = confirmation !== null && kept;
    this.log.info({ apdu: apdu.apdu, confirmed, ...aboutOf(apdu) }, 'notification from the meter');
    if (confirmed) this.channel.notify(confirmation);
  }
}

/** Which notification it is, without what it says. */
function aboutOf(apdu: UnsolicitedApdu): Readonly<Record<string, unknown>> {
  switch (apdu.apdu) {
    case 'data-notification':
      return { invokeId: apdu.longInvokeIdAndPriority.invokeId, body: apdu.body.type };
    case 'event-notification-request':
      return { ...apdu.attribute };
    default:
      return {};
  }
}

function errorOf(event: AssociationEvent): BridgeError {
  if ('error' in event) return event.error;
  return new BridgeError('UNEXPECTED_RESPONSE', `the meter answered something else than was asked (${event.kind})`);
}
