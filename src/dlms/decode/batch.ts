/** `dlms decode --batch`: octets of one layer each, as in `vectors/`, in the vocabulary of their `expect`. */
import { ByteReader, fromHex } from '../../core/bytes.ts';
import { type ErrorReport, fail } from '../../core/errors.ts';
import { decodeAcse } from '../acse/acse.ts';
import { parseData } from '../axdr/data.ts';
import {
  DATE_OCTETS,
  DATE_TIME_OCTETS,
  decodeDate,
  decodeTime,
  parseDateTime,
  TIME_OCTETS,
  utcIsoText,
} from '../axdr/date-time.ts';
import { decodeLength } from '../axdr/length.ts';
import { typeOfTag } from '../axdr/scalar.ts';
import { decodeWrapper } from '../wrapper.ts';
import { decodeApdu } from '../xdlms/apdu.ts';
import { decodeConformanceContents } from '../xdlms/conformance.ts';
import { invokeIdAndPriorityOf } from '../xdlms/invoke-id.ts';
import { decodeAnyApdu } from './apdu.ts';
import { attempt } from './attempt.ts';
import { decodeHdlc } from './hdlc.ts';
import { decodeModeE } from './mode-e.ts';
import { type JsonObject, presentObject } from './present.ts';
import { decodePush } from './push.ts';
import { decodeSecurityVector } from './security-vector.ts';

export interface BatchVector {
  readonly id: string;
  readonly layer: string;
  readonly hex: string;
  /** What the octets are (`unit`), and what opens them: keys, titles, challenges. */
  readonly context?: BatchContext;
}

type BatchContext = Readonly<Record<string, unknown>>;

export type BatchResult = JsonObject | { readonly valid: false; readonly error: ErrorReport };

/** One result for each vector, in their order. Malformed octets give `valid: false`, they never throw. */
export function decodeBatch(vectors: readonly BatchVector[]): { readonly id: string; readonly result: BatchResult }[] {
  return vectors.map(({ id, layer, hex, context }) => {
    const { value, error } = attempt(() => decodeLayer(layer, fromHex(hex), context ?? {}));
    return { id, result: error === null ? value : { valid: false, error } };
  });
}

type Decode = (octets: Uint8Array) => JsonObject;
/** Layers by name; in each, what the octets are by unit. The first is what they are without a unit. */
const LAYERS: Readonly<Record<string, Readonly<Record<string, Decode>>>> = {
  axdr: {
    data: (octets) => presentObject({ data: parseData(octets) }),
    length: decodeLengthField,
    header: decodeHeader,
  },
  datetime: { 'date-time': decodeDateOrTime },
  acse: {
    pdu: (octets) => presentObject(decodeAcse(octets)),
    conformance: (octets) => ({ kind: 'conformance', ...presentObject(whole(octets, decodeConformanceContents)) }),
  },
  apdu: {
    pdu: (octets) => presentObject(decodeApdu(octets)),
    'invoke-id-and-priority': (octets) =>
      presentObject(invokeIdAndPriorityOf(whole(octets, (reader) => reader.u8('invoke-id-and-priority')))),
  },
  wrapper: { message: decodeWrapperMessage },
};

function decodeLayer(layer: string, octets: Uint8Array, context: BatchContext): JsonObject {
  const unit = typeof context.unit === 'string' ? context.unit : undefined;
  if (layer === 'hdlc') return decodeHdlc(octets, unit);
  if (layer === 'security') return presentObject(decodeSecurityVector(octets, context));
  if (layer === 'push') return decodePush(octets, context);
  if (layer === 'mode-e') return decodeModeE(octets);
  const units = LAYERS[layer];
  if (units === undefined) return fail('UNSUPPORTED', `the layer "${layer}" is not decoded yet`);
  const decode = unit === undefined ? Object.values(units)[0] : units[unit];
  if (decode === undefined) return fail('UNSUPPORTED', `"${unit}" is no unit of the layer "${layer}"`);
  return decode(octets);
}

function decodeLengthField(octets: Uint8Array): JsonObject {
  return { kind: 'length', length: whole(octets, decodeLength), octetsConsumed: octets.length };
}

/** Tag and count of an array or structure whose elements are not there. */
function decodeHeader(octets: Uint8Array): JsonObject {
  return whole(octets, (reader) => {
    const type = typeOfTag(reader.u8('tag'));
    if (type !== 'array' && type !== 'structure') return reader.fail('MALFORMED', 'no header of an array or structure');
    return { kind: `${type}-header`, count: decodeLength(reader) };
  });
}

/** Date-time, date or time: their lengths differ. */
function decodeDateOrTime(octets: Uint8Array): JsonObject {
  switch (octets.length) {
    case DATE_TIME_OCTETS: {
      const dateTime = parseDateTime(octets);
      return { kind: 'date-time', ...presentObject(dateTime), utcIso: utcIsoText(dateTime) };
    }
    case DATE_OCTETS:
      return { kind: 'date', ...presentObject(whole(octets, decodeDate)) };
    case TIME_OCTETS:
      return { kind: 'time', ...presentObject(whole(octets, decodeTime)) };
    default:
      return fail('MALFORMED', `a date-time has 12 octets, a date 5, a time 4; these are ${octets.length}`, {
        layer: 'cosem',
      });
  }
}

/** The header and, where the octets inside are an APDU, what it says. The wrapper itself does not look inside. */
function decodeWrapperMessage(octets: Uint8Array): JsonObject {
  const { apdu: inside, ...header } = decodeWrapper(octets);
  const apdu = attempt(() => decodeAnyApdu(inside)).value;
  return { ...(apdu === null ? {} : presentObject(apdu)), ...presentObject({ ...header, apduHex: inside }) };
}

function whole<T>(octets: Uint8Array, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(octets, 'axdr');
  const value = read(reader);
  reader.expectEnd('value');
  return value;
}
