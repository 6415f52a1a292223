/** Every key that a device in ThingsBoard can have from us, found out from the templates and from the code that publishes. */
import { readFileSync } from 'node:fs';
import { DRIFT_KEY } from '../../src/polling/identification.ts';
import { columnKeys, eventKey } from '../../src/polling/profile-keys.ts';
import { eventsAsReadings } from '../../src/polling/profile-readings.ts';
import { QualityMarks } from '../../src/polling/quality-marks.ts';
import { loadTemplate, templateNames } from '../../src/provision/template.ts';

export interface PublishedKeys {
  readonly timeseries: ReadonlySet<string>;
  readonly attribute: ReadonlySet<string>;
}

/** Server attributes that ThingsBoard keeps of every device (DefaultDeviceStateService.java). */
const KEPT_BY_THINGSBOARD = ['active', 'lastActivityTime'];

/** What load profiles capture, as the standards' object lists have it: registers of energy, and the energy of a period. */
const CAPTURED = ['1.0.1.8.0.255', '1.0.2.8.0.255', '1.0.1.29.0.255', '1.0.2.29.0.255'];

/** Of devices behind the gateway. */
export function meterKeys(): PublishedKeys {
  const templates = templateNames().map(loadTemplate);
  const points = templates.flatMap(({ groups }) => groups.flatMap((group) => group.points));
  const profiles = templates.flatMap((template) => template.profiles);
  const polled = points.filter(({ options }) => options?.kind !== 'attribute').map(({ key }) => key);
  const columns = profiles
    .filter(({ kind }) => kind !== 'events')
    .flatMap((profile) => {
      const captured = CAPTURED.map((obis) => ({ classId: 3, obis, attribute: 2, dataIndex: 0 }));
      return columnKeys(captured, profile).map((column) => column!.key);
    });
  const events = profiles.filter(({ kind }) => kind === 'events').map(eventKey);
  const gaps = profiles.flatMap(({ obis }) =>
    eventsAsReadings([{ kind: 'gap', from: 0, to: 0, missing: 1 }], obis, 0).map(({ key }) => key),
  );
  return {
    timeseries: new Set([
      ...polled,
      ...columns,
      ...[...polled, ...columns].map(qualityKey),
      ...events,
      ...events.map((key) => `${key}Code`),
      ...gaps,
      DRIFT_KEY,
    ]),
    attribute: new Set([
      ...points.filter(({ options }) => options?.kind === 'attribute').map(({ key }) => key),
      ...KEPT_BY_THINGSBOARD,
    ]),
  };
}

function qualityKey(key: string): string {
  const reading = { key, ts: 0, value: 'x', unit: null, obis: '', quality: 'doubtful' as const };
  return new QualityMarks().of([reading])[0]!.key;
}

/** Where readings of the bridge's own device are made, and how they are written there. */
const OWN_READINGS = [
  { file: 'src/daemon/alerts/alert-telemetry.ts', pattern: /\breading\('(\w+)'/g },
  { file: 'src/store/local/outbox-limits.ts', pattern: /^ {4}\['(\w+)', now, /gm },
];

/** Of the bridge's own device. */
export function bridgeKeys(): PublishedKeys {
  const found = OWN_READINGS.flatMap(({ file, pattern }) =>
    [...sourceOf(file).matchAll(pattern)].map(([, key]) => key!),
  );
  return { timeseries: new Set(found), attribute: new Set(KEPT_BY_THINGSBOARD) };
}

/** The device profile that the daemon names for devices behind its gateway; undefined when it is not found. */
export function meterProfile(): string | undefined {
  return /^ {2}deviceType: '([\w-]+)',$/m.exec(sourceOf('src/thingsboard/publisher.ts'))?.[1];
}

function sourceOf(file: string): string {
  return readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
}
