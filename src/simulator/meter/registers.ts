/** The registers of a virtual meter: what it measures, and in which format it holds that. */
import type { HouseholdValues } from './household.ts';
import {
  counter,
  extendedRegister,
  type ObjectDefinition,
  type RegisterFormat,
  register,
  UNIT,
} from './object-model.ts';

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

export const DEMAND_OBIS = '1.0.1.6.0.255';

/** What the 64-bit register began with, in mWh: beyond 2^53, where a float no longer counts singly. */
const FINE_ENERGY_START = 9_007_199_254_740_993n;

/** OBIS value group C of voltage, current and active import of each phase (IEC 62056-61, table 5). */
const PHASE_GROUPS = [
  { voltage: 32, current: 31, power: 21 },
  { voltage: 52, current: 51, power: 41 },
  { voltage: 72, current: 71, power: 61 },
] as const;

export const TOTALS: readonly ObjectDefinition[] = [
  counter('1.0.1.8.0.255', ENERGY, ({ household }) => household.activeEnergyImport),
  counter('1.0.2.8.0.255', ENERGY, ({ household }) => household.activeEnergyExport),
  counter('1.0.3.8.0.255', REACTIVE_ENERGY, ({ household }) => household.reactiveEnergyImport),
  counter('1.0.4.8.0.255', REACTIVE_ENERGY, ({ household }) => household.reactiveEnergyExport),
  counter('1.0.15.8.0.255', FINE_ENERGY, ({ household }) => fineEnergy(household)),
  register('1.0.1.7.0.255', POWER, ({ household }) => household.activePowerImport),
  register('1.0.2.7.0.255', POWER, ({ household }) => household.activePowerExport),
  register('1.0.3.7.0.255', REACTIVE_POWER, ({ household }) => Math.max(0, reactivePower(household))),
  register('1.0.4.7.0.255', REACTIVE_POWER, ({ household }) => Math.max(0, -reactivePower(household))),
  register('1.0.13.7.0.255', POWER_FACTOR, ({ household }) => household.powerFactor),
  register('1.0.14.7.0.255', FREQUENCY, ({ household }) => household.frequency),
  extendedRegister(
    DEMAND_OBIS,
    POWER,
    ({ demand }) => demand().power,
    ({ demand }) => demand().capturedAt,
  ),
];

/** Voltage, current and import of each phase. */
export function phaseRegisters(phases: 1 | 3): readonly ObjectDefinition[] {
  return PHASE_GROUPS.slice(0, phases).flatMap(({ voltage, current, power }, index) => [
    register(`1.0.${voltage}.7.0.255`, VOLTAGE, ({ household }) => household.phases[index]?.voltage ?? 0),
    register(`1.0.${current}.7.0.255`, CURRENT[phases], ({ household }) => household.phases[index]?.current ?? 0),
    register(`1.0.${power}.7.0.255`, POWER, ({ household }) => Math.max(0, household.phases[index]?.activePower ?? 0)),
  ]);
}

/** |+A| + |-A| in mWh. */
function fineEnergy({ activeEnergyImport, activeEnergyExport }: HouseholdValues): bigint {
  return FINE_ENERGY_START + BigInt(Math.floor((activeEnergyImport + activeEnergyExport) * 1000));
}

function reactivePower({ phases }: HouseholdValues): number {
  return phases.reduce((sum, phase) => sum + phase.reactivePower, 0);
}
