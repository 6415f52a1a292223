/** What is known of COSEM interface classes, by class and version: attributes with their types, methods. */
import type { DataTypeName } from '../axdr/data.ts';
import { CLASS_ROWS, type ClassRow } from './class-table.ts';

export interface CosemAttribute {
  readonly id: number;
  readonly name: string;
  /** `any` where the class leaves a choice of types. */
  readonly type: DataTypeName | 'any';
  /** What the class is made for. Which rights a client has, the association says. */
  readonly access: 'read-only' | 'read-and-write';
}

export interface CosemMethod {
  readonly id: number;
  readonly name: string;
}

export interface CosemClass {
  readonly id: number;
  readonly version: number;
  readonly name: string;
  /** Attribute 1, the logical name, first; none is left out. */
  readonly attributes: readonly CosemAttribute[];
  /** Numbers that are reserved are left out. */
  readonly methods: readonly CosemMethod[];
}

const LOGICAL_NAME: CosemAttribute = { id: 1, name: 'logical_name', type: 'octet-string', access: 'read-only' };
const ATTRIBUTE = /^([a-z0-9_]+):([a-z0-9-]+)(!?)(?:@(\d))?$/;
const METHOD = /^([a-z0-9_]+|-)(?:@(\d))?$/;
const RESERVED = '-';

/** Every class in every version that the table has, by class and version. */
export const CLASSES: readonly CosemClass[] = CLASS_ROWS.flatMap((row) =>
  row.versions.map((version) => ({
    id: row.id,
    version,
    name: row.name,
    attributes: attributesOf(row, version),
    methods: methodsOf(row, version),
  })),
);

function attributesOf({ attributes }: ClassRow, version: number): readonly CosemAttribute[] {
  const named = words(attributes).flatMap((word, index): readonly CosemAttribute[] => {
    const [, name = '', type = '', writable, since = '0'] = ATTRIBUTE.exec(word) ?? [];
    if (version < Number(since)) return [];
    const access = writable === '' ? 'read-only' : 'read-and-write';
    return [{ id: index + 2, name, type: type as CosemAttribute['type'], access }];
  });
  return [LOGICAL_NAME, ...named];
}

function methodsOf({ methods }: ClassRow, version: number): readonly CosemMethod[] {
  return words(methods).flatMap((word, index) => {
    const [, name = '', since = '0'] = METHOD.exec(word) ?? [];
    return name === RESERVED || version < Number(since) ? [] : [{ id: index + 1, name }];
  });
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** By class its versions, the lowest first. */
const BY_ID: ReadonlyMap<number, readonly CosemClass[]> = byId();

function byId(): ReadonlyMap<number, readonly CosemClass[]> {
  const versions = new Map<number, CosemClass[]>();
  for (const one of CLASSES) versions.set(one.id, [...(versions.get(one.id) ?? []), one]);
  return versions;
}

/**
 * A class in a version. Without a version, and for one that the table has not, it is the latest: later versions keep the
 * numbers of earlier ones. null for a class that is not known.
 */
export function cosemClass(id: number, version?: number): CosemClass | null {
  const versions = BY_ID.get(id) ?? [];
  return versions.find((one) => one.version === version) ?? versions.at(-1) ?? null;
}

export function isKnownClass(id: number): boolean {
  return BY_ID.has(id);
}

/** `Register`, or `class 9000` for one that the table has not: vendors have classes of their own from 8192 on. */
export function className(id: number, version?: number): string {
  return cosemClass(id, version)?.name ?? `class ${id}`;
}

/** Attribute 1 of any class is its logical name; null when the number is not known. */
export function attributeName(classId: number, attributeId: number, version?: number): string | null {
  if (attributeId === LOGICAL_NAME.id) return LOGICAL_NAME.name;
  return cosemClass(classId, version)?.attributes.find(({ id }) => id === attributeId)?.name ?? null;
}

export function methodName(classId: number, methodId: number, version?: number): string | null {
  return cosemClass(classId, version)?.methods.find(({ id }) => id === methodId)?.name ?? null;
}
