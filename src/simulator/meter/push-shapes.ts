/** What virtual meters push by themselves: the same three registers in each layout that real meters use. */
import type { Data } from '../../dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes } from '../../dlms/axdr/date-time.ts';
import { obisBytes } from '../../dlms/axdr/obis.ts';
import { captureObjectData } from '../../dlms/cosem/profile-generic.ts';
import { PUSH_SETUP } from '../../dlms/cosem/push-setup.ts';
import { attributeShortName } from '../../dlms/cosem/short-names.ts';
import { encodeApdu } from '../../dlms/xdlms/apdu.ts';
import { longInvokeIdAndPriority } from '../../dlms/xdlms/invoke-id.ts';
import type { DateTimeStamp } from '../../dlms/xdlms/services.ts';
import { CLOCK_OBIS } from './clock-object.ts';
import type { SaidValue } from './get-service.ts';
import type { MeterModel } from './meter-model.ts';
import { DEVIATION, dateTimeData, textData } from './object-model.ts';
import { PUSH_SETUP_OBIS } from './push-object.ts';

/**
 * list: the push object list first; flat: OBIS, value, {scaler, unit}; structures: an array of those; values: values alone,
 * told apart by their place; event: an event-notification of the first register; report: an informationReport.
 */
export const PUSH_SHAPES = ['list', 'flat', 'structures', 'values', 'event', 'report'] as const;
export type PushShape = (typeof PUSH_SHAPES)[number];

const REGISTER = 3;
const PUSHED = ['1.0.1.8.0.255', '1.0.32.7.0.255', '1.0.13.7.0.255'] as const;
const DEVICE_NAME = '0.0.42.0.0.255';

export interface PushedApdu {
  readonly apdu: Uint8Array;
  readonly said: readonly SaidValue[];
}

interface PushedValue extends SaidValue {
  readonly data: Data;
  readonly scalerUnit: Data;
}

/** What is pushed at a moment, milliseconds UTC; `number`: of the notification. */
export function pushedAt(
  model: MeterModel,
  shape: PushShape,
  at: number,
  number: number,
  confirmed: boolean,
): PushedApdu {
  const values = PUSHED.map((obis) => registerOf(model, obis, at));
  const said = (shape === 'event' ? values.slice(0, 1) : values).map(({ obis, classId, attribute, value }) => {
    return { obis, classId, attribute, value };
  });
  const time = stampAt(at);
  if (shape === 'event') {
    const [first] = values;
    const attribute = { classId: REGISTER, instanceId: PUSHED[0], attributeId: 2 };
    const apdu = { apdu: 'event-notification-request', time, attribute, value: first?.data ?? NULL } as const;
    return { apdu: encodeApdu(apdu), said };
  }
  if (shape === 'report') {
    const data = values.map((one) => one.data);
    const variables = PUSHED.map((obis) => ({ 'variable-name': shortNameOf(model, obis) }));
    return { apdu: encodeApdu({ apdu: 'informationReportRequest', currentTime: zulu(at), variables, data }), said };
  }
  const apdu = encodeApdu({
    apdu: 'data-notification',
    longInvokeIdAndPriority: longInvokeIdAndPriority(number, { serviceClass: confirmed ? 'confirmed' : 'unconfirmed' }),
    dateTime: time,
    body: bodyOf(shape, values, model, at),
  });
  return { apdu, said };
}

const NULL: Data = { type: 'null-data' };

function bodyOf(
  shape: Exclude<PushShape, 'event' | 'report'>,
  values: readonly PushedValue[],
  model: MeterModel,
  at: number,
): Data {
  switch (shape) {
    case 'values':
      return { type: 'structure', value: values.map(({ data }) => data) };
    case 'flat':
      return {
        type: 'structure',
        value: values.flatMap(({ obis, data, scalerUnit }) => [name(obis), data, scalerUnit]),
      };
    case 'structures':
      return {
        type: 'array',
        value: values.map(({ obis, data, scalerUnit }) => ({
          type: 'structure',
          value: [name(obis), data, scalerUnit],
        })),
      };
    case 'list':
      return {
        type: 'structure',
        value: [
          objectList(values),
          dateTimeData(at),
          textData(model.identity.logicalDeviceName),
          ...values.map(({ data }) => data),
        ],
      };
  }
}

function objectList(values: readonly PushedValue[]): Data {
  const entries = [
    { classId: PUSH_SETUP, obis: PUSH_SETUP_OBIS },
    { classId: 8, obis: CLOCK_OBIS },
    { classId: 1, obis: DEVICE_NAME },
    ...values,
  ];
  return {
    type: 'array',
    value: entries.map(({ classId, obis }) => captureObjectData({ classId, obis, attribute: 2, dataIndex: 0 })),
  };
}

function registerOf(model: MeterModel, obis: string, at: number): PushedValue {
  const { data, said, scalerUnit } = model.valueAt(REGISTER, obis, at);
  return { obis, classId: REGISTER, attribute: 2, value: said, data, scalerUnit };
}

function shortNameOf(model: MeterModel, obis: string): number {
  const base = model.shortNames?.named(model.objects).find((one) => one.obis === obis)?.baseName ?? 0;
  return attributeShortName(base, 2);
}

function name(obis: string): Data {
  return { type: 'octet-string', value: obisBytes(obis) };
}

function stampAt(at: number): DateTimeStamp {
  const clock = cosemDateTimeOf(at, DEVIATION);
  return { ...clock, hex: dateTimeBytes(clock) };
}

/** GeneralizedTime in UTC. */
function zulu(at: number): Uint8Array {
  const text = new Date(at).toISOString().replace(/\D/g, '').slice(0, 14);
  return Uint8Array.from(Buffer.from(`${text}Z`, 'latin1'));
}
