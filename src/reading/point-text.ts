/**
 * Points as people write them, the same on the command line, in templates and in fleet files:
 *
 *   [CLASS:]OBIS[:ATTRIBUTE]                        a point
 *   POINT=key@option@option                         with its key and how the value is made, typed and published
 *   POINT=key,POINT=key                             several
 *
 * Options: `attribute`, `always`, `on-change[:SECONDS]`, `unit:TEXT`, `scaler:N`, `factor:DECIMAL`, `integer`,
 * `decimal[:DIGITS]`, `string`, `boolean`, `text:ENCODING`. A backslash before `,`, `@` or `\` makes it part of the text.
 */
import { asBridgeError, BridgeError, fail } from '../core/errors.ts';
import { parseObis } from '../dlms/axdr/obis.ts';
import {
  DEFAULT_POINT_OPTIONS,
  optionsFault,
  type PointOptions,
  VALUE_TYPES,
  type ValueType,
} from './point-options.ts';

export interface PointAddress {
  /** null: to be looked up in the object list. */
  readonly classId: number | null;
  /** Dotted, six value groups. */
  readonly obis: string;
  readonly attribute: number;
}

export interface KeyedPoint extends PointAddress {
  readonly key: string;
  readonly options: PointOptions;
}

const LONGEST_KEY = 255;
const VALUE_ATTRIBUTE = 2;

/** `[CLASS:]OBIS[:ATTRIBUTE]`; the OBIS code may itself be written with a colon (`1-0:1.8.0`). Throws INVALID_POINT. */
export function parsePoint(text: string): PointAddress {
  const match = /^(?:(\d{1,5}):(?=.*\.))?(\d+-\d+:[\d.*]+|[\d.]+)(?::(\d{1,3}))?$/.exec(text.trim());
  if (match === null) return fail('INVALID_POINT', `"${text}" is no point`);
  const [, classText, obisText, attributeText] = match;
  const classId = classText === undefined ? null : Number(classText);
  const attribute = attributeText === undefined ? VALUE_ATTRIBUTE : Number(attributeText);
  if ((classId !== null && classId > 0xffff) || attribute > 127 || attribute < 1) {
    fail('INVALID_POINT', `"${text}": a class is 0 to 65535, an attribute 1 to 127`);
  }
  try {
    return { classId, obis: parseObis(obisText ?? ''), attribute };
  } catch (cause) {
    throw new BridgeError('INVALID_POINT', `"${text}": ${asBridgeError(cause).message}`, { cause });
  }
}

/** The shortest text that `parsePoint` reads back. */
export function pointText({ classId, obis, attribute }: PointAddress): string {
  return `${classId === null ? '' : `${classId}:`}${obis}${attribute === VALUE_ATTRIBUTE ? '' : `:${attribute}`}`;
}

/** `POINT=key@option,POINT=key`. Throws INVALID_POINT. */
export function parseKeyedPoints(text: string): KeyedPoint[] {
  return splitPoints(text).map(parseKeyedPoint);
}

/** The texts of several points. */
export function splitPoints(text: string): string[] {
  return split(text, ',').filter((part) => part.trim() !== '');
}

/** `POINT=key@option@option`. Throws INVALID_POINT. */
export function parseKeyedPoint(text: string): KeyedPoint {
  const at = text.indexOf('=');
  const [escapedKey = '', ...words] = at < 0 ? [] : split(text.slice(at + 1), '@');
  const key = unescaped(escapedKey).trim();
  if (key === '')
    fail('INVALID_POINT', `"${text}" has no telemetry key`, {
      hint: 'write POINT=key, for example 1.0.1.8.0.255=activeEnergyImport',
    });
  if (key.length > LONGEST_KEY)
    fail('INVALID_POINT', `the telemetry key of "${text.slice(0, at)}" is longer than ThingsBoard's 255 characters`);
  return { ...parsePoint(text.slice(0, at)), key, options: parseOptions(text, words.map(unescaped)) };
}

/** The text that `parseKeyedPoint` reads back, with no more options than it needs. */
export function keyedPointText({ key, options, ...point }: KeyedPoint): string {
  return [`${pointText(point)}=${escaped(key)}`, ...optionWords(options).map(escaped)].join('@');
}

const hint =
  'options are attribute, always, on-change[:SECONDS], unit:TEXT, scaler:N, factor:DECIMAL, integer, decimal[:DIGITS], string, boolean, text:ENCODING';

function parseOptions(text: string, words: readonly string[]): PointOptions {
  const given: { -readonly [name in keyof PointOptions]?: PointOptions[name] } = {};
  for (const word of words) {
    const changes = parseOption(word.trim());
    if (changes === null) return fail('INVALID_POINT', `"${word}" in "${text}" is no option of a point`, { hint });
    const twice = Object.keys(changes).find((name) => name in given);
    if (twice !== undefined) fail('INVALID_POINT', `"${text}" says twice what its ${twice} is`);
    Object.assign(given, changes);
  }
  // What a device is hardly ever changes: sending it again and again tells nothing.
  const publish = given.publish ?? (given.kind === 'attribute' ? 'on-change' : 'always');
  const options = { ...DEFAULT_POINT_OPTIONS, ...given, publish };
  const fault = optionsFault(options);
  if (fault !== null) fail('INVALID_POINT', `"${text}": ${fault}`, { hint });
  return options;
}

/** What one word changes; null when it is none of the options. */
function parseOption(word: string): Partial<PointOptions> | null {
  const [, name = '', value] = /^([^:]*)(?::(.*))?$/s.exec(word) ?? [];
  if (value === undefined) {
    if (name === 'attribute') return { kind: 'attribute' };
    if (name === 'always' || name === 'on-change') return { publish: name };
    return isValueType(name) ? { type: name } : null;
  }
  switch (name) {
    case 'unit':
    case 'factor':
    case 'text':
      return { [name]: value };
    case 'scaler':
      return { scaler: numberOf(value) };
    case 'decimal':
      return { type: 'decimal', decimals: numberOf(value) };
    case 'on-change':
      return { publish: 'on-change', maxSilenceMs: Math.round(numberOf(value) * 1000) };
    default:
      return null;
  }
}

function isValueType(name: string): name is ValueType {
  return VALUE_TYPES.some((type) => type === name);
}

/** NaN for what is no number: `optionsFault` refuses it. */
function numberOf(text: string): number {
  return /^-?\d{1,9}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
}

/** What the options say that is not as usual, a word each. */
export function optionWords(options: PointOptions): string[] {
  const { kind, publish, maxSilenceMs, unit, scaler, factor, type, decimals, text } = options;
  const words: string[] = [];
  if (kind === 'attribute') words.push('attribute');
  if (publish === 'always' && kind === 'attribute') words.push('always');
  if (publish === 'on-change' && maxSilenceMs !== null) words.push(`on-change:${maxSilenceMs / 1000}`);
  else if (publish === 'on-change' && kind === 'telemetry') words.push('on-change');
  if (unit !== null) words.push(`unit:${unit}`);
  if (scaler !== null) words.push(`scaler:${scaler}`);
  if (factor !== null) words.push(`factor:${factor}`);
  if (type !== null) words.push(decimals === null ? type : `${type}:${decimals}`);
  if (text !== null) words.push(`text:${text}`);
  return words;
}

/** At the separators that no backslash stands before; the parts keep their backslashes. */
function split(text: string, separator: ',' | '@'): string[] {
  const parts: string[] = [];
  let begin = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === separator) {
      parts.push(text.slice(begin, at));
      begin = at + 1;
    }
  }
  return [...parts, text.slice(begin)];
}

function escaped(text: string): string {
  return text.replace(/[\\,@]/g, '\\$&');
}

function unescaped(text: string): string {
  return text.replace(/\\([\\,@])/g, '$1');
}
