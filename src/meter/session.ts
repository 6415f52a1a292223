/**
 * One meter's session: makes the association stand when it is needed, carries requests over it, and forgets it when
 * it is lost. A standing association costs nothing: `ensureAssociated` then returns at once.
 */
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { AssociationClient, type AssociationEvent, type AssociationStep } from '../dlms/association.ts';
import { HdlcClientLink } from '../dlms/hdlc/client-link.ts';
import type { ClientLink } from '../dlms/link.ts';
import type { MeterSecrets, MeterSettings } from '../dlms/settings.ts';
import { WrapperClientLink } from '../dlms/wrapper.ts';
import type { AttributeReference, GetResult } from '../dlms/xdlms/services.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Framing } from '../transport/link-address.ts';
import { type ChannelCounts, MeterChannel, type Wire } from './channel.ts';

export interface SessionOptions {
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  readonly framing: Framing;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly log: Logger;
}

export class MeterSession {
  /** Round trips and octets since the session was made, over all its associations. */
  readonly counts: ChannelCounts = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  /** Set once the meter has refused a GET-with-list that it had granted. */
  listRefused = false;
  private readonly options: SessionOptions;
  private channel: MeterChannel | null = null;
  private association: AssociationClient | null = null;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  get isAssociated(): boolean {
    return this.association?.state === 'associated';
  }

  /** Largest request in octets, 0 for no limit. */
  get maxRequestPdu(): number {
    return this.association?.negotiated?.serverMaxReceivePduSize ?? 0;
  }

  get mayUseLists(): boolean {
    return (
      !this.listRefused && (this.association?.negotiated?.conformance.bits.includes('multiple-references') ?? false)
    );
  }

  /** Makes the association stand. Throws METER_*, LINK_*, LINE_*, ASSOCIATION_REJECTED, AUTHENTICATION_* and the like. */
  async ensureAssociated(): Promise<void> {
    if (this.isAssociated) return;
    this.forget();
    const { settings, secrets, wire, clock, log } = this.options;
    const association = new AssociationClient(settings, secrets);
    const channel = new MeterChannel({ link: this.newLink(), wire, clock, timeoutMs: settings.timeoutMs, log });
    try {
      await channel.connect();
      channel.confidential = true;
      const event = await converse(association, channel, association.open());
      channel.confidential = false;
      if (event.kind !== 'associated') throw errorOf(event);
      log.debug({ maxPdu: event.negotiated.serverMaxReceivePduSize }, 'association stands');
    } catch (error) {
      await this.dropLink(channel, asBridgeError(error));
      throw error;
    } finally {
      this.account(channel);
    }
    this.channel = channel;
    this.association = association;
  }

  /** One GET service: one attribute, or several with-list, blocks joined. A refusal of the whole request is thrown. */
  async get(attributes: readonly AttributeReference[]): Promise<readonly GetResult[]> {
    const { association, channel } = this;
    if (association === null || channel === null) return fail('ASSOCIATION_LOST', 'no association stands');
    try {
      const event = await converse(association, channel, association.get(attributes));
      if (event.kind !== 'answered') throw errorOf(event);
      return event.results;
    } catch (error) {
      if (association.state !== 'associated') this.forget();
      throw error;
    } finally {
      this.account(channel);
    }
  }

  /** Releases the association and the link; what goes wrong then does not matter, the line may be closed next. */
  async release(): Promise<void> {
    const { association, channel } = this;
    this.forget();
    if (association === null || channel === null || association.state !== 'associated') return;
    try {
      await converse(association, channel, association.release());
      await channel.disconnect();
    } catch (error) {
      this.options.log.debug({ code: asBridgeError(error).code }, 'release was not answered');
    } finally {
      this.account(channel);
    }
  }

  /** The line broke, or an exchange failed: whatever stood is gone. */
  forget(): void {
    this.association?.lost();
    this.association = null;
    this.channel = null;
  }

  private newLink(): ClientLink {
    const { framing, settings } = this.options;
    return framing === 'hdlc' ? new HdlcClientLink(settings) : new WrapperClientLink(settings);
  }

  /** A refused association leaves an HDLC link standing: DISC it, unless silence was the trouble. */
  private async dropLink(channel: MeterChannel, error: BridgeError): Promise<void> {
    if (error.layer !== 'acse') return;
    try {
      await channel.disconnect();
    } catch (failure) {
      this.options.log.debug({ code: asBridgeError(failure).code }, 'DISC was not answered');
    }
  }

  private account(channel: MeterChannel): void {
    this.counts.roundTrips += channel.counts.roundTrips;
    this.counts.bytesSent += channel.counts.bytesSent;
    this.counts.bytesReceived += channel.counts.bytesReceived;
    Object.assign(channel.counts, { roundTrips: 0, bytesSent: 0, bytesReceived: 0 });
  }
}

/** APDUs that answer nothing (notifications, answers to requests given up) are passed over, but not for ever. */
const MOST_PASSED_OVER = 16;

/** Sends, and goes on until the association says what came of it. */
async function converse(
  association: AssociationClient,
  channel: MeterChannel,
  first: Uint8Array,
): Promise<AssociationEvent> {
  let send: Uint8Array | null = first;
  for (let passedOver = 0; passedOver <= MOST_PASSED_OVER; ) {
    const step: AssociationStep = association.receive(
      send === null ? await channel.next() : await channel.exchange(send),
    );
    if (step.event !== null && step.event.kind !== 'unsolicited') return step.event;
    send = step.send;
    if (send === null) passedOver += 1;
  }
  return fail('UNEXPECTED_RESPONSE', `the meter sent ${MOST_PASSED_OVER} APDUs that answer nothing`);
}

function errorOf(event: AssociationEvent): BridgeError {
  if ('error' in event) return event.error;
  return new BridgeError('UNEXPECTED_RESPONSE', `the meter answered something else than was asked (${event.kind})`);
}
