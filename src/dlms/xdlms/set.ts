/** SET (Green Book 9.3.11): set-request [193] and set-response [197]. */
import { type Codec, dataValue, listOf, optional, sequence, unsigned32 } from '../axdr/codec.ts';
import { dataAccessResultCodec } from './data-access-result.ts';
import { accessSelection, attributeReference, attributeSelections, datablockFields, formed } from './elements.ts';
import type { SetRequest, SetResponse } from './services.ts';

const attributeFields = { attribute: attributeReference, accessSelection: optional(accessSelection) };

export const setRequest: Codec<SetRequest> = formed<SetRequest>('set-request', {
  normal: [1, sequence({ ...attributeFields, value: dataValue })],
  'with-first-datablock': [2, sequence({ ...attributeFields, ...datablockFields })],
  'with-datablock': [3, sequence(datablockFields)],
  'with-list': [4, sequence({ attributes: attributeSelections, values: listOf(dataValue) })],
  'with-list-and-first-datablock': [5, sequence({ attributes: attributeSelections, ...datablockFields })],
});

const results = listOf(dataAccessResultCodec);

export const setResponse: Codec<SetResponse> = formed<SetResponse>('set-response', {
  normal: [1, sequence({ result: dataAccessResultCodec })],
  datablock: [2, sequence({ blockNumber: unsigned32 })],
  'last-datablock': [3, sequence({ result: dataAccessResultCodec, blockNumber: unsigned32 })],
  'last-datablock-with-list': [4, sequence({ results, blockNumber: unsigned32 })],
  'with-list': [5, sequence({ results })],
});
