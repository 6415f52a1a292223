// What is worth an alarm in ThingsBoard: one row for each alarm type, and the two forms in which ThingsBoard takes it. Up
// to 4.2 alarm rules are part of a device profile, from 4.3 on each is a calculated field of the type ALARM.
import { uuidOf } from './names.mjs';

/** @typedef {{operation: string, value: string | number | boolean}} Comparison */
/** @typedef {Comparison | {operation: 'AND' | 'OR', predicates: readonly Predicate[]}} Predicate */
/** @typedef {{key: string, argument: string, source: 'telemetry' | 'attribute', valueType: string, predicate: Predicate}} Filter */
/** All filters have to hold, for `minutes` where that is given. `details`: `${argument}` stands for the value of a filter.
 * @typedef {{filters: readonly Filter[], minutes?: number, details?: string}} Rule */
/** @typedef {{type: string, create: Readonly<Record<string, Rule>>, clear?: Rule}} Alarm */

const is = (value) => ({ operation: 'EQUAL', value });
const above = (value) => ({ operation: 'GREATER', value });
const below = (value) => ({ operation: 'LESS', value });
const contains = (value) => ({ operation: 'CONTAINS', value });
const startsWith = (value) => ({ operation: 'STARTS_WITH', value });
const allOf = (...predicates) => ({ operation: 'AND', predicates });
const anyOf = (...predicates) => ({ operation: 'OR', predicates });

const filter = (source, valueType) => (key, predicate, argument) => ({
  key,
  argument: argument ?? key,
  source,
  valueType,
  predicate,
});
const number = filter('telemetry', 'NUMERIC');
const text = filter('telemetry', 'STRING');
/** A server attribute that ThingsBoard keeps itself. */
const flag = filter('attribute', 'BOOLEAN');

/**
 * Supply voltage in low voltage grids, EN 50160 4.2.2: 230 V, means of ten minutes within 10 % in 95 % of a week, and never
 * below -15 %. Below 5 % a phase is without supply, or not connected at all: that is no voltage that is too low.
 */
const VOLTAGE = { highest: 253, low: 207, lowest: 195.5, none: 11.5 };

const voltage = (phase) => {
  const key = `voltage${phase}`;
  const rule = (predicate) => ({ filters: [number(key, predicate)], minutes: 10, details: `${key} = \${${key}} V` });
  const { highest, low, lowest, none } = VOLTAGE;
  return {
    type: `Voltage ${phase} out of bounds`,
    create: {
      MAJOR: rule(anyOf(above(highest), allOf(below(lowest), above(none)))),
      MINOR: rule(allOf(below(low), above(none))),
    },
    clear: { filters: [number(key, allOf(below(highest), above(low)))] },
  };
};

/** Events of the fraud detection log of IDIS and DSMR: covers removed, DC field, failed authentication and decryption, replay. */
const TAMPERING = [40, 42, 44, 46, 49, 50];

/** Of devices with the profile `dlms-meter`. */
export const METER_ALARMS = [
  {
    // ThingsBoard itself waits ten minutes (inactivityTimeout) before a device is not active any more.
    type: 'No data',
    create: { MAJOR: { filters: [flag('active', is(false))], minutes: 20 } },
    clear: { filters: [flag('active', is(true))] },
  },
  {
    // The limit is that of the daemon (--clock-limit). Load profiles are captured by this clock, a quarter of an hour each.
    type: 'Clock off',
    create: {
      MAJOR: clockRule(anyOf(above(900), below(-900))),
      MINOR: clockRule(anyOf(above(60), below(-60))),
    },
    clear: { filters: [number('clockDrift', allOf(below(30), above(-30)))] },
  },
  voltage('L1'),
  voltage('L2'),
  voltage('L3'),
  {
    type: 'Load profile doubtful',
    create: { WARNING: { filters: [text('activeImportEnergyQuality', is('doubtful'))] } },
    clear: { filters: [text('activeImportEnergyQuality', is('good'))] },
  },
  {
    // Each gap tells of itself, and nothing tells that it is over: people clear this one, and the next.
    type: 'Load profile has gaps',
    create: { WARNING: { filters: [text('profileGap:1.0.99.1.0.255', contains('missing'), 'profileGap')] } },
  },
  {
    type: 'Tampering',
    create: {
      MAJOR: { filters: [number('event1Code', anyOf(...TAMPERING.map(is)))], details: `event \${event1Code}` },
    },
  },
];

function clockRule(predicate) {
  return { filters: [number('clockDrift', predicate)], details: `the clock is off by \${clockDrift} s` };
}

/** Alerts of the daemon by which readings are not delivered or not kept. */
const CRITICAL = [
  ...['TOKEN_CONFLICT', 'PUBLISH_RATE_LOW', 'CREDENTIALS_REFUSED'],
  ...['OUTBOX_FULL', 'OUTBOX_DROPPED', 'DATABASE_REFUSES'],
  'DATABASE_REPAIRED',
];

/** Of devices with the profile `dlms-bridge`: the bridge's own. */
export const BRIDGE_ALARMS = [
  {
    type: 'Bridge silent',
    create: { CRITICAL: { filters: [flag('active', is(false))] } },
    clear: { filters: [flag('active', is(true))] },
  },
  {
    type: 'Bridge alert',
    create: {
      CRITICAL: bridgeRule(allOf(contains(' raised: '), anyOf(...CRITICAL.map(startsWith)))),
      MAJOR: bridgeRule(contains(' raised: ')),
    },
    clear: { filters: [number('activeAlerts', is(0))] },
  },
  {
    type: 'Readings dropped',
    create: {
      CRITICAL: { filters: [number('outboxDropped', above(0))], details: `\${outboxDropped} rows were dropped` },
    },
  },
];

function bridgeRule(predicate) {
  return { filters: [number('activeAlerts', above(0)), text('lastAlert', predicate)], details: `\${lastAlert}` };
}

/** Of a device profile up to 4.2: an entry of `profileData.alarms`. */
export function profileAlarm({ type, create, clear }) {
  return {
    id: uuidOf(`alarm/${type}`),
    alarmType: type,
    createRules: mapValues(create, profileRule),
    clearRule: clear === undefined ? null : profileRule(clear),
    propagate: false,
    propagateToOwner: false,
    propagateToTenant: false,
    propagateRelationTypes: null,
  };
}

function profileRule({ filters, minutes, details }) {
  const constant = (value) => ({ defaultValue: value, userValue: null, dynamicValue: null });
  return {
    condition: {
      condition: filters.map(({ key, source, valueType, predicate }) => ({
        key: { type: source === 'telemetry' ? 'TIME_SERIES' : 'ATTRIBUTE', key },
        valueType,
        value: null,
        predicate: predicateOf(predicate, valueType, constant),
      })),
      spec:
        minutes === undefined
          ? { type: 'SIMPLE' }
          : { type: 'DURATION', unit: 'MINUTES', predicate: constant(minutes) },
    },
    schedule: null,
    alarmDetails: details ?? null,
    dashboardId: null,
  };
}

/** From 4.3 on: a calculated field of the type ALARM, a file of its own. */
export function alarmRule({ type, create, clear }) {
  const rules = [...Object.values(create), ...(clear === undefined ? [] : [clear])];
  const filters = rules.flatMap((rule) => rule.filters);
  return {
    type: 'ALARM',
    name: type,
    debugSettings: { failuresEnabled: false, allEnabled: false, allEnabledUntil: 0 },
    configuration: {
      type: 'ALARM',
      arguments: Object.fromEntries(filters.map(({ argument, key, source }) => [argument, argumentOf(key, source)])),
      createRules: mapValues(create, fieldRule),
      clearRule: clear === undefined ? null : fieldRule(clear),
      propagate: false,
      propagateToOwner: false,
      propagateToTenant: false,
      propagateRelationTypes: null,
    },
  };
}

function argumentOf(key, source) {
  const refEntityKey =
    source === 'telemetry' ? { key, type: 'TS_LATEST' } : { key, type: 'ATTRIBUTE', scope: 'SERVER_SCOPE' };
  return { refEntityKey };
}

function fieldRule({ filters, minutes, details }) {
  const constant = (value) => ({ staticValue: value });
  const expression = {
    type: 'SIMPLE',
    operation: 'AND',
    filters: filters.map(({ argument, valueType, predicate }) => ({
      argument,
      valueType,
      operation: 'predicates' in predicate ? predicate.operation : 'AND',
      predicates: ('predicates' in predicate ? predicate.predicates : [predicate]).map((one) =>
        predicateOf(one, valueType, constant),
      ),
    })),
  };
  const condition =
    minutes === undefined
      ? { type: 'SIMPLE', expression }
      : { type: 'DURATION', unit: 'MINUTES', value: constant(minutes), expression };
  return { condition, alarmDetails: details ?? null };
}

function predicateOf(predicate, valueType, constant) {
  if ('predicates' in predicate) {
    const predicates = predicate.predicates.map((one) => predicateOf(one, valueType, constant));
    return { type: 'COMPLEX', operation: predicate.operation, predicates };
  }
  const compared = { type: valueType, operation: predicate.operation, value: constant(predicate.value) };
  return valueType === 'STRING' ? { ...compared, ignoreCase: false } : compared;
}

function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
