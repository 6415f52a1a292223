/** The current association, class 15 version 1 (Blue Book 4.4.4): what this client may see, and on which terms. */
import { applicationContextName, MECHANISMS, mechanismName, oidBytes } from '../../dlms/acse/names.ts';
import { type CosemObject, encodeObjectList } from '../../dlms/cosem/object-list.ts';
import { DLMS_VERSION } from '../../dlms/xdlms/initiate.ts';
import { logicalName, type ObjectDefinition } from './object-model.ts';

const OBIS = '0.0.40.0.0.255';
const VERSION = 1;
const ASSOCIATED = 2;

export const associationObject: ObjectDefinition = {
  classId: 15,
  version: VERSION,
  obis: OBIS,
  attributes: [
    logicalName(OBIS),
    ({ association }) => encodeObjectList(association.objects.map(listed), VERSION),
    ({ association, identity }) => ({
      type: 'structure',
      value: [
        { type: 'integer', value: association.client },
        { type: 'long-unsigned', value: identity.server },
      ],
    }),
    () => ({ type: 'octet-string', value: oidBytes(applicationContextName('LN').oid) }),
    ({ association }) => ({
      type: 'structure',
      value: [
        { type: 'bit-string', value: association.conformance },
        { type: 'long-unsigned', value: association.maxReceivePdu },
        { type: 'long-unsigned', value: association.maxSendPdu },
        { type: 'unsigned', value: DLMS_VERSION },
        { type: 'integer', value: 0 },
        { type: 'octet-string', value: new Uint8Array(0) },
      ],
    }),
    ({ association }) => ({
      type: 'octet-string',
      value: oidBytes(mechanismName(MECHANISMS[association.mechanism]).oid),
    }),
    // The secret is nobody's to read.
    null,
    () => ({ type: 'enum', value: ASSOCIATED }),
    () => ({ type: 'octet-string', value: new Uint8Array(6) }),
  ],
  methods: 4,
  isPublic: true,
  scaler: null,
};

function listed({ classId, version, obis, attributes, methods }: ObjectDefinition): CosemObject {
  return {
    classId,
    version,
    obis,
    attributes: attributes.map((value, index) => ({
      id: index + 1,
      access: value === null ? 'no-access' : 'read-only',
    })),
    methods: Array.from({ length: methods }, (_, index) => ({ id: index + 1, access: 'no-access' })),
  };
}
