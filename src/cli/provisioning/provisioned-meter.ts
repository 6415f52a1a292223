/** A meter whose token ThingsBoard gives: stored only with the token, and the device made only if it could be stored. */
import { randomUUID } from 'node:crypto';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { loadFleet, wantedTargets } from '../../store/fleet/load.ts';
import { addMeter, tryMeter } from '../../store/fleet/meters.ts';
import type { NewMeter } from '../../store/fleet/types.ts';
import type { Context } from '../context.ts';
import { type ProvisionFlags, provisionedToken } from '../flags/provision-flags.ts';
import { withDatabase } from '../with-database.ts';

/** Throws what `addMeter` throws, PROVISION_*, MQTT_*; nothing is stored then. An error says of a device that was made. */
export async function addProvisionedMeter(
  context: Pick<Context, 'databasePath' | 'signal'>,
  meter: NewMeter,
  flags: ProvisionFlags,
): Promise<void> {
  const target = withDatabase(context, (database) => {
    tryMeter(database, { ...meter, token: randomUUID() });
    return (
      wantedTargets(loadFleet(database)).find(({ mode }) => mode === 'device') ??
      fail('INTERNAL', 'a token without a target for it')
    );
  });
  const token = await provisionedToken(target, flags, { name: meter.name, gateway: false }, context.signal);
  try {
    withDatabase(context, (database) => addMeter(database, { ...meter, token }));
  } catch (thrown) {
    const { code, message } = asBridgeError(thrown);
    const device = flags.provisionName ?? meter.name;
    throw new BridgeError(code, `ThingsBoard made the device "${device}", but the meter was not stored: ${message}`, {
      hint: `copy the access token of "${device}" from ThingsBoard and give it with --token, or delete the device and try again`,
      cause: thrown,
    });
  }
}
