/** Push setup, class 40 version 0 (Blue Book 4.4.8): method push sends what is listed to the destination that is set, unprotected. */
import type { Data } from '../../dlms/axdr/data.ts';
import { type CaptureObject, captureObjectData } from '../../dlms/cosem/profile-generic.ts';
import { PUSH_SETUP, pushDestinationData, pushDestinationOf } from '../../dlms/cosem/push-setup.ts';
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { longInvokeIdAndPriority } from '../../dlms/xdlms/invoke-id.ts';
import { CLOCK_OBIS } from './clock-object.ts';
import {
  DONE,
  logicalName,
  type MeterContext,
  type MethodOutcome,
  type ObjectDefinition,
  RESULT,
  type ResultCode,
  refused,
} from './object-model.ts';

export const PUSH_SETUP_OBIS = '0.0.25.9.0.255';

/** Where a push goes, and what it says. */
export interface Push {
  readonly host: string;
  readonly port: number;
  readonly apdu: Uint8Array;
}

/** Nowhere yet. */
const NO_DESTINATION: Data = pushDestinationData('tcp', '');

const LISTED: readonly CaptureObject[] = [
  { classId: PUSH_SETUP, obis: PUSH_SETUP_OBIS, attribute: 2, dataIndex: 0 },
  { classId: 8, obis: CLOCK_OBIS, attribute: 2, dataIndex: 0 },
  { classId: 3, obis: '1.0.1.8.0.255', attribute: 2, dataIndex: 0 },
  { classId: 3, obis: '1.0.2.8.0.255', attribute: 2, dataIndex: 0 },
];
const OBJECT_LIST: Data = { type: 'array', value: LISTED.map(captureObjectData) };

export const PUSH_OBJECT: ObjectDefinition = {
  classId: PUSH_SETUP,
  version: 0,
  obis: PUSH_SETUP_OBIS,
  attributes: [
    logicalName(PUSH_SETUP_OBIS),
    () => OBJECT_LIST,
    ({ state }) => state.pushDestination ?? NO_DESTINATION,
    () => ({ type: 'array', value: [] }),
    () => ({ type: 'long-unsigned', value: 0 }),
    () => ({ type: 'unsigned', value: 0 }),
    () => ({ type: 'long-unsigned', value: 0 }),
  ],
  writes: { 3: setDestination },
  methods: 1,
  calls: { 1: push },
  isPublic: false,
  scaler: null,
};

function setDestination({ state }: MeterContext, value: Data): ResultCode {
  if (pushDestinationOf(value) === null) return RESULT.typeUnmatched;
  state.pushDestination = value;
  return RESULT.success;
}

/** The list of objects itself first, then the values of the others: a receiver needs nothing else to understand it. */
function push(context: MeterContext): MethodOutcome {
  const { state, association } = context;
  const destination = pushDestinationOf(state.pushDestination ?? NO_DESTINATION);
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(destination?.destination ?? '') ?? [];
  if (destination?.service !== 'tcp' || host === undefined || port === undefined) return refused(RESULT.otherReason);
  const values = LISTED.map(({ obis, attribute }) => {
    const object = association.objects.find((one) => one.obis === obis);
    return object?.attributes[attribute - 1]?.(context) ?? { type: 'null-data' as const };
  });
  state.pushes += 1;
  const apdu = encodeApdu({
    apdu: 'data-notification',
    longInvokeIdAndPriority: longInvokeIdAndPriority(state.pushes, { serviceClass: 'unconfirmed' }),
    dateTime: null,
    body: { type: 'structure', value: values },
  });
  context.push({ host, port: Number(port), apdu });
  return DONE;
}
