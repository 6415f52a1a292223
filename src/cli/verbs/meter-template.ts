/** `meter template list/show/make`: what kinds of meters are known, and a new template of a real meter. */
import type { Command } from 'commander';
import { fail } from '../../core/errors.ts';
import { cosemValue } from '../../dlms/cosem/data-value.ts';
import type { GetResult } from '../../dlms/xdlms/services.ts';
import { readAttributes, readObjectList } from '../../meter/client.ts';
import type { MeterSession } from '../../meter/session.ts';
import { loadTemplate, parseTemplate, templateNames, templatePath, textOf } from '../../provision/template.ts';
import { type LogicalDevice, templateText } from '../../provision/template-make.ts';
import { DEFAULT_POINT_OPTIONS } from '../../reading/point-options.ts';
import { keyedPointText } from '../../reading/point-text.ts';
import { type Context, verb } from '../context.ts';
import { addMeterFlags } from '../flags/meter-flags.ts';
import { namedMeter, withMeter } from '../meter/one-meter.ts';
import { table } from '../views/table.ts';

export function registerMeterTemplate(meter: Command): void {
  const template = meter.command('template').description('what is read of a kind of meter');
  template.command('list').description('the templates that come with the program').action(verb(list));
  template.command('show <name>').description('a template, or a YAML file of one').action(verb(show));
  addMeterFlags(
    template.command('make <meter>').description("write a template of a meter's own object list to standard output"),
  )
    .option('--name <name>', 'name of the template', 'my-meter')
    .action(verb(make));
}

function list(context: Context): undefined {
  const templates = templateNames().map(loadTemplate);
  context.print(
    {
      templates: templates.map(({ name, version, description, source, groups, profiles }) => ({
        name,
        version,
        description,
        source,
        points: groups.reduce((sum, { points }) => sum + points.length, 0),
        profiles: profiles.length,
      })),
    },
    () =>
      table(
        ['TEMPLATE', 'V', 'FOR'],
        templates.map(({ name, version, description }) => [name, String(version), description]),
      ),
  );
  return undefined;
}

function show(context: Context, command: Command): undefined {
  const [name = ''] = command.args;
  const path = templatePath(name);
  const text = textOf(path);
  const { settings, groups, profiles, ...template } = parseTemplate(path, text);
  const document = {
    ...template,
    settings: { ...settings },
    groups: groups.map((group) => ({
      name: group.name,
      intervalSeconds: group.intervalMs / 1000,
      points: group.points.map(({ options = DEFAULT_POINT_OPTIONS, ...point }) =>
        keyedPointText({ ...point, options }),
      ),
    })),
    profiles: profiles.map(({ obis, kind, intervalMs, columns, eventNames }) => ({
      obis,
      kind,
      intervalSeconds: intervalMs / 1000,
      columns: columns.map(keyedPointText),
      eventNames: { ...eventNames },
    })),
  };
  context.print(document, () => text);
  return undefined;
}

async function make(context: Context, command: Command): Promise<undefined> {
  const [name = ''] = command.args;
  const { name: template } = command.opts<{ name: string }>();
  if (!/^[a-z0-9][a-z0-9-]*$/.test(template)) {
    fail('USAGE', `--name takes lower-case letters, digits and hyphens, not "${template}"`);
  }
  const meter = namedMeter(context, name, command.opts());
  const walked = await withMeter(context, meter, async (session) => {
    const devices = await logicalDevices(session);
    const { objects } = await readObjectList(session);
    const profiles = objects.filter(({ classId }) => classId === PROFILE_GENERIC).map(({ obis }) => obis);
    return { devices, objects, capturePeriods: await capturePeriods(session, profiles) };
  });
  const text = templateText({ template, settings: meter.settings, ...walked });
  // What is written must be what `meter add --template` takes.
  parseTemplate(`${template}.yaml`, text);
  context.print({ template, yaml: text }, () => text);
  return undefined;
}

const PROFILE_GENERIC = 7;
const CAPTURE_PERIOD = 4;
const SAP_ASSIGNMENT = { classId: 17, instanceId: '0.0.41.0.0.255', attributeId: 2 } as const;
const LOGICAL_DEVICE_NAME = { classId: 1, instanceId: '0.0.42.0.0.255', attributeId: 2 } as const;

/** The SAP assignment list (Blue Book 4.4.5); the name of this logical device where the meter has no list. */
async function logicalDevices(session: MeterSession): Promise<LogicalDevice[]> {
  const [list, name] = await readAttributes(session, [SAP_ASSIGNMENT, LOGICAL_DEVICE_NAME]);
  const devices = listed(list).flatMap((entry) => {
    const [sap, device] = Array.isArray(entry) ? entry : [];
    return typeof sap === 'object' && sap !== null && 'coefficient' in sap && typeof device === 'string'
      ? [{ sap: Number(sap.coefficient), name: device }]
      : [];
  });
  if (devices.length > 0 || name === undefined || !('data' in name)) return devices;
  const text = cosemValue(name.data);
  return typeof text === 'string' ? [{ sap: 1, name: text }] : [];
}

function listed(result: GetResult | undefined) {
  const value = result !== undefined && 'data' in result ? cosemValue(result.data) : null;
  return Array.isArray(value) ? value : [];
}

/** Seconds by OBIS; a profile that does not tell is left out. */
async function capturePeriods(session: MeterSession, profiles: readonly string[]): Promise<Map<string, number>> {
  const results = await readAttributes(
    session,
    profiles.map((instanceId) => ({ classId: PROFILE_GENERIC, instanceId, attributeId: CAPTURE_PERIOD })),
  );
  return new Map(
    results.flatMap((result, index) => {
      const value = 'data' in result && 'value' in result.data ? result.data.value : null;
      return typeof value === 'number' ? [[profiles[index]!, value]] : [];
    }),
  );
}
