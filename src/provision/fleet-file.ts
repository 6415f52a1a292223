/** A fleet in one file: targets, line settings and meters, in YAML or JSON. What is not mentioned stays as it is stored. */
import { z } from 'zod';
import { type MeterSecrets, NO_SECRETS } from '../dlms/settings.ts';
import { DEFAULT_TARGET_SETTINGS, TARGET_SETTINGS } from '../store/fleet/target-settings.ts';
import { DEFAULT_LINE_SETTINGS, LINE_SETTINGS } from '../transport/line-settings.ts';
import { parseLink } from '../transport/link-address.ts';
import type { ParsedFile } from './document.ts';
import { parseFile } from './document.ts';
import { groupSchema, pointsSchema, profileSchema, read, secondsSchema, settingsOf, settingsSchema } from './schema.ts';

export const SECRET_NAMES = Object.keys(NO_SECRETS) as readonly (keyof MeterSecrets)[];

const name = z.string().min(1);
/** As on the command line: the text itself, `hex:`, `file:PATH` or `env:NAME`. */
const secretText = z.string().min(1);
const secrets = z.strictObject(Object.fromEntries(SECRET_NAMES.map((secret) => [secret, secretText]))).partial();

const target = z.strictObject({
  name,
  url: z.string(),
  mode: z.enum(['gateway', 'device']).default('gateway'),
  protocol: z.preprocess((given) => (given === 5 ? '5' : given), z.enum(['5', '3.1.1'])).default('5'),
  ca: z.string().nullable().default(null),
  /** The whole of them, too. */
  settings: settingsOf(TARGET_SETTINGS, 'a target')
    .transform((given) => ({ ...DEFAULT_TARGET_SETTINGS, ...given }))
    .optional(),
  token: secretText.optional(),
});

const line = z.strictObject({
  link: read((text) => parseLink(text).text),
  /** The whole of them: what is not named has its default. */
  settings: settingsOf(LINE_SETTINGS, 'a line').transform((given) => ({ ...DEFAULT_LINE_SETTINGS, ...given })),
});

const meter = z.strictObject({
  name,
  link: read((text) => parseLink(text).text).optional(),
  enabled: z.boolean().optional(),
  /** `NAME`, `NAME@VERSION` or a path. */
  template: z.string().min(1).optional(),
  interval: secondsSchema.optional(),
  points: pointsSchema.optional(),
  groups: z.array(groupSchema).optional(),
  profiles: z.array(profileSchema).optional(),
  /** The whole of them: what is not named has its default, or the template's value. */
  settings: settingsSchema.optional(),
  /** Some of them: what is not named stays. Spreadsheets have these. */
  changes: settingsSchema.optional(),
  secrets: secrets.optional(),
  token: secretText.optional(),
});

const schema = z.strictObject({
  /** Of the bridge: some of them, the others stay. */
  settings: z.record(z.string(), z.unknown()).default({}),
  targets: z.array(target).default([]),
  lines: z.array(line).default([]),
  meters: z.array(meter).default([]),
});

export const fleetSchema = schema;
export type FleetFile = z.output<typeof schema>;
export type FileMeter = FleetFile['meters'][number];
export type FileTarget = FleetFile['targets'][number];

/** Throws FILE_INVALID with line and column of everything that is wrong. */
export function parseFleetFile(fileName: string, text: string): ParsedFile<FleetFile> {
  return parseFile(fileName, text, schema);
}
