/**
 * object_list of an association LN (Blue Book 4.4.4.2.2, class 15 attribute 2): which objects it shows, and what may be
 * done with them. Meters are not exact about it, so reading is tolerant: entries that are no objects and inactive objects
 * (0.0.127.0.0.0) are left out, missing access rights are empty, wrong counts do not matter; what was odd is told.
 */
import { ByteReader } from '../../core/bytes.ts';
import { BridgeError } from '../../core/errors.ts';
import { type Data, decodeData } from '../axdr/data.ts';
import { decodeLength } from '../axdr/length.ts';
import { obisBytes, obisText } from '../axdr/obis.ts';
import { NULL_DATA, TAGS } from '../axdr/scalar.ts';
import { attributeAccess, attributeMode, methodAccess, methodMode } from './access-rights.ts';
import { isKnownClass } from './classes.ts';

export interface AttributeAccess {
  readonly id: number;
  /** `read-only`, `read-and-write`, `no-access`, ...; see `access-rights.ts`. */
  readonly access: string;
  /** Selectors of selective access that the attribute knows. */
  readonly selectors?: readonly number[];
}

export interface MethodAccess {
  readonly id: number;
  readonly access: string;
}

export interface CosemObject {
  readonly classId: number;
  readonly version: number;
  /** OBIS code, dotted. */
  readonly obis: string;
  readonly attributes: readonly AttributeAccess[];
  readonly methods: readonly MethodAccess[];
}

const ASSOCIATION_LN = 15;
const CURRENT_ASSOCIATION = '0.0.40.0.0.255';
const INACTIVE = '0.0.127.0.0.0';
/** Versions 0 to 2 have the access rights enumerated, version 3 has a bit for each. */
const DEFAULT_VERSION = 1;

/** Reads an object list. How access rights are written depends on the association's version; by default it is looked up in the list. */
export function decodeObjectList(data: Data, associationVersion?: number): readonly CosemObject[] {
  const entries = 'value' in data && Array.isArray(data.value) ? (data.value as readonly Data[]) : [];
  return objectsIn(entries, associationVersion).objects;
}

/** What was odd about a list that was understood all the same. */
export interface ObjectListWarning {
  readonly code: 'count' | 'cut-off' | 'no-object' | 'inactive' | 'access-rights' | 'unknown-class';
  readonly message: string;
}

export interface ObjectList {
  readonly objects: readonly CosemObject[];
  readonly warnings: readonly ObjectListWarning[];
}

/**
 * Reads an object list from its octets, whatever the counts in it say: of the list, where meters count objects that they
 * do not show, and inside of an entry, which then ends where the next one begins. Throws MALFORMED for what is no array,
 * and what the first entry is refused with when there is no other.
 */
export function parseObjectList(octets: Uint8Array, associationVersion?: number): ObjectList {
  const reader = new ByteReader(octets, 'cosem');
  if (reader.u8('object list') !== TAGS.array) reader.fail('MALFORMED', 'an object list is an array');
  const announced = decodeLength(reader);
  const entries: Data[] = [];
  const warnings: ObjectListWarning[] = [];
  while (reader.remaining > 0) {
    const start = reader.offset;
    const next = nextHeader(octets, start + 1);
    try {
      entries.push(entryAt(reader, next));
    } catch (error) {
      if (!(error instanceof BridgeError) || (entries.length === 0 && next === null)) throw error;
      warnings.push({ code: 'cut-off', message: `entry ${entries.length + 1} at octet ${start}: ${error.message}` });
      if (next === null) break;
      reader.offset = next;
    }
  }
  if (entries.length !== announced) {
    const message = `the list announces ${announced} entries and holds ${entries.length}`;
    warnings.unshift({ code: 'count', message });
  }
  const found = objectsIn(entries, associationVersion);
  return { objects: found.objects, warnings: [...warnings, ...found.warnings] };
}

/** One entry; it may not reach into the next one, whose beginning is known. */
function entryAt(reader: ByteReader, next: number | null): Data {
  const entry = decodeData(reader);
  if (next !== null && reader.offset > next) reader.fail('MALFORMED', 'its counts reach into the next entry');
  return entry;
}

/** structure of 4, long-unsigned, unsigned, octet-string of 6: how an entry begins. -1 stands for any octet. */
const HEADER = [TAGS.structure, 4, TAGS['long-unsigned'], -1, -1, TAGS.unsigned, -1, TAGS['octet-string'], 6];

function nextHeader(octets: Uint8Array, from: number): number | null {
  for (let at = octets.indexOf(TAGS.structure, from); at >= 0; at = octets.indexOf(TAGS.structure, at + 1)) {
    if (HEADER.every((octet, index) => octet < 0 || octets[at + index] === octet)) return at;
  }
  return null;
}

function objectsIn(entries: readonly Data[], associationVersion?: number): ObjectList {
  const headers = entries.flatMap((entry) => objectHeader(entry) ?? []);
  const active = headers.filter(({ obis }) => obis !== INACTIVE);
  const told = associationVersion ?? versionIn(headers);
  const version = versionOfRights(active, told);
  return {
    objects: active.map(({ classId, version: ofObject, obis, rights }) => ({
      classId,
      version: ofObject,
      obis,
      ...accessRights(itemsOf(rights, 0), itemsOf(rights, 1), version),
    })),
    warnings: [
      ...counted('no-object', entries.length - headers.length, 'entries are no objects and are left out'),
      ...counted('inactive', headers.length - active.length, `entries are inactive (${INACTIVE}) and are left out`),
      ...(version === told ? [] : [rightsWarning(told, version)]),
      ...unknownClasses(active),
    ],
  };
}

/** attribute_access_items and method_access_items, as this version of an Association LN writes them. */
export function accessRights(
  attributes: readonly Data[],
  methods: readonly Data[],
  version: number,
): Pick<CosemObject, 'attributes' | 'methods'> {
  return {
    attributes: attributes.flatMap((item) => attributeItem(item, version) ?? []),
    methods: methods.flatMap((item) => methodItem(item, version) ?? []),
  };
}

function counted(code: ObjectListWarning['code'], count: number, what: string): readonly ObjectListWarning[] {
  return count === 0 ? [] : [{ code, message: `${count} ${what}` }];
}

export function unknownClasses(headers: readonly Pick<CosemObject, 'classId'>[]): readonly ObjectListWarning[] {
  const unknown = [...new Set(headers.map(({ classId }) => classId))].filter((id) => !isKnownClass(id));
  if (unknown.length === 0) return [];
  return [{ code: 'unknown-class', message: `classes without names for their attributes: ${unknown.join(', ')}` }];
}

const FIRST_WITH_BITS = 3;
/** authenticated-read-only as an enumeration; as bits an authenticated request for nothing. */
const ENUMERATED_ONLY = 4;
const LAST_ENUMERATED = 6;

/**
 * The version whose way of writing access rights the list really follows: modes beyond the enumeration are bits, whatever
 * the association calls itself, and a list with modes that as bits allow nothing is enumerated.
 */
function versionOfRights(headers: readonly Header[], told: number): number {
  const modes = headers.flatMap(({ rights }) => itemsOf(rights, 0).flatMap((item) => modeOf(item) ?? []));
  const beyond = modes.some((mode) => mode > LAST_ENUMERATED);
  if (told < FIRST_WITH_BITS) return beyond ? FIRST_WITH_BITS : told;
  return !beyond && modes.includes(ENUMERATED_ONLY) ? DEFAULT_VERSION : told;
}

function rightsWarning(told: number, version: number): ObjectListWarning {
  const [are, should] = version >= FIRST_WITH_BITS ? ['bits', 'enumerated'] : ['enumerated', 'bits'];
  return { code: 'access-rights', message: `access rights are ${are}; in version ${told} they should be ${should}` };
}

function modeOf(item: Data): number | null {
  return item.type === 'structure' ? numberOf(item.value[1]) : null;
}

interface Header {
  readonly classId: number;
  readonly version: number;
  readonly obis: string;
  readonly rights: Data;
}

/** Version of the association that the list belongs to. */
function versionIn(headers: readonly Header[]): number {
  const associations = headers.filter(({ classId }) => classId === ASSOCIATION_LN);
  const current = associations.find(({ obis }) => obis === CURRENT_ASSOCIATION) ?? associations[0];
  return current?.version ?? DEFAULT_VERSION;
}

/** object_list_element: class_id, version, logical_name, access_rights. */
function objectHeader(entry: Data): Header | null {
  if (entry.type !== 'structure') return null;
  const [classId, version, name, rights = NULL_DATA] = entry.value;
  if (name?.type !== 'octet-string' || name.value.length !== 6) return null;
  const numbers = [numberOf(classId), numberOf(version)] as const;
  if (numbers[0] === null || numbers[1] === null) return null;
  return { classId: numbers[0], version: numbers[1], obis: obisText(name.value), rights };
}

function itemsOf(rights: Data, index: 0 | 1): readonly Data[] {
  if (rights.type !== 'structure') return [];
  const items = rights.value[index];
  return items?.type === 'array' ? items.value : [];
}

/** attribute_access_item: attribute_id, access_mode, access_selectors. */
function attributeItem(item: Data, version: number): AttributeAccess | null {
  if (item.type !== 'structure') return null;
  const id = numberOf(item.value[0]);
  const mode = numberOf(item.value[1]);
  if (id === null || mode === null) return null;
  const selectors = item.value[2];
  const access = attributeAccess(mode, version);
  if (selectors?.type !== 'array') return { id, access };
  return { id, access, selectors: selectors.value.flatMap((selector) => numberOf(selector) ?? []) };
}

/** method_access_item: method_id, access_mode; a boolean in version 0. */
function methodItem(item: Data, version: number): MethodAccess | null {
  if (item.type !== 'structure') return null;
  const id = numberOf(item.value[0]);
  const mode = item.value[1];
  const code = mode?.type === 'boolean' ? Number(mode.value) : numberOf(mode);
  return id === null || code === null ? null : { id, access: methodAccess(code, version) };
}

function numberOf(data: Data | undefined): number | null {
  return data !== undefined && 'value' in data && typeof data.value === 'number' ? data.value : null;
}

/** The attribute as a server of this association version sends it. */
export function encodeObjectList(objects: readonly CosemObject[], associationVersion: number): Data {
  return {
    type: 'array',
    value: objects.map(({ classId, version, obis, attributes, methods }) =>
      structure([
        { type: 'long-unsigned', value: classId },
        { type: 'unsigned', value: version },
        { type: 'octet-string', value: obisBytes(obis) },
        structure(accessRightsData({ attributes, methods }, associationVersion)),
      ]),
    ),
  };
}

/** The reverse of `accessRights`: two arrays. */
export function accessRightsData(
  { attributes, methods }: Pick<CosemObject, 'attributes' | 'methods'>,
  version: number,
): readonly Data[] {
  return [
    { type: 'array', value: attributes.map((attribute) => attributeData(attribute, version)) },
    { type: 'array', value: methods.map((method) => methodData(method, version)) },
  ];
}

function attributeData({ id, access, selectors }: AttributeAccess, version: number): Data {
  return structure([
    { type: 'integer', value: id },
    { type: 'enum', value: attributeMode(access, version) },
    selectors === undefined
      ? NULL_DATA
      : { type: 'array', value: selectors.map((value) => ({ type: 'integer', value }) as const) },
  ]);
}

function methodData({ id, access }: MethodAccess, version: number): Data {
  const mode = methodMode(access, version);
  return structure([
    { type: 'integer', value: id },
    version === 0 ? { type: 'boolean', value: mode !== 0 } : { type: 'enum', value: mode },
  ]);
}

function structure(value: readonly Data[]): Data {
  return { type: 'structure', value };
}
