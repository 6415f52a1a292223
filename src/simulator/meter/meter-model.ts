/** One virtual meter as a model: who it is, what it measures, which objects it has. Nothing of lines or frames. */
import { fail } from '../../core/errors.ts';
import type { MeterSettings } from '../../dlms/settings.ts';
import type { ConformanceBit } from '../../dlms/xdlms/conformance.ts';
import { readAttribute } from './access.ts';
import type { SimulatedAuthentication } from './association.ts';
import { eventsUntil } from './event-log.ts';
import { type Household, householdAt, makeHousehold, maximumDemandAt } from './household.ts';
import { InvocationCounters } from './invocation-counters.ts';
import { type MeterSecurity, meterSecurityOf, type SecurityOptions } from './meter-security.ts';
import { MeterState } from './meter-state.ts';
import type { AssociationView, MeterContext, MeterIdentity, ObjectDefinition, ProfileOptions } from './object-model.ts';
import { objectsOf } from './objects.ts';
import { OFFERED } from './offered.ts';
import { type ProfileRow, profileRows } from './profiles.ts';
import type { Push } from './push-object.ts';
import { seedOf } from './random.ts';
import { DEMAND_OBIS } from './registers.ts';
import { SECURITY_OBJECTS } from './security-objects.ts';
import { ShortNameTable } from './short-name-table.ts';

/** Octets of the longest APDU that these meters receive or send, unless told otherwise. */
export const DEFAULT_MAX_PDU = 1024;

/** How many meters have serial numbers of their own within one seed. */
const SERIALS_PER_SEED = 10_000;
const FIRST_SERIAL = 10_000_000;
const SERIAL_SEEDS = 8999;

export interface MeterModelOptions {
  readonly seed: number;
  /** Counted from 0; meters of one seed differ by it. */
  readonly index: number;
  /** Server SAP. */
  readonly server: number;
  readonly phases: 1 | 3;
  readonly authentication: SimulatedAuthentication;
  readonly password: Uint8Array;
  readonly maxPdu: number;
  readonly security?: SecurityOptions;
  /** Services that the meter offers, of those that it has. Default all of them. */
  readonly granted?: readonly ConformanceBit[];
  readonly profiles?: Partial<ProfileOptions>;
  /** How much the clock is ahead at first, milliseconds. Default 0. */
  readonly clockOffset?: number;
  /** The first invocation counter that the meter sends. Default 0. */
  readonly firstCounter?: number;
  /** Sends what the meter pushes; without it nothing leaves. */
  readonly onPush?: (push: Push) => void;
  /** Which names the meter speaks. Default ln. */
  readonly referencing?: MeterSettings['referencing'];
}

export class MeterModel {
  readonly identity: MeterIdentity;
  readonly objects: readonly ObjectDefinition[];
  readonly referencing: MeterSettings['referencing'];
  /** null in a meter of logical names. */
  readonly shortNames: ShortNameTable | null;
  readonly authentication: SimulatedAuthentication;
  readonly password: Uint8Array;
  readonly maxPdu: number;
  readonly security: MeterSecurity;
  readonly granted: readonly ConformanceBit[];
  /** Of the global key, for all clients. */
  readonly counters: InvocationCounters;
  readonly state: MeterState;
  /** The logical devices at the same address; this one alone until they are known. */
  logicalDevices: readonly MeterIdentity[];
  private readonly onPush: (push: Push) => void;
  private readonly household: Household;
  private readonly profiles: ProfileOptions;
  private readonly meterSeed: number;

  /** Throws INVALID_VALUE for security options that do not fit one another. */
  constructor(options: MeterModelOptions) {
    const { seed, index, server, phases, authentication, password, maxPdu, security = {}, clockOffset = 0 } = options;
    this.identity = identityOf(seed, index, server);
    this.security = meterSecurityOf(security, authentication, this.identity.serialNumber);
    this.counters = new InvocationCounters(options.firstCounter ?? 0, security.invocationCounter ?? -1);
    this.state = new MeterState(clockOffset);
    this.profiles = { compressed: false, order: 'fifo', ...options.profiles };
    this.referencing = options.referencing ?? 'ln';
    this.granted = options.granted ?? OFFERED[this.referencing];
    const objects = objectsOf(phases, this.referencing);
    this.objects = this.security.keys === null ? objects : [...objects, ...SECURITY_OBJECTS];
    this.shortNames = this.referencing === 'sn' ? new ShortNameTable(this.objects) : null;
    this.authentication = authentication;
    this.password = password;
    this.maxPdu = maxPdu;
    this.logicalDevices = [this.identity];
    this.meterSeed = seedOf(seed, index);
    this.onPush = options.onPush ?? (() => undefined);
    this.household = makeHousehold(this.meterSeed, phases);
  }

  /** What the attributes of this meter depend on at a moment, milliseconds UTC. */
  contextAt(at: number, association: AssociationView): MeterContext {
    const { onPush, identity, household, logicalDevices, state, security, counters, profiles, meterSeed } = this;
    const since = state.resetBefore(DEMAND_OBIS, at)?.at;
    const demand = once(() => maximumDemandAt(household, at, since));
    const values = once(() => householdAt(household, at));
    return {
      identity,
      at,
      // Not every attribute needs it, and profiles ask for very many moments.
      get household() {
        return values();
      },
      demand,
      association,
      logicalDevices,
      state,
      security,
      invocationCounter: () => counters.lastAccepted,
      events: () => eventsUntil(at, meterSeed, state.events),
      profiles,
      push: onPush,
      when: (moment) => this.contextAt(moment, association),
    };
  }

  /** The value of a register at a moment, milliseconds UTC. Throws NOT_FOUND. */
  valueAt(classId: number, obis: string, at: number) {
    const object = this.objects.find((one) => one.classId === classId && one.obis === obis);
    const reference = { classId, instanceId: obis, attributeId: 2, accessSelection: null };
    const context = this.contextAt(at, ownView(this));
    const result = readAttribute(this.objects, reference, context);
    const scalerUnit = object?.attributes[2]?.(context);
    if (scalerUnit === undefined || 'refused' in result || result.said === null) {
      return fail('NOT_FOUND', `the virtual meter has no register ${obis}`, { layer: 'simulator' });
    }
    return { data: result.data, said: result.said, scalerUnit };
  }

  /** The rows that a profile has at a moment, between two others; see `profileRows`. */
  profileRows(at: number, obis: string, from: number, to: number): readonly ProfileRow[] {
    return profileRows(this.contextAt(at, ownView(this)), obis, from, to);
  }
}

/** Nobody in particular, who sees everything. */
function ownView(model: MeterModel): AssociationView {
  return {
    client: 0,
    clientTitle: new Uint8Array(0),
    context: 'LN',
    mechanism: 'NONE',
    conformance: '',
    maxReceivePdu: model.maxPdu,
    maxSendPdu: model.maxPdu,
    objects: model.objects,
    mayChange: false,
    shortNames: model.shortNames,
  };
}

/** Computed at its first use. */
function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | null = null;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}

function identityOf(seed: number, index: number, server: number): MeterIdentity {
  const serial = FIRST_SERIAL + (seed % SERIAL_SEEDS) * SERIALS_PER_SEED + index + 1;
  return { serialNumber: String(serial), logicalDeviceName: `SIMVM000${serial}`, server };
}
