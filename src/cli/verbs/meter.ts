/** `meter add/edit/list/show/test/remove/enable/disable/template`: the fleet. The daemon takes changes up by itself. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { changedOptions, DEFAULT_POINT_OPTIONS } from '../../reading/point-options.ts';
import { optionWords, pointText } from '../../reading/point-text.ts';
import { loadFleet } from '../../store/fleet/load.ts';
import { removeMeter, resumeMeter, setMeterEnabled, suspendMeter } from '../../store/fleet/meters.ts';
import { type WholeMeter, wholeMeter, wholeMeters } from '../../store/fleet/whole.ts';
import { type Context, verb } from '../context.ts';
import { table } from '../views/table.ts';
import { withDatabase } from '../with-database.ts';
import { registerMeterAdd } from './meter-add.ts';
import { registerMeterIdentity } from './meter-identity.ts';
import { registerMeterTemplate } from './meter-template.ts';
import { registerMeterTest } from './meter-test.ts';

export function registerMeter(program: Command): void {
  const meter = program.command('meter').description('the meters that the daemon polls');
  registerMeterAdd(meter);
  meter.command('list').description('all meters').action(verb(list));
  meter.command('show <name>').description('one meter with its points').action(verb(show));
  registerMeterTest(meter);
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
  registerMeterIdentity(meter);
  registerMeterTemplate(meter);
}

/** `suspend` and `resume`. */
function attend(context: Context, command: Command, change: typeof resumeMeter, result: string): undefined {
  const [name = ''] = command.args;
  withDatabase(context, (database) => change(database, name));
  context.print({ meter: name, result }, () => `Meter ${name} ${result}.`);
  return undefined;
}

/** What may be seen of a meter. */
function described({
  name,
  link,
  enabled,
  suspended,
  deletedFrom,
  template,
  settings,
  secrets,
  groups,
  profiles,
  token,
}: WholeMeter) {
  return {
    name,
    link,
    enabled,
    suspended,
    deletedFrom,
    template,
    settings: { ...settings },
    hasSecret: secrets.secret !== null,
    secrets: Object.entries(secrets)
      .filter(([, value]) => value !== null)
      .map(([secret]) => secret),
    hasToken: token !== undefined,
    groups: groups.map((group) => ({
      name: group.name,
      intervalSeconds: group.intervalMs / 1000,
      points: group.points.map(({ classId, obis, attribute, key, options = DEFAULT_POINT_OPTIONS }) => ({
        classId,
        obis,
        attribute,
        key,
        options: { ...changedOptions(options) },
      })),
    })),
    profiles: profiles.map(({ obis, kind, intervalMs, columns, eventNames, prefix, backfillFrom }) => ({
      obis,
      kind,
      intervalSeconds: intervalMs / 1000,
      columns: columns.map(({ classId, obis, attribute, key, options }) => ({
        classId,
        obis,
        attribute,
        key,
        options: { ...changedOptions(options) },
      })),
      eventNames: { ...eventNames },
      prefix: prefix ?? null,
      backfillFrom: typeof backfillFrom === 'number' ? new Date(backfillFrom).toISOString() : (backfillFrom ?? null),
    })),
  };
}

function stateOf({
  enabled,
  suspended,
  deletedFrom,
}: Pick<WholeMeter, 'enabled' | 'suspended' | 'deletedFrom'>): string {
  if (!enabled) return 'disabled';
  if (deletedFrom !== null) return `suspended (device deleted in ${deletedFrom})`;
  return suspended ? 'suspended' : 'enabled';
}

function list(context: Context): undefined {
  const meters = wholeMeters(withDatabase(context, loadFleet)).map(described);
  context.print({ meters }, () =>
    meters.length === 0
      ? 'No meters yet: dlms meter add NAME LINK --template NAME'
      : table(
          ['METER', 'LINK', 'STATE', 'AUTH', 'TEMPLATE', 'POINTS'],
          meters.map(({ name, link, enabled, suspended, deletedFrom, settings, template, groups }) => [
            name,
            link,
            stateOf({ enabled, suspended, deletedFrom }),
            settings.authentication,
            template ?? '-',
            groups.map((group) => `${group.points.length} every ${group.intervalSeconds} s`).join(', '),
          ]),
        ),
  );
  return undefined;
}

function show(context: Context, command: Command): undefined {
  const fleet = withDatabase(context, loadFleet);
  const [name = ''] = command.args;
  const meter = wholeMeter(fleet, name) ?? fail('NOT_FOUND', `there is no meter "${name}"`);
  const shown = described(meter);
  context.print(shown, () =>
    [
      `${shown.name}: ${shown.link}, ${stateOf(shown)}`,
      `client ${meter.settings.client}, server ${meter.settings.server}, authentication ${meter.settings.authentication}, security ${meter.settings.security}`,
      ...(shown.template === null ? [] : [`template ${shown.template}`]),
      ...(shown.secrets.length === 0 ? [] : [`stored: ${shown.secrets.join(', ')}`]),
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
      ...(shown.profiles.length === 0 ? [] : ['', profilesText(shown.profiles)]),
    ].join('\n'),
  );
  return undefined;
}

function profilesText(profiles: ReturnType<typeof described>['profiles']): string {
  return table(
    ['PROFILE', 'KIND', 'EVERY', 'COLUMNS WITH KEYS', 'EVENT NAMES'],
    profiles.map(({ obis, kind, intervalSeconds, columns, eventNames }) => [
      obis,
      kind,
      `${intervalSeconds} s`,
      columns.map(({ key }) => key).join(', '),
      String(Object.keys(eventNames).length),
    ]),
  );
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
