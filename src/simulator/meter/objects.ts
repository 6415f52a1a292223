/** The object tree of a virtual meter as data, single- and three-phase, and reading one attribute of it. */
import type { Data } from '../../dlms/axdr/data.ts';
import { associationObject } from './association-object.ts';
import type { HouseholdValues } from './household.ts';
import {
  DEVIATION,
  dataObject,
  dateTimeData,
  extendedRegister,
  logicalName,
  type ObjectDefinition,
  type ReadContext,
  type RegisterFormat,
  register,
  scaledText,
  textData,
  UNIT,
} from './object-model.ts';

export const FIRMWARE = 'VM-1.0.0';

const ENERGY: RegisterFormat = { type: 'double-long-unsigned', scaler: 0, unit: UNIT.Wh };
const FINE_ENERGY: RegisterFormat = { type: 'long64-unsigned', scaler: -3, unit: UNIT.Wh };
const REACTIVE_ENERGY: RegisterFormat = { type: 'double-long-unsigned', scaler: 0, unit: UNIT.varh };
const POWER: RegisterFormat = { type: 'double-long-unsigned', scaler: 0, unit: UNIT.W };
const REACTIVE_POWER: RegisterFormat = { type: 'double-long-unsigned', scaler: 0, unit: UNIT.var };
const VOLTAGE: RegisterFormat = { type: 'long-unsigned', scaler: -1, unit: UNIT.V };
const POWER_FACTOR: RegisterFormat = { type: 'long', scaler: -3, unit: UNIT.none };
const FREQUENCY: RegisterFormat = { type: 'long-unsigned', scaler: -2, unit: UNIT.Hz };
/** Two kinds of meter scale their currents differently, so that no client gets by with a guess. */
const CURRENT = {
  1: { type: 'long-unsigned', scaler: -3, unit: UNIT.A },
  3: { type: 'long-unsigned', scaler: -2, unit: UNIT.A },
} as const satisfies Record<1 | 3, RegisterFormat>;

/** What the 64-bit register began with, in mWh: beyond 2^53, where a float no longer counts singly. */
const FINE_ENERGY_START = 9_007_199_254_740_993n;

/** OBIS value group C of voltage, current and active import of each phase (IEC 62056-61, table 5). */
const PHASE_GROUPS = [
  { voltage: 32, current: 31, power: 21 },
  { voltage: 52, current: 51, power: 41 },
  { voltage: 72, current: 71, power: 61 },
] as const;

/** Clock, class 8 (Blue Book 4.5.1). */
const CLOCK: ObjectDefinition = {
  classId: 8,
  version: 0,
  obis: '0.0.1.0.0.255',
  attributes: [
    logicalName('0.0.1.0.0.255'),
    ({ at }) => dateTimeData(at),
    () => ({ type: 'long', value: DEVIATION }),
    () => ({ type: 'unsigned', value: 0 }),
    () => ({ type: 'octet-string', value: NO_DATE }),
    () => ({ type: 'octet-string', value: NO_DATE }),
    () => ({ type: 'integer', value: 60 }),
    () => ({ type: 'boolean', value: false }),
    () => ({ type: 'enum', value: 1 }),
  ],
  methods: 6,
  isPublic: true,
  scaler: null,
};
/** All wildcards: daylight saving is not in use. */
const NO_DATE = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80, 0x00, 0xff);

/** SAP assignment, class 17 (Blue Book 4.4.5): which logical devices there are at this address. */
const SAP_ASSIGNMENT: ObjectDefinition = {
  classId: 17,
  version: 0,
  obis: '0.0.41.0.0.255',
  attributes: [
    logicalName('0.0.41.0.0.255'),
    ({ logicalDevices }) => ({
      type: 'array',
      value: logicalDevices.map(({ server, logicalDeviceName }) => ({
        type: 'structure',
        value: [{ type: 'long-unsigned', value: server }, textData(logicalDeviceName)],
      })),
    }),
  ],
  methods: 1,
  isPublic: false,
  scaler: null,
};

const IDENTIFICATION: readonly ObjectDefinition[] = [
  dataObject('0.0.42.0.0.255', ({ identity }) => textData(identity.logicalDeviceName), { isPublic: true }),
  dataObject('0.0.96.1.0.255', ({ identity }) => textData(identity.serialNumber)),
  dataObject('1.0.0.0.0.255', ({ identity }) => textData(`1SIM${identity.serialNumber}`)),
  dataObject('1.0.0.2.0.255', () => ({ type: 'visible-string', value: FIRMWARE })),
];

const TOTALS: readonly ObjectDefinition[] = [
  register('1.0.1.8.0.255', ENERGY, ({ household }) => household.activeEnergyImport, 'floor'),
  register('1.0.2.8.0.255', ENERGY, ({ household }) => household.activeEnergyExport, 'floor'),
  register('1.0.3.8.0.255', REACTIVE_ENERGY, ({ household }) => household.reactiveEnergyImport, 'floor'),
  register('1.0.4.8.0.255', REACTIVE_ENERGY, ({ household }) => household.reactiveEnergyExport, 'floor'),
  register('1.0.15.8.0.255', FINE_ENERGY, ({ household }) => fineEnergy(household)),
  register('1.0.1.7.0.255', POWER, ({ household }) => household.activePowerImport),
  register('1.0.2.7.0.255', POWER, ({ household }) => household.activePowerExport),
  register('1.0.3.7.0.255', REACTIVE_POWER, ({ household }) => Math.max(0, reactivePower(household))),
  register('1.0.4.7.0.255', REACTIVE_POWER, ({ household }) => Math.max(0, -reactivePower(household))),
  register('1.0.13.7.0.255', POWER_FACTOR, ({ household }) => household.powerFactor),
  register('1.0.14.7.0.255', FREQUENCY, ({ household }) => household.frequency),
  extendedRegister(
    '1.0.1.6.0.255',
    POWER,
    ({ demand }) => demand().power,
    ({ demand }) => demand().capturedAt,
  ),
];

const TREES: Readonly<Record<1 | 3, readonly ObjectDefinition[]>> = { 1: tree(1), 3: tree(3) };

/** All objects of a meter with so many phases. */
export function objectsOf(phases: 1 | 3): readonly ObjectDefinition[] {
  return TREES[phases];
}

function tree(phases: 1 | 3): readonly ObjectDefinition[] {
  const groups = PHASE_GROUPS.slice(0, phases);
  return [
    associationObject,
    ...IDENTIFICATION,
    CLOCK,
    SAP_ASSIGNMENT,
    ...TOTALS,
    ...groups.flatMap(({ voltage, current, power }, index) => [
      register(`1.0.${voltage}.7.0.255`, VOLTAGE, ({ household }) => household.phases[index]?.voltage ?? 0),
      register(`1.0.${current}.7.0.255`, CURRENT[phases], ({ household }) => household.phases[index]?.current ?? 0),
      register(`1.0.${power}.7.0.255`, POWER, ({ household }) =>
        Math.max(0, household.phases[index]?.activePower ?? 0),
      ),
    ]),
  ];
}

/** |+A| + |-A| in mWh. */
function fineEnergy({ activeEnergyImport, activeEnergyExport }: HouseholdValues): bigint {
  return FINE_ENERGY_START + BigInt(Math.floor((activeEnergyImport + activeEnergyExport) * 1000));
}

function reactivePower({ phases }: HouseholdValues): number {
  return phases.reduce((sum, phase) => sum + phase.reactivePower, 0);
}

/** data-access-result codes that a read can end with (Green Book 9.5). */
export const ACCESS = { readWriteDenied: 3, objectUndefined: 4, objectClassInconsistent: 9 } as const;

export interface AttributeAddress {
  readonly classId: number;
  readonly instanceId: string;
  readonly attributeId: number;
}

export type ReadResult =
  /** `said` is the exact scaled text when this was a register's value. */
  { readonly data: Data; readonly said: string | null } | { readonly refused: number };

/**
 * One attribute in a context. Refused with a data-access-result: 4 for an unknown object or attribute, 9 for an object
 * of another class, 3 for what this client may not read.
 */
export function readAttribute(
  objects: readonly ObjectDefinition[],
  { classId, instanceId, attributeId }: AttributeAddress,
  context: ReadContext,
): ReadResult {
  const object = objects.find(({ obis }) => obis === instanceId);
  if (object === undefined) return { refused: ACCESS.objectUndefined };
  if (object.classId !== classId) return { refused: ACCESS.objectClassInconsistent };
  const attribute = object.attributes[attributeId - 1];
  if (attribute === undefined) return { refused: ACCESS.objectUndefined };
  if (attribute === null || !context.association.objects.includes(object)) return { refused: ACCESS.readWriteDenied };
  const data = attribute(context);
  const isValue = object.scaler !== null && attributeId === 2;
  return { data, said: isValue ? scaledText(data, object.scaler ?? 0) : null };
}
