/**
 * One meter's session: makes the association stand when it is needed, carries services over it, and forgets it when it
 * is lost. A standing association costs nothing: `ensureAssociated` then returns at once.
 */
import { randomBytes } from 'node:crypto';
import { asBridgeError, type BridgeError, fail } from '../core/errors.ts';
import { AssociationClient } from '../dlms/association/association.ts';
import type { UnsolicitedApdu } from '../dlms/association/services.ts';
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
import type { ChannelCounts, Wire } from './channel.ts';
import { CounterPool, type CounterStore } from './counters.ts';
import { LogicalNameServices } from './logical-names.ts';
import { type AttributeRequest, longestListOf, type MeterServices, type ServiceCarrier } from './services.ts';
import { ShortNameServices } from './short-names.ts';
import { StandingAssociation } from './standing.ts';

export interface SessionOptions {
  readonly settings: MeterSettings;
  readonly secrets: MeterSecrets;
  readonly framing: Framing;
  readonly wire: Wire;
  readonly clock: Clock;
  readonly log: Logger;
  readonly security: SecurityPorts;
  /** What the meter sends unasked while its association stands; confirmed, where it wants that, when this resolves with true. */
  readonly onUnsolicited?: (apdu: UnsolicitedApdu) => Promise<boolean>;
}

/** What a ciphered association needs from outside. */
export interface SecurityPorts {
  /** Of this installation, 8 octets; for meters whose settings have none. */
  readonly systemTitle: Uint8Array;
  /** Counters of this meter's block cipher key. */
  readonly counters: CounterStore;
  /**
   * Nobody has kept the counters of this title, which may have been used before: the meter has to tell where they stand, or
   * nothing is sent under them.
   */
  readonly countersUnknown?: boolean;
}

/** Where meters show the invocation counter that they expect, to the public client (facts of IDIS and DLMS UA 1000-1). */
const INVOCATION_COUNTER = { classId: 1, instanceId: '0.0.43.1.0.255', attributeId: 2 } as const;
const PUBLIC_CLIENT = 16;
/** A counter that rises once a second is here after 127 years. */
const HIGHEST_PLAUSIBLE_COUNTER = 4_000_000_000;
/** Half of all counters: time to replace the key while there is time. */
const COUNTER_ALARM = 2_000_000_000;
/** An association step protects one APDU and, in the HLS exchange, answers one challenge. */
const COUNTERS_PER_STEP = 2;

const SERVICES: Readonly<Record<MeterSettings['referencing'], (carrier: ServiceCarrier) => MeterServices>> = {
  ln: (carrier) => new LogicalNameServices(carrier),
  sn: (carrier) => new ShortNameServices(carrier),
};

export class MeterSession implements ServiceCarrier {
  /** Round trips and octets since the session was made, over all its associations. */
  readonly counts: ChannelCounts = { roundTrips: 0, bytesSent: 0, bytesReceived: 0 };
  /** The longest GET-with-list that the meter may be sent: less once it has refused one that it had granted. */
  listLimit = Number.POSITIVE_INFINITY;
  /** How this meter deviates. */
  readonly quirks: Quirks;
  /** How many associations have stood: another number means that somebody else may answer now. */
  associations = 0;
  private readonly options: SessionOptions;
  private readonly counters: CounterPool;
  private readonly services: MeterServices;
  private standing: StandingAssociation | null = null;
  private countersKnown: boolean;
  private alarmed = false;

  constructor(options: SessionOptions) {
    this.options = options;
    this.countersKnown = options.security.countersUnknown !== true;
    this.quirks = quirksOf(options.settings);
    this.counters = new CounterPool(options.security.counters, this.quirks.firstCounter);
    this.services = SERVICES[options.settings.referencing](this);
  }

  /** IANA name of the zone that the meter's local times are in; null where it is not configured. */
  get timeZone(): string | null {
    return this.options.settings.timeZone;
  }

  get isAssociated(): boolean {
    return this.standing?.association.state === 'associated';
  }

  /** Octets of the largest request, 0 for no limit. */
  get maxRequestPdu(): number {
    return this.standing?.association.maxRequestPdu ?? 0;
  }

  get longestList(): number {
    const { listShape } = this.services;
    if (this.quirks.noList || listShape === null) return 1;
    return Math.min(longestListOf(listShape, this.maxRequestPdu), this.quirks.listLimit ?? Infinity, this.listLimit);
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
    if (usesCounters(settings)) await this.readyCounters();
    this.services.associated();
    try {
      this.standing = await this.associate(settings, secrets);
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.code !== 'INVOCATION_COUNTER_WRONG') throw error;
      await this.raiseCounter(error);
      this.standing = await this.associate(settings, secrets);
    }
    this.associations += 1;
  }

  /** One confirmed service. A refusal of the whole service is thrown; the association may stand all the same. */
  async run<Result>(exchange: ServiceExchange<Result>): Promise<Result> {
    const { standing } = this;
    if (standing === null) return fail('ASSOCIATION_LOST', 'no association stands');
    try {
      return await standing.run(exchange);
    } catch (thrown) {
      if (standing.association.state !== 'associated') this.forget();
      const error = asBridgeError(thrown);
      if (error.code === 'INVOCATION_COUNTER_WRONG') await this.raiseCounter(error);
      throw error;
    }
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

  /**
   * Keeps a standing association from the inactivity time-out of an HDLC link; does nothing where none stands, or over the
   * wrapper. Throws METER_TIMEOUT, LINK_LOST or LINE_*: then the association is gone.
   */
  async keepAlive(): Promise<void> {
    const { standing } = this;
    if (standing?.association.state !== 'associated') return;
    try {
      await standing.keepAlive();
    } catch (thrown) {
      this.forget();
      throw thrown;
    }
  }

  /** Releases the association and the link; what goes wrong then does not matter, the line may be closed next. */
  async release(): Promise<void> {
    const { standing } = this;
    this.standing = null;
    if (standing?.association.state === 'associated') await standing.end();
    standing?.association.lost();
  }

  /** The line broke, or an exchange failed: whatever stood is gone. */
  forget(): void {
    this.standing?.association.lost();
    this.standing = null;
  }

  private async associate(settings: MeterSettings, secrets: MeterSecrets): Promise<StandingAssociation> {
    const { wire, clock, log, security, onUnsolicited } = this.options;
    const { timeoutMs } = settings;
    const standing = new StandingAssociation({
      association: new AssociationClient({
        settings,
        secrets,
        random: randomBytes,
        takeCounter: () => this.counters.take(),
        systemTitle: security.systemTitle,
      }),
      channel: { link: this.newLink(settings), wire, clock, timeoutMs, log, counts: this.counts },
      preEstablished: settings.preEstablished !== null,
      noRelease: this.quirks.noRelease || settings.preEstablished !== null,
      ensureCounters: () => this.ensureCounters(),
      onUnsolicited: async (apdu) => (await onUnsolicited?.(apdu)) ?? true,
    });
    await standing.open();
    return standing;
  }

  private newLink(settings: MeterSettings): ClientLink {
    return this.options.framing === 'hdlc' ? new HdlcClientLink(settings) : new WrapperClientLink(settings);
  }

  private async ensureCounters(): Promise<void> {
    if (!usesCounters(this.options.settings)) return;
    await this.counters.ensure(COUNTERS_PER_STEP);
    const { upcoming: counter } = this.counters;
    if (counter < COUNTER_ALARM || this.alarmed) return;
    this.alarmed = true;
    this.options.log.warn(
      { counter, left: 2 ** 32 - counter },
      'the invocation counter is high: plan a new block cipher key',
    );
  }

  /** Throws COUNTER_UNKNOWN when only the meter could tell where the counters stand, and does not. */
  private async readyCounters(): Promise<void> {
    const isNew = await this.counters.ensure(COUNTERS_PER_STEP);
    if (!isNew && this.countersKnown) return;
    const told = await this.learnCounter();
    if (!told && !this.countersKnown) {
      fail(
        'COUNTER_UNKNOWN',
        'the meter does not show its invocation counter, and without a database nobody has kept ours',
      );
    }
    this.countersKnown = true;
  }

  private async raiseCounter({ facts: { expectedCounter } }: BridgeError): Promise<void> {
    if (typeof expectedCounter === 'number') await this.counters.raise(expectedCounter);
    else await this.learnCounter();
  }

  /** Asks the meter for its counter as the public client. Resolves with whether it told. */
  private async learnCounter(): Promise<boolean> {
    const { settings, log } = this.options;
    const asPublic: MeterSettings = {
      ...settings,
      client: PUBLIC_CLIENT,
      authentication: 'none',
      security: 'none',
      preEstablished: null,
    };
    try {
      const standing = await this.associate(asPublic, NO_SECRETS);
      const services = SERVICES[settings.referencing]({
        run: (exchange) => standing.run(exchange),
        isGranted: () => false,
        longestList: 1,
      });
      const [result] = await services.get([{ ...INVOCATION_COUNTER, accessSelection: null }]);
      await standing.end();
      if (this.quirks.publicWait > 0) await sleep(this.options.clock, this.quirks.publicWait);
      const value = result !== undefined && 'data' in result && 'value' in result.data ? result.data.value : null;
      if (typeof value !== 'number') return false;
      // Nothing vouches for what the public client reads: one forged value near the end would use the key up for good.
      if (value > HIGHEST_PLAUSIBLE_COUNTER) {
        log.warn({ counter: value }, 'the meter shows an invocation counter near its end; it is not believed');
        return false;
      }
      await this.counters.raise(value + 1);
      log.info({ counter: value }, 'invocation counter read from the meter');
      return true;
    } catch (thrown) {
      log.debug({ code: asBridgeError(thrown).code }, 'the public client does not show the invocation counter');
      return false;
    }
  }
}

function usesCounters({ security, authentication }: MeterSettings): boolean {
  return security !== 'none' || authentication === 'gmac';
}
