/** What a meter said, in the form in which it is stored and published. */
import type { Decimal } from '../core/decimal.ts';
import type { ReadingKind } from './point-options.ts';

/** A number is decimal to the last digit; never a float. */
export type ReadingValue = Decimal | boolean | string;

/**
 * good: as the meter gave it; doubtful: the meter's own clock or status bits say so;
 * unsynchronised: the host's clock was not believable when it was stamped.
 */
export type Quality = 'good' | 'doubtful' | 'unsynchronised';

export interface Reading {
  /** Telemetry or attribute key, unique within its meter. */
  readonly key: string;
  /** Milliseconds UTC: the host's clock at the response, or the meter's capture time. */
  readonly ts: number;
  readonly value: ReadingValue;
  /** Unit symbol (`kWh` is never used: the meter's own, e.g. `Wh`, unless the point names another), null where there is none. */
  readonly unit: string | null;
  readonly obis: string;
  readonly quality: Quality;
  /** `telemetry` when absent. */
  readonly kind?: ReadingKind;
}
