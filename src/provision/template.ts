/** Templates: what is read of a kind of meter, named and versioned, one YAML file each. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { BridgeError, fail } from '../core/errors.ts';
import type { MeterSettings } from '../dlms/settings.ts';
import type { NewPointGroup, NewProfile } from '../store/fleet/types.ts';
import { invalidFile, parseFile } from './document.ts';
import { groupSchema, profileSchema, settingsSchema } from './schema.ts';

export interface Template {
  readonly name: string;
  readonly version: number;
  readonly description: string;
  /** Which standard or list it follows. */
  readonly source: string;
  /** What differs from the defaults of a meter; flags go before it. */
  readonly settings: Partial<MeterSettings>;
  readonly groups: readonly NewPointGroup[];
  readonly profiles: readonly NewProfile[];
}

/** Those that come with the program. */
const DIRECTORY = fileURLToPath(new URL('../../config/templates', import.meta.url));
const ENDING = /\.ya?ml$/;

const schema = z.strictObject({
  template: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'a template has a name of lower-case letters, digits and hyphens'),
  version: z.number().int().min(1),
  description: z.string().min(1),
  source: z.string().min(1),
  settings: settingsSchema.default({}),
  groups: z.array(groupSchema).min(1),
  profiles: z.array(profileSchema).default([]),
});

/** Throws FILE_INVALID with line and column of everything that is wrong. */
export function parseTemplate(fileName: string, text: string): Template {
  const { value, problemAt } = parseFile(fileName, text, schema);
  const problems = [...doubles(value.groups, value.profiles)].map(({ path, message }) => problemAt(path, message));
  if (problems.length > 0) throw invalidFile(fileName, problems);
  const { template: name, settings, ...rest } = value;
  return { ...rest, name, settings: settings as Partial<MeterSettings> };
}

/** Names, keys and profiles that stand twice, with where the second one is. */
export function* doubles(
  groups: readonly NewPointGroup[],
  profiles: readonly NewProfile[],
): Iterable<{ readonly path: readonly (string | number)[]; readonly message: string }> {
  const seen = new Set<string>();
  const twice = (what: string): boolean => seen.has(what) || !seen.add(what);
  for (const [at, group] of groups.entries()) {
    if (twice(`group ${group.name}`))
      yield { path: ['groups', at, 'name'], message: `there are two groups "${group.name}"` };
    for (const [index, { key }] of group.points.entries()) {
      if (twice(`key ${key}`))
        yield { path: ['groups', at, 'points', index], message: `the key "${key}" stands twice` };
    }
  }
  for (const [at, { obis }] of profiles.entries()) {
    if (twice(`profile ${obis}`)) yield { path: ['profiles', at, 'obis'], message: `the profile ${obis} stands twice` };
  }
}

/** The names of the templates that come with the program, sorted. */
export function templateNames(): string[] {
  return readdirSync(DIRECTORY)
    .filter((file) => ENDING.test(file))
    .map((file) => file.replace(ENDING, ''))
    .sort();
}

/** Where the file of a template is: one of ours by its name, or the path of a YAML file. Throws NOT_FOUND. */
export function templatePath(name: string): string {
  if (ENDING.test(name)) return name;
  if (templateNames().includes(name)) return join(DIRECTORY, `${name}.yaml`);
  return fail('NOT_FOUND', `there is no template "${name}"`, {
    hint: 'look with `meter template list`, or give the path of a YAML file',
  });
}

/** A template of ours by its name, or of a YAML file by its path. Throws NOT_FOUND, FILE_INVALID. */
export function loadTemplate(name: string): Template {
  const path = templatePath(name);
  return parseTemplate(basename(path), textOf(path));
}

/** The text of a file. Throws NOT_FOUND. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BridgeError('NOT_FOUND', `${path} cannot be read`, { cause, hint: 'check the path and its permissions' });
  }
}

/** `name@version`: how a meter remembers what it was made of. */
export function templateReference({ name, version }: Pick<Template, 'name' | 'version'>): string {
  return `${name}@${version}`;
}
