/**
 * What the body of a data-notification says: which value belongs to which object. Meters write it in several layouts
 * (push_object_list of class 40, Blue Book 4.4.8, and what companion specifications made of it):
 *
 *   push-object-list     structure: the list of what is pushed first, as an array of {class, OBIS, attribute, index}; then
 *                        one value for each entry. The list is its own first entry.
 *   flat                 structure: OBIS, value; OBIS, value, {scaler, unit}; or values alone, whose place tells what they are
 *   list-of-structures   array of {OBIS, value} or {OBIS, value, {scaler, unit}}
 *   value                one simple value
 *
 * Layouts are mixed freely, so the elements are read one by one. Items keep the order of the body.
 */
import { fail } from '../../core/errors.ts';
import type { Data } from '../axdr/data.ts';
import { obisText } from '../axdr/obis.ts';
import { parseScalerUnit, type ScalerUnit } from '../cosem/scaler-unit.ts';

export type PushLayout = 'push-object-list' | 'flat' | 'list-of-structures' | 'value' | 'untagged-descriptors';

/** Which attribute a value is of; from a push object list. */
export interface PushedAttribute {
  readonly classId: number;
  readonly attributeId: number;
  /** Element of the attribute that is meant; 0 for all of it, null when the layout has none. */
  readonly dataIndex: number | null;
}

export interface PushItem {
  /** null when only the place in the body tells which object it is. */
  readonly obis: string | null;
  readonly attribute: PushedAttribute | null;
  readonly data: Data;
  /** When the body carries them beside the value. */
  readonly scalerUnit: ScalerUnit | null;
  /** What names the object in an informationReport; only the meter's object list tells which one that is. */
  readonly shortName?: number;
  /** The value is the push object list itself. */
  readonly isList: boolean;
}

export interface PushBody {
  readonly layout: PushLayout;
  readonly items: readonly PushItem[];
}

const OBIS_OCTETS = 6;
/** Value group A names the medium in four bits; octet-strings of six digits begin higher. */
const LARGEST_MEDIUM = 15;

/** Reads a body. Throws MALFORMED when a push object list and the values do not match: they would change places. */
export function readPushBody(body: Data): PushBody {
  switch (body.type) {
    case 'array':
    case 'compact-array':
      return { layout: 'list-of-structures', items: body.value.map(entryItem) };
    case 'structure':
      return readStructure(body.value);
    default:
      return { layout: 'value', items: [positional(body)] };
  }
}

function readStructure(elements: readonly Data[]): PushBody {
  const list = elements[0] === undefined ? null : objectListIn(elements[0]);
  if (list === null) return { layout: 'flat', items: flatItems(elements) };
  // The list stands first in the body whether it names itself or not.
  const values = list.length === elements.length - 1 ? elements.slice(1) : elements;
  if (values.length !== list.length) {
    fail('MALFORMED', `the push object list has ${list.length} entries, ${elements.length} elements are there`, {
      layer: 'cosem',
    });
  }
  const items = list.map(({ obis, attribute }, index): PushItem => {
    const data = values[index] as Data;
    return { obis, attribute, data, scalerUnit: null, isList: data === elements[0] };
  });
  return { layout: 'push-object-list', items };
}

interface ListEntry {
  readonly obis: string;
  readonly attribute: PushedAttribute;
}

/** push_object_list, or null. Entries of later versions have more members. */
function objectListIn(data: Data): readonly ListEntry[] | null {
  if (data.type !== 'array' || data.value.length === 0) return null;
  const entries = data.value.map(listEntry);
  return entries.every((entry) => entry !== null) ? entries : null;
}

function listEntry(data: Data): ListEntry | null {
  if (data.type !== 'structure' || data.value.length < 4) return null;
  const [classId, name, attributeId, dataIndex] = data.value;
  const obis = name === undefined ? null : obisIn(name);
  if (classId?.type !== 'long-unsigned' || obis === null) return null;
  if (attributeId?.type !== 'integer' || dataIndex?.type !== 'long-unsigned') return null;
  return {
    obis,
    attribute: { classId: classId.value, attributeId: attributeId.value, dataIndex: dataIndex.value },
  };
}

function flatItems(elements: readonly Data[]): PushItem[] {
  const items: PushItem[] = [];
  for (let at = 0; at < elements.length; ) {
    const element = elements[at] as Data;
    const obis = obisIn(element);
    const data = elements[at + 1];
    if (obis === null || data === undefined) {
      items.push(positional(element));
      at += 1;
      continue;
    }
    const scalerUnit = strictScalerUnit(elements[at + 2]);
    items.push({ obis, attribute: null, data, scalerUnit, isList: false });
    at += scalerUnit === null ? 2 : 3;
  }
  return items;
}

/** An entry of a list of structures; positional when it is none. */
export function entryItem(element: Data): PushItem {
  if (element.type !== 'structure' || element.value.length < 2) return positional(element);
  const [name, data, third] = element.value as [Data, Data, ...Data[]];
  const obis = obisIn(name);
  const scalerUnit = element.value.length === 3 ? strictScalerUnit(third) : null;
  const isEntry = element.value.length === 2 || scalerUnit !== null;
  if (obis === null || !isEntry) return positional(element);
  return { obis, attribute: null, data, scalerUnit, isList: false };
}

export function positional(data: Data): PushItem {
  return { obis: null, attribute: null, data, scalerUnit: null, isList: false };
}

/** {integer, enum}, and nothing that only looks like it: a body is full of other structures. */
export function strictScalerUnit(data: Data | undefined): ScalerUnit | null {
  if (data?.type !== 'structure' || data.value.length !== 2) return null;
  const [scaler, unit] = data.value;
  return scaler?.type === 'integer' && unit?.type === 'enum' ? parseScalerUnit(data) : null;
}

function obisIn(data: Data): string | null {
  if (data.type !== 'octet-string' || data.value.length !== OBIS_OCTETS) return null;
  return (data.value[0] as number) <= LARGEST_MEDIUM ? obisText(data.value) : null;
}
