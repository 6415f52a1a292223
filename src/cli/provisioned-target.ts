/** A target from its flags, with the token that ThingsBoard gives for `--provision-key` and `--provision-secret`. */
import { fail } from '../core/errors.ts';
import { systemClock } from '../runtime/clock.ts';
import type { NewTarget } from '../store/fleet/types.ts';
import { validToken } from '../store/fleet/validate.ts';
import { provisionToken } from '../thingsboard/provisioning.ts';
import { namesCredentials, type TargetFlags, targetFromFlags } from './target-flags.ts';
import { parseSecretText } from './values.ts';

/** Throws USAGE, PROVISION_*, MQTT_* and what `targetFromFlags` throws. */
export async function targetFromFlagsOrServer(
  name: string,
  flags: TargetFlags,
  signal: AbortSignal,
): Promise<NewTarget> {
  const { provisionKey, provisionSecret, provisionName } = flags;
  if (provisionKey === undefined && provisionSecret === undefined) return targetFromFlags(name, flags);
  if (provisionKey === undefined || provisionSecret === undefined || namesCredentials(flags)) {
    fail('USAGE', 'provisioning takes --provision-key and --provision-secret, and no other credentials');
  }
  // A token is wanted there; the one that comes is taken as it is, never as a file or variable to read.
  const target = targetFromFlags(name, { ...flags, token: 'provision' });
  const token = await provisionToken(
    { target: { ...target, id: 0 }, clock: systemClock, signal },
    {
      key: parseSecretText(provisionKey),
      secret: parseSecretText(provisionSecret),
      deviceName: provisionName ?? 'dlms-multi-meter',
      gateway: target.mode === 'gateway',
    },
  );
  return { ...target, token: validToken(token) };
}
