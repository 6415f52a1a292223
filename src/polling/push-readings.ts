/**
 * What a push says, as readings: each value is matched with what the meter's configuration knows of it, by its place, by
 * its object, or, where nothing is configured, by a key made of its OBIS code. Pure.
 */
import { asBridgeError } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { type CosemDateTime, cosemDateTimeOf, dateTimeOf, withInvertedDeviation } from '../dlms/axdr/date-time.ts';
import { isDateTimeAttribute } from '../dlms/cosem/date-time-attributes.ts';
import { instantOf } from '../dlms/cosem/meter-time.ts';
import { obisName } from '../dlms/cosem/obis-names.ts';
import { isAboutPush } from '../dlms/push/about.ts';
import type { PushContent } from '../dlms/push/receiver.ts';
import { type PushRegister, pushRegisters } from '../dlms/push/registers.ts';
import { quirksOf } from '../dlms/quirks.ts';
import type { MeterSettings } from '../dlms/settings.ts';
import { type Knowledge, objectKey } from '../meter/knowledge.ts';
import { type PointReference, SCALER_ATTRIBUTE } from '../meter/points.ts';
import { DEFAULT_POINT_OPTIONS, type PointOptions } from '../reading/point-options.ts';
import { parsePushPoint } from '../reading/push-point.ts';
import { clockFlags, qualityOf } from '../reading/quality.ts';
import type { Reading } from '../reading/reading.ts';
import { readingOf } from '../reading/reading-of.ts';

interface MappedPoint extends PointReference {
  readonly key: string;
  readonly options?: PointOptions;
}

export interface PushPlan {
  readonly byPlace: ReadonlyMap<number, { readonly key: string; readonly options: PointOptions }>;
  readonly byObject: readonly MappedPoint[];
  readonly settings: Pick<MeterSettings, 'timeZone' | 'quirks'>;
}

export interface PushReadings {
  readonly readings: readonly Reading[];
  /** What there is no key for, or no certain value, and why. */
  readonly unmapped: readonly string[];
  /** By whose clock the readings are stamped. */
  readonly timed: 'meter' | 'reception';
}

/** Values of class 1 to 5 are in attribute 2 unless the push says otherwise. */
const VALUE_ATTRIBUTE = 2;
const CLOCK = '0.0.1.0.0.255';
const INTEGERS: ReadonlySet<Data['type']> = new Set<Data['type']>([
  'integer',
  'unsigned',
  'long',
  'long-unsigned',
  'double-long',
  'double-long-unsigned',
  'long64',
  'long64-unsigned',
]);

/** `points`: those that the meter is polled for. Throws INVALID_POINT. */
export function pushPlan(settings: MeterSettings, points: readonly MappedPoint[]): PushPlan {
  const pushed = settings.push.map(parsePushPoint);
  return {
    byPlace: new Map(pushed.flatMap(({ place, point }) => (place === null ? [] : [[place, point]]))),
    byObject: [...pushed.flatMap(({ place, point }) => (place === null ? [point] : [])), ...points],
    settings,
  };
}

export function pushReadings(
  content: PushContent,
  plan: PushPlan,
  knowledge: Pick<Knowledge, 'scalerUnits' | 'classes' | 'shortNames'>,
  receivedAt: number,
): PushReadings {
  const registers = registersOf(content, knowledge);
  if (registers === null) return { readings: [], unmapped: [`a ${nameOf(content)}`], timed: 'reception' };
  const clock = clockOf(content, registers, plan);
  const instant = clock === null ? null : instantOf(clock, zoneOf(plan));
  const stamp = { ts: instant ?? receivedAt, clock };
  const readings = new Map<string, Reading>();
  const unmapped: string[] = [];
  for (const register of registers) {
    const found = readingAt(register, plan, knowledge, stamp.ts);
    if (typeof found === 'string') unmapped.push(found);
    // The quality of a time is that of what it stamps.
    else if (found !== null) readings.set(found.key, { ...found, quality: qualityOf(clockFlags(clock)) });
  }
  return { readings: [...readings.values()], unmapped, timed: instant === null ? 'reception' : 'meter' };
}

/** null for what is no notification. */
function registersOf(
  content: PushContent,
  { shortNames }: Pick<Knowledge, 'shortNames'>,
): readonly PushRegister[] | null {
  if (!('body' in content)) return null;
  const items = content.body.items.map((item) => {
    const named = item.shortName === undefined ? null : (shortNames?.attributeAt(item.shortName) ?? null);
    if (named === null) return item;
    const { obis, classId, attributeId } = named;
    return { ...item, obis, attribute: { classId, attributeId, dataIndex: null } };
  });
  return pushRegisters(items);
}

function nameOf(content: PushContent): string {
  return content.kind === 'apdu' ? content.apdu.apdu : content.kind;
}

/** The time of the notification itself, or a clock in its body. */
function clockOf(content: PushContent, registers: readonly PushRegister[], plan: PushPlan): CosemDateTime | null {
  const { invertedDeviation } = quirksOf(plan.settings);
  const right = (clock: CosemDateTime | null): CosemDateTime | null =>
    clock !== null && invertedDeviation ? withInvertedDeviation(clock) : clock;
  const own = right(timeOf(content));
  if (own !== null && instantOf(own, zoneOf(plan)) !== null) return own;
  const pushed = registers.find(({ obis }) => obis === CLOCK);
  const told =
    pushed ?? registers.find(({ obis, data, position }) => isTime(data) && obis === null && isFree(position, plan));
  return told === undefined ? own : (dateTimeOf(told.data, { invertedDeviation }) ?? own);
}

function timeOf(content: PushContent): CosemDateTime | null {
  if (content.kind === 'data-notification' || content.kind === 'untagged') return content.apdu.dateTime;
  if (content.kind === 'event-notification') return content.apdu.time;
  return content.kind === 'information-report' ? generalizedTime(content.apdu.currentTime) : null;
}

/** GeneralizedTime of ASN.1 in UTC, `20260131235959Z`; null for other forms. */
function generalizedTime(octets: Uint8Array | null): CosemDateTime | null {
  const text = octets === null ? '' : Buffer.from(octets).toString('latin1');
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z$/.exec(text) ?? [];
  if (year === undefined) return null;
  return cosemDateTimeOf(Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`), 0);
}

function isTime(data: Data): boolean {
  return dateTimeOf(data) !== null;
}

function isFree(position: number, { byPlace }: PushPlan): boolean {
  return !byPlace.has(position + 1);
}

function zoneOf({ settings: { timeZone } }: PushPlan): { readonly timeZone: string } | null {
  return timeZone === null ? null : { timeZone };
}

/** The reading, null for what the push says about itself, or in words why there is none. */
function readingAt(
  register: PushRegister,
  plan: PushPlan,
  knowledge: Pick<Knowledge, 'scalerUnits' | 'classes'>,
  ts: number,
): Reading | string | null {
  const { obis, data, position } = register;
  const atPlace = plan.byPlace.get(position + 1);
  const classId = obis === null ? null : (register.attribute?.classId ?? knowledge.classes?.get(obis) ?? null);
  const attribute = register.attribute?.attributeId ?? VALUE_ATTRIBUTE;
  const mapped = atPlace ?? mappedObject(register, classId, attribute, plan);
  const place = obis ?? `value ${position + 1}`;
  if (mapped === null) {
    const isHeader = obis === null ? isTime(data) : isAboutPush(obis);
    return isHeader ? null : `${place}: no key`;
  }
  const { key, options = DEFAULT_POINT_OPTIONS } = mapped;
  const known = obis === null || classId === null ? undefined : knowledge.scalerUnits.get(objectKey(classId, obis));
  const scalerUnit = register.scalerUnit ?? known ?? null;
  // A number whose scaler is not known may be wrong by powers of ten: no value is better than that one.
  const needsScaler = atPlace === undefined && options.scaler === null && INTEGERS.has(data.type);
  if (needsScaler && scalerUnit === null && known !== null && isScaled(classId, attribute)) {
    return `${place}: the scaler is not known`;
  }
  const dateTime = classId !== null && isDateTimeAttribute(classId, attribute);
  try {
    const { invertedDeviation } = quirksOf(plan.settings);
    return readingOf({ key, obis: obis ?? '', data, scalerUnit, ts, dateTime, options, invertedDeviation });
  } catch (thrown) {
    return `${place}: ${asBridgeError(thrown).message}`;
  }
}

/** Whether the value of an attribute goes with a scaler; of an unknown class it may. */
function isScaled(classId: number | null, attribute: number): boolean {
  return classId === null || SCALER_ATTRIBUTE[classId]?.of.includes(attribute) === true;
}

function mappedObject(
  { obis, attribute: pushed }: PushRegister,
  classId: number | null,
  attribute: number,
  { byObject, byPlace }: PushPlan,
): { readonly key: string; readonly options?: PointOptions } | null {
  if (obis === null) return null;
  // Part of an attribute is no value of it.
  if ((pushed?.dataIndex ?? 0) !== 0) return null;
  if (byObject.length === 0 && byPlace.size === 0) {
    return isAboutPush(obis) ? null : { key: defaultKey(obis, attribute) };
  }
  const fits = (point: MappedPoint): boolean =>
    point.obis === obis &&
    point.attribute === attribute &&
    (point.classId === null || classId === null || point.classId === classId);
  return byObject.find(fits) ?? null;
}

/** Objects whose names nobody else has. */
const NAMED = /^1\.0\.\d+\.(?:7\.0|(?:4|6|8|9|24|29)\.(?:\d|[1-5]\d|6[0-3]))\.255$/;

/** The name of the object in camel case, or its code. */
function defaultKey(obis: string, attribute: number): string {
  const words = NAMED.test(obis) ? (obisName(obis)?.match(/[A-Za-z0-9]+/g) ?? []) : [];
  const [first, ...rest] = words.map((word) => word.toLowerCase());
  const name =
    first === undefined
      ? `obis_${obis.replaceAll('.', '_')}`
      : first + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return attribute === VALUE_ATTRIBUTE ? name : `${name}_${attribute}`;
}
