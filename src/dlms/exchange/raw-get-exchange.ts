/**
 * GET of one attribute as the octets of its value, for values that meters write wrongly and that are understood all the
 * same, such as object lists with a wrong count. The result has them as an octet-string.
 */
import type { Data } from '../axdr/data.ts';
import type { Apdu } from '../xdlms/apdu.ts';
import { invokeIdAndPriorityOf } from '../xdlms/invoke-id.ts';
import type { AttributeReference } from '../xdlms/services.ts';
import { GetExchange } from './get-exchange.ts';

/** get-response, normal, an octet of invoke id, data: `C4 01 C1 00`. */
const GET_RESPONSE_NORMAL = [0xc4, 0x01] as const;
const INVOKE_ID_AT = 2;
const CHOICE_AT = 3;
const DATA = 0;
const VALUE_AT = 4;

export class RawGetExchange extends GetExchange {
  constructor(attribute: AttributeReference) {
    super([{ ...attribute, accessSelection: null }], octetString);
  }

  /** A normal answer with data, which is not looked into; blocks and refusals are left to the codec. */
  decode(plain: Uint8Array): Apdu | null {
    const isData = GET_RESPONSE_NORMAL.every((octet, at) => plain[at] === octet) && plain[CHOICE_AT] === DATA;
    const id = plain[INVOKE_ID_AT];
    if (!isData || id === undefined) return null;
    return {
      apdu: 'get-response',
      type: 'normal',
      invokeIdAndPriority: invokeIdAndPriorityOf(id),
      result: { data: octetString(plain.subarray(VALUE_AT)) },
    };
  }
}

function octetString(value: Uint8Array): Data {
  return { type: 'octet-string', value };
}
