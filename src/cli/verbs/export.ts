/** `export [FILE]`: targets, line settings and meters as a file that `import` reads. */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { asBridgeError, BridgeError, fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { fleetCsv } from '../../provision/fleet-csv.ts';
import { fleetDocument, fleetJson, fleetYaml, type TemplateFinder } from '../../provision/fleet-export.ts';
import { loadTemplate, type Template } from '../../provision/template.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import type { Fleet } from '../../store/fleet/types.ts';
import { wholeMeters } from '../../store/fleet/whole.ts';
import { type Context, verb } from '../context.ts';
import { type FleetFormat, fileFormat } from '../fleet-format.ts';
import { withDatabase } from '../with-database.ts';

interface ExportFlags {
  readonly format?: string;
  readonly withSecrets?: boolean;
}

/** Whom the file belongs to may read it, nobody else. */
const MODE = 0o600;

export function registerExport(program: Command): void {
  program
    .command('export [file]')
    .description('write settings, targets, lines and meters to a file, or to standard output')
    .option('--format <format>', 'yaml, json or csv; else the ending of the name tells (standard output: yaml)')
    .option('--with-secrets', 'tokens, passwords and keys too, in clear: only into a file, which nobody else may read')
    .action(verb(exportFleet));
}

function exportFleet(context: Context, command: Command): undefined {
  const [file] = command.args;
  const { format, withSecrets: secrets = false } = command.opts<ExportFlags>();
  if (secrets && file === undefined) {
    fail('USAGE', '--with-secrets needs a file', { hint: 'secrets are not written to standard output' });
  }
  const fleet = withDatabase(context, loadFleet);
  const options = { secrets, templates: finder() };
  if (file === undefined) {
    const chosen = format === undefined ? 'yaml' : fileFormat('', format);
    context.print(fleetDocument(fleet, options), () => textOf(fleet, chosen, options));
    return undefined;
  }
  writePrivately(file, textOf(fleet, fileFormat(file, format), options));
  const { targets, meters } = fleet;
  const report: { readonly [name: string]: JsonValue } = {
    file,
    targets: targets.length,
    meters: meters.length,
    secrets,
  };
  context.print(report, () => `${meters.length} meters and ${targets.length} targets written to ${file}.`);
  return undefined;
}

interface Options {
  readonly secrets: boolean;
  readonly templates: TemplateFinder;
}

function textOf(fleet: Fleet, format: FleetFormat, options: Options): string {
  if (format === 'csv') return fleetCsv(wholeMeters(fleet), options);
  const document = fleetDocument(fleet, options);
  return format === 'json' ? fleetJson(document) : fleetYaml(document);
}

/** Reads each template once; one that is not there any more is no failure. */
function finder(): TemplateFinder {
  const known = new Map<string, Template | null>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    let template: Template | null = null;
    try {
      template = loadTemplate(name);
    } catch (thrown) {
      if (asBridgeError(thrown).code !== 'NOT_FOUND') throw thrown;
    }
    known.set(name, template);
    return template;
  };
}

/** Into a new file that takes the place of an old one: no moment at which others could read it, or half of it is there. */
function writePrivately(file: string, text: string): void {
  const beside = `${file}.${process.pid}.tmp`;
  try {
    const handle = openSync(beside, 'wx', MODE);
    try {
      fchmodSync(handle, MODE);
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(beside, file);
  } catch (cause) {
    rmSync(beside, { force: true });
    throw new BridgeError('INVALID_VALUE', `${file} cannot be written`, {
      cause,
      hint: 'check the directory and its permissions',
    });
  }
}
