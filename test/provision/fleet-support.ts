/** Fleet files against a real database, with secrets as they stand in the file. */
import { fromHex } from '../../src/core/bytes.ts';
import { BridgeError, fail } from '../../src/core/errors.ts';
import { fleetCsv, parseFleetCsv } from '../../src/provision/fleet-csv.ts';
import { fleetDocument, fleetJson, fleetYaml } from '../../src/provision/fleet-export.ts';
import { parseFleetFile } from '../../src/provision/fleet-file.ts';
import { fleetChange, type SecretReaders } from '../../src/provision/fleet-plan.ts';
import { loadTemplate, templateNames } from '../../src/provision/template.ts';
import type { Database } from '../../src/store/database.ts';
import { type ApplyOptions, applyFleet, type FleetOutcome } from '../../src/store/fleet/apply.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { wholeMeters } from '../../src/store/fleet/whole.ts';

export type Format = 'yaml' | 'json' | 'csv';

const READERS: SecretReaders = {
  secrets: (texts) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, fromHex(text.replace(/^hex:/, ''))])),
  token: (text) => text,
  require: ({ authentication }, { secret }) => {
    if (authentication === 'low' && secret === null) fail('USAGE', 'low needs a secret');
  },
};

const templates = (name: string) => (templateNames().includes(name) ? loadTemplate(name) : null);

export function exported(database: Database, format: Format, secrets = true): string {
  const fleet = loadFleet(database);
  if (format === 'csv') return fleetCsv(wholeMeters(fleet), { secrets, templates });
  const document = fleetDocument(fleet, { secrets, templates });
  return format === 'json' ? fleetJson(document) : fleetYaml(document);
}

export function imported(
  database: Database,
  format: Format,
  text: string,
  options: Partial<ApplyOptions> = {},
): FleetOutcome {
  const parsed = format === 'csv' ? parseFleetCsv('f.csv', text) : parseFleetFile('f.yaml', text);
  const change = fleetChange(format === 'csv' ? 'f.csv' : 'f.yaml', parsed, loadFleet(database), READERS);
  return applyFleet(database, change, { replace: false, dryRun: false, ...options });
}

/** What is wrong with the text, a line each; empty when it was taken. */
export function problemsOf(
  database: Database,
  format: Format,
  text: string,
  options: Partial<ApplyOptions> = {},
): string[] {
  try {
    imported(database, format, text, options);
    return [];
  } catch (error) {
    if (error instanceof BridgeError && error.code === 'FILE_INVALID') return error.message.split('\n');
    throw error;
  }
}
