/** Databases of their own for tests of the store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { decimal } from '../../src/core/decimal.ts';
import { BridgeError, type ErrorCode } from '../../src/core/errors.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../src/dlms/settings.ts';
import type { Reading } from '../../src/reading/reading.ts';
import { type Database, initDatabase, openDatabase } from '../../src/store/database.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import type { NewMeter, NewTarget, TargetMode } from '../../src/store/fleet/types.ts';
import type { CycleCommit } from '../../src/store/local/types.ts';

/** A directory that goes with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dlms-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A new database; closed and removed with the test. */
export function newDatabase(path = join(temporaryDirectory(), 'dlms.db')): Database {
  const database = initDatabase(path);
  onTestFinished(() => database.close());
  return database;
}

/** Another handle on the same file. */
export function reopened(database: Database, options: Parameters<typeof openDatabase>[1] = {}): Database {
  const other = openDatabase(database.path, options);
  onTestFinished(() => other.close());
  return other;
}

export const GATEWAY_TOKEN = 'GATEWAY-TOKEN-7f3a91';

export function newTarget(mode: TargetMode = 'gateway', changes: Partial<NewTarget> = {}): NewTarget {
  const url = 'mqtt://127.0.0.1:1883';
  return { name: 'main', url, protocol: '5', mode, caFile: null, token: GATEWAY_TOKEN, ...changes };
}

/** A new database with one target. */
export function newFleet(mode: TargetMode = 'gateway'): Database {
  const database = newDatabase();
  addTarget(database, newTarget(mode));
  return database;
}

export function newMeter(name: string, changes: Partial<NewMeter> = {}): NewMeter {
  return {
    name,
    link: 'tcp://127.0.0.1:4059',
    settings: DEFAULT_METER_SETTINGS,
    secrets: NO_SECRETS,
    groups: [
      {
        name: 'default',
        intervalMs: 5000,
        points: [{ classId: null, obis: '1.0.1.8.0.255', attribute: 2, key: 'activeEnergyImport' }],
      },
    ],
    ...changes,
  };
}

export function reading(key: string, changes: Partial<Reading> = {}): Reading {
  const value = decimal(2305n, -1);
  return { key, ts: 1_767_225_600_000, value, unit: 'V', obis: '1.0.32.7.0.255', quality: 'good', ...changes };
}

export function cycle(cycleId: string, changes: Partial<CycleCommit> = {}): CycleCommit {
  const readings = [reading('voltageL1')];
  return { cycleId, meterId: 1, device: 'house1', createdAt: 1000, connectionIds: [1], readings, ...changes };
}

/** The code of the BridgeError that `action` throws; '' when it throws none. */
export function codeOf(action: () => unknown): ErrorCode | '' {
  try {
    action();
  } catch (error) {
    if (error instanceof BridgeError) return error.code;
    throw error;
  }
  return '';
}
