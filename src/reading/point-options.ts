/** What may be said of a point beside what is read: how its value is made, typed and published. Plain data. */
import { isTextEncoding, type TextEncoding } from './text-encoding.ts';

/** How a value stands in ThingsBoard, where a key keeps one type for ever. */
export const VALUE_TYPES = ['integer', 'decimal', 'string', 'boolean'] as const;
export type ValueType = (typeof VALUE_TYPES)[number];

/** telemetry: a value at a time; attribute: what the device is (ThingsBoard client attribute, without time). */
export type ReadingKind = 'telemetry' | 'attribute';

/** on-change: only when it differs from what was published last, and after the longest silence. */
export type PublishRule = 'always' | 'on-change';

export interface PointOptions {
  /** Instead of the meter's unit; the value is not converted. */
  readonly unit: string | null;
  /** Exponent of ten instead of the meter's scaler: attribute 3 is not asked. */
  readonly scaler: number | null;
  /** Decimal text that the scaled value is multiplied with: transformer ratios, Wh to kWh. */
  readonly factor: string | null;
  /** null: as the meter's data type and scaler have it. */
  readonly type: ValueType | null;
  /** Decimals of a decimal, always all of them; null: those that the scaler gives, at least one. */
  readonly decimals: number | null;
  /** How octets are text; null: printable ASCII as text, others as hex. */
  readonly text: TextEncoding | null;
  readonly publish: PublishRule;
  /** on-change only: published after this time even when unchanged; null: never for that reason. */
  readonly maxSilenceMs: number | null;
  readonly kind: ReadingKind;
}

export const DEFAULT_POINT_OPTIONS: PointOptions = {
  unit: null,
  scaler: null,
  factor: null,
  type: null,
  decimals: null,
  text: null,
  publish: 'always',
  maxSilenceMs: null,
  kind: 'telemetry',
};

/** As many as ThingsBoard keeps of a double (see thingsboard/values.ts). */
export const MOST_DECIMALS = 16;
const LONGEST_UNIT = 32;
const LONGEST_SILENCE_MS = 31_536_000_000;
const FACTOR = /^-?\d{1,18}(?:\.\d{1,18})?$/;

/** What is wrong with the options, in words; null when they can be used. */
export function optionsFault(options: PointOptions): string | null {
  const { unit, scaler, factor, type, decimals, text, publish, maxSilenceMs } = options;
  if (unit !== null && (unit !== unit.trim() || unit === '' || unit.length > LONGEST_UNIT || /[\p{Cc}]/u.test(unit)))
    return `the unit is some text of at most ${LONGEST_UNIT} characters`;
  if (scaler !== null && (!Number.isInteger(scaler) || Math.abs(scaler) > 128)) return 'a scaler is -128 to 127';
  if (factor !== null && (!FACTOR.test(factor) || /^-?[0.]+$/.test(factor))) {
    return `"${factor}" is no factor: write a decimal number other than 0, without exponent`;
  }
  if (decimals !== null && (!Number.isInteger(decimals) || decimals < 1 || decimals > MOST_DECIMALS)) {
    return `a decimal has 1 to ${MOST_DECIMALS} decimals`;
  }
  if (decimals !== null && type !== 'decimal') return 'only a decimal has a number of decimals';
  if (text !== null && !isTextEncoding(text)) return `"${text}" is no text encoding`;
  if (maxSilenceMs === null) return null;
  if (publish !== 'on-change') return 'a longest silence belongs to on-change';
  return Number.isInteger(maxSilenceMs) && maxSilenceMs >= 100 && maxSilenceMs <= LONGEST_SILENCE_MS
    ? null
    : 'the longest silence is 0.1 to 31536000 seconds';
}

/** What differs from the defaults: how options are stored and shown. */
export function changedOptions(options: PointOptions): Partial<PointOptions> {
  const changed = Object.entries(options).filter(
    ([name, value]) => value !== DEFAULT_POINT_OPTIONS[name as keyof PointOptions],
  );
  return Object.fromEntries(changed) as Partial<PointOptions>;
}
