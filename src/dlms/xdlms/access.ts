/** ACCESS (Green Book 9.3.14): access-request [217] and access-response [218], several reads, writes and calls in one. */

import { fail } from '../../core/errors.ts';
import { type Codec, dataValue, listOf, optional, sequence } from '../axdr/codec.ts';
import { dataAccessResultCodec } from './data-access-result.ts';
import { accessSelection, attributeReference, dateTimeStamp, methodReference } from './elements.ts';
import { longInvokeIdCodec } from './invoke-id.ts';
import type { AccessOutcome, AccessRequest, AccessResponse, AccessSelection, AccessSpecification } from './services.ts';

const CHOICES = ['get', 'set', 'action', 'get-with-selection', 'set-with-selection'] as const;

const selection: Codec<{ readonly accessSelection: AccessSelection }> = sequence({ accessSelection });

const specification: Codec<AccessSpecification> = {
  decode(reader) {
    const access = CHOICES[reader.u8('access-request specification') - 1];
    switch (access) {
      case undefined:
        return reader.fail('MALFORMED', 'no choice of Access-Request-Specification');
      case 'action':
        return { access, ...methodReference.decode(reader) };
      case 'get':
      case 'set':
        return { access, ...attributeReference.decode(reader) };
      default:
        return { access, ...attributeReference.decode(reader), ...selection.decode(reader) };
    }
  },
  encode(writer, value) {
    writer.u8(CHOICES.indexOf(value.access) + 1);
    if (value.access === 'action') return methodReference.encode(writer, value);
    attributeReference.encode(writer, value);
    if ('accessSelection' in value) selection.encode(writer, value);
  },
};

const OUTCOMES = ['get', 'set', 'action'] as const;

const outcome: Codec<AccessOutcome> = {
  decode(reader) {
    const access = OUTCOMES[reader.u8('access-response specification') - 1];
    if (access === undefined) return reader.fail('MALFORMED', 'no choice of Access-Response-Specification');
    return { access, result: dataAccessResultCodec.decode(reader) };
  },
  encode(writer, { access, result }) {
    const index = OUTCOMES.indexOf(access);
    if (index < 0) fail('INVALID_VALUE', `"${access}" is no access`, { layer: 'xdlms' });
    writer.u8(index + 1);
    dataAccessResultCodec.encode(writer, result);
  },
};

const header = { longInvokeIdAndPriority: longInvokeIdCodec, dateTime: dateTimeStamp };

export const accessRequest: Codec<Omit<AccessRequest, 'apdu'>> = sequence<Omit<AccessRequest, 'apdu'>>({
  ...header,
  specifications: listOf(specification),
  data: listOf(dataValue),
});

export const accessResponse: Codec<Omit<AccessResponse, 'apdu'>> = sequence<Omit<AccessResponse, 'apdu'>>({
  ...header,
  specifications: optional(listOf(specification)),
  data: listOf(dataValue),
  results: listOf(outcome),
});
