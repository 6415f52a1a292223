/**
 * The readings of an outbox row as compact JSON: `[["voltageL1",1767225600000,"n","230.5"],...]`, one array per reading
 * of key, time, type, text and, unless it is good, quality.
 */
import { scaledText } from '../../core/decimal.ts';
import { fail } from '../../core/errors.ts';
import type { Quality, Reading, ReadingValue } from '../../reading/reading.ts';
import type { StoredReading } from './types.ts';

type TypeLetter = 'n' | 'b' | 's';
type QualityLetter = 'd' | 'u';
type Packed = readonly [key: string, ts: number, type: TypeLetter, text: string, quality?: QualityLetter];

const TYPE_OF: Readonly<Record<TypeLetter, StoredReading['type']>> = { n: 'number', b: 'boolean', s: 'string' };
const QUALITY_OF: Readonly<Record<QualityLetter, Quality>> = { d: 'doubtful', u: 'unsynchronised' };

/** Throws INTERNAL on a reading whose time is no whole number of milliseconds. */
export function encodeReadings(readings: readonly Reading[]): string {
  return JSON.stringify(readings.map(pack));
}

/** Throws DATABASE_CORRUPT when the text is not of `encodeReadings`. */
export function decodeReadings(text: string): StoredReading[] {
  try {
    return (JSON.parse(text) as readonly Packed[]).map(unpack);
  } catch (cause) {
    return fail('DATABASE_CORRUPT', 'an outbox row holds no readings', { cause });
  }
}

function pack({ key, ts, value, quality }: Reading): Packed {
  if (!Number.isSafeInteger(ts)) fail('INTERNAL', `the time of reading "${key}" is ${ts}`, { layer: 'store' });
  const [type, text] = valueText(value);
  if (quality === 'good') return [key, ts, type, text];
  return [key, ts, type, text, quality === 'doubtful' ? 'd' : 'u'];
}

function valueText(value: ReadingValue): readonly [TypeLetter, string] {
  if (typeof value === 'string') return ['s', value];
  if (typeof value === 'boolean') return ['b', String(value)];
  return ['n', scaledText(value)];
}

function unpack([key, ts, type, text, quality]: Packed): StoredReading {
  return { key, ts, type: TYPE_OF[type], text, quality: quality === undefined ? 'good' : QUALITY_OF[quality] };
}
