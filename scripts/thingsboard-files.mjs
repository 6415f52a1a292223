// Writes config/thingsboard from the tables in scripts/thingsboard; test/config/thingsboard-files.test.ts compares.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alarmRule, BRIDGE_ALARMS, METER_ALARMS, profileAlarm } from './thingsboard/alarms.mjs';
import { BRIDGE_PROFILE, fleetDashboard, METER_PROFILE, meterDashboard } from './thingsboard/dashboards.mjs';

const PROFILES = [
  { name: METER_PROFILE, description: 'A DLMS/COSEM meter, read by dlms-multi-meter', alarms: METER_ALARMS },
  { name: BRIDGE_PROFILE, description: 'dlms-multi-meter itself, the gateway of its meters', alarms: BRIDGE_ALARMS },
];

/** What each file says, by its path below config/thingsboard. */
export function thingsboardFiles() {
  const files = new Map([
    ['dashboard-fleet.json', fleetDashboard()],
    ['dashboard-meter.json', meterDashboard()],
  ]);
  for (const { name, description, alarms } of PROFILES) {
    files.set(`device-profile-${name}.json`, deviceProfile(name, description, alarms.map(profileAlarm)));
    files.set(`device-profile-${name}-4.3.json`, deviceProfile(name, description, null));
    for (const alarm of alarms) files.set(`alarm-rules-4.3/${name}/${fileName(alarm)}`, alarmRule(alarm));
  }
  return files;
}

function fileName({ type }) {
  return `${type.toLowerCase().replaceAll(' ', '-')}.json`;
}

function deviceProfile(name, description, alarms) {
  return {
    name,
    description,
    image: null,
    type: 'DEFAULT',
    transportType: 'DEFAULT',
    provisionType: 'DISABLED',
    defaultRuleChainId: null,
    defaultDashboardId: null,
    defaultQueueName: null,
    provisionDeviceKey: null,
    firmwareId: null,
    softwareId: null,
    defaultEdgeRuleChainId: null,
    profileData: {
      configuration: { type: 'DEFAULT' },
      transportConfiguration: { type: 'DEFAULT' },
      provisionConfiguration: { type: 'DISABLED', provisionDeviceSecret: null },
      alarms,
    },
    default: false,
  };
}

/** The text of a file. */
export function textOf(document) {
  return `${JSON.stringify(document, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = fileURLToPath(new URL('../config/thingsboard', import.meta.url));
  rmSync(directory, { recursive: true, force: true });
  for (const [path, document] of thingsboardFiles()) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), textOf(document));
  }
}
