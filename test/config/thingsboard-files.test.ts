/** config/thingsboard: what it says is what the tables say, what ThingsBoard takes, and what is published. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ALERT_RULES } from '../../src/alert/rules.ts';
import { DEFAULT_METER_SETTINGS } from '../../src/dlms/settings.ts';
import { loadTemplate } from '../../src/provision/template.ts';
import {
  alarmRuleFaults,
  deviceProfileFaults,
  profileAlarmTypes,
  type WatchedKey,
  watchedByProfile,
  watchedByRule,
} from './alarm-formats.ts';
import { dashboardFaults, dashboardOf, datasourcesOf } from './dashboard-format.ts';
import { bridgeKeys, meterKeys, meterProfile, type PublishedKeys } from './published-keys.ts';

const DIRECTORY = fileURLToPath(new URL('../../config/thingsboard', import.meta.url));
const script = new URL('../../scripts/thingsboard-files.mjs', import.meta.url);

const files = new Map(
  readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .map((path) => [path, readFileSync(join(DIRECTORY, path), 'utf8')]),
);
const below = (start: string) => [...files.keys()].filter((path) => path.startsWith(start));
const document = (path: string): unknown => JSON.parse(files.get(path)!);

const DASHBOARDS = below('dashboard-');
const PROFILES = below('device-profile-');
const RULES = below('alarm-rules-4.3/');
const DEVICES = ['dlms-meter', 'dlms-bridge'] as const;
const KEYS: Readonly<Record<string, PublishedKeys>> = { 'dlms-meter': meterKeys(), 'dlms-bridge': bridgeKeys() };

test('the files are those of the tables', async () => {
  const { thingsboardFiles, textOf } = (await import(script.href)) as {
    thingsboardFiles(): Map<string, unknown>;
    textOf(document: unknown): string;
  };
  const written = [...thingsboardFiles()].map(([path, one]) => [path, textOf(one)] as const);
  expect(new Map(files), 'run: node scripts/thingsboard-files.mjs').toEqual(new Map(written));
  expect(files.size).toBe(DASHBOARDS.length + PROFILES.length + RULES.length);
});

test('no file has an id of the server that it came from', () => {
  const foreign = /"(?:tenantId|customerId|entityId|createdTime|externalId|assignedCustomers|version|ownerId)":/;
  expect([...files].filter(([, text]) => foreign.test(text)).map(([path]) => path)).toEqual([]);
  expect([...files.keys()].filter((path) => Object.hasOwn(document(path) as object, 'id'))).toEqual([]);
});

describe('device profiles and alarm rules', () => {
  test.each(PROFILES)('%s can be imported', (path) => {
    expect(deviceProfileFaults(document(path))).toEqual([]);
  });

  test.each(RULES)('%s can be imported', (path) => {
    expect(alarmRuleFaults(document(path))).toEqual([]);
  });

  test.each(DEVICES)('of %s: the same alarms in both forms, on the same keys; none twice', (device) => {
    const profile = document(`device-profile-${device}.json`);
    const rules = below(`alarm-rules-4.3/${device}/`).map(document);
    expect(rules.map((rule) => (rule as { name: string }).name).sort()).toEqual(profileAlarmTypes(profile).sort());
    const names = (watched: readonly WatchedKey[]) =>
      [...new Set(watched.map(({ key, kind }) => `${kind} ${key}`))].sort();
    expect(names(rules.flatMap(watchedByRule))).toEqual(names(watchedByProfile(profile)));
    expect(profileAlarmTypes(document(`device-profile-${device}-4.3.json`))).toEqual([]);
  });

  test.each(DEVICES)('of %s: every key is published', (device) => {
    const watched = watchedByProfile(document(`device-profile-${device}.json`));
    expect(watched.length).toBeGreaterThan(0);
    expect(watched.filter(({ key, kind }) => !KEYS[device]![kind].has(key))).toEqual([]);
  });

  test('the profile of meters is the one that the daemon names', () => {
    expect((document('device-profile-dlms-meter.json') as { name: string }).name).toBe(meterProfile());
  });

  test('the limit of the clock is that of the daemon', () => {
    const limits = JSON.stringify(document('alarm-rules-4.3/dlms-meter/clock-off.json')).match(/"staticValue":-?\d+/g);
    expect(limits).toContain(`"staticValue":${DEFAULT_METER_SETTINGS.clockLimitMs / 1000}`);
  });

  test('the critical alerts are alerts of the daemon, and critical there', () => {
    const rule = JSON.stringify(document('alarm-rules-4.3/dlms-bridge/bridge-alert.json'));
    const named = [...rule.matchAll(/"staticValue":"([A-Z_]+)"/g)].map(([, code]) => code!);
    const critical = Object.entries(ALERT_RULES).filter(([, { severity }]) => severity === 'critical');
    expect(named.sort()).toEqual(critical.map(([code]) => code).sort());
  });

  test('what is tampering are events of the fraud detection log of IDIS', () => {
    const rule = JSON.stringify(document('alarm-rules-4.3/dlms-meter/tampering.json'));
    const codes = [...rule.matchAll(/"staticValue":(\d+)/g)].map(([, code]) => code!);
    const log = loadTemplate('idis').profiles.find(({ obis }) => obis === '0.0.99.98.1.255')!;
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.filter((code) => log.eventNames?.[code] === undefined)).toEqual([]);
  });
});

describe('dashboards', () => {
  test.each(DASHBOARDS)('%s can be imported', (path) => {
    expect(dashboardFaults(document(path))).toEqual([]);
  });

  test.each(DASHBOARDS)('%s: every key is published by what its alias stands for', (path) => {
    const { widgets, entityAliases, filters } = dashboardOf(document(path)).configuration;
    const unknown: string[] = [];
    const look = (aliasId: string, kind: string, key: string): void => {
      if (kind !== 'timeseries' && kind !== 'attribute') return;
      const { filter } = entityAliases[aliasId]!;
      // Only meters open a state.
      const devices = filter.type === 'deviceType' ? filter.deviceTypes : (['dlms-meter'] as const);
      for (const device of devices) if (!KEYS[device]![kind].has(key)) unknown.push(`${device}: ${kind} ${key}`);
    };
    for (const source of Object.values(widgets).flatMap(datasourcesOf)) {
      for (const { name, type } of source.dataKeys) look(source.entityAliasId, type, name);
      const { keyFilters = [] } = source.filterId === null ? {} : filters[source.filterId]!;
      for (const { key } of keyFilters) {
        look(source.entityAliasId, key.type === 'ATTRIBUTE' ? 'attribute' : 'timeseries', key.key);
      }
    }
    expect(unknown).toEqual([]);
  });

  test('the fleet shows counts, tables of meters and bridges, and alarms', () => {
    const { widgets, states } = dashboardOf(document('dashboard-fleet.json')).configuration;
    const shown = Object.keys(states.default!.layouts.main.widgets).map((id) => widgets[id]!.typeFullFqn);
    expect(shown.map((name) => name.replace(/^system\.(?:\w+\.)?/, ''))).toEqual([
      'entity_count',
      'entity_count',
      'entity_count',
      'alarm_count',
      'alarm_count',
      'entity_count',
      'entities_table',
      'entities_table',
      'time_series_chart',
      'alarms_table',
    ]);
  });

  test('a click on a meter of the fleet opens the state with all that the dashboard of one meter shows', () => {
    const fleet = dashboardOf(document('dashboard-fleet.json')).configuration;
    const clicks = Object.values(fleet.widgets).flatMap(({ config }) => config.actions.rowClick ?? []);
    expect(clicks).toMatchObject([{ targetDashboardStateId: 'meter', setEntityId: true }]);
    const titles = (one: typeof fleet, state: string) =>
      Object.keys(one.states[state]!.layouts.main.widgets).map((id) => one.widgets[id]!.config.title);
    const meter = dashboardOf(document('dashboard-meter.json')).configuration;
    expect(titles(fleet, 'meter')).toEqual(titles(meter, 'default'));
  });
});

test('consumption is what a counter has gained, in kWh; nothing is made of the first value', () => {
  const { widgets } = dashboardOf(document('dashboard-meter.json')).configuration;
  const bars = Object.values(widgets).find(({ config }) => config.title === 'Energy per hour')!;
  const body = bars.config.datasources[0]!.dataKeys[0]!.postFuncBody!;
  const counted = new Function('time', 'value', 'prevValue', 'timePrev', 'prevOrigValue', body);
  expect(counted(0, 12_345_000, 0, 0, 0)).toBe(0);
  expect(counted(7_200_000, 12_346_500, 0, 3_600_000, 12_345_000)).toBe(1.5);
  expect(counted(10_800_000, 12_346_000, 1.5, 7_200_000, 12_346_500)).toBe(-0.5);
});

describe('what ThingsBoard would not take, or would pass by in silence', () => {
  /** The document of a file, spoilt in one place. */
  const spoilt = (path: string, spoil: (one: Json) => void): unknown => {
    const one = document(path) as Json;
    spoil(one);
    return one;
  };
  // biome-ignore lint/suspicious/noExplicitAny: wherever in the document it is spoilt.
  type Json = any;
  const first = (record: Json): Json => Object.values(record)[0];
  const widgetOf = (one: Json, title: string): Json =>
    Object.values(one.configuration.widgets).find((widget: Json) => widget.config.title === title);
  const clicked = (one: Json): Json =>
    Object.values(one.configuration.widgets).flatMap((widget: Json) => widget.config.actions.rowClick ?? [])[0];

  test.each<[string, (one: Json) => void, string]>([
    [
      'a widget type that there is not',
      (one) => (first(one.configuration.widgets).typeFullFqn = 'system.cards.card'),
      'typeFullFqn',
    ],
    ['another type of widget', (one) => (widgetOf(one, 'Power').type = 'latest'), 'is of the type timeseries'],
    ['a misspelt field', (one) => (widgetOf(one, 'Meters').config.backgroundColour = 'red'), 'backgroundColour'],
    [
      'a misspelt setting',
      (one) => (widgetOf(one, 'Power').config.settings.showLegends = true),
      'has no setting showLegends',
    ],
    [
      'a missing alias',
      (one) => delete one.configuration.entityAliases[Object.keys(one.configuration.entityAliases)[0]!],
      'there is no alias',
    ],
    ['a missing filter', (one) => (one.configuration.filters = {}), 'there is no filter'],
    [
      'an alias of another kind',
      (one) => (first(one.configuration.entityAliases).filter.type = 'deviceTypes'),
      'entityAliases',
    ],
    [
      'a widget that is not there',
      (one) => delete one.configuration.widgets[Object.keys(one.configuration.widgets)[0]!],
      'there is no widget',
    ],
    [
      'a widget that stands nowhere',
      (one) => (one.configuration.states.meter.layouts.main.widgets = {}),
      'stands nowhere',
    ],
    [
      'widgets on one another',
      (one) => (first(one.configuration.states.meter.layouts.main.widgets).sizeX = 5),
      'overlap',
    ],
    [
      'a widget beyond the grid',
      (one) => (first(one.configuration.states.meter.layouts.main.widgets).col = 21),
      'is beyond column 24',
    ],
    [
      'a state that is not there',
      (one) => (clicked(one).targetDashboardStateId = 'meters'),
      'there is no state meters',
    ],
    ['two roots', (one) => (one.configuration.states.meter.root = true), '2 states are the root'],
    [
      'a hash that stands twice',
      (one) => (widgetOf(one, 'Power').config.datasources[0].dataKeys[0]._hash = 0.001),
      '_hash 0.001 stands twice',
    ],
    [
      'a function that is none',
      (one) => (widgetOf(one, 'Energy per day').config.datasources[0].dataKeys[0].postFuncBody = 'return value -'),
      'the body of no function',
    ],
    ['an id of a server', (one) => (one.customerId = { id: 'x', entityType: 'CUSTOMER' }), 'customerId'],
  ])('a dashboard with %s', (_, spoil, said) => {
    expect(dashboardFaults(spoilt('dashboard-fleet.json', spoil)).join('\n')).toContain(said);
  });

  const oldRule = (one: Json): Json => first(one.profileData.alarms[1].createRules).condition;
  test.each<[string, (one: Json) => void, string]>([
    ['a predicate type that there is not', (one) => (oldRule(one).condition[0].predicate.type = 'NUMBER'), 'predicate'],
    [
      'a predicate of another type',
      (one) => (oldRule(one).condition[0].valueType = 'STRING'),
      'a NUMERIC predicate of a STRING value',
    ],
    ['a duration without a unit', (one) => (oldRule(one).spec = { type: 'DURATION' }), 'spec'],
    ['a severity that there is not', (one) => (one.profileData.alarms[0].createRules = { HIGH: {} }), 'createRules'],
    ['no create rule', (one) => (one.profileData.alarms[0].createRules = {}), 'no create rule'],
    [
      'an alarm type that stands twice',
      (one) => (one.profileData.alarms[0].alarmType = 'Clock off'),
      'alarm type Clock off stands twice',
    ],
    ['no name', (one) => delete one.name, 'name'],
  ])('a device profile with %s', (_, spoil, said) => {
    expect(deviceProfileFaults(spoilt('device-profile-dlms-meter.json', spoil)).join('\n')).toContain(said);
  });

  const newFilter = (one: Json): Json => first(one.configuration.createRules).condition.expression.filters[0];
  test.each<[string, (one: Json) => void, string]>([
    ['an argument that there is not', (one) => (newFilter(one).argument = 'drift'), 'no argument drift'],
    [
      'an argument that cannot be named so',
      (one) => (one.configuration.arguments = { 'clock:drift': {} }),
      'arguments',
    ],
    ['a constant of another type', (one) => (newFilter(one).predicates[0].value.staticValue = '60'), 'predicates'],
    ['constants of the old form', (one) => (newFilter(one).predicates[0].value = { defaultValue: 60 }), 'predicates'],
    ['another type of calculated field', (one) => (one.type = 'SCRIPT'), 'type'],
  ])('an alarm rule with %s', (_, spoil, said) => {
    expect(alarmRuleFaults(spoilt('alarm-rules-4.3/dlms-meter/clock-off.json', spoil)).join('\n')).toContain(said);
  });
});
