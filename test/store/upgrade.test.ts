/** Databases of earlier schema versions open, come up to date and keep what they hold. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { decimal } from '../../src/core/decimal.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import { DEFAULT_POINT_OPTIONS } from '../../src/reading/point-options.ts';
import { checkDatabase, type Database, initDatabase, openDatabase } from '../../src/store/database.ts';
import { DEFAULT_BRIDGE_SETTINGS } from '../../src/store/fleet/bridge-settings.ts';
import { loadFleet, loadLearned } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { sealSecrets, sealToken } from '../../src/store/fleet/sealed.ts';
import { clientSystemTitle } from '../../src/store/fleet/system-title.ts';
import { counterKeyId, loadCounters, reserveCounters } from '../../src/store/local/counters.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { encodeReadings } from '../../src/store/local/readings.ts';
import { loadStatus, loadTotals } from '../../src/store/local/status.ts';
import { latestVersion, MIGRATIONS, migrate, schemaVersion } from '../../src/store/migrations.ts';
import { createSealing } from '../../src/store/sealing.ts';
import { DEFAULT_LINE_SETTINGS } from '../../src/transport/line-settings.ts';
import { codeOf, newMeter, reading, temporaryDirectory } from './support.ts';

const SECRETS = { ...NO_SECRETS, secret: Uint8Array.of(1, 2, 3), blockCipherKey: new Uint8Array(16).fill(9) };

/** A database as the program with schema version 1 left it: one meter, a row in the outbox, a status. Its path. */
function versionOne(): string {
  const path = join(temporaryDirectory(), 'dlms.db');
  const key = randomBytes(32);
  writeFileSync(join(dirname(path), 'dlms.key'), key.toString('hex'), { mode: 0o600 });
  const sealing = createSealing(key);
  const sql = new BetterSqlite3(path);
  sql.pragma('journal_mode = WAL');
  sql.pragma('foreign_keys = ON');
  migrate(sql, MIGRATIONS.slice(0, 1));
  const run = (statement: string, ...values: unknown[]): void => void sql.prepare(statement).run(...values);
  run(
    'UPDATE fleet_state SET revision = 7, key_check = ?',
    sealing.seal('fleet_state/key_check/1', Buffer.from('dlms')),
  );
  run("INSERT INTO target VALUES (1, 'main', 'mqtt://127.0.0.1:1883', '5', 'gateway', NULL)");
  const token = [sealToken(sealing, 1, 'TOKEN'), sealing.fingerprint('mqtt://127.0.0.1:1883', 'TOKEN')];
  run('INSERT INTO connection VALUES (1, 1, NULL, ?, ?, 0)', ...token);
  run("INSERT INTO line VALUES (1, 'tcp://127.0.0.1:4059')");
  // Settings as of then: those that came later are not among them.
  run("INSERT INTO meter VALUES (3, 1, 'house1', 1, ?, ?)", '{"client":1}', sealSecrets(sealing, 3, SECRETS));
  run("INSERT INTO point_group VALUES (1, 3, 'default', 5000)");
  run("INSERT INTO point VALUES (1, 1, 3, 3, '1.0.1.8.0.255', 2, 'activeEnergyImport')");
  run("INSERT INTO learned VALUES (3, 'scalers', '{}')");
  const readings = encodeReadings([reading('voltageL1', { value: decimal(2305n, -1) })]);
  run(
    "INSERT INTO outbox (connection_id, device, cycle_id, created_at, readings) VALUES (1, 'house1', 'c1', 5, ?)",
    readings,
  );
  run("INSERT INTO status VALUES ('daemon', '{}', 5)");
  run("INSERT INTO counter VALUES ('cycles', 12)");
  sql.close();
  return path;
}

function opened(path: string, open: (path: string) => Database = openDatabase): Database {
  const database = open(path);
  onTestFinished(() => database.close());
  return database;
}

describe('a database of schema version 1', () => {
  test.each([
    ['opened', openDatabase],
    ['initialised again', initDatabase],
  ])('%s, is brought up to date and keeps its data', (_, open) => {
    const database = opened(versionOne(), open);
    expect(schemaVersion(database.sql)).toBe(latestVersion());
    checkDatabase(database);
    expect(database.sql.pragma('foreign_key_check')).toEqual([]);
    expect(loadFleet(database)).toEqual({
      revision: 7,
      settings: DEFAULT_BRIDGE_SETTINGS,
      targets: [{ id: 1, name: 'main', url: 'mqtt://127.0.0.1:1883', protocol: '5', mode: 'gateway', caFile: null }],
      connections: [{ id: 1, targetId: 1, meterId: null, token: 'TOKEN', retired: false }],
      lines: [{ id: 1, link: 'tcp://127.0.0.1:4059', settings: DEFAULT_LINE_SETTINGS }],
      meters: [
        {
          id: 3,
          lineId: 1,
          name: 'house1',
          enabled: true,
          suspended: false,
          deletedFrom: null,
          resumes: 0,
          settings: { ...DEFAULT_METER_SETTINGS, client: 1 },
          secrets: SECRETS,
          template: null,
        },
      ],
      profiles: [],
      groups: [{ id: 1, meterId: 3, name: 'default', intervalMs: 5000 }],
      points: [
        {
          id: 1,
          groupId: 1,
          classId: 3,
          obis: '1.0.1.8.0.255',
          attribute: 2,
          key: 'activeEnergyImport',
          options: DEFAULT_POINT_OPTIONS,
        },
      ],
    });
    expect(loadLearned(database, 3)).toEqual(new Map([['scalers', '{}']]));
    expect(createOutboxReader(database).pending(1, 0, 10)).toMatchObject([
      { id: 1, device: 'house1', cycleId: 'c1', createdAt: 5, readings: [{ key: 'voltageL1', text: '230.5' }] },
    ]);
    expect(loadStatus(database).get('daemon')).toEqual({ json: '{}', updatedAt: 5 });
    expect(loadTotals(database).cycles).toBe(12);
  });

  test('gets a system title that stays, and counters', () => {
    const path = versionOne();
    const database = opened(path);
    const title = clientSystemTitle(database);
    expect(Buffer.from(title).toString('latin1')).toMatch(/^DMM.{5}$/s);
    expect(clientSystemTitle(opened(path))).toEqual(title);
    expect(loadCounters(database)).toEqual([]);
    const keyId = counterKeyId(database, SECRETS.blockCipherKey, title);
    expect(reserveCounters(database, keyId, 16)).toBe(0);
    // The meter of before keeps no one from storing another with its key.
    const id = addMeter(database, newMeter('house2', { secrets: SECRETS }));
    expect(loadCounters(database)).toMatchObject([{ next: 16, meterId: id }]);
  });

  test('has its title once, however many open it', () => {
    const path = versionOne();
    const [first, second] = [opened(path), opened(path)];
    expect(clientSystemTitle(first)).toEqual(clientSystemTitle(second));
    expect(clientSystemTitle(opened(versionOne()))).not.toEqual(clientSystemTitle(first));
  });

  test('opened for reading only is not touched', () => {
    const path = versionOne();
    expect(codeOf(() => openDatabase(path, { readonly: true }))).toBe('DATABASE_TOO_OLD');
    expect(codeOf(() => opened(path))).toBe('');
  });
});
