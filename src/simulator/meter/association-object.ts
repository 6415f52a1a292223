/** The current association, class 15 version 1 (Blue Book 4.4.4): what this client may see, and on which terms. */
import { applicationContextName, mechanismName, oidBytes } from '../../dlms/acse/names.ts';
import { obisBytes } from '../../dlms/axdr/obis.ts';
import { type CosemObject, encodeObjectList } from '../../dlms/cosem/object-list.ts';
import { DLMS_VERSION } from '../../dlms/xdlms/initiate.ts';
import { CURRENT_ASSOCIATION, logicalName, type ObjectDefinition } from './object-model.ts';
import { SECURITY_SETUP } from './security-objects.ts';

const OBIS = CURRENT_ASSOCIATION;
const VERSION = 1;
const ASSOCIATED = 2;
const ACCESS_MODES = {
  fixed: { shown: 'read-only', hidden: 'no-access' },
  writable: { shown: 'read-and-write', hidden: 'write-only' },
} as const;

export const associationObject: ObjectDefinition = {
  classId: 15,
  version: VERSION,
  obis: OBIS,
  attributes: [
    logicalName(OBIS),
    ({ association }) =>
      encodeObjectList(
        association.objects.map((object) => listed(object, association.mayChange)),
        VERSION,
      ),
    ({ association, identity }) => ({
      type: 'structure',
      value: [
        { type: 'integer', value: association.client },
        { type: 'long-unsigned', value: identity.server },
      ],
    }),
    ({ association }) => ({ type: 'octet-string', value: oidBytes(applicationContextName(association.context).oid) }),
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
      value: oidBytes(mechanismName(association.mechanism).oid),
    }),
    // The secret is nobody's to read.
    null,
    () => ({ type: 'enum', value: ASSOCIATED }),
    ({ security }) => ({
      type: 'octet-string',
      value: security.keys === null ? new Uint8Array(6) : obisBytes(SECURITY_SETUP),
    }),
  ],
  methods: 4,
  isPublic: true,
  scaler: null,
};

/** An object with what this client may do with it. */
export function listed(object: ObjectDefinition, mayChange: boolean): CosemObject {
  const { classId, version, obis, attributes, methods, writes = {}, selections = {}, calls = {} } = object;
  return {
    classId,
    version,
    obis,
    attributes: attributes.map((value, index) => {
      const id = index + 1;
      const access =
        ACCESS_MODES[mayChange && id in writes ? 'writable' : 'fixed'][value === null ? 'hidden' : 'shown'];
      const selectors = selections[id]?.selectors;
      return selectors === undefined ? { id, access } : { id, access, selectors };
    }),
    methods: Array.from({ length: methods }, (_, index) => {
      const id = index + 1;
      return { id, access: mayChange && id in calls ? 'access' : 'no-access' };
    }),
  };
}
