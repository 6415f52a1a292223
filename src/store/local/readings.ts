/**
 * The readings of an outbox row as compact JSON: `[["voltageL1",1767225600000,"n","230.5"],...]`, one array per reading
 * of key, time, type, text and, where it is more than a good value of telemetry, letters for quality and kind.
 */
import { scaledText } from '../../core/decimal.ts';
import { fail } from '../../core/errors.ts';
import type { Quality, Reading, ReadingValue } from '../../reading/reading.ts';
import type { StoredReading } from './types.ts';

type TypeLetter = 'n' | 'b' | 's';
/** `d`, `u`: the quality, where it is not good; `a`: a client attribute. */
type Letters = 'd' | 'u' | 'a' | 'da' | 'ua';
type Packed = readonly [key: string, ts: number, type: TypeLetter, text: string, letters?: Letters];

const TYPE_OF: Readonly<Record<TypeLetter, StoredReading['type']>> = { n: 'number', b: 'boolean', s: 'string' };
const LETTER_OF: Readonly<Record<Quality, 'd' | 'u' | ''>> = { good: '', doubtful: 'd', unsynchronised: 'u' };

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

function pack({ key, ts, value, quality, kind }: Reading): Packed {
  if (!Number.isSafeInteger(ts)) fail('INTERNAL', `the time of reading "${key}" is ${ts}`, { layer: 'store' });
  const [type, text] = valueText(value);
  const letters = `${LETTER_OF[quality]}${kind === 'attribute' ? 'a' : ''}` as const;
  return letters === '' ? [key, ts, type, text] : [key, ts, type, text, letters];
}

function valueText(value: ReadingValue): readonly [TypeLetter, string] {
  if (typeof value === 'string') return ['s', value];
  if (typeof value === 'boolean') return ['b', String(value)];
  return ['n', scaledText(value)];
}

function unpack([key, ts, type, text, letters]: Packed): StoredReading {
  const quality = letters?.startsWith('d') ? 'doubtful' : letters?.startsWith('u') ? 'unsynchronised' : 'good';
  const reading = { key, ts, type: TYPE_OF[type], text, quality } as const;
  return letters?.endsWith('a') ? { ...reading, kind: 'attribute' } : reading;
}
