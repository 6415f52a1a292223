/**
 * access_rights_list of an Association SN (Blue Book 4.4.3, class 12 attribute 3), and with it the object list in the form
 * that associations of logical names have.
 */
import type { Data } from '../axdr/data.ts';
import { cosemClass } from './classes.ts';
import {
  accessRights,
  accessRightsData,
  type CosemObject,
  type ObjectList,
  type ObjectListWarning,
  unknownClasses,
} from './object-list.ts';
import { ASSOCIATION_SN, baseNameData, baseNameOf, type ShortNamedObject } from './short-names.ts';

/** Access of attributes and methods where the meter tells no rights. */
export const UNKNOWN_ACCESS = 'unknown';

/** From this version on of class 12 rights are bits, as from version 3 on of class 15; before they are enumerated. */
const FIRST_WITH_BITS = 4;
const LN_VERSION_WITH_BITS = 3;

function lnVersion(associationVersion: number): number {
  return associationVersion >= FIRST_WITH_BITS ? LN_VERSION_WITH_BITS : Math.min(associationVersion, 2);
}

/**
 * The objects with their rights. Where the meter does not tell them (`rights` is null) the classes say what there is, and
 * access is `unknown`; an object that the list of rights leaves out has none.
 */
export function shortNameObjectList(objects: readonly ShortNamedObject[], rights: Data | null): ObjectList {
  const association = objects.find(({ baseName }) => baseName === ASSOCIATION_SN.baseName);
  const told = rights === null ? null : rightsByBaseName(rights, lnVersion(association?.version ?? 0));
  const untold: ObjectListWarning = { code: 'access-rights', message: 'the meter does not tell access rights' };
  return {
    objects: objects.map(({ classId, version, obis, baseName }) => ({
      classId,
      version,
      obis,
      ...(told === null ? rightsByClass(classId, version) : (told.get(baseName) ?? { attributes: [], methods: [] })),
    })),
    warnings: [...(told === null ? [untold] : []), ...unknownClasses(objects)],
  };
}

type Rights = Pick<CosemObject, 'attributes' | 'methods'>;

function rightsByBaseName(rights: Data, version: number): ReadonlyMap<number, Rights> {
  const elements = rights.type === 'array' || rights.type === 'compact-array' ? rights.value : [];
  return new Map(
    elements.flatMap((element): [number, Rights][] => {
      if (element.type !== 'structure') return [];
      const [base, attributes, methods] = element.value;
      const baseName = baseNameOf(base);
      return baseName === null ? [] : [[baseName, accessRights(itemsIn(attributes), itemsIn(methods), version)]];
    }),
  );
}

function itemsIn(data: Data | undefined): readonly Data[] {
  return data?.type === 'array' || data?.type === 'compact-array' ? data.value : [];
}

function rightsByClass(classId: number, version: number): Rights {
  const known = cosemClass(classId, version);
  return {
    attributes: (known?.attributes ?? []).map(({ id }) => ({ id, access: UNKNOWN_ACCESS })),
    methods: (known?.methods ?? []).map(({ id }) => ({ id, access: UNKNOWN_ACCESS })),
  };
}

/** The attribute as a server sends it. */
export function encodeAccessRightsList(
  objects: readonly (Rights & Pick<ShortNamedObject, 'baseName'>)[],
  associationVersion: number,
): Data {
  return {
    type: 'array',
    value: objects.map(({ baseName, ...rights }) => ({
      type: 'structure',
      value: [baseNameData(baseName), ...accessRightsData(rights, lnVersion(associationVersion))],
    })),
  };
}
