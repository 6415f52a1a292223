/** The flags by which ThingsBoard makes a device: key and secret of its device profile. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Target } from '../../store/fleet/types.ts';
import { validToken } from '../../store/fleet/validate.ts';
import { parseSecretText } from './values.ts';

export interface ProvisionFlags {
  readonly provisionKey?: string;
  readonly provisionSecret?: string;
  readonly provisionName?: string;
}

/** `device`: the name of the device unless another is given, for the help. */
export function addProvisionFlags(command: Command, device: string): Command {
  return command
    .option('--provision-key <key>', 'has ThingsBoard make the device: key of its device profile; file: and env: work')
    .option('--provision-secret <secret>', 'for --provision-key; file: and env: work')
    .option('--provision-name <name>', `name of the device that is made (${device})`);
}

/** `otherwise`: other credentials are given too. Throws USAGE when the flags are not whole. */
export function wantsProvisioning({ provisionKey, provisionSecret }: ProvisionFlags, otherwise: boolean): boolean {
  if (provisionKey === undefined && provisionSecret === undefined) return false;
  if (provisionKey === undefined || provisionSecret === undefined || otherwise) {
    fail('USAGE', 'provisioning takes --provision-key and --provision-secret, and no other credentials');
  }
  return true;
}

/** The access token of the device that ThingsBoard has made. Throws SECRET_UNREADABLE, PROVISION_*, MQTT_*. */
export async function provisionedToken(
  target: Target,
  { provisionKey = '', provisionSecret = '', provisionName }: ProvisionFlags,
  device: { readonly name: string; readonly gateway: boolean },
  signal: AbortSignal,
): Promise<string> {
  // MQTT is loaded only where it is used: it is half of what the verbs with these flags load.
  const { provisionToken } = await import('../../thingsboard/provisioning.ts');
  const token = await provisionToken(
    { target, clock: systemClock, signal },
    {
      key: parseSecretText(provisionKey),
      secret: parseSecretText(provisionSecret),
      deviceName: provisionName ?? device.name,
      gateway: device.gateway,
    },
  );
  return validToken(token);
}
