// What the drawn dashboards show: virtual meters and a bridge at a moment of a day. `npm run build` first.
import { householdAt, makeHousehold } from '../../dist/simulator/meter/household.js';

/** The moment that is drawn, milliseconds UTC. */
export const NOW = Date.UTC(2026, 4, 20, 15, 40);
const MINUTE_MS = 60_000;

/** Two of them have something the matter. */
const METERS = Array.from({ length: 14 }, (_, index) => ({
  name: `house${index + 1}`,
  seed: index + 2,
  drift: ((index * 7) % 11) / 5 - 0.9,
  ...(index === 2 ? { drift: 184.6 } : {}),
  ...(index === 4 ? { silentSince: NOW - 74 * MINUTE_MS } : {}),
}));

const PHASES = ['L1', 'L2', 'L3'];
/** Keys of what a household does, at a moment. */
const MEASURED = {
  ...Object.fromEntries(
    ['activePowerImport', 'activePowerExport', 'activeEnergyImport', 'activeEnergyExport', 'frequency'].map((name) => [
      name,
      (values) => values[name],
    ]),
  ),
  activeImportEnergy: (values) => values.activeEnergyImport,
  activeExportEnergy: (values) => values.activeEnergyExport,
  ...Object.fromEntries(
    PHASES.flatMap((phase, index) => [
      [`voltage${phase}`, (values) => values.phases[index].voltage],
      [`current${phase}`, (values) => values.phases[index].current],
    ]),
  ),
};

/** Readings that are now and then: [minutes ago, values]. */
const OCCASIONAL = {
  meter: [
    [125, { event: 'power up' }],
    [131, { event: 'power down' }],
    [1580, { event1: 'terminal cover closed' }],
    [1604, { event1: 'terminal cover removed' }],
    [4310, { event: 'clock adjusted, new time' }],
    [4310.1, { event: 'clock adjusted, old time' }],
    [8640, { event2: 'remote connection' }],
    [115, { activeImportEnergyQuality: 'good', activeExportEnergyQuality: 'good' }],
    [130, { activeImportEnergyQuality: 'doubtful', activeExportEnergyQuality: 'doubtful' }],
    [
      4315,
      {
        'profileGap:1.0.99.1.0.255':
          '{"kind":"gap","from":"2026-05-17T15:00:00.000Z","to":"2026-05-17T15:45:00.000Z","missing":2}',
      },
    ],
  ],
  bridge: [
    [12, { activeAlerts: 1, lastAlert: 'METER_OFFLINE house5 raised: no answer for a minute', outboxDropped: 0 }],
    [4300, { activeAlerts: 0, lastAlert: 'TARGET_UNREACHABLE board cleared' }],
    [4380, { activeAlerts: 1, lastAlert: 'TARGET_UNREACHABLE board raised: connect ECONNREFUSED' }],
    [20_160, { activeAlerts: 0, lastAlert: 'METER_CLOCK_OFF house3 cleared' }],
    [20_900, { activeAlerts: 1, lastAlert: 'METER_CLOCK_OFF house3 raised: the clock is off by 184.6 s' }],
    [50_000, { activeAlerts: 0 }],
  ],
};

/** Names are those of device profiles. */
export const ENTITIES = {
  'dlms-meter': METERS.map(({ name, seed, drift, silentSince }) => {
    const household = makeHousehold(seed, 3);
    const last = silentSince ?? NOW - (seed % 5) * 9_000;
    const latest = {
      active: silentSince === undefined,
      lastActivityTime: last,
      serialNumber: `#${18_204_500 + seed * 37}`,
      logicalDeviceName: `KFM100000${18_204_500 + seed * 37}`,
      meterType: 'MA304H3E',
      firmwareVersion: 'V2.1.7',
      clockDrift: drift,
    };
    return entity(name, latest, OCCASIONAL.meter, (key, at) => MEASURED[key]?.(householdAt(household, at)), last);
  }),
  'dlms-bridge': [
    entity('bridge', { active: true, lastActivityTime: NOW - 4_000 }, OCCASIONAL.bridge, () => undefined, NOW),
  ],
};

function entity(name, latest, occasional, measured, last) {
  const recorded = occasional.map(([minutes, values]) => ({ at: NOW - minutes * MINUTE_MS, values }));
  return {
    name,
    /** The value of a key at a moment, undefined where there is none; the last one for `NOW`. */
    valueAt: (key, at = last) =>
      latest[key] ??
      measured(key, at) ??
      recorded.find(({ at: then, values }) => then <= at && key in values)?.values[key],
    /** What was recorded of any of the keys, newest first. */
    rows: (keys, from) =>
      recorded
        .filter(({ at, values }) => at >= from && keys.some((key) => key in values))
        .sort((one, other) => other.at - one.at),
  };
}

/** Alarms of [minutes ago, device, severity, type, status]. */
export const ALARMS = [
  [54, 'house5', 'MAJOR', 'No data', 'Active Unacknowledged'],
  [12, 'bridge', 'MAJOR', 'Bridge alert', 'Active Unacknowledged'],
  [1604, 'house1', 'MAJOR', 'Tampering', 'Active Acknowledged'],
  [2900, 'house3', 'MINOR', 'Clock off', 'Active Acknowledged'],
  [4315, 'house1', 'WARNING', 'Load profile has gaps', 'Cleared Acknowledged'],
  [4380, 'bridge', 'CRITICAL', 'Bridge silent', 'Cleared Acknowledged'],
  [6120, 'house2', 'MINOR', 'Voltage L2 out of bounds', 'Cleared Acknowledged'],
]
  .map(([minutes, device, severity, type, status]) => ({
    createdTime: NOW - minutes * MINUTE_MS,
    originator: device,
    severity,
    type,
    status,
  }))
  .sort((one, other) => other.createdTime - one.createdTime);
