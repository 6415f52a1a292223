/** The key that a meter signs with: configured, or out of the certificate in its AARE (Green Book 9.2.6, 9.4.2.2). */
import { fromHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import type { Aare } from '../acse/types.ts';
import { agreementOf } from '../security/key-agreement.ts';
import { certifiedKey } from '../security/key-material.ts';
import { securitySuite } from '../security/suite.ts';
import type { MeterSecrets, MeterSettings } from '../settings.ts';

/**
 * A configured key goes before one in a certificate, which has to be of the given authority. null when nothing tells it.
 * Throws AUTHENTICATION_FAILED for a certificate that is not believed.
 */
export function serverSigningKeyOf(
  { respondingAEQualifier: certificate, respondingAPTitle }: Aare,
  { suite, serverSystemTitle }: MeterSettings,
  { serverSigningKey, serverAuthority: authority }: MeterSecrets,
): Uint8Array | null {
  if (serverSigningKey !== null || certificate === undefined || authority === null) return serverSigningKey;
  const title = respondingAPTitle ?? fromHex(serverSystemTitle ?? '');
  const { curve, key } = certifiedKey(certificate, authority, title);
  if (curve !== agreementOf(securitySuite(suite)).curve) {
    fail(
      'AUTHENTICATION_FAILED',
      `the certificate of the meter holds a key of ${curve}, which is not that of suite ${suite}`,
    );
  }
  return key;
}
