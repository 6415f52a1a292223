/**
 * Short names (Blue Book 4.2, 4.4.3): an object has a base name; its attributes follow in steps of 8, its methods from an
 * offset that each class has of its own. Short names have 16 bits; the Association SN object (class 12) is at FA00, and
 * its object_list tells the base names of all others.
 */
import { fail } from '../../core/errors.ts';
import type { Data } from '../axdr/data.ts';
import { obisBytes, obisText } from '../axdr/obis.ts';

export const ASSOCIATION_SN = {
  classId: 12,
  baseName: 0xfa00,
  objectList: 2,
  accessRightsList: 3,
  replyToHls: 8,
} as const;

/** What stands for the selector when a method is invoked by a Read with parameters. */
export const METHOD_SELECTOR = 0;

/** An object by both of its names. */
export interface ShortNamedObject {
  readonly classId: number;
  readonly version: number;
  /** OBIS code, dotted. */
  readonly obis: string;
  /** Short name of attribute 1, unsigned. */
  readonly baseName: number;
}

const STEP = 8;

/** Names beyond FFFF begin anew: a base name near the end is a signed number in the object list. */
const wrapped = (name: number): number => name & 0xffff;

export function attributeShortName(baseName: number, attributeId: number): number {
  return wrapped(baseName + STEP * (attributeId - 1));
}

interface MethodNames {
  /** Offset of method 1. */
  readonly first: number;
  /** Versions of the class that have it there; all of them when not said. */
  readonly versions?: readonly number[];
  /** Methods that return something, which takes a Read; the others are written to. */
  readonly returning?: readonly number[];
}

/** By class. What is not here has no methods, or none whose short names are known. */
const METHODS: Readonly<Record<number, readonly MethodNames[]>> = {
  3: [{ first: 0x28 }],
  4: [{ first: 0x38 }],
  5: [{ first: 0x48 }],
  6: [{ first: 0x30 }],
  7: [{ first: 0x58, returning: [3, 4] }],
  8: [{ first: 0x60 }],
  9: [{ first: 0x20 }],
  10: [{ first: 0x20 }],
  11: [{ first: 0x10 }],
  12: [{ first: 0x20, returning: [3, 8] }],
  17: [{ first: 0x20 }],
  18: [{ first: 0x40 }],
  20: [{ first: 0x50 }],
  40: [{ first: 0x38, versions: [0] }],
  42: [{ first: 0x60, returning: [3] }],
  61: [{ first: 0x28 }],
  64: [
    { first: 0x28, versions: [0] },
    { first: 0x30, versions: [1], returning: [3, 5, 7] },
  ],
  70: [{ first: 0x20 }],
  72: [
    { first: 0x60, versions: [0] },
    { first: 0x70, versions: [1] },
  ],
};

export interface MethodShortName {
  readonly name: number;
  /** It returns something: to be read, not written to. */
  readonly returns: boolean;
}

/** The short name of a method; null where the Blue Book gives none. */
export function methodShortName(
  { classId, version, baseName }: Omit<ShortNamedObject, 'obis'>,
  methodId: number,
): MethodShortName | null {
  const names = METHODS[classId]?.find(({ versions }) => versions?.includes(version) ?? true);
  if (names === undefined || methodId < 1) return null;
  return {
    name: wrapped(baseName + names.first + STEP * (methodId - 1)),
    returns: names.returning?.includes(methodId) ?? false,
  };
}

/** Objects by logical name. */
export class ShortNames {
  readonly objects: readonly ShortNamedObject[];
  private readonly byObis = new Map<string, ShortNamedObject[]>();

  constructor(objects: readonly ShortNamedObject[]) {
    this.objects = objects;
    for (const object of objects) this.byObis.set(object.obis, [...(this.byObis.get(object.obis) ?? []), object]);
  }

  /** The object of this class; one of another class where there is no such; null for an OBIS code that nobody has. */
  find(classId: number, obis: string): ShortNamedObject | null {
    const found = this.byObis.get(obis) ?? [];
    return found.find((one) => one.classId === classId) ?? found[0] ?? null;
  }

  /** The attribute behind a short name: that of the object whose base name is nearest below; null for nobody's. */
  attributeAt(name: number): { readonly classId: number; readonly obis: string; readonly attributeId: number } | null {
    let nearest: ShortNamedObject | null = null;
    for (const object of this.objects) {
      if (object.baseName <= name && object.baseName > (nearest?.baseName ?? -1)) nearest = object;
    }
    if (nearest === null || (name - nearest.baseName) % STEP !== 0) return null;
    return { classId: nearest.classId, obis: nearest.obis, attributeId: (name - nearest.baseName) / STEP + 1 };
  }
}

const INACTIVE = '0.0.127.0.0.0';

/**
 * Reads object_list of an Association SN: base_name, class_id, version, logical_name of each object. Entries that are no
 * objects and inactive ones are left out. Throws MALFORMED for what is no list.
 */
export function decodeShortNameList(data: Data): readonly ShortNamedObject[] {
  if (data.type !== 'array' && data.type !== 'compact-array') {
    return fail('MALFORMED', 'the object list of an Association SN is an array', { layer: 'cosem' });
  }
  return data.value.flatMap((entry) => shortNamed(entry) ?? []).filter(({ obis }) => obis !== INACTIVE);
}

function shortNamed(entry: Data): ShortNamedObject | null {
  if (entry.type !== 'structure') return null;
  const [base, classId, version, name] = entry.value;
  const baseName = baseNameOf(base);
  if (baseName === null || name?.type !== 'octet-string' || name.value.length !== 6) return null;
  if (classId?.type !== 'long-unsigned' || version?.type !== 'unsigned') return null;
  return { classId: classId.value, version: version.value, obis: obisText(name.value), baseName };
}

/** `long`, so that FA00 is -1536; some meters write it without sign. null for anything else. */
export function baseNameOf(data: Data | undefined): number | null {
  return data?.type === 'long' || data?.type === 'long-unsigned' ? wrapped(data.value) : null;
}

export function baseNameData(baseName: number): Data {
  return { type: 'long', value: (baseName << 16) >> 16 };
}

/** The attribute as a server sends it. */
export function encodeShortNameList(objects: readonly ShortNamedObject[]): Data {
  return {
    type: 'array',
    value: objects.map(({ baseName, classId, version, obis }) => ({
      type: 'structure',
      value: [
        baseNameData(baseName),
        { type: 'long-unsigned', value: classId },
        { type: 'unsigned', value: version },
        { type: 'octet-string', value: obisBytes(obis) },
      ],
    })),
  };
}
