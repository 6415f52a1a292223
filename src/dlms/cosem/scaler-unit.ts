/** scal_unit_type (Blue Book 4.3.2.2.3): value = raw * 10^scaler, in a unit of the enumeration in `units.ts`. */
import type { Data } from '../axdr/data.ts';

export interface ScalerUnit {
  /** Exponent of ten, -128 to 127. */
  readonly scaler: number;
  /** Code of the unit, 255 for none. */
  readonly unit: number;
}

/** From a scaler_unit attribute; null when it holds none (null-data, or not a pair of numbers). Number types are not checked. */
export function parseScalerUnit(data: Data): ScalerUnit | null {
  if (data.type !== 'structure' || data.value.length !== 2) return null;
  const [scaler, unit] = data.value.map((member) => ('value' in member ? member.value : null));
  if (typeof scaler !== 'number' || typeof unit !== 'number') return null;
  return Number.isInteger(scaler) && Math.abs(scaler) <= 128 ? { scaler, unit } : null;
}

export function scalerUnitData({ scaler, unit }: ScalerUnit): Data {
  return {
    type: 'structure',
    value: [
      { type: 'integer', value: scaler },
      { type: 'enum', value: unit },
    ],
  };
}
