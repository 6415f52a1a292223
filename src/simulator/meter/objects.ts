/** The object tree of a virtual meter as data, single- and three-phase. */
import type { MeterSettings } from '../../dlms/settings.ts';
import { associationObject } from './association-object.ts';
import { associationSnObject } from './association-sn-object.ts';
import { CLOCK } from './clock-object.ts';
import { compactDataObject } from './compact-data-object.ts';
import { DISCONNECT_CONTROL, NOTES } from './control-objects.ts';
import { IMAGE_OBJECT } from './image-object.ts';
import { dataObject, logicalName, type ObjectDefinition, textData } from './object-model.ts';
import { PROFILE_OBJECTS } from './profiles.ts';
import { PUSH_OBJECT } from './push-object.ts';
import { phaseRegisters, TOTALS } from './registers.ts';

export const FIRMWARE = 'VM-1.0.0';

/** SAP assignment, class 17 (Blue Book 4.4.5): which logical devices there are at this address. */
const SAP_ASSIGNMENT: ObjectDefinition = {
  classId: 17,
  version: 0,
  obis: '0.0.41.0.0.255',
  attributes: [
    logicalName('0.0.41.0.0.255'),
    ({ logicalDevices }) => ({
      type: 'array',
      value: logicalDevices.map(({ server, logicalDeviceName }) => ({
        type: 'structure',
        value: [{ type: 'long-unsigned', value: server }, textData(logicalDeviceName)],
      })),
    }),
  ],
  methods: 1,
  isPublic: false,
  scaler: null,
};

const IDENTIFICATION: readonly ObjectDefinition[] = [
  dataObject('0.0.42.0.0.255', ({ identity }) => textData(identity.logicalDeviceName), { isPublic: true }),
  dataObject('0.0.96.1.0.255', ({ identity }) => textData(identity.serialNumber)),
  dataObject('1.0.0.0.0.255', ({ identity }) => textData(`1SIM${identity.serialNumber}`)),
  dataObject('1.0.0.2.0.255', ({ state }) => ({ type: 'visible-string', value: state.firmware ?? FIRMWARE })),
];

const TREES: Readonly<Record<MeterSettings['referencing'], Readonly<Record<1 | 3, readonly ObjectDefinition[]>>>> = {
  ln: { 1: tree(1, associationObject), 3: tree(3, associationObject) },
  sn: { 1: tree(1, associationSnObject), 3: tree(3, associationSnObject) },
};

/** All objects of a meter with so many phases, the association first. */
export function objectsOf(phases: 1 | 3, referencing: MeterSettings['referencing']): readonly ObjectDefinition[] {
  return TREES[referencing][phases];
}

function tree(phases: 1 | 3, association: ObjectDefinition): readonly ObjectDefinition[] {
  return [
    association,
    ...IDENTIFICATION,
    CLOCK,
    SAP_ASSIGNMENT,
    DISCONNECT_CONTROL,
    NOTES,
    IMAGE_OBJECT,
    PUSH_OBJECT,
    ...TOTALS,
    ...phaseRegisters(phases),
    ...PROFILE_OBJECTS,
    compactDataObject([...TOTALS.slice(0, 2), ...phaseRegisters(phases).slice(0, 1)]),
  ];
}
