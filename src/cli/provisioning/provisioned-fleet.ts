/**
 * A fleet of which meters get their tokens from ThingsBoard. A device that was made there stays, so what is known of it
 * must not be taken back: the rest of the file is taken first, all of it or nothing, then each meter with its token.
 */
import { randomUUID } from 'node:crypto';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import { applyFleet, type FleetChange, type FleetOutcome, type WantedMeter } from '../../store/fleet/apply.ts';
import { loadFleet, wantedTargets } from '../../store/fleet/load.ts';
import { wholeMeters } from '../../store/fleet/whole.ts';
import type { Context } from '../context.ts';
import type { ProvisionFlags } from '../flags/provision-flags.ts';
import { showProgress } from '../views/progress.ts';
import { withDatabase } from '../with-database.ts';
import { addProvisionedMeter } from './provisioned-meter.ts';

export interface ProvisionedFleetOptions {
  readonly replace: boolean;
  readonly dryRun: boolean;
  readonly flags: ProvisionFlags;
}

type Lines = FleetChange['lines'];

/**
 * Throws what `applyFleet` throws, before any device is made; USAGE in gateway mode; PROVISION_*, MQTT_* with how many
 * meters were added: they stay, and the same file goes on from there.
 */
export async function applyProvisionedFleet(
  context: Context,
  change: FleetChange,
  { flags, ...options }: ProvisionedFleetOptions,
): Promise<FleetOutcome> {
  const { outcome, fresh } = withDatabase(context, (database) => {
    const fleet = loadFleet(database);
    requireDeviceMode([...change.targets, ...wantedTargets(fleet)]);
    const stored = new Set(fleet.meters.map(({ name }) => name));
    const lacksToken = ({ name, token }: WantedMeter): boolean => token === undefined && !stored.has(name);
    const meters = change.meters.map((meter) => (lacksToken(meter) ? { ...meter, token: randomUUID() } : meter));
    const tried = applyFleet(database, { ...change, meters }, { ...options, dryRun: true });
    if (options.dryRun) return { outcome: tried, fresh: [] };
    const rest = change.meters.filter((meter) => !lacksToken(meter));
    // A line goes with its last meter: those of new meters only are there later.
    const named = new Set(change.meters.map(({ name }) => name));
    const others = options.replace ? [] : wholeMeters(fleet).filter(({ name }) => !named.has(name));
    const links = new Set([...rest, ...others].map(({ link }) => link));
    const lines = change.lines.filter(({ link }) => links.has(link));
    applyFleet(database, { ...change, meters: rest, lines }, { ...options, dryRun: false });
    return { outcome: tried, fresh: change.meters.filter(lacksToken) };
  });
  await addEach(context, fresh, change.lines, flags);
  return outcome;
}

async function addEach(
  context: Context,
  meters: readonly WantedMeter[],
  lines: Lines,
  flags: ProvisionFlags,
): Promise<void> {
  const progress = showProgress(context);
  try {
    for (const [done, meter] of meters.entries()) {
      progress.show(`${done} of ${meters.length} meters have their tokens`);
      await addOne(context, meter, lines, flags).catch((thrown: unknown) => {
        throw partly(`${done} of ${meters.length} meters were added, "${meter.name}" was not`, asBridgeError(thrown));
      });
    }
  } finally {
    progress.end();
  }
}

/** With the settings of its line, which may be there with it only. */
async function addOne(context: Context, meter: WantedMeter, lines: Lines, flags: ProvisionFlags): Promise<void> {
  await addProvisionedMeter(context, meter, flags);
  const own = lines.filter(({ link }) => link === meter.link);
  const change = {
    settings: {},
    targets: [],
    lines: own,
    meters: [],
    refused: (_: unknown, error: BridgeError) => error,
  };
  withDatabase(context, (database) => applyFleet(database, change, { replace: false, dryRun: false }));
}

function partly(how: string, { code, message, hint, facts, cause }: BridgeError): BridgeError {
  const goOn = 'what was added stays: mend this and import the file again';
  return new BridgeError(code, `${how}: ${message}`, { hint: `${hint}; ${goOn}`, facts, cause });
}

function requireDeviceMode(targets: readonly { readonly mode: string }[]): void {
  if (targets.some(({ mode }) => mode === 'device')) return;
  fail('USAGE', 'in gateway mode meters have no tokens', { hint: 'leave out --provision-key and --provision-secret' });
}
