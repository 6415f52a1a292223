/**
 * One meter's session: makes the association stand when it is needed, carries services over it, and forgets it when it
 * is lost. A standing association costs nothing: `ensureAssociated` then returns at once.
 */
import { randomBytes } from 'node:crypto';
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { AssociationClient } from '../dlms/association.ts';
import type { AssociationEvent } from '../dlms/association-states.ts';
import type { ObjectList } from '../dlms/cosem/object-list.ts';
import type { ShortNames } from '../dlms/cosem/short-names.ts';
import type { MethodCall } from '../dlms/exchange/action-exchange.ts';
import type { ServiceExchange } from '../dlms/exchange/exchange.ts';
import type { AttributeValue } from '../dlms/exchange/set-exchange.ts';
import { HdlcClientLink } from '../dlms/hdlc/client-link.ts';
import type { ClientLink } from '../dlms/link.ts';
import { type Quirks, quirksOf } from '../dlms/quirks.ts';
import { type MeterSecrets, type MeterSettings, NO_SECRETS } from '../dlms/settings.ts';
import { WrapperClientLink } from '../dlms/wrapper.ts';
import type { ConformanceBit } from '../dlms/xdlms/conformance.ts';
import type { DataAccessResult } from '../dlms/xdlms/data-access-result.ts';
import type { ActionOutcome, GetResult } from '../dlms/xdlms/services.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Framing } from '../transport/link-address.ts';
import { type ChannelCounts, MeterChannel, type Wire } from './channel.ts';
import { CounterPool, type CounterStore } from './counters.ts';
import { LogicalNameServices } from './logical-names.ts';
import { type AttributeRequest, longestListOf, type MeterServices, type ServiceCarrier } from './services.ts';
import { ShortNameServices } from './short-names.ts';

export interface SessionOptions {
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  readonly framing: Framing;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly log: Logger;
  readonly security: SecurityPorts;
}

/** What a ciphered association needs from outside. */
export interface SecurityPorts {
  /** Of this installation, 8 octets; for meters whose settings have none. */
  readonly systemTitle: Uint8Array;
  /** Counters of this meter's block cipher key. */
  readonly counters: CounterStore;
}

/** Where meters show the invocation counter that they expect, to the public client (facts of IDIS and DLMS UA 1000-1). */
const INVOCATION_COUNTER = { classId: 1, instanceId: '0.0.43.1.0.255', attributeId: 2 } as const;
const PUBLIC_CLIENT = 16;
/** A counter that rises once a second is here after 127 years. */
const HIGHEST_PLAUSIBLE_COUNTER = 4_000_000_000;
/** An association step protects one APDU and, in the HLS exchange, answers one challenge. */
const COUNTERS_PER_STEP = 2;

/** An association and the channel that carries it. */
interface Standing {
  readonly association: AssociationClient;
  readonly channel: MeterChannel;
}

const SERVICES: Readonly<Record<MeterSettings['referencing'], (carrier: ServiceCarrier) => MeterServices>> = {
  ln: (carrier) => new LogicalNameServices(carrier),
  sn: (carrier) => new ShortNameServices(carrier),
};

export class MeterSession implements ServiceCarrier {
  /** Round trips and octets since the session was made, over all its associations. */
  readonly counts: ChannelCounts = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  /** Set once the meter has refused a GET-with-list that it had granted. */
  listRefused = false;
  /** How this meter deviates. */
  readonly quirks: Quirks;
  private readonly options: SessionOptions;
  private readonly counters: CounterPool;
  private readonly services: MeterServices;
  private standing: Standing | null = null;

  constructor(options: SessionOptions) {
    this.options = options;
    this.quirks = quirksOf(options.settings);
    this.counters = new CounterPool(options.security.counters, this.quirks.firstCounter);
    this.services = SERVICES[options.settings.referencing](this);
  }

  get isAssociated(): boolean {
    return this.standing?.association.state === 'associated';
  }

  /** Octets of the largest request, 0 for no limit. */
  get maxRequestPdu(): number {
    return this.standing?.association.maxRequestPdu ?? 0;
  }

  get longestList(): number {
    if (this.listRefused || this.quirks.noList || !this.isGranted('multiple-references')) return 1;
    return Math.min(longestListOf(this.services.listShape, this.maxRequestPdu), this.quirks.listLimit ?? Infinity);
  }

  isGranted(bit: ConformanceBit): boolean {
    return this.standing?.association.negotiated?.conformance.bits.includes(bit) ?? false;
  }

  /** See `MeterServices`. */
  get shortNames(): ShortNames | null {
    return this.services.shortNames;
  }

  /** Short names that were learned before; nothing to a meter that speaks logical names. */
  recallShortNames(names: ShortNames): void {
    this.services.recall(names);
  }

  /** Makes the association stand. Throws METER_*, LINK_*, LINE_*, ASSOCIATION_REJECTED, AUTHENTICATION_* and the like. */
  async ensureAssociated(): Promise<void> {
    if (this.isAssociated) return;
    this.forget();
    const { settings, secrets } = this.options;
    if (usesCounters(settings) && (await this.counters.ensure(COUNTERS_PER_STEP))) await this.learnCounter();
    this.services.associated();
    try {
      this.standing = await this.associate(settings, secrets);
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.code !== 'INVOCATION_COUNTER_WRONG') throw error;
      await this.raiseCounter(error);
      this.standing = await this.associate(settings, secrets);
    }
  }

  /** One confirmed service. A refusal of the whole service is thrown; the association may stand all the same. */
  async run<Result>(exchange: ServiceExchange<Result>): Promise<Result> {
    const { standing } = this;
    if (standing === null) return fail('ASSOCIATION_LOST', 'no association stands');
    try {
      return await this.carry(standing, exchange);
    } catch (thrown) {
      if (standing.association.state !== 'associated') this.forget();
      const error = asBridgeError(thrown);
      if (error.code === 'INVOCATION_COUNTER_WRONG') await this.raiseCounter(error);
      throw error;
    }
  }

  private async carry<Result>(standing: Standing, exchange: ServiceExchange<Result>): Promise<Result> {
    const event = await this.converse(standing, (association) => association.begin(exchange));
    if (event.kind !== 'answered') throw errorOf(event);
    return exchange.result;
  }

  /** One service: one attribute, or several with-list, blocks joined. */
  get(attributes: readonly AttributeRequest[]): Promise<readonly GetResult[]> {
    return this.services.get(attributes.map((attribute) => ({ accessSelection: null, ...attribute })));
  }

  /** See `get`. */
  set(values: readonly AttributeValue[]): Promise<readonly DataAccessResult[]> {
    return this.services.set(values);
  }

  action(calls: readonly MethodCall[]): Promise<readonly ActionOutcome[]> {
    return this.services.action(calls);
  }

  objectList(): Promise<ObjectList> {
    return this.services.objectList();
  }

  /** Releases the association and the link; what goes wrong then does not matter, the line may be closed next. */
  async release(): Promise<void> {
    const { standing } = this;
    this.standing = null;
    if (standing?.association.state === 'associated') await this.end(standing);
    standing?.association.lost();
  }

  /** The line broke, or an exchange failed: whatever stood is gone. */
  forget(): void {
    this.standing?.association.lost();
    this.standing = null;
  }

  private async associate(settings: MeterSettings, secrets: MeterSecrets): Promise<Standing> {
    const { wire, clock, log, security } = this.options;
    const association = new AssociationClient({
      settings,
      secrets,
      random: randomBytes,
      takeCounter: () => this.counters.take(),
      systemTitle: security.systemTitle,
    });
    const channel = new MeterChannel({ link: this.newLink(settings), wire, clock, timeoutMs: settings.timeoutMs, log });
    const standing = { association, channel };
    try {
      await channel.connect();
      channel.confidential = true;
      const event = await this.converse(standing, () => [association.open()]);
      channel.confidential = false;
      if (event.kind !== 'associated') throw errorOf(event);
      log.debug({ maxPdu: event.negotiated.serverMaxReceivePduSize }, 'association stands');
      return standing;
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.layer === 'acse' || error.layer === 'security') await this.disconnect(channel);
      throw error;
    } finally {
      this.account(channel);
    }
  }

  private newLink(settings: MeterSettings): ClientLink {
    return this.options.framing === 'hdlc' ? new HdlcClientLink(settings) : new WrapperClientLink(settings);
  }

  /** Sends what the association wants sent, and goes on until it says what came of it. */
  private async converse(
    { association, channel }: Standing,
    begin: (association: AssociationClient) => readonly Uint8Array[],
  ): Promise<AssociationEvent> {
    const ciphered = usesCounters(this.options.settings);
    try {
      if (ciphered) await this.counters.ensure(COUNTERS_PER_STEP);
      let send = begin(association);
      for (let passedOver = 0; passedOver <= MOST_PASSED_OVER; ) {
        const answer = send.length === 0 ? await channel.next() : await channel.exchange(send);
        if (ciphered) await this.counters.ensure(COUNTERS_PER_STEP);
        const step = association.receive(answer);
        if (step.event !== null && step.event.kind !== 'unsolicited') return step.event;
        send = step.send;
        if (send.length === 0) passedOver += 1;
      }
    } finally {
      this.account(channel);
    }
    return fail('UNEXPECTED_RESPONSE', `the meter sent ${MOST_PASSED_OVER} APDUs that answer nothing`);
  }

  private async end(standing: Standing): Promise<void> {
    try {
      if (!this.quirks.noRelease) await this.converse(standing, (association) => [association.release()]);
      await standing.channel.disconnect();
    } catch (error) {
      this.options.log.debug({ code: asBridgeError(error).code }, 'release was not answered');
    } finally {
      this.account(standing.channel);
    }
  }

  /** A refused association leaves an HDLC link standing: DISC it. */
  private async disconnect(channel: MeterChannel): Promise<void> {
    try {
      await channel.disconnect();
    } catch (failure) {
      this.options.log.debug({ code: asBridgeError(failure).code }, 'DISC was not answered');
    }
  }

  private async raiseCounter({ facts: { expectedCounter } }: BridgeError): Promise<void> {
    if (typeof expectedCounter === 'number') await this.counters.raise(expectedCounter);
    else await this.learnCounter();
  }

  /** Asks the meter for its counter as the public client. A meter that does not tell is tried with what we have. */
  private async learnCounter(): Promise<void> {
    const { settings, log } = this.options;
    const asPublic: MeterSettings = { ...settings, client: PUBLIC_CLIENT, authentication: 'none', security: 'none' };
    try {
      const standing = await this.associate(asPublic, NO_SECRETS);
      const services = SERVICES[settings.referencing]({
        run: (exchange) => this.carry(standing, exchange),
        isGranted: () => false,
        longestList: 1,
      });
      const [result] = await services.get([{ ...INVOCATION_COUNTER, accessSelection: null }]);
      await this.end(standing);
      if (this.quirks.publicWait > 0) await sleep(this.options.clock, this.quirks.publicWait);
      const value = result !== undefined && 'data' in result && 'value' in result.data ? result.data.value : null;
      if (typeof value !== 'number') return;
      // Nothing vouches for what the public client reads: one forged value near the end would use the key up for good.
      if (value > HIGHEST_PLAUSIBLE_COUNTER) {
        log.warn({ counter: value }, 'the meter shows an invocation counter near its end; it is not believed');
        return;
      }
      await this.counters.raise(value + 1);
      log.info({ counter: value }, 'invocation counter read from the meter');
    } catch (thrown) {
      log.debug({ code: asBridgeError(thrown).code }, 'the public client does not show the invocation counter');
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

function usesCounters({ security, authentication }: MeterSettings): boolean {
  return security !== 'none' || authentication === 'gmac';
}

function errorOf(event: AssociationEvent): BridgeError {
  if ('error' in event) return event.error;
  return new BridgeError('UNEXPECTED_RESPONSE', `the meter answered something else than was asked (${event.kind})`);
}
