/** Under which keys the columns of a profile are published. */

import { obisName } from '../dlms/cosem/obis-names.ts';
import { type CaptureObject, isClockColumn, isStatusColumn } from '../dlms/cosem/profile-generic.ts';
import { DEFAULT_POINT_OPTIONS, type PointOptions } from '../reading/point-options.ts';
import type { NewProfile } from '../store/fleet/types.ts';

export interface KeyedColumn {
  readonly key: string;
  readonly options: PointOptions;
}

/** Value group B is a channel, F a billing period: the tables of names know neither. */
const PLAIN = /^\d+\.0\.\d+\.\d+\.\d+\.255$/;

/**
 * One for each column, null for those that are not published: the clock, and a status register that nobody gave a key. A
 * column without a key of its own has one of its quantity (`activeImportEnergy`), of its OBIS code where that has no name.
 */
export function columnKeys(
  columns: readonly CaptureObject[],
  { columns: named, prefix = '' }: Pick<NewProfile, 'columns' | 'prefix'>,
): readonly (KeyedColumn | null)[] {
  const own = columns.map((column) =>
    named.find(
      ({ classId, obis, attribute }) =>
        obis === column.obis &&
        (classId === null || classId === column.classId) &&
        (attribute === column.attribute || column.attribute === 0),
    ),
  );
  const defaults = columns.map((column) => quantityKey(column));
  const taken = new Set(own.map((column) => column?.key));
  return columns.map((column, index) => {
    const given = own[index];
    if (given !== undefined) return { key: given.key, options: given.options };
    if (isClockColumn(column) || isStatusColumn(column)) return null;
    const quantity = defaults[index] ?? null;
    const isSure = quantity !== null && defaults.filter((one) => one === quantity).length === 1;
    const key = isSure ? prefixed(prefix, quantity) : prefix + objectKey(column);
    return { key: taken.has(key) ? prefix + objectKey(column) : key, options: DEFAULT_POINT_OPTIONS };
  });
}

/** `active, import, energy` as `activeImportEnergy`. */
function quantityKey({ obis, attribute, dataIndex }: CaptureObject): string | null {
  const name = PLAIN.test(obis) && attribute <= 2 && dataIndex === 0 ? obisName(obis) : null;
  if (name === null || !obis.startsWith('1.')) return null;
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return words.map((word, index) => (index === 0 ? word.toLowerCase() : capital(word))).join('');
}

function prefixed(prefix: string, key: string): string {
  return prefix === '' || /[^A-Za-z0-9]$/.test(prefix) ? prefix + key : prefix + capital(key);
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

function objectKey({ obis, attribute, dataIndex }: CaptureObject): string {
  const value = attribute === 2 || attribute === 0 ? '' : `:${attribute}`;
  return `${obis}${value}${dataIndex === 0 ? '' : `[${dataIndex}]`}`;
}

const EVENT_LOG = /^\d+\.\d+\.99\.98\.(\d+)\.\d+$/;
/** Event codes, 0.b.96.11.e (Blue Book 6.2.52). */
const EVENT_CODE = /^0\.\d+\.96\.11\.\d+\.255$/;

/** Which column holds the code of an event; the first that is not the clock where none is known by its OBIS code. */
export function eventColumnOf(columns: readonly CaptureObject[]): number {
  const known = columns.findIndex(({ obis }) => EVENT_CODE.test(obis));
  return known >= 0 ? known : columns.findIndex((column) => !isClockColumn(column) && !isStatusColumn(column));
}

/** `event` for the standard log, `event1` for 0.0.99.98.1.255 and so on: two logs may have an event at one time. */
export function eventKey({ obis, prefix = '' }: Pick<NewProfile, 'obis' | 'prefix'>): string {
  const number = EVENT_LOG.exec(obis)?.[1] ?? obis;
  return prefixed(prefix, number === '0' ? 'event' : `event${number}`);
}
