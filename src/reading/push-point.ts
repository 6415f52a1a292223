/**
 * What is in the pushes of a meter, as people write it: `PLACE=key@option@option` for the value at a place in the body,
 * counted from 1, or `[CLASS:]OBIS[:ATTRIBUTE]=key@option` for a value that comes with its object's name.
 */
import { fail } from '../core/errors.ts';
import { type KeyedPoint, keyedPointText, parseKeyedPoint } from './point-text.ts';

export type PushPoint =
  | { readonly place: number; readonly point: Pick<KeyedPoint, 'key' | 'options'> }
  | { readonly place: null; readonly point: KeyedPoint };

/** Stands for the object where the place alone tells which value is meant. */
const NO_OBJECT = '0.0.0.0.0.0';

/** Throws INVALID_POINT. */
export function parsePushPoint(text: string): PushPoint {
  if (/\p{Cc}/u.test(text)) fail('INVALID_POINT', 'what is pushed is named on one line, without control characters');
  const [, place, rest = ''] = /^\s*([1-9]\d{0,3})\s*=(.*)$/s.exec(text) ?? [];
  if (place === undefined) return { place: null, point: parseKeyedPoint(text) };
  return { place: Number(place), point: parseKeyedPoint(`${NO_OBJECT}=${rest}`) };
}

/** The shortest text that `parsePushPoint` reads back. Throws INVALID_POINT. */
export function canonicalPushPoint(text: string): string {
  const { place, point } = parsePushPoint(text);
  if (place === null) return keyedPointText(point);
  const { key, options } = point;
  const written = keyedPointText({ classId: null, obis: NO_OBJECT, attribute: 2, key, options });
  return `${place}${written.slice(NO_OBJECT.length)}`;
}
