/** SN services (Green Book 9.3.13, 9.5): objects are named by 16-bit short names. */
import {
  boolean,
  type Codec,
  choice,
  dataValue,
  listOf,
  octetString,
  optional,
  sequence,
  unsigned8,
  unsigned16,
} from '../axdr/codec.ts';
import type { Data } from '../axdr/data.ts';
import { type DataAccessResult, dataAccessResultCodec } from './data-access-result.ts';

/** Variable-Access-Specification: one member, named as the standard names the choice. */
export type VariableAccess =
  | { readonly 'variable-name': number }
  | { readonly 'parameterized-access': ParameterizedAccess }
  | { readonly 'block-number-access': { readonly blockNumber: number } }
  | { readonly 'read-data-block-access': ShortNameDatablock }
  | { readonly 'write-data-block-access': { readonly lastBlock: boolean; readonly blockNumber: number } };

export interface ParameterizedAccess {
  readonly variableName: number;
  readonly selector: number;
  readonly parameter: Data;
}

/** A block of SN block transfer; block numbers have 16 bits. */
export interface ShortNameDatablock {
  readonly lastBlock: boolean;
  readonly blockNumber: number;
  readonly rawData: Uint8Array;
}

export type ReadResult =
  | { readonly data: Data }
  | { readonly dataAccessError: DataAccessResult }
  | { readonly dataBlockResult: ShortNameDatablock }
  | { readonly blockNumber: number };

export type WriteResult = 'success' | { readonly dataAccessError: DataAccessResult } | { readonly blockNumber: number };

export interface ReadRequest {
  readonly apdu: 'readRequest';
  readonly variables: readonly VariableAccess[];
}
export interface ReadResponse {
  readonly apdu: 'readResponse';
  readonly results: readonly ReadResult[];
}
export interface WriteRequest {
  readonly apdu: 'writeRequest' | 'unconfirmedWriteRequest';
  readonly variables: readonly VariableAccess[];
  /** One for each variable. */
  readonly data: readonly Data[];
}
export interface WriteResponse {
  readonly apdu: 'writeResponse';
  readonly results: readonly WriteResult[];
}
export interface InformationReportRequest {
  readonly apdu: 'informationReportRequest';
  /** GeneralizedTime as its octets. */
  readonly currentTime: Uint8Array | null;
  readonly variables: readonly VariableAccess[];
  readonly data: readonly Data[];
}

const datablock: Codec<ShortNameDatablock> = sequence<ShortNameDatablock>({
  lastBlock: boolean,
  blockNumber: unsigned16,
  rawData: octetString,
});

const variables: Codec<readonly VariableAccess[]> = listOf(
  choice<VariableAccess>('Variable-Access-Specification', {
    'variable-name': [2, unsigned16],
    'parameterized-access': [
      4,
      sequence<ParameterizedAccess>({ variableName: unsigned16, selector: unsigned8, parameter: dataValue }),
    ],
    'block-number-access': [5, sequence<{ readonly blockNumber: number }>({ blockNumber: unsigned16 })],
    'read-data-block-access': [6, datablock],
    'write-data-block-access': [
      7,
      sequence<{ readonly lastBlock: boolean; readonly blockNumber: number }>({
        lastBlock: boolean,
        blockNumber: unsigned16,
      }),
    ],
  }),
);

const writeRefusal = choice<Exclude<WriteResult, 'success'>>('writeResponse', {
  dataAccessError: [1, dataAccessResultCodec],
  blockNumber: [2, unsigned16],
});

const writeResult: Codec<WriteResult> = {
  decode(reader) {
    if (reader.peek() !== 0) return writeRefusal.decode(reader);
    reader.u8();
    return 'success';
  },
  encode(writer, result) {
    if (result === 'success') writer.u8(0);
    else writeRefusal.encode(writer, result);
  },
};

export const readRequest: Codec<Omit<ReadRequest, 'apdu'>> = sequence<Omit<ReadRequest, 'apdu'>>({ variables });

export const readResponse: Codec<Omit<ReadResponse, 'apdu'>> = sequence<Omit<ReadResponse, 'apdu'>>({
  results: listOf(
    choice<ReadResult>('readResponse', {
      data: [0, dataValue],
      dataAccessError: [1, dataAccessResultCodec],
      dataBlockResult: [2, datablock],
      blockNumber: [3, unsigned16],
    }),
  ),
});

export const writeRequest: Codec<Omit<WriteRequest, 'apdu'>> = sequence<Omit<WriteRequest, 'apdu'>>({
  variables,
  data: listOf(dataValue),
});

export const writeResponse: Codec<Omit<WriteResponse, 'apdu'>> = sequence<Omit<WriteResponse, 'apdu'>>({
  results: listOf(writeResult),
});

export const informationReportRequest: Codec<Omit<InformationReportRequest, 'apdu'>> = sequence<
  Omit<InformationReportRequest, 'apdu'>
>({ currentTime: optional(octetString), variables, data: listOf(dataValue) });
