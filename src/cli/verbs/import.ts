/** `import FILE`: targets, line settings and meters of a file into the database, all of them or none. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { BridgeError } from '../../core/errors.ts';
import type { ParsedFile } from '../../provision/document.ts';
import { parseFleetCsv } from '../../provision/fleet-csv.ts';
import { type FleetFile, parseFleetFile } from '../../provision/fleet-file.ts';
import { fleetChange, type SecretReaders } from '../../provision/fleet-plan.ts';
import type { Database } from '../../store/database.ts';
import { applyFleet, type FleetChange, type FleetOutcome } from '../../store/fleet/apply.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { type Context, verb } from '../context.ts';
import { type ProvisionFlags, wantsProvisioning } from '../flags/provision-flags.ts';
import { requireSecrets, secretsFromFlags } from '../flags/secret-flags.ts';
import { parseSecretText } from '../flags/values.ts';
import { fileFormat } from '../fleet-format.ts';
import { applyProvisionedFleet } from '../provisioning/provisioned-fleet.ts';
import { withDatabase } from '../with-database.ts';

interface ImportFlags extends ProvisionFlags {
  readonly format?: string;
  readonly dryRun?: boolean;
  readonly replace?: boolean;
}

export function registerImport(program: Command): void {
  program
    .command('import <file>')
    .description('take settings, targets, lines and meters from a YAML, JSON or CSV file; - is standard input')
    .option('--format <format>', 'yaml, json or csv; else the ending of the name tells')
    .option('--dry-run', 'check everything and change nothing')
    .option('--replace', 'remove the meters that are not in the file')
    .option(
      '--provision-key <key>',
      'has ThingsBoard make the devices of new meters without a token; file: and env: work',
    )
    .option('--provision-secret <secret>', 'for --provision-key; file: and env: work')
    .action(verb(importFleet));
}

async function importFleet(context: Context, command: Command): Promise<undefined> {
  const [file = ''] = command.args;
  const { format, dryRun = false, replace = false, ...flags } = command.opts<ImportFlags>();
  const provisions = wantsProvisioning(flags, false);
  const name = file === '-' ? 'standard input' : basename(file);
  const text = textOf(file);
  const parsed: ParsedFile<FleetFile> =
    fileFormat(file, format) === 'csv' ? parseFleetCsv(name, text) : parseFleetFile(name, text);
  const wanted = (database: Database): FleetChange => fleetChange(name, parsed, loadFleet(database), READERS);
  const outcome = provisions
    ? await applyProvisionedFleet(context, withDatabase(context, wanted), { dryRun, replace, flags })
    : withDatabase(context, (database) => applyFleet(database, wanted(database), { dryRun, replace }));
  context.print({ file, dryRun, ...outcome }, () => described(outcome, dryRun));
  return undefined;
}

const READERS: SecretReaders = {
  secrets: (texts) => {
    const all = Object.entries(secretsFromFlags(texts));
    return Object.fromEntries(all.filter(([, octets]) => octets !== null));
  },
  token: parseSecretText,
  require: requireSecrets,
};

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new BridgeError('NOT_FOUND', `${file} cannot be read`, { cause, hint: 'check the path and its permissions' });
  }
}

function described(outcome: FleetOutcome, dryRun: boolean): string {
  const { added, changed, removed, unchanged, targets, lines, settings } = outcome;
  const counts = [
    `${added.length} added`,
    `${changed.length} changed`,
    `${removed.length} removed`,
    `${unchanged} unchanged`,
  ];
  return [
    ...(dryRun ? ['Nothing was changed; this is what would be:'] : []),
    `Meters: ${counts.join(', ')}.`,
    ...(targets.length === 0 ? [] : [`Targets: ${targets.join(', ')}.`]),
    ...(lines.length === 0 ? [] : [`Lines: ${lines.join(', ')}.`]),
    ...(settings.length === 0 ? [] : [`Settings: ${settings.join(', ')}.`]),
  ].join('\n');
}
