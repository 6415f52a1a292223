/** initiateRequest [1] and initiateResponse [8] (Green Book 9.4.6.1): what a client proposes and a server grants. */
import type { ByteReader, ByteWriter } from '../../core/bytes.ts';
import {
  type Codec,
  decodeFlag,
  integer8,
  octetString,
  optional,
  sequence,
  unsigned8,
  unsigned16,
} from '../axdr/codec.ts';
import { type Conformance, type ConformanceBit, conformance, conformanceCodec } from './conformance.ts';

export interface InitiateRequest {
  readonly apdu: 'initiateRequest';
  readonly dedicatedKey: Uint8Array | null;
  readonly responseAllowed: boolean;
  readonly proposedQualityOfService: number | null;
  readonly proposedDlmsVersion: number;
  readonly proposedConformance: Conformance;
  /** Octets; 0 for no limit. */
  readonly clientMaxReceivePduSize: number;
}

export interface InitiateResponse {
  readonly apdu: 'initiateResponse';
  readonly negotiatedQualityOfService: number | null;
  readonly negotiatedDlmsVersion: number;
  readonly negotiatedConformance: Conformance;
  /** Octets; 0 for no limit. */
  readonly serverMaxReceivePduSize: number;
  /** Hex text: `0007` with LN referencing; with SN the base name of the association, `fa00`. */
  readonly vaaName: string;
}

export const DLMS_VERSION = 6;
/** vaa-name by referencing. */
export const VAA_NAMES = { ln: '0007', sn: 'fa00' } as const;

/** A plain request: no dedicated key, response allowed, no quality of service. */
export function initiateRequestOf(bits: Iterable<ConformanceBit>, maxPdu: number): InitiateRequest {
  return {
    apdu: 'initiateRequest',
    dedicatedKey: null,
    responseAllowed: true,
    proposedQualityOfService: null,
    proposedDlmsVersion: DLMS_VERSION,
    proposedConformance: conformance(bits),
    clientMaxReceivePduSize: maxPdu,
  };
}

export function initiateResponseOf(
  bits: Iterable<ConformanceBit>,
  maxPdu: number,
  referencing: 'ln' | 'sn' = 'ln',
): InitiateResponse {
  return {
    apdu: 'initiateResponse',
    negotiatedQualityOfService: null,
    negotiatedDlmsVersion: DLMS_VERSION,
    negotiatedConformance: conformance(bits),
    serverMaxReceivePduSize: maxPdu,
    vaaName: VAA_NAMES[referencing],
  };
}

/** BOOLEAN DEFAULT TRUE: 00 when it is the default, else 01 and the value. */
const responseAllowed: Codec<boolean> = {
  decode: (reader) => !decodeFlag(reader) || reader.u8('response-allowed') !== 0,
  encode: (writer, value) => void (value ? writer.u8(0) : writer.u8(1).u8(0)),
};

const objectName: Codec<string> = {
  decode: (reader: ByteReader) => reader.u16('vaa-name').toString(16).padStart(4, '0'),
  encode: (writer: ByteWriter, name) => void writer.u16(Number.parseInt(name, 16)),
};

export const initiateRequest: Codec<Omit<InitiateRequest, 'apdu'>> = sequence<Omit<InitiateRequest, 'apdu'>>({
  dedicatedKey: optional(octetString),
  responseAllowed,
  proposedQualityOfService: optional(integer8),
  proposedDlmsVersion: unsigned8,
  proposedConformance: conformanceCodec,
  clientMaxReceivePduSize: unsigned16,
});

export const initiateResponse: Codec<Omit<InitiateResponse, 'apdu'>> = sequence<Omit<InitiateResponse, 'apdu'>>({
  negotiatedQualityOfService: optional(integer8),
  negotiatedDlmsVersion: unsigned8,
  negotiatedConformance: conformanceCodec,
  serverMaxReceivePduSize: unsigned16,
  vaaName: objectName,
});
