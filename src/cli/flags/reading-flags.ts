/** The flags that say what is read of a meter: points, groups, profiles, templates. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { parseObis } from '../../dlms/axdr/obis.ts';
import { kindOfProfile } from '../../provision/schema.ts';
import { loadTemplate, type Template, templateReference } from '../../provision/template.ts';
import { type KeyedPoint, parseKeyedPoints } from '../../reading/point-text.ts';
import type { NewPointGroup, NewProfile } from '../../store/fleet/types.ts';
import { parseSeconds, parseTime } from './values.ts';

export interface ReadingFlags {
  readonly interval?: string;
  readonly points?: string;
  readonly group?: readonly string[];
  readonly template?: string;
  readonly profile?: readonly string[];
  readonly backfillFrom?: string;
}

export interface ReadingPlan {
  readonly groups: readonly NewPointGroup[];
  readonly profiles: readonly NewProfile[];
  readonly template: string | null;
}

export const DEFAULT_GROUP = 'default';
const DEFAULT_INTERVAL = '60';
const DEFAULT_PROFILE_INTERVAL_MS = 900_000;

export function addReadingFlags(command: Command): Command {
  return command
    .option('--interval <seconds>', `how often the points of --points are read (${DEFAULT_INTERVAL})`)
    .option('--points <points>', 'POINT=key@option,POINT=key,...')
    .option(
      '--group <group>',
      'NAME@SECONDS:POINT=key,...; more point groups, each with its own interval (repeatable)',
      collect,
    )
    .option('--template <name>', 'what a kind of meter gives: see `meter template list`; or a YAML file')
    .option(
      '--profile <obis>',
      'OBIS[@SECONDS][=PREFIX]: a load profile or event log to fetch, and what its keys begin with (repeatable)',
      collect,
    )
    .option('--backfill-from <iso|all>', 'from where profiles are fetched at first; a day back otherwise');
}

export function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

/** The template that is named, if any. Throws NOT_FOUND, FILE_INVALID. */
export function namedTemplate({ template }: ReadingFlags): Template | null {
  return template === undefined ? null : loadTemplate(template);
}

/**
 * What the flags make of what is read already: a template takes its place, points and groups are added, or changed where
 * their key or name is there. Throws USAGE, INVALID_POINT.
 */
export function planOver(base: ReadingPlan, flags: ReadingFlags, template: Template | null): ReadingPlan {
  const start: ReadingPlan =
    template === null
      ? base
      : { groups: template.groups, profiles: template.profiles, template: templateReference(template) };
  const groups = new Map(start.groups.map((group) => [group.name, group]));
  const givenGroups = (flags.group ?? []).map(parseGroup);
  const givenPoints = parseKeyedPoints(flags.points ?? '');
  refuseDoubles([...givenGroups.flatMap(({ points }) => points), ...givenPoints]);
  for (const group of givenGroups) {
    const points = mergePoints(groups, group.points);
    const known = groups.get(group.name)?.points ?? [];
    groups.set(group.name, { ...group, points: [...known, ...points] });
  }
  addDefault(groups, givenPoints, flags.interval);
  const profiles = new Map(start.profiles.map((profile) => [profile.obis, profile]));
  for (const { obis, intervalMs, prefix } of (flags.profile ?? []).map(parseProfile)) {
    const known = profiles.get(obis) ?? { obis, kind: kindOfProfile(obis), columns: [], eventNames: {} };
    const knownMs = profiles.get(obis)?.intervalMs ?? DEFAULT_PROFILE_INTERVAL_MS;
    const own = prefix === null ? {} : { prefix };
    profiles.set(obis, { ...known, ...own, intervalMs: intervalMs ?? knownMs });
  }
  backfill(profiles, flags);
  return { ...start, groups: [...groups.values()], profiles: [...profiles.values()] };
}

/** Points without a group of their own, ahead of the others. */
function addDefault(
  groups: Map<string, NewPointGroup>,
  points: readonly KeyedPoint[],
  interval: string | undefined,
): void {
  const left = mergePoints(groups, points);
  const known = groups.get(DEFAULT_GROUP);
  if (left.length === 0 && interval === undefined) return;
  if (known === undefined && left.length === 0) {
    fail('USAGE', 'the points are in groups of their own: --interval is for the points of --points', {
      hint: `give --group NAME@SECONDS: for one of ${[...groups.keys()].join(', ') || 'none'}`,
    });
  }
  const intervalMs = interval === undefined ? known?.intervalMs : parseSeconds('--interval', interval);
  const others = known === undefined ? [...groups] : [];
  if (known === undefined) groups.clear();
  groups.set(DEFAULT_GROUP, {
    name: DEFAULT_GROUP,
    intervalMs: intervalMs ?? parseSeconds('--interval', DEFAULT_INTERVAL),
    points: [...(known?.points ?? []), ...left],
  });
  for (const [name, group] of others) groups.set(name, group);
}

/** Puts points in the place of those with the same key, wherever these are; gives those whose keys are new. */
function mergePoints(groups: Map<string, NewPointGroup>, points: readonly KeyedPoint[]): KeyedPoint[] {
  const keys = new Map(points.map((point) => [point.key, point]));
  const found = new Set<string>();
  for (const [name, group] of groups) {
    const merged = group.points.map((point) => {
      const given = keys.get(point.key);
      if (given !== undefined) found.add(point.key);
      return given ?? point;
    });
    groups.set(name, { ...group, points: merged });
  }
  return points.filter(({ key }) => !found.has(key));
}

function refuseDoubles(points: readonly KeyedPoint[]): void {
  const keys = new Set<string>();
  for (const { key } of points) {
    if (keys.has(key)) fail('DUPLICATE_KEY', `the key "${key}" is given twice`);
    keys.add(key);
  }
}

/** `NAME@SECONDS:POINT=key,...`; without points the group's interval alone. Throws USAGE, INVALID_POINT. */
function parseGroup(text: string): Omit<NewPointGroup, 'points'> & { readonly points: KeyedPoint[] } {
  const match = /^([^@:]+)@([\d.]+)(?::(.*))?$/s.exec(text);
  if (match === null)
    return fail('USAGE', `"${text}" is no point group`, { hint: 'write NAME@SECONDS:POINT=key,POINT=key' });
  const [, name = '', seconds = '', points = ''] = match;
  return { name, intervalMs: parseSeconds('--group', seconds), points: parseKeyedPoints(points) };
}

interface ProfileText {
  readonly obis: string;
  readonly intervalMs: number | null;
  readonly prefix: string | null;
}

function parseProfile(text: string): ProfileText {
  const [address = '', ...rest] = text.split('=');
  const [obis = '', seconds] = address.split('@');
  const intervalMs = seconds === undefined ? null : parseSeconds('--profile', seconds);
  return { obis: parseObis(obis), intervalMs, prefix: rest.length === 0 ? null : rest.join('=') };
}

/** For the profiles that are named; for all of them when none is. */
function backfill(profiles: Map<string, NewProfile>, { profile = [], backfillFrom }: ReadingFlags): void {
  if (backfillFrom === undefined) return;
  const named = profile.length === 0 ? [...profiles.keys()] : profile.map((text) => parseProfile(text).obis);
  if (named.length === 0) fail('USAGE', '--backfill-from is for profiles, and there is none: give --profile');
  const from = backfillFrom === 'all' ? 'all' : parseTime('--backfill-from', backfillFrom);
  for (const obis of named) profiles.set(obis, { ...profiles.get(obis)!, backfillFrom: from });
}
