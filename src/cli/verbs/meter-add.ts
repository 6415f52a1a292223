/** `meter add` and `meter edit`: both take the same flags, one over the defaults, the other over what is stored. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { parseObis } from '../../dlms/axdr/obis.ts';
import { QUIRKS, type Quirks } from '../../dlms/quirks.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../dlms/settings.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { addMeter, changeMeter } from '../../store/fleet/meters.ts';
import { wholeMeter } from '../../store/fleet/whole.ts';
import { type LinkAddress, listens, parseLink } from '../../transport/link-address.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags, meterOver } from '../flags/meter-flags.ts';
import { addProvisionFlags, type ProvisionFlags, wantsProvisioning } from '../flags/provision-flags.ts';
import { addPushFlags, type PushFlags, withPushFlags } from '../flags/push-flags.ts';
import {
  addReadingFlags,
  collect,
  namedTemplate,
  planOver,
  type ReadingFlags,
  type ReadingPlan,
} from '../flags/reading-flags.ts';
import { parseSecretText } from '../flags/values.ts';
import { addProvisionedMeter } from '../provisioning/provisioned-meter.ts';
import { withDatabase } from '../with-database.ts';

interface AddFlags extends ReadingFlags, PushFlags, ProvisionFlags {
  readonly token?: string;
}

interface EditFlags extends AddFlags {
  readonly link?: string;
  readonly removePoints?: string;
  readonly removeGroup?: readonly string[];
  readonly removeProfile?: readonly string[];
  readonly removeQuirk?: readonly string[];
}

const TOKEN = 'device mode: access token of this meter in ThingsBoard; file: and env: work';

export function registerMeterAdd(meter: Command): void {
  const added = meter.command('add <name> <link>').description('add a meter; nothing is connected');
  addProvisionFlags(addAllFlags(added).option('--token <token>', TOKEN), 'that of the meter').action(verb(add));
  addAllFlags(meter.command('edit <name>').description('change what is given, keep the rest'))
    .option('--link <link>', 'another way to the same meter')
    .option('--remove-points <keys>', 'KEY,KEY,...')
    .option('--remove-group <name>', 'a point group with all its points (repeatable)', collect)
    .option('--remove-profile <obis>', 'a profile that is not to be fetched any more (repeatable)', collect)
    .option('--remove-quirk <name>', 'the meter does not deviate so any more (repeatable)', collect)
    .option('--token <token>', TOKEN)
    .action(verb(edit));
}

function addAllFlags(command: Command): Command {
  return addPushFlags(addReadingFlags(addMeterFlags(command)));
}

/** A meter that pushes may be asked for nothing. */
function requirePlan({ groups, profiles }: ReadingPlan, address: LinkAddress, message: string): void {
  if (groups.length > 0 || profiles.length > 0 || listens(address)) return;
  fail('USAGE', message, { hint: 'give --template NAME or --points POINT=key,POINT=key' });
}

async function add(context: Context, command: Command): Promise<undefined> {
  const [name = '', link = ''] = command.args;
  const flags = command.opts<AddFlags>();
  const address = parseLink(link);
  const template = namedTemplate(flags);
  const plan = planOver({ groups: [], profiles: [], template: null }, flags, template);
  requirePlan(plan, address, 'a meter needs points');
  const settings = withPushFlags({ ...DEFAULT_METER_SETTINGS, ...template?.settings }, flags);
  const meter = { name, link: address.text, ...meterOver(command, { settings, secrets: NO_SECRETS }), ...plan };
  if (wantsProvisioning(flags, flags.token !== undefined)) await addProvisionedMeter(context, meter, flags);
  else withDatabase(context, (database) => addMeter(database, { ...meter, ...tokenOf(flags) }));
  const points = countOf(plan);
  context.print(
    {
      meter: name,
      link: address.text,
      points,
      profiles: plan.profiles.length,
      template: plan.template,
      result: 'added',
    },
    () => `Meter ${name} added with ${points} points on ${address.text}.`,
  );
  return undefined;
}

function edit(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  const flags = command.opts<EditFlags>();
  const template = namedTemplate(flags);
  const outcome = withDatabase(context, (database) => {
    const stored =
      wholeMeter(loadFleet(database), name) ??
      fail('NOT_FOUND', `there is no meter "${name}"`, { hint: 'look with `meter list`' });
    const address = parseLink(flags.link ?? stored.link);
    const link = address.text;
    const plan = planOver(without(stored, flags), flags, template);
    requirePlan(plan, address, 'a meter needs points: none would be left');
    const quirks = withoutQuirks(stored.settings.quirks, flags.removeQuirk ?? []);
    const settings = withPushFlags({ ...stored.settings, quirks, ...template?.settings }, flags);
    const base = { settings, secrets: stored.secrets };
    const { token: _, ...rest } = stored;
    const changed = changeMeter(database, { ...rest, link, ...meterOver(command, base), ...plan, ...tokenOf(flags) });
    return { points: countOf(plan), profiles: plan.profiles.length, result: changed ? 'changed' : 'unchanged' };
  });
  context.print({ meter: name, ...outcome }, () => `Meter ${name} ${outcome.result}: ${outcome.points} points.`);
  return undefined;
}

function tokenOf({ token }: AddFlags): { readonly token?: string } {
  return token === undefined ? {} : { token: parseSecretText(token) };
}

function countOf({ groups }: ReadingPlan): number {
  return groups.reduce((sum, { points }) => sum + points.length, 0);
}

/** Throws NOT_FOUND. */
function withoutQuirks(quirks: Partial<Quirks>, names: readonly string[]): Partial<Quirks> {
  const keys = names.map(
    (name) =>
      QUIRKS.find((row) => row.name === name && row.key in quirks)?.key ??
      fail('NOT_FOUND', `the meter has no quirk "${name}"`),
  );
  return Object.fromEntries(Object.entries(quirks).filter(([key]) => !keys.some((removed) => removed === key)));
}

/** What is stored without what is to be removed; a group that loses its last point goes. Throws NOT_FOUND. */
function without(stored: ReadingPlan, { removePoints, removeGroup = [], removeProfile = [] }: EditFlags): ReadingPlan {
  const keys = new Set(
    (removePoints ?? '')
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== ''),
  );
  const known = new Set(stored.groups.flatMap(({ points }) => points.map(({ key }) => key)));
  for (const key of keys) if (!known.has(key)) fail('NOT_FOUND', `the meter has no point with the key "${key}"`);
  const names = new Set(stored.groups.map(({ name }) => name));
  for (const name of removeGroup) if (!names.has(name)) fail('NOT_FOUND', `the meter has no point group "${name}"`);
  const profiles = removeProfile.map(parseObis);
  for (const obis of profiles) {
    if (!stored.profiles.some((profile) => profile.obis === obis))
      fail('NOT_FOUND', `the meter has no profile ${obis}`);
  }
  return {
    template: stored.template,
    groups: stored.groups
      .filter(({ name }) => !removeGroup.includes(name))
      .map((group) => ({ ...group, points: group.points.filter(({ key }) => !keys.has(key)) }))
      .filter(({ points }) => points.length > 0),
    profiles: stored.profiles.filter(({ obis }) => !profiles.includes(obis)),
  };
}
