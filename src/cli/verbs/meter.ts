/** `meter add/list/show/remove/enable/disable`: the fleet. The daemon takes changes up by itself. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { changedOptions, DEFAULT_POINT_OPTIONS } from '../../reading/point-options.ts';
import { optionWords, parseKeyedPoints, pointText } from '../../reading/point-text.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { addMeter, removeMeter, resumeMeter, setMeterEnabled, suspendMeter } from '../../store/fleet/meters.ts';
import type { Fleet, Meter, NewPointGroup } from '../../store/fleet/types.ts';
import { parseLink } from '../../transport/link-address.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags, meterFromFlags } from '../meter-flags.ts';
import { table } from '../table.ts';
import { parseSeconds, parseSecretText } from '../values.ts';

interface AddFlags {
  readonly interval: string;
  readonly points?: string;
  readonly group?: string[];
  readonly token?: string;
}

export function registerMeter(program: Command): void {
  const meter = program.command('meter').description('the meters that the daemon polls');
  addMeterFlags(meter.command('add <name> <link>').description('add a meter; nothing is connected'))
    .option('--interval <seconds>', 'how often the points of --points are read', '60')
    .option('--points <points>', 'POINT=key,POINT=key,...')
    .option(
      '--group <group>',
      'NAME@SECONDS:POINT=key,...; more point groups, each with its own interval (repeatable)',
      collect,
    )
    .option('--token <token>', 'device mode: access token of this meter in ThingsBoard; file: and env: work')
    .action(verb(add));
  meter.command('list').description('all meters').action(verb(list));
  meter.command('show <name>').description('one meter with its points').action(verb(show));
  meter.command('remove <name>').description('remove a meter; what it said is still delivered').action(verb(remove));
  meter
    .command('enable <name>')
    .description('poll it again')
    .action(verb((context, command) => enable(context, command, true)));
  meter
    .command('disable <name>')
    .description('leave it alone')
    .action(verb((context, command) => enable(context, command, false)));
  meter
    .command('suspend <name>')
    .description('nobody talks to it until it is resumed; it stays in the fleet')
    .action(verb((context, command) => attend(context, command, suspendMeter, 'suspended')));
  meter
    .command('resume <name>')
    .description("ends a suspension, yours or the breaker's: it is tried at once")
    .action(verb((context, command) => attend(context, command, resumeMeter, 'resumed')));
}

/** `suspend` and `resume`. */
function attend(context: Context, command: Command, change: typeof resumeMeter, result: string): undefined {
  const [name = ''] = command.args;
  withDatabase(context, (database) => change(database, name));
  context.print({ meter: name, result }, () => `Meter ${name} ${result}.`);
  return undefined;
}

function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

function withDatabase<T>(context: Context, action: (database: Database) => T): T {
  const database = openDatabase(context.databasePath);
  try {
    return action(database);
  } finally {
    database.close();
  }
}

function add(context: Context, command: Command): undefined {
  const [name = '', link = ''] = command.args;
  const flags = command.opts<AddFlags>();
  const address = parseLink(link);
  const groups = [...defaultGroup(flags), ...(flags.group ?? []).map(parseGroup)];
  if (groups.length === 0) fail('USAGE', 'a meter needs points', { hint: 'give --points POINT=key,POINT=key' });
  const token = flags.token === undefined ? {} : { token: parseSecretText(flags.token) };
  const meter = { name, link: address.text, ...meterFromFlags(command.opts()), groups, ...token };
  withDatabase(context, (database) => addMeter(database, meter));
  const points = groups.reduce((sum, group) => sum + group.points.length, 0);
  context.print(
    { meter: name, link: address.text, points, result: 'added' },
    () => `Meter ${name} added with ${points} points on ${address.text}.`,
  );
  return undefined;
}

function defaultGroup({ points, interval }: AddFlags): NewPointGroup[] {
  const intervalMs = parseSeconds('--interval', interval);
  return points === undefined ? [] : [{ name: 'default', intervalMs, points: newPoints(points) }];
}

function parseGroup(text: string): NewPointGroup {
  const match = /^([^@:]+)@([\d.]+):(.+)$/.exec(text);
  if (match === null)
    return fail('USAGE', `"${text}" is no point group`, { hint: 'write NAME@SECONDS:POINT=key,POINT=key' });
  const [, name = '', seconds = '', points = ''] = match;
  return { name, intervalMs: parseSeconds('--group', seconds), points: newPoints(points) };
}

function newPoints(text: string): NewPointGroup['points'] {
  return parseKeyedPoints(text);
}

/** What may be seen of a meter. */
function described(fleet: Fleet, meter: Meter) {
  const groups = fleet.groups
    .filter(({ meterId }) => meterId === meter.id)
    .map((group) => ({
      name: group.name,
      intervalSeconds: group.intervalMs / 1000,
      points: fleet.points
        .filter(({ groupId }) => groupId === group.id)
        .map(({ classId, obis, attribute, key, options }) => ({
          classId,
          obis,
          attribute,
          key,
          options: { ...changedOptions(options) },
        })),
    }));
  return {
    name: meter.name,
    link: fleet.lines.find(({ id }) => id === meter.lineId)?.link ?? null,
    enabled: meter.enabled,
    suspended: meter.suspended,
    settings: { ...meter.settings },
    hasSecret: meter.secrets.secret !== null,
    groups,
  };
}

function list(context: Context): undefined {
  const fleet = withDatabase(context, loadFleet);
  const meters = fleet.meters.map((meter) => described(fleet, meter));
  context.print({ meters }, () =>
    meters.length === 0
      ? 'No meters yet: dlms meter add NAME LINK --points ...'
      : table(
          ['METER', 'LINK', 'STATE', 'AUTH', 'POINTS'],
          meters.map(({ name, link, enabled, suspended, settings, groups }) => [
            name,
            link ?? '-',
            !enabled ? 'disabled' : suspended ? 'suspended' : 'enabled',
            settings.authentication,
            groups.map((group) => `${group.points.length} every ${group.intervalSeconds} s`).join(', '),
          ]),
        ),
  );
  return undefined;
}

function show(context: Context, command: Command): undefined {
  const fleet = withDatabase(context, loadFleet);
  const [name] = command.args;
  const meter = fleet.meters.find((one) => one.name === name) ?? fail('NOT_FOUND', `there is no meter "${name}"`);
  const shown = described(fleet, meter);
  context.print(shown, () =>
    [
      `${shown.name}: ${shown.link}, ${shown.enabled ? 'enabled' : 'disabled'}`,
      `client ${meter.settings.client}, server ${meter.settings.server}, authentication ${meter.settings.authentication}${shown.hasSecret ? ', secret stored' : ''}`,
      '',
      table(
        ['GROUP', 'EVERY', 'POINT', 'KEY', 'OPTIONS'],
        shown.groups.flatMap((group) =>
          group.points.map((point) => [
            group.name,
            `${group.intervalSeconds} s`,
            pointText(point),
            point.key,
            optionWords({ ...DEFAULT_POINT_OPTIONS, ...point.options }).join(' '),
          ]),
        ),
      ),
    ].join('\n'),
  );
  return undefined;
}

function remove(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  withDatabase(context, (database) => removeMeter(database, name));
  context.print({ meter: name, result: 'removed' }, () => `Meter ${name} removed.`);
  return undefined;
}

function enable(context: Context, command: Command, enabled: boolean): undefined {
  const [name = ''] = command.args;
  withDatabase(context, (database) => setMeterEnabled(database, name, enabled));
  const result = enabled ? 'enabled' : 'disabled';
  context.print({ meter: name, result }, () => `Meter ${name} ${result}.`);
  return undefined;
}
