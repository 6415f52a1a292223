/** Compact data, class 62 version 1 (Blue Book 4.3.10): energies and the voltages as contents without tags, with their template. */
import { concat } from '../../core/bytes.ts';
import { type Data, dataBytes } from '../../dlms/axdr/data.ts';
import { TAGS } from '../../dlms/axdr/scalar.ts';
import { captureObjectData } from '../../dlms/cosem/profile-generic.ts';
import { logicalName, type MeterContext, type ObjectDefinition } from './object-model.ts';

export const COMPACT_DATA_OBIS = '0.0.66.0.1.255';
const TEMPLATE_ID = 7;
const CAPTURED_ON_READING = 1;
const ID: Data = { type: 'unsigned', value: TEMPLATE_ID };

/** Captures the values of registers. The id of the template stands first, as the class wants it. */
export function compactDataObject(registers: readonly ObjectDefinition[]): ObjectDefinition {
  const captured = (context: MeterContext): readonly Data[] => [
    ID,
    ...registers.map(({ attributes }) => attributes[1]?.(context) ?? ID),
  ];
  const objects = [
    { classId: 62, obis: COMPACT_DATA_OBIS, attribute: 4, dataIndex: 0 },
    ...registers.map(({ classId, obis }) => ({ classId, obis, attribute: 2, dataIndex: 0 })),
  ];
  return {
    classId: 62,
    version: 1,
    obis: COMPACT_DATA_OBIS,
    attributes: [
      logicalName(COMPACT_DATA_OBIS),
      (context) => octetString(concat(captured(context).map((data) => dataBytes(data).subarray(1)))),
      () => ({ type: 'array', value: objects.map(captureObjectData) }),
      () => ID,
      (context) =>
        octetString(
          Uint8Array.from([TAGS.structure, objects.length, ...captured(context).map(({ type }) => TAGS[type])]),
        ),
      () => ({ type: 'enum', value: CAPTURED_ON_READING }),
    ],
    methods: 2,
    isPublic: false,
    scaler: null,
  };
}

function octetString(value: Uint8Array): Data {
  return { type: 'octet-string', value };
}
