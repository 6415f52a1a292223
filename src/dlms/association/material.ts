/** What protects an association, from settings and secrets: titles, keys, policy. */
import { fromHex } from '../../core/bytes.ts';
import { fail } from '../../core/errors.ts';
import { quirksOf } from '../quirks.ts';
import { SYSTEM_TITLE_OCTETS } from '../security/gcm.ts';
import type { AssociationOptions } from './association.ts';
import { ApduSecurity } from './security.ts';

/** The meter's, where it is configured. Throws INVALID_VALUE. */
export function serverTitleOf({ settings: { serverSystemTitle } }: AssociationOptions): Uint8Array | null {
  return serverSystemTitle === null ? null : titleOf(serverSystemTitle, 'meter');
}

/** Ours. Throws INVALID_VALUE. */
export function clientTitleOf({ settings, systemTitle }: AssociationOptions): Uint8Array {
  return settings.systemTitle === null ? systemTitle : titleOf(settings.systemTitle, 'client');
}

function titleOf(digits: string, whose: string): Uint8Array {
  const title = fromHex(digits);
  if (title.length === SYSTEM_TITLE_OCTETS) return title;
  return fail('INVALID_VALUE', `the system title of the ${whose} has ${title.length} octets, not 8`, {
    layer: 'security',
  });
}

/** The security context of one association whose settings want protection. */
export function apduSecurityOf(options: AssociationOptions, dedicatedKey: Uint8Array | null): ApduSecurity {
  const { settings, secrets, random, takeCounter } = options;
  const { security: policy, suite, protection, signing, acceptUnverified } = settings;
  if (policy === 'none') return fail('INTERNAL', 'a security context without security', { layer: 'security' });
  return new ApduSecurity({
    ...secrets,
    policy,
    suite,
    protection,
    signing,
    acceptUnverified,
    random,
    clientTitle: clientTitleOf(options),
    serverTitle: serverTitleOf(options),
    dedicatedKey,
    omitsSystemTitle: quirksOf(settings).emptySystemTitle,
    takeCounter,
  });
}
