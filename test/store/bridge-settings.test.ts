/** Settings of the bridge in the database: what differs, sealed where it is a secret, and each change a revision. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  changeBridgeSettings,
  DEFAULT_BRIDGE_SETTINGS,
  loadBridgeSettings,
  SECRET_IS_SET,
  shownBridgeSettings,
} from '../../src/store/fleet/bridge-settings.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { revision } from '../../src/store/fleet/revision.ts';
import { codeOf, newDatabase, reopened } from './support.ts';

const HOOK = 'https://hooks.example/T0P-s3cr3t-path';

describe('settings of the bridge', () => {
  test('are the usual ones in a new database', () => {
    expect(loadBridgeSettings(newDatabase())).toEqual(DEFAULT_BRIDGE_SETTINGS);
  });

  test('are changed, kept, told to the fleet, and set back', () => {
    const database = newDatabase();
    const before = revision(database);
    const changes = { logLevel: 'debug', alertStaleIntervals: 9, connecting: 20 };
    expect(changeBridgeSettings(database, changes)).toEqual(['logLevel', 'alertStaleIntervals', 'connecting']);
    expect(revision(database)).toBe(before + 1);
    expect(loadFleet(reopened(database)).settings).toEqual({ ...DEFAULT_BRIDGE_SETTINGS, ...changes });
    expect(changeBridgeSettings(database, changes)).toEqual([]);
    expect(revision(database)).toBe(before + 1);
    changeBridgeSettings(database, { logLevel: null, alertStaleIntervals: 5, connecting: 200 });
    expect(database.sql.prepare('SELECT * FROM setting').all()).toEqual([]);
  });

  test('a secret is sealed, shown as set without the key, and opens nowhere else', () => {
    const database = newDatabase();
    changeBridgeSettings(database, { alertWebhook: HOOK });
    expect(loadBridgeSettings(database).alertWebhook).toBe(HOOK);
    expect(shownBridgeSettings(reopened(database, { readonly: true })).alertWebhook).toBe(SECRET_IS_SET);
    database.sql.pragma('wal_checkpoint(TRUNCATE)');
    expect(readFileSync(database.path).includes('T0P-s3cr3t')).toBe(false);
    database.sql.exec("UPDATE setting SET name = 'other'");
    expect(codeOf(() => loadBridgeSettings(database))).toBe('SEALING_KEY_WRONG');
  });

  test.each([
    { logLevel: 'loud' },
    { logRooms: 'kitchen=debug' },
    { logRooms: 'line=debug,' },
    { alertPublishRateBelow: 0 },
    { alertPublishRateBelow: 90 },
    { alertStaleIntervals: '5' },
    { connecting: null },
    { alertWebhook: 'ftp://x' },
    { noSuchThing: 1 },
    { alertStaleIntervals: 7, connecting: 0 },
  ])('%j is refused, and nothing is changed', (changes) => {
    const database = newDatabase();
    const before = revision(database);
    expect(codeOf(() => changeBridgeSettings(database, changes))).toBe('INVALID_VALUE');
    expect(loadBridgeSettings(database)).toEqual(DEFAULT_BRIDGE_SETTINGS);
    expect(revision(database)).toBe(before);
  });
});
