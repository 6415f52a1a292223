/** ACTION (Green Book 9.3.12): action-request [195] and action-response [199]. */
import { type Codec, dataValue, listOf, optional, sequence, unsigned32 } from '../axdr/codec.ts';
import { actionResultCodec } from './data-access-result.ts';
import { datablockFields, formed, getResult, methodReference } from './elements.ts';
import type { ActionOutcome, ActionRequest, ActionResponse } from './services.ts';

export const actionRequest: Codec<ActionRequest> = formed<ActionRequest>('action-request', {
  normal: [1, sequence({ method: methodReference, parameters: optional(dataValue) })],
  'next-pblock': [2, sequence({ blockNumber: unsigned32 })],
  'with-list': [3, sequence({ methods: listOf(methodReference), parameters: listOf(dataValue) })],
  'with-first-pblock': [4, sequence({ method: methodReference, ...datablockFields })],
  'with-list-and-first-pblock': [5, sequence({ methods: listOf(methodReference), ...datablockFields })],
  'with-pblock': [6, sequence(datablockFields)],
});

const outcomeFields = { result: actionResultCodec, returnParameters: optional(getResult) };

export const actionResponse: Codec<ActionResponse> = formed<ActionResponse>('action-response', {
  normal: [1, sequence(outcomeFields)],
  'with-pblock': [2, sequence(datablockFields)],
  'with-list': [3, sequence({ results: listOf(sequence<ActionOutcome>(outcomeFields)) })],
  'next-pblock': [4, sequence({ blockNumber: unsigned32 })],
});
