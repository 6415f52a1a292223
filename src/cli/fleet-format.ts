/** In which form a fleet file is. */
import { extname } from 'node:path';
import { fail } from '../core/errors.ts';
import { parseChoice } from './flags/values.ts';

const FORMATS = ['yaml', 'json', 'csv'] as const;
export type FleetFormat = (typeof FORMATS)[number];

const OF_ENDING: Readonly<Record<string, FleetFormat>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
  '.csv': 'csv',
};

/** As the flag says, else as the name ends. Throws USAGE. */
export function fileFormat(file: string, flag: string | undefined): FleetFormat {
  if (flag !== undefined) return parseChoice('--format', flag, FORMATS);
  return (
    OF_ENDING[extname(file).toLowerCase()] ??
    fail('USAGE', `the name "${file}" does not tell what is in it`, { hint: 'give --format yaml, json or csv' })
  );
}
