/**
 * xDLMS APDUs (Green Book 9.5): one union, one decoder, one encoder. Values are in the vocabulary of `vectors/`: field names
 * of the standard, octet-strings as Uint8Array (views of the input), 64-bit integers as bigint, OBIS codes as dotted text.
 */
import { ByteReader, ByteWriter } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { Codec } from '../axdr/codec.ts';
import {
  type CipheredApdu,
  GENERAL_CIPHERED_TAGS,
  generalCipheringCodec,
  generalGloDedCodec,
  generalSigningCodec,
  SERVICE_CIPHERED_TAGS,
  serviceCipheredCodec,
} from '../security/ciphered.ts';
import { accessRequest, accessResponse } from './access.ts';
import { actionRequest, actionResponse } from './action.ts';
import { type GeneralBlockTransfer, generalBlockTransfer } from './block-transfer.ts';
import { getRequest, getResponse } from './get.ts';
import { type InitiateRequest, type InitiateResponse, initiateRequest, initiateResponse } from './initiate.ts';
import { dataNotification, dataNotificationConfirm, eventNotificationRequest } from './notification.ts';
import {
  type ConfirmedServiceError,
  confirmedServiceError,
  type ExceptionResponse,
  exceptionResponse,
} from './refusal.ts';
import type {
  AccessRequest,
  AccessResponse,
  ActionRequest,
  ActionResponse,
  DataNotification,
  DataNotificationConfirm,
  EventNotificationRequest,
  GetRequest,
  GetResponse,
  SetRequest,
  SetResponse,
} from './services.ts';
import { setRequest, setResponse } from './set.ts';
import {
  type InformationReportRequest,
  informationReportRequest,
  type ReadRequest,
  type ReadResponse,
  readRequest,
  readResponse,
  type WriteRequest,
  type WriteResponse,
  writeRequest,
  writeResponse,
} from './short-name.ts';

export type Apdu =
  | InitiateRequest
  | InitiateResponse
  | ConfirmedServiceError
  | ExceptionResponse
  | GetRequest
  | GetResponse
  | SetRequest
  | SetResponse
  | ActionRequest
  | ActionResponse
  | AccessRequest
  | AccessResponse
  | DataNotification
  | DataNotificationConfirm
  | EventNotificationRequest
  | ReadRequest
  | ReadResponse
  | WriteRequest
  | WriteResponse
  | InformationReportRequest
  | GeneralBlockTransfer
  | CipheredApdu;

export type ApduName = Apdu['apdu'];

/** Reads and writes what follows the tag; the name of the APDU is added by whoever reads. */
type Body = Codec<object>;
interface Entry {
  readonly apdu: ApduName;
  readonly tag: number;
  readonly body: Body;
}

const entry = (apdu: ApduName, tag: number, body: Body): Entry => ({ apdu, tag, body });

const ENTRIES: readonly Entry[] = [
  entry('initiateRequest', 1, initiateRequest),
  entry('readRequest', 5, readRequest),
  entry('writeRequest', 6, writeRequest),
  entry('initiateResponse', 8, initiateResponse),
  entry('readResponse', 12, readResponse),
  entry('writeResponse', 13, writeResponse),
  entry('confirmedServiceError', 14, confirmedServiceError),
  entry('data-notification', 15, dataNotification),
  entry('data-notification-confirm', 16, dataNotificationConfirm),
  entry('unconfirmedWriteRequest', 22, writeRequest),
  entry('informationReportRequest', 24, informationReportRequest),
  entry('get-request', 192, getRequest),
  entry('set-request', 193, setRequest),
  entry('event-notification-request', 194, eventNotificationRequest),
  entry('action-request', 195, actionRequest),
  entry('get-response', 196, getResponse),
  entry('set-response', 197, setResponse),
  entry('action-response', 199, actionResponse),
  entry('exception-response', 216, exceptionResponse),
  entry('access-request', 217, accessRequest),
  entry('access-response', 218, accessResponse),
  entry('general-glo-ciphering', GENERAL_CIPHERED_TAGS['general-glo-ciphering'], generalGloDedCodec),
  entry('general-ded-ciphering', GENERAL_CIPHERED_TAGS['general-ded-ciphering'], generalGloDedCodec),
  entry('general-ciphering', GENERAL_CIPHERED_TAGS['general-ciphering'], generalCipheringCodec),
  entry('general-signing', GENERAL_CIPHERED_TAGS['general-signing'], generalSigningCodec),
  entry('general-block-transfer', 224, generalBlockTransfer),
  ...Object.entries(SERVICE_CIPHERED_TAGS).map(([apdu, tag]) => entry(apdu as ApduName, tag, serviceCipheredCodec)),
];

const BY_TAG: ReadonlyMap<number, Entry> = new Map(ENTRIES.map((one) => [one.tag, one]));
const BY_NAME: ReadonlyMap<string, Entry> = new Map(ENTRIES.map((one) => [one.apdu, one]));

/**
 * Decodes one whole APDU. Throws TRUNCATED, MALFORMED (also for a tag that is no xDLMS APDU), TRAILING_BYTES,
 * LIMIT_EXCEEDED or UNSUPPORTED. Ciphered APDUs are taken apart, not opened.
 */
export function decodeApdu(octets: Uint8Array): Apdu {
  const reader = new ByteReader(octets, 'xdlms');
  const apdu = readApdu(reader);
  reader.expectEnd('APDU');
  return apdu;
}

/** Decodes one APDU and leaves what follows it: several stand in one frame sometimes. */
export function readApdu(reader: ByteReader): Apdu {
  const tag = reader.u8('APDU tag');
  const found = BY_TAG.get(tag);
  if (found === undefined) {
    return reader.fail('MALFORMED', `tag ${tag.toString(16).padStart(2, '0')} is no xDLMS APDU`);
  }
  return { apdu: found.apdu, ...found.body.decode(reader) } as Apdu;
}

/** Encodes an APDU. Throws INVALID_VALUE when a value does not fit its type. */
export function encodeApdu(apdu: Apdu): Uint8Array {
  const found = BY_NAME.get(apdu.apdu);
  if (found === undefined) return fail('INVALID_VALUE', `"${apdu.apdu}" is no APDU`, { layer: 'xdlms' });
  const writer = new ByteWriter();
  writer.u8(found.tag);
  found.body.encode(writer, apdu);
  return writer.finish();
}

/** Whether the first octet is the tag of an xDLMS APDU. */
export function isApduTag(tag: number): boolean {
  return BY_TAG.has(tag);
}
