/** A target from its flags, with the token that ThingsBoard gives for `--provision-key` and `--provision-secret`. */
import type { NewTarget } from '../../store/fleet/types.ts';
import { provisionedToken, wantsProvisioning } from '../flags/provision-flags.ts';
import { namesCredentials, type TargetFlags, targetFromFlags } from '../flags/target-flags.ts';

/** Throws USAGE, PROVISION_*, MQTT_* and what `targetFromFlags` throws. */
export async function targetFromFlagsOrServer(
  name: string,
  flags: TargetFlags,
  signal: AbortSignal,
): Promise<NewTarget> {
  if (!wantsProvisioning(flags, namesCredentials(flags))) return targetFromFlags(name, flags);
  // A token is wanted there; the one that comes is taken as it is, never as a file or variable to read.
  const target = targetFromFlags(name, { ...flags, token: 'provision' });
  const device = { name: 'dlms-multi-meter', gateway: target.mode === 'gateway' };
  return { ...target, token: await provisionedToken({ ...target, id: 0 }, flags, device, signal) };
}
