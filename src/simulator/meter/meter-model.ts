/** One virtual meter as a model: who it is, what it measures, which objects it has. Nothing of lines or frames. */
import type { SimulatedAuthentication } from './association.ts';
import { type Demand, type Household, householdAt, makeHousehold, maximumDemandAt } from './household.ts';
import type { AssociationView, MeterIdentity, ObjectDefinition, ReadContext } from './object-model.ts';
import { objectsOf } from './objects.ts';
import { seedOf } from './random.ts';

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
}

export class MeterModel {
  readonly identity: MeterIdentity;
  readonly objects: readonly ObjectDefinition[];
  readonly authentication: SimulatedAuthentication;
  readonly password: Uint8Array;
  readonly maxPdu: number;
  /** The logical devices at the same address; this one alone until they are known. */
  logicalDevices: readonly MeterIdentity[];
  private readonly household: Household;

  constructor({ seed, index, server, phases, authentication, password, maxPdu }: MeterModelOptions) {
    this.identity = identityOf(seed, index, server);
    this.objects = objectsOf(phases);
    this.authentication = authentication;
    this.password = password;
    this.maxPdu = maxPdu;
    this.logicalDevices = [this.identity];
    this.household = makeHousehold(seedOf(seed, index), phases);
  }

  /** What the attributes of this meter depend on at a moment, milliseconds UTC. */
  contextAt(at: number, association: AssociationView): ReadContext {
    const { identity, household, logicalDevices } = this;
    let known: Demand | null = null;
    const demand = (): Demand => {
      known ??= maximumDemandAt(household, at);
      return known;
    };
    return { identity, at, household: householdAt(household, at), demand, association, logicalDevices };
  }
}

function identityOf(seed: number, index: number, server: number): MeterIdentity {
  const serial = FIRST_SERIAL + (seed % SERIAL_SEEDS) * SERIALS_PER_SEED + index + 1;
  return { serialNumber: String(serial), logicalDeviceName: `SIMVM000${serial}`, server };
}
