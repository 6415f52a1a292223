/** GET (Green Book 9.3.10): get-request [192] and get-response [196]. */
import { type Codec, choice, joined, listOf, octetString, optional, sequence, unsigned32 } from '../axdr/codec.ts';
import { type DataAccessResult, dataAccessResultCodec } from './data-access-result.ts';
import {
  accessSelection,
  attributeReference,
  attributeSelections,
  datablockHeaderFields,
  formed,
  getResult,
} from './elements.ts';
import type { DatablockHeader, GetDatablock, GetRequest, GetResponse } from './services.ts';

export const getRequest: Codec<GetRequest> = formed<GetRequest>('get-request', {
  normal: [1, sequence({ attribute: attributeReference, accessSelection: optional(accessSelection) })],
  next: [2, sequence({ blockNumber: unsigned32 })],
  'with-list': [3, sequence({ attributes: attributeSelections })],
});

type BlockContents = { readonly rawData: Uint8Array } | { readonly dataAccessResult: DataAccessResult };

/** DataBlock-G: the result is a CHOICE of raw data and data-access-result. */
const getDatablock: Codec<GetDatablock> = joined(
  sequence<DatablockHeader>(datablockHeaderFields),
  choice<BlockContents>('DataBlock-G result', {
    rawData: [0, octetString],
    dataAccessResult: [1, dataAccessResultCodec],
  }),
);

export const getResponse: Codec<GetResponse> = formed<GetResponse>('get-response', {
  normal: [1, sequence({ result: getResult })],
  'with-datablock': [2, getDatablock],
  'with-list': [3, sequence({ results: listOf(getResult) })],
});
