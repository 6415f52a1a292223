/** Objects of meters that know ciphering: the invocation counter (public), and security setup, class 64 (Blue Book 4.4.7). */
import { SECURITY_POLICIES } from '../../dlms/security/suite.ts';
import { dataObject, logicalName, type ObjectDefinition } from './object-model.ts';

export const SECURITY_SETUP = '0.0.43.0.0.255';
export const INVOCATION_COUNTER = '0.0.43.1.0.255';

export const SECURITY_OBJECTS: readonly ObjectDefinition[] = [
  dataObject(
    INVOCATION_COUNTER,
    ({ invocationCounter }) => ({ type: 'double-long-unsigned', value: invocationCounter() }),
    { isPublic: true },
  ),
  {
    classId: 64,
    version: 0,
    obis: SECURITY_SETUP,
    attributes: [
      logicalName(SECURITY_SETUP),
      ({ security }) => ({ type: 'enum', value: SECURITY_POLICIES.indexOf(security.policy) }),
      ({ security }) => ({ type: 'enum', value: security.suite }),
      ({ association }) => ({ type: 'octet-string', value: association.clientTitle }),
      ({ security }) => ({ type: 'octet-string', value: security.systemTitle }),
    ],
    methods: 2,
    isPublic: false,
    scaler: null,
  },
];
