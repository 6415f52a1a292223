/** The current association of a meter of short names, class 12 version 2 (Blue Book 4.4.3). */
import { obisBytes } from '../../dlms/axdr/obis.ts';
import { encodeAccessRightsList } from '../../dlms/cosem/short-name-rights.ts';
import { ASSOCIATION_SN, encodeShortNameList, type ShortNamedObject } from '../../dlms/cosem/short-names.ts';
import { listed } from './association-object.ts';
import { CURRENT_ASSOCIATION, logicalName, type MeterContext, type ObjectDefinition } from './object-model.ts';
import { SECURITY_SETUP } from './security-objects.ts';

const VERSION = 2;
const OBIS = CURRENT_ASSOCIATION;

/** What this client may see. */
function shown({ association }: MeterContext): readonly (ObjectDefinition & ShortNamedObject)[] {
  return association.shortNames?.named(association.objects) ?? [];
}

export const associationSnObject: ObjectDefinition = {
  classId: ASSOCIATION_SN.classId,
  version: VERSION,
  obis: OBIS,
  attributes: [
    logicalName(OBIS),
    (context) => encodeShortNameList(shown(context)),
    (context) =>
      encodeAccessRightsList(
        shown(context).map((object) => {
          const { attributes, methods } = listed(object, context.association.mayChange);
          return { baseName: object.baseName, attributes, methods };
        }),
        VERSION,
      ),
    ({ security }) => ({
      type: 'octet-string',
      value: security.keys === null ? new Uint8Array(6) : obisBytes(SECURITY_SETUP),
    }),
  ],
  methods: 8,
  isPublic: true,
  scaler: null,
};
