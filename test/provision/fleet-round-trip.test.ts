/** Property: what is exported and imported into an empty database is exported the same; into its own it changes nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { loadTemplate, templateReference } from '../../src/provision/template.ts';
import { DEFAULT_POINT_OPTIONS } from '../../src/reading/point-options.ts';
import { setLineSettings } from '../../src/store/fleet/lines.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import type { NewMeter, TargetMode } from '../../src/store/fleet/types.ts';
import { DEFAULT_LINE_SETTINGS } from '../../src/transport/line-settings.ts';
import { newDatabase, newFleet, newTarget } from '../store/support.ts';
import { exported, imported } from './fleet-support.ts';

const TEMPLATES = ['generic-single-phase', 'idis'] as const;
const text = (maxLength: number) =>
  fc.string({ minLength: 1, maxLength }).filter((one) => one === one.trim() && !/\p{Cc}/u.test(one));
const obis = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map((groups) => groups.join('.'));
const interval = fc.integer({ min: 100, max: 100_000_000 });
const options = fc.constantFrom(
  DEFAULT_POINT_OPTIONS,
  { ...DEFAULT_POINT_OPTIONS, kind: 'attribute', publish: 'on-change' } as const,
  { ...DEFAULT_POINT_OPTIONS, unit: 'a,@\\b', scaler: -3, publish: 'on-change', maxSilenceMs: 900_000 } as const,
);
const point = fc.record({
  classId: fc.option(fc.integer({ min: 0, max: 0xffff })),
  obis,
  attribute: fc.integer({ min: 1, max: 127 }),
  key: text(20),
  options,
});
const groupName = text(12).filter((name) => !/[@:]/.test(name));
const plan = fc
  .record({
    groups: fc.uniqueArray(
      fc.record({ name: groupName, intervalMs: interval, points: fc.array(point, { minLength: 1, maxLength: 3 }) }),
      {
        selector: ({ name }) => name,
        maxLength: 3,
      },
    ),
    profiles: fc.uniqueArray(
      fc.record({
        obis,
        kind: fc.constantFrom('load' as const, 'events' as const),
        intervalMs: interval,
        columns: fc.array(point, { maxLength: 2 }),
        eventNames: fc.dictionary(fc.integer({ min: 0, max: 999 }).map(String), text(10), { noNullPrototype: true }),
      }),
      { selector: (profile) => profile.obis, maxLength: 2 },
    ),
    template: fc.option(fc.constantFrom('ours@3', 'idis@1')),
  })
  .filter(({ groups }) => {
    const keys = groups.flatMap(({ points }) => points.map(({ key }) => key));
    return new Set(keys).size === keys.length;
  });
const ofTemplate = fc.constantFrom(...TEMPLATES).map((name) => {
  const template = loadTemplate(name);
  return { groups: template.groups, profiles: template.profiles, template: templateReference(template) };
});
const settings = fc
  .record(
    {
      client: fc.integer({ min: 0, max: 0xffff }),
      physical: fc.option(fc.integer({ min: 0, max: 0x3fff })),
      addressSize: fc.constantFrom(1 as const, 2 as const, 4 as const, null),
      systemTitle: fc.constantFrom('1234567812345678', 'abcdef0123456789', null),
      dedicatedKey: fc.boolean(),
      timeoutMs: fc.integer({ min: 10, max: 600_000 }),
      preEstablished: fc.constantFrom({ conformance: ['get' as const], serverMaxPdu: 512 }, null),
      timeZone: fc.constantFrom('Europe/Madrid', null),
      quirks: fc.constantFrom({}, { noList: true, listLimit: 7 }),
      identify: fc.constantFrom([], ['source=10.0.0.7', 'device-name=M, "1"']),
      push: fc.constantFrom([], ['3=voltage@scaler:-1', '3:1.0.1.8.0.255=a\\,b@unit:W h']),
    },
    { requiredKeys: [] },
  )
  .map((changes) => ({ ...DEFAULT_METER_SETTINGS, ...changes }));
const secrets = fc
  .record({
    secret: fc.option(fc.uint8Array({ minLength: 1, maxLength: 20 })),
    blockCipherKey: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 })),
  })
  .map((some) => ({ ...NO_SECRETS, ...some }));
const meter = fc
  .record({
    name: text(20).filter((name) => !name.includes('://') && !name.startsWith('-')),
    link: fc.constantFrom(
      'tcp://10.0.0.1:4059',
      'tcp+hdlc://10.0.0.2:4001',
      'serial:///dev/ttyUSB0?baud=9600&format=8N1',
    ),
    enabled: fc.boolean(),
    settings,
    secrets,
    plan: fc.oneof(plan, ofTemplate),
  })
  .map(({ plan, ...rest }): NewMeter => ({ ...rest, ...plan }));
const meters = fc.uniqueArray(meter, { selector: ({ name }) => name, minLength: 1, maxLength: 4 });

function fill(mode: TargetMode, wanted: readonly NewMeter[]) {
  const database = newDatabase();
  addTarget(database, newTarget(mode));
  for (const [index, one] of wanted.entries()) {
    addMeter(database, mode === 'device' ? { ...one, token: `TOKEN-${index}` } : one);
  }
  for (const { link } of loadFleet(database).lines) {
    setLineSettings(database, link, {
      ...DEFAULT_LINE_SETTINGS,
      turnaroundMs: link.length,
      echo: link.includes('hdlc'),
    });
  }
  return database;
}

describe.each(['yaml', 'json', 'csv'] as const)('%s', (format) => {
  test.each(['gateway', 'device'] as const)('of a fleet in %s mode', { timeout: 120_000 }, (mode) => {
    fc.assert(
      fc.property(meters, (wanted) => {
        const database = fill(mode, wanted);
        const first = exported(database, format);
        const before = loadFleet(database);
        expect(imported(database, format, first, { replace: format !== 'csv' })).toMatchObject({
          added: [],
          changed: [],
          removed: [],
          unchanged: wanted.length,
          targets: [],
          lines: [],
        });
        expect(loadFleet(database)).toEqual(before);
        // A spreadsheet has meters only.
        const other = format === 'csv' ? newFleet(mode) : newDatabase();
        imported(other, format, first);
        expect(exported(other, format)).toBe(first);
      }),
      { numRuns: 12 },
    );
  });
});
