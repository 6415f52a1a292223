/** Codecs of the elements that several services share. */
import { ByteReader } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import {
  boolean,
  type Codec,
  choice,
  dataValue,
  type FieldCodecs,
  integer8,
  listOf,
  logicalName,
  octetString,
  optional,
  sequence,
  unsigned8,
  unsigned16,
  unsigned32,
} from '../axdr/codec.ts';
import { DATE_TIME_OCTETS, decodeDateTime } from '../axdr/date-time.ts';
import { decodeLength, encodeOctetString } from '../axdr/length.ts';
import { dataAccessResultCodec } from './data-access-result.ts';
import { type InvokeIdAndPriority, invokeIdCodec } from './invoke-id.ts';
import type {
  AccessSelection,
  AttributeReference,
  AttributeSelection,
  Datablock,
  DatablockHeader,
  DateTimeStamp,
  GetResult,
  MethodReference,
} from './services.ts';

const attributeFields: FieldCodecs<AttributeReference> = {
  classId: unsigned16,
  instanceId: logicalName,
  attributeId: integer8,
};

export const attributeReference: Codec<AttributeReference> = sequence<AttributeReference>(attributeFields);

export const methodReference: Codec<MethodReference> = sequence<MethodReference>({
  classId: unsigned16,
  instanceId: logicalName,
  methodId: integer8,
});

export const accessSelection: Codec<AccessSelection> = sequence<AccessSelection>({
  selector: unsigned8,
  parameters: dataValue,
});

export const attributeSelections: Codec<readonly AttributeSelection[]> = listOf(
  sequence<AttributeSelection>({ ...attributeFields, accessSelection: optional(accessSelection) }),
);

export const datablockHeaderFields: FieldCodecs<DatablockHeader> = { lastBlock: boolean, blockNumber: unsigned32 };
/** DataBlock-SA. */
export const datablockFields: FieldCodecs<Datablock> = { ...datablockHeaderFields, rawData: octetString };

export const getResult: Codec<GetResult> = choice<GetResult>('Get-Data-Result', {
  data: [0, dataValue],
  dataAccessResult: [1, dataAccessResultCodec],
});

/** Twelve octets of date-time without a length. */
function decodeStamp(reader: ByteReader): DateTimeStamp {
  const hex = reader.take(DATE_TIME_OCTETS, 'date-time');
  return { hex, ...decodeDateTime(new ByteReader(hex, reader.layer)) };
}

const OCTET_STRING_TAG = 9;

/**
 * A date-time as OCTET STRING, empty when there is none. Some meters (Kaifa) put the tag of the Data type before the
 * length, `09 0C`; since a date-time has 0 or 12 octets, that cannot be mistaken.
 */
export const dateTimeStamp: Codec<DateTimeStamp | null> = {
  decode(reader) {
    if (reader.peek() === OCTET_STRING_TAG) reader.u8();
    const length = decodeLength(reader);
    if (length === 0) return null;
    if (length !== DATE_TIME_OCTETS) return reader.fail('MALFORMED', `a date-time of ${length} octets`);
    return decodeStamp(reader);
  },
  encode: (writer, stamp) => encodeOctetString(writer, stamp?.hex ?? new Uint8Array(0)),
};

/**
 * A date-time behind a flag, in event notifications. OSGP devices write the tag of the Data type (09) where the flag 01
 * belongs.
 */
export const optionalDateTimeStamp: Codec<DateTimeStamp | null> = {
  decode(reader) {
    const flag = reader.u8('optional flag');
    if (flag === 0) return null;
    if (flag !== 1 && flag !== OCTET_STRING_TAG) return reader.fail('MALFORMED', `${flag} is no flag for the time`);
    const length = decodeLength(reader);
    if (length !== DATE_TIME_OCTETS) return reader.fail('MALFORMED', `a date-time of ${length} octets`);
    return decodeStamp(reader);
  },
  encode(writer, stamp) {
    writer.u8(stamp === null ? 0 : 1);
    if (stamp !== null) encodeOctetString(writer, stamp.hex);
  },
};

/** The fields of an APDU other than those which tag and form octet tell; for each member of a union by itself. */
export type Body<A> = A extends unknown ? Omit<A, 'apdu' | 'type' | 'invokeIdAndPriority'> : never;

interface FormedApdu {
  readonly apdu: string;
  readonly type: string;
  readonly invokeIdAndPriority: InvokeIdAndPriority;
}
export type Forms<A extends FormedApdu> = {
  readonly [Type in A['type']]: readonly [form: number, body: Codec<Body<Extract<A, { readonly type: Type }>>>];
};

/** A service whose second octet tells its form, and whose third is invoke-id-and-priority: GET, SET, ACTION. */
export function formed<A extends FormedApdu>(apdu: A['apdu'], forms: Forms<A>): Codec<A> {
  const entries = Object.entries(forms) as [string, readonly [number, Codec<object>]][];
  return {
    decode(reader) {
      const octet = reader.u8(apdu);
      const found = entries.find(([, [form]]) => form === octet);
      if (found === undefined) return reader.fail('MALFORMED', `${octet} is no form of ${apdu}`);
      const [type, [, body]] = found;
      const header = { apdu, type, invokeIdAndPriority: invokeIdCodec.decode(reader) };
      return Object.assign(header, body.decode(reader)) as unknown as A;
    },
    encode(writer, value) {
      const form = (forms as Readonly<Record<string, readonly [number, Codec<object>]>>)[value.type];
      if (form === undefined) return fail('INVALID_VALUE', `"${value.type}" is no form of ${apdu}`, { layer: 'xdlms' });
      writer.u8(form[0]);
      invokeIdCodec.encode(writer, value.invokeIdAndPriority);
      form[1].encode(writer, value);
    },
  };
}
