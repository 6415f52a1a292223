/** `scan`: the object list of the association. */
import { attributeName, className, methodName } from '../dlms/cosem/classes.ts';
import type { CosemObject } from '../dlms/cosem/object-list.ts';
import { readObjectList } from '../meter/client.ts';
import type { MeterWork } from './work.ts';

export interface ScanDocument {
  readonly objects: readonly ScannedObject[];
  /** What is odd about the list. */
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export type ScannedObject = ReturnType<typeof described>;

export async function scan({ job }: MeterWork): Promise<ScanDocument> {
  const { objects, warnings } = await job((session) => readObjectList(session));
  return { objects: objects.map(described), warnings: warnings.map((warning) => ({ ...warning })) };
}

function described({ classId, version, obis, attributes, methods }: CosemObject) {
  return {
    classId,
    version,
    obis,
    name: className(classId, version),
    attributes: attributes.map(({ id, access }) => ({ id, name: attributeName(classId, id, version), access })),
    methods: methods.map(({ id, access }) => ({ id, name: methodName(classId, id, version), access })),
  };
}
