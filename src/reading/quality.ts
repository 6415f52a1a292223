/**
 * What a meter says about the quality of what it captured (corner case 96): the status bits of its clock (Blue Book
 * 4.1.6.1), and the status register of a profile with the bits that IDIS gives it (AMR profile status).
 */
import type { Data } from '../dlms/axdr/data.ts';
import type { ClockStatusBits, CosemDateTime } from '../dlms/axdr/date-time.ts';
import type { Quality } from './reading.ts';

export type QualityFlag =
  | 'clock-invalid'
  | 'clock-doubtful'
  | 'different-clock-base'
  | 'invalid-clock-status'
  | 'daylight-saving'
  | 'critical-error'
  | 'data-not-valid'
  | 'clock-adjusted'
  | 'power-down';

export interface RowQuality {
  readonly quality: Quality;
  /** What the meter noted, whether it matters for the quality or not. */
  readonly flags: readonly QualityFlag[];
}

/** Bits of an AMR profile status. 4 and 6 are reserved. */
const PROFILE_STATUS: readonly (readonly [bit: number, flag: QualityFlag])[] = [
  [0x01, 'critical-error'],
  [0x02, 'clock-invalid'],
  [0x04, 'data-not-valid'],
  [0x08, 'daylight-saving'],
  [0x20, 'clock-adjusted'],
  [0x80, 'power-down'],
];

const CLOCK_STATUS: readonly (readonly [bit: keyof ClockStatusBits, flag: QualityFlag])[] = [
  ['invalid', 'clock-invalid'],
  ['doubtful', 'clock-doubtful'],
  ['differentClockBase', 'different-clock-base'],
  ['invalidClockStatus', 'invalid-clock-status'],
  ['daylightSavingActive', 'daylight-saving'],
];

/**
 * Flags that make a value doubtful. Of a capture period in which the power failed or the clock was adjusted the value is
 * what was measured, only over another time.
 */
const DOUBTFUL: ReadonlySet<QualityFlag> = new Set<QualityFlag>([
  'clock-invalid',
  'clock-doubtful',
  'different-clock-base',
  'critical-error',
  'data-not-valid',
]);

/** `invalidClockStatus` says that the other bits of the clock mean nothing. */
export function clockFlags(clock: CosemDateTime | null): readonly QualityFlag[] {
  const bits = clock?.clockStatusBits;
  if (bits === undefined) return [];
  if (bits.invalidClockStatus) return ['invalid-clock-status'];
  return CLOCK_STATUS.filter(([bit]) => bits[bit]).map(([, flag]) => flag);
}

/** Flags of a status register; none for what is no whole number of one octet, since vendors have statuses of their own. */
export function profileStatusFlags(status: Data | null): readonly QualityFlag[] {
  if (status === null || !('value' in status) || typeof status.value !== 'number') return [];
  const { value } = status;
  if (!Number.isInteger(value) || value < 0 || value > 0xff) return [];
  return PROFILE_STATUS.filter(([bit]) => (value & bit) !== 0).map(([, flag]) => flag);
}

/** Quality of a profile's row, from the clock and the status that it was captured with. */
export function rowQuality({
  clock,
  status,
}: {
  readonly clock: CosemDateTime | null;
  readonly status: Data | null;
}): RowQuality {
  const flags = [...new Set([...clockFlags(clock), ...profileStatusFlags(status)])];
  return { quality: qualityOf(flags), flags };
}

export function qualityOf(flags: readonly QualityFlag[]): Quality {
  return flags.some((flag) => DOUBTFUL.has(flag)) ? 'doubtful' : 'good';
}
