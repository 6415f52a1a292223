/** An APDU of either kind: the first octet tells ACSE from xDLMS. */
import { fail } from '../../core/errors.ts';
import { decodeAcse, isAcseTag } from '../acse/acse.ts';
import type { AcseApdu } from '../acse/types.ts';
import { type Apdu, decodeApdu } from '../xdlms/apdu.ts';

/** Decodes one whole APDU. Throws as `decodeAcse` and `decodeApdu` do. */
export function decodeAnyApdu(octets: Uint8Array): AcseApdu | Apdu {
  const tag = octets[0];
  if (tag === undefined) return fail('TRUNCATED', 'an APDU has at least its tag', { layer: 'xdlms' });
  return isAcseTag(tag) ? decodeAcse(octets) : decodeApdu(octets);
}
