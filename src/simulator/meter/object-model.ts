/**
 * How the objects of a virtual meter are written down: interface class, logical name, and one function per attribute
 * that gives its value in a context. A definition is shared by all meters; what differs comes with the context.
 */
import { decimal, decimalText } from '../../core/decimal.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes } from '../../dlms/axdr/date-time.ts';
import { obisBytes } from '../../dlms/axdr/obis.ts';
import { scalerUnitData } from '../../dlms/cosem/scaler-unit.ts';
import type { Demand, HouseholdValues } from './household.ts';

/** Who a meter is. */
export interface MeterIdentity {
  /** Eight digits; an HDLC address may be derived from them. */
  readonly serialNumber: string;
  /** 16 characters; the first three are the manufacturer's FLAG id. */
  readonly logicalDeviceName: string;
  /** Server SAP of the logical device. */
  readonly server: number;
}

/** The application association in which an attribute is read. */
export interface AssociationView {
  readonly client: number;
  /** Authentication mechanism id: 0 none, 1 low. */
  readonly mechanism: 0 | 1;
  /** 24 bits, text of 0 and 1. */
  readonly conformance: string;
  readonly maxReceivePdu: number;
  readonly maxSendPdu: number;
  /** What this client may see. */
  readonly objects: readonly ObjectDefinition[];
}

/** Everything that an attribute's value may depend on; all of one request is answered from one moment. */
export interface ReadContext {
  readonly identity: MeterIdentity;
  /** Milliseconds UTC. */
  readonly at: number;
  readonly household: HouseholdValues;
  /** Maximum demand so far today; costs more than the rest, so it is asked for only when read. */
  readonly demand: () => Demand;
  readonly association: AssociationView;
  /** The logical devices behind the same address, this one included. */
  readonly logicalDevices: readonly MeterIdentity[];
}

/** The value of an attribute, or null: it is there, but nobody may read it. */
export type AttributeValue = ((context: ReadContext) => Data) | null;

export interface ObjectDefinition {
  readonly classId: number;
  readonly version: number;
  readonly obis: string;
  /** Attribute 1 first. */
  readonly attributes: readonly AttributeValue[];
  /** How many methods the class has; none of them may be called. */
  readonly methods: number;
  /** Also seen by the public client when the others need a password. */
  readonly isPublic: boolean;
  /** Power of ten of attribute 2; null where it is no register. */
  readonly scaler: number | null;
}

/** Minutes from local time to UTC: these meters keep Central European standard time all year. */
export const DEVIATION = -60;

/** Unit codes of the Blue Book, 4.3.2. */
export const UNIT = { W: 27, var: 29, Wh: 30, varh: 32, A: 33, V: 35, Hz: 44, none: 255 } as const;

export type RegisterType = 'long' | 'long-unsigned' | 'double-long-unsigned' | 'long64-unsigned';

/** How a register holds a quantity: its type, the power of ten of its unit. */
export interface RegisterFormat {
  readonly type: RegisterType;
  readonly scaler: number;
  readonly unit: number;
}

/** The quantity of a register in its unit, unscaled; bigint when it is already in steps of the scaler. */
type Quantity = (context: ReadContext) => number | bigint;

/** Class 1, Data. */
export function dataObject(
  obis: string,
  value: AttributeValue,
  options: { isPublic?: boolean } = {},
): ObjectDefinition {
  return {
    classId: 1,
    version: 0,
    obis,
    attributes: [logicalName(obis), value],
    methods: 0,
    isPublic: options.isPublic ?? false,
    scaler: null,
  };
}

/** Class 3, Register. Counters are cut off to whole steps, other quantities rounded. */
export function register(
  obis: string,
  format: RegisterFormat,
  quantity: Quantity,
  rounding: 'floor' | 'round' = 'round',
): ObjectDefinition {
  return {
    classId: 3,
    version: 0,
    obis,
    attributes: [
      logicalName(obis),
      (context) => rawValue(format, quantity(context), rounding),
      () => scalerUnitData(format),
    ],
    methods: 1,
    isPublic: false,
    scaler: format.scaler,
  };
}

/** Class 4, Extended register: with a status and the moment at which its value was captured. */
export function extendedRegister(
  obis: string,
  format: RegisterFormat,
  quantity: Quantity,
  capturedAt: (context: ReadContext) => number,
): ObjectDefinition {
  return {
    ...register(obis, format, quantity),
    classId: 4,
    attributes: [
      logicalName(obis),
      (context) => rawValue(format, quantity(context), 'round'),
      () => scalerUnitData(format),
      () => ({ type: 'unsigned', value: 0 }),
      (context) => dateTimeData(capturedAt(context)),
    ],
  };
}

export function logicalName(obis: string): AttributeValue {
  const value: Data = { type: 'octet-string', value: obisBytes(obis) };
  return () => value;
}

/** A moment as the octet-string of twelve octets in which the Blue Book carries date-times in attributes. */
export function dateTimeData(at: number): Data {
  return { type: 'octet-string', value: dateTimeBytes(cosemDateTimeOf(at, DEVIATION)) };
}

export function textData(text: string): Data {
  return { type: 'octet-string', value: Uint8Array.from(Buffer.from(text, 'latin1')) };
}

/** The value of a register as exact decimal text with its scaler applied; null when the data is no number. */
export function scaledText(data: Data, scaler: number): string | null {
  if (!('value' in data)) return null;
  const { value } = data;
  if (typeof value !== 'number' && typeof value !== 'bigint') return null;
  return decimalText(decimal(value, scaler));
}

function rawValue({ type, scaler }: RegisterFormat, quantity: number | bigint, rounding: 'floor' | 'round'): Data {
  if (typeof quantity === 'bigint') {
    return type === 'long64-unsigned' ? { type, value: quantity } : { type, value: Number(quantity) };
  }
  const steps = Math[rounding](quantity * 10 ** -scaler);
  return type === 'long64-unsigned' ? { type, value: BigInt(steps) } : { type, value: steps };
}
