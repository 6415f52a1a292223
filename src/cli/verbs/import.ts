/** `import FILE`: targets, line settings and meters of a file into the database, all of them or none. */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { BridgeError } from '../../core/errors.ts';
import type { ParsedFile } from '../../provision/document.ts';
import { parseFleetCsv } from '../../provision/fleet-csv.ts';
import { type FleetFile, parseFleetFile } from '../../provision/fleet-file.ts';
import { fleetChange } from '../../provision/fleet-plan.ts';
import { applyFleet, type FleetOutcome } from '../../store/fleet/apply.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { type Context, verb } from '../context.ts';
import { fileFormat } from '../fleet-format.ts';
import { requireSecrets, secretsFromFlags } from '../secret-flags.ts';
import { parseSecretText } from '../values.ts';
import { withDatabase } from '../with-database.ts';

interface ImportFlags {
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
    .action(verb(importFleet));
}

function importFleet(context: Context, command: Command): undefined {
  const [file = ''] = command.args;
  const { format, dryRun = false, replace = false } = command.opts<ImportFlags>();
  const name = file === '-' ? 'standard input' : basename(file);
  const text = textOf(file);
  const parsed: ParsedFile<FleetFile> =
    fileFormat(file, format) === 'csv' ? parseFleetCsv(name, text) : parseFleetFile(name, text);
  const outcome = withDatabase(context, (database) => {
    const change = fleetChange(name, parsed, loadFleet(database), {
      secrets: (texts) => {
        const all = Object.entries(secretsFromFlags(texts));
        return Object.fromEntries(all.filter(([, octets]) => octets !== null));
      },
      token: parseSecretText,
      require: requireSecrets,
    });
    return applyFleet(database, change, { dryRun, replace });
  });
  context.print({ file, dryRun, ...outcome }, () => described(outcome, dryRun));
  return undefined;
}

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
