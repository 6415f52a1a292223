/** A GMAC value (SC || IC || tag), as both sides of HLS GMAC answer a challenge. */
import { fail } from '../../core/errors.ts';
import { type GmacValue, verifyGmacValue } from '../security/hls.ts';
import { attempt } from './attempt.ts';
import type { Findings } from './findings.ts';
import { presentObject } from './present.ts';
import type { DecodeKeys } from './security.ts';

/** As octet-string Data, the way it stands in reply_to_HLS_authentication. */
const OCTET_STRING = 0x09;
const GMAC_VALUE_OCTETS = 17;

/** Verifies a GMAC value with the keys and title of who made it. Throws KEY_MISSING, DECRYPT_FAILED, MALFORMED, TRUNCATED. */
export function openGmacValue(octets: Uint8Array, keys: DecodeKeys, challenge: Uint8Array): GmacValue {
  const { encryptionKey, authenticationKey, systemTitle } = keys;
  return verifyGmacValue(octets, {
    encryptionKey,
    authenticationKey,
    systemTitle: systemTitle ?? noTitle(),
    challenge,
  });
}

/** The same as a layer of `decode`. */
export function gmacValueLayer(octets: Uint8Array, keys: DecodeKeys, challenge: Uint8Array, findings: Findings): void {
  const isData = octets[0] === OCTET_STRING && octets[1] === GMAC_VALUE_OCTETS;
  const value = isData ? octets.subarray(2) : octets;
  const opened = attempt(() => openGmacValue(value, keys, challenge));
  if (opened.error !== null) {
    findings.layer(
      'security',
      presentObject({ kind: 'hls-gmac-value', hex: octets, valid: false, error: opened.error }),
    );
    findings.wrong(opened.error);
    return;
  }
  const { securityControl, invocationCounter, tag } = opened.value;
  const shown = { kind: 'hls-gmac-value', securityControl: securityControl.raw, invocationCounter, tag, valid: true };
  findings.layer('security', presentObject(shown));
}

function noTitle(): never {
  return fail('KEY_MISSING', 'the system title of the sender is needed', { hint: 'give --system-title' });
}
