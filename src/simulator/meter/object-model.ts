/**
 * How the objects of a virtual meter are written down: interface class, logical name, and one function per attribute
 * that gives its value in a context. A definition is shared by all meters; what differs comes with the context.
 */
import { decimal, decimalText } from '../../core/decimal.ts';
import type { ApplicationContext, Mechanism } from '../../dlms/acse/names.ts';
import type { Data } from '../../dlms/axdr/data.ts';
import { cosemDateTimeOf, dateTimeBytes } from '../../dlms/axdr/date-time.ts';
import { obisBytes } from '../../dlms/axdr/obis.ts';
import { scalerUnitData } from '../../dlms/cosem/scaler-unit.ts';
import type { AccessSelection } from '../../dlms/xdlms/services.ts';
import type { Demand, HouseholdValues } from './household.ts';
import type { MeterSecurity } from './meter-security.ts';
import type { MeterEvent, MeterState } from './meter-state.ts';
import type { Push } from './push-object.ts';
import type { ShortNameTable } from './short-name-table.ts';

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
  readonly context: ApplicationContext;
  readonly mechanism: Mechanism;
  /** System title that the client gave; empty without one. */
  readonly clientTitle: Uint8Array;
  /** 24 bits, text of 0 and 1. */
  readonly conformance: string;
  readonly maxReceivePdu: number;
  readonly maxSendPdu: number;
  /** What this client may see. */
  readonly objects: readonly ObjectDefinition[];
  /** Whether it may write and call as well. */
  readonly mayChange: boolean;
  /** null in a meter of logical names. */
  readonly shortNames: ShortNameTable | null;
}

/** Everything that an attribute's value may depend on; all of one request is answered from one moment. */
export interface MeterContext {
  readonly identity: MeterIdentity;
  /** Milliseconds UTC. */
  readonly at: number;
  readonly household: HouseholdValues;
  /** Maximum demand so far today; costs more than the rest, so it is asked for only when read. */
  readonly demand: () => Demand;
  readonly association: AssociationView;
  /** The logical devices behind the same address, this one included. */
  readonly logicalDevices: readonly MeterIdentity[];
  readonly state: MeterState;
  readonly security: MeterSecurity;
  /** The last invocation counter taken of a client. */
  readonly invocationCounter: () => number;
  /** All that happened until now, oldest first. */
  readonly events: () => readonly MeterEvent[];
  readonly profiles: ProfileOptions;
  /** Sends something unasked. */
  readonly push: (push: Push) => void;
  /** The same meter at another moment, milliseconds UTC: what a profile captured then. */
  readonly when: (at: number) => MeterContext;
}

/** How profiles come out. */
export interface ProfileOptions {
  /** null-data in place of a clock that is one capture period on, and of values as in the row before. */
  readonly compressed: boolean;
  readonly order: 'fifo' | 'lifo';
}

/** The value of an attribute, or null: it is there, but nobody may read it. */
export type AttributeValue = ((context: MeterContext) => Data) | null;

/** Result codes of reading, writing and calling (Data-Access-Result and Action-Result, Green Book 9.5). */
export const RESULT = {
  success: 0,
  readWriteDenied: 3,
  objectUndefined: 4,
  objectClassInconsistent: 9,
  typeUnmatched: 12,
  scopeOfAccessViolated: 13,
  otherReason: 250,
} as const;
export type ResultCode = (typeof RESULT)[keyof typeof RESULT];

/** Takes a value, or tells why not. */
export type AttributeWrite = (context: MeterContext, value: Data) => ResultCode;

/** Selective access: which selectors there are, and what they give. */
export interface AttributeSelectors {
  readonly selectors: readonly number[];
  readonly select: (context: MeterContext, selection: AccessSelection) => Data | { readonly refused: ResultCode };
}

export interface MethodOutcome {
  readonly result: ResultCode;
  readonly returned: Data | null;
}

/** Parameters are null when the request has none. */
export type Method = (context: MeterContext, parameters: Data | null) => MethodOutcome;

export const DONE: MethodOutcome = { result: RESULT.success, returned: null };

export function refused(result: ResultCode): MethodOutcome {
  return { result, returned: null };
}

export interface ObjectDefinition {
  readonly classId: number;
  readonly version: number;
  readonly obis: string;
  /** Attribute 1 first. */
  readonly attributes: readonly AttributeValue[];
  /** Attributes that may be written, by number. */
  readonly writes?: Readonly<Record<number, AttributeWrite>>;
  /** Attributes with selective access, by number. */
  readonly selections?: Readonly<Record<number, AttributeSelectors>>;
  /** How many methods the class has. */
  readonly methods: number;
  /** Those that may be called, by number. */
  readonly calls?: Readonly<Record<number, Method>>;
  /** Also seen by the public client when the others need a password. */
  readonly isPublic: boolean;
  /** Power of ten of attribute 2; null where it is no register. */
  readonly scaler: number | null;
}

/** Logical name of the association that a client is in. */
export const CURRENT_ASSOCIATION = '0.0.40.0.0.255';

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
type Quantity = (context: MeterContext) => number | bigint;

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

/** Class 3, Register: a quantity of the moment. It cannot be reset: the next measurement would undo it. */
export function register(obis: string, format: RegisterFormat, quantity: Quantity): ObjectDefinition {
  return {
    classId: 3,
    version: 0,
    obis,
    attributes: [
      logicalName(obis),
      (context) => rawData(format, steps(format, quantity(context), 'round')),
      () => scalerUnitData(format),
    ],
    methods: 1,
    isPublic: false,
    scaler: format.scaler,
  };
}

/** Class 3, Register that counts, cut off to whole steps; method reset lets it begin from zero. */
export function counter(obis: string, format: RegisterFormat, quantity: Quantity): ObjectDefinition {
  const counted = (context: MeterContext): bigint => steps(format, quantity(context), 'floor');
  return {
    ...register(obis, format, quantity),
    attributes: [
      logicalName(obis),
      (context) => {
        const from = context.state.resetBefore(obis, context.at)?.counted ?? 0n;
        return rawData(format, counted(context) - from);
      },
      () => scalerUnitData(format),
    ],
    calls: {
      1: (context) => {
        context.state.reset(obis, context.at, counted(context));
        return DONE;
      },
    },
  };
}

/** Class 4, Extended register: with a status and the moment at which its value was captured. Reset begins a new search. */
export function extendedRegister(
  obis: string,
  format: RegisterFormat,
  quantity: Quantity,
  capturedAt: (context: MeterContext) => number,
): ObjectDefinition {
  return {
    ...register(obis, format, quantity),
    classId: 4,
    attributes: [
      logicalName(obis),
      (context) => rawData(format, steps(format, quantity(context), 'round')),
      () => scalerUnitData(format),
      () => ({ type: 'unsigned', value: 0 }),
      (context) => dateTimeData(capturedAt(context)),
    ],
    calls: {
      1: ({ state, at }) => {
        state.reset(obis, at, 0n);
        return DONE;
      },
    },
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

/** A quantity in steps of the register's scaler. */
function steps({ scaler }: RegisterFormat, quantity: number | bigint, rounding: 'floor' | 'round'): bigint {
  return typeof quantity === 'bigint' ? quantity : BigInt(Math[rounding](quantity * 10 ** -scaler));
}

function rawData({ type }: RegisterFormat, raw: bigint): Data {
  return type === 'long64-unsigned' ? { type, value: raw } : { type, value: Number(raw) };
}
