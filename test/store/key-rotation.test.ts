/** Another sealing key: everything opens with it, and nothing with the old one. */
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { NO_SECRETS } from '../../src/dlms/settings.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { changeBridgeSettings, loadBridgeSettings } from '../../src/store/fleet/bridge-settings.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter } from '../../src/store/fleet/meters.ts';
import { addTarget } from '../../src/store/fleet/targets.ts';
import { rotateSealingKey, SEALED_COLUMNS, settleKeyFiles } from '../../src/store/key-rotation.ts';
import {
  addCommand,
  changeCommand,
  commandArguments,
  commandError,
  commandParts,
  sealError,
  sealPart,
} from '../../src/store/local/commands.ts';
import { NOW, writerOf } from './replaced-support.ts';
import { codeOf, GATEWAY_TOKEN, newFleet, newMeter, newTarget, temporaryDirectory } from './support.ts';

const SECRETS = { ...NO_SECRETS, secret: Uint8Array.of(1, 2, 3), blockCipherKey: new Uint8Array(16).fill(9) };
const HOOK = 'https://example.org/hook?key=secret';
const keyFileOf = (path: string): string => join(dirname(path), 'dlms.key');

/** A database in which everything is sealed that can be. Its path, and the id of the command. */
async function filled(): Promise<{ readonly path: string; readonly id: number }> {
  const database = newFleet('device');
  addMeter(database, newMeter('house1', { token: 'TOKEN-OF-HOUSE1', secrets: SECRETS }));
  const id = addCommand(database, {
    ...{ meter: 'house1', verb: 'read', subject: 'x', arguments: '{"a":1}', requestedBy: 'cli:x(1)' },
    ...{ idempotencyKey: null, createdAt: NOW, deadline: NOW },
  });
  const report = {
    code: 'METER_TIMEOUT',
    message: 'm',
    layer: 'meter',
    fault: 'meter',
    retryable: true,
    hint: '',
  } as const;
  const error = sealError(database.sealing(), id, report);
  changeCommand(database, { id, from: ['queued'], to: 'failed', at: NOW, code: 'METER_TIMEOUT', error });
  changeBridgeSettings(database, { alertWebhook: HOOK });
  const writer = await writerOf(database);
  for (const part of [0, 1]) {
    await writer.addCommandPart({ id, part, json: sealPart(database.sealing(), id, part, `{"part":${part}}`) });
  }
  await writer.close();
  database.close();
  return { path: database.path, id };
}

function opened(path: string): Database {
  const database = openDatabase(path);
  onTestFinished(() => database.close());
  return database;
}

test('every column of octets is sealed anew, or known to be none of ours to seal', () => {
  const { sql } = newFleet();
  const tables = sql.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  const columns = tables.flatMap((table) =>
    (sql.pragma(`table_info(${table})`) as readonly { name: string; type: string }[])
      .filter(({ type }) => type === 'BLOB')
      .map(({ name }) => `${table}.${name}`),
  );
  const others = [
    'fleet_state.key_check',
    'installation.counter_key',
    // An HMAC by the key: made anew.
    'connection.token_fingerprint',
    // Of no secret, or a name that stays.
    'installation.system_title',
    'invocation_counter.key_id',
  ];
  const known = [...SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`), ...others];
  expect(columns.sort()).toEqual(known.sort());
});

describe('after a rotation', () => {
  test('everything opens, with the new key alone', async () => {
    const { path, id } = await filled();
    const old = readFileSync(keyFileOf(path));
    const sealed = (): string[] => {
      const { sql } = opened(path);
      return SEALED_COLUMNS.flatMap(({ table, column }) =>
        sql.prepare<[], string>(`SELECT hex(${column}) FROM ${table}`).pluck().all(),
      );
    };
    const before = sealed();
    const { keyFile, resealed } = rotateSealingKey(path, null);
    expect({ keyFile, resealed }).toEqual({ keyFile: keyFileOf(path), resealed: before.length });
    expect(readFileSync(keyFile)).not.toEqual(old);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(path)).filter((name) => name.startsWith('dlms.key'))).toEqual(['dlms.key']);
    expect(sealed().filter((value) => before.includes(value))).toEqual([]);
    // Nor does what was sealed with the old key stand anywhere in the file.
    const octets = readFileSync(path).toString('hex').toUpperCase();
    expect(before.filter((value) => octets.includes(value))).toEqual([]);

    const database = opened(path);
    const { connections, meters } = loadFleet(database);
    expect(connections.map(({ token }) => token)).toEqual([GATEWAY_TOKEN, 'TOKEN-OF-HOUSE1']);
    expect(meters[0]?.secrets).toEqual(SECRETS);
    expect(loadBridgeSettings(database).alertWebhook).toBe(HOOK);
    expect(commandArguments(database, id)).toBe('{"a":1}');
    expect(commandError(database, id)?.code).toBe('METER_TIMEOUT');
    expect(commandParts(database, id)).toEqual(['{"part":0}', '{"part":1}']);

    writeFileSync(keyFile, old);
    expect(codeOf(() => loadFleet(opened(path)))).toBe('SEALING_KEY_WRONG');
  });

  test('a token is still known when it comes twice', async () => {
    const { path } = await filled();
    rotateSealingKey(path, null);
    const again = newMeter('house2', { token: 'TOKEN-OF-HOUSE1' });
    expect(codeOf(() => addMeter(opened(path), again))).toBe('DUPLICATE_TOKEN');
  });

  test('who opened the database before writes nothing under the old key', async () => {
    const database = newFleet();
    addMeter(database, newMeter('house1'));
    rotateSealingKey(database.path, null);
    expect(codeOf(() => addMeter(database, newMeter('house2')))).toBe('DATABASE_LOCKED');
    const target = newTarget('gateway', { name: 'second', token: 'X', url: 'mqtt://127.0.0.1:1884' });
    addTarget(opened(database.path), target);
    expect(loadFleet(opened(database.path)).connections).toHaveLength(2);
  });

  test('the old key is kept where that is asked for, and nothing is overwritten by it', async () => {
    const { path } = await filled();
    const old = readFileSync(keyFileOf(path), 'ascii').trim();
    const to = join(temporaryDirectory(), 'old.key');
    rotateSealingKey(path, to);
    expect(readFileSync(to, 'ascii').trim()).toBe(old);
    expect(statSync(to).mode & 0o777).toBe(0o600);
    const now = readFileSync(keyFileOf(path), 'ascii');
    expect(codeOf(() => rotateSealingKey(path, to))).toBe('ALREADY_EXISTS');
    expect(readFileSync(keyFileOf(path), 'ascii')).toBe(now);
    expect(() => loadFleet(opened(path))).not.toThrow();
  });
});

describe('a key that systemd gives', () => {
  function credentialOf(path: string): void {
    const directory = temporaryDirectory();
    copyFileSync(keyFileOf(path), join(directory, 'dlms.key'));
    process.env.CREDENTIALS_DIRECTORY = directory;
    onTestFinished(() => {
      delete process.env.CREDENTIALS_DIRECTORY;
    });
  }

  test('is not rotated from within the unit', async () => {
    const { path } = await filled();
    credentialOf(path);
    expect(codeOf(() => rotateSealingKey(path, null))).toBe('UNSUPPORTED');
    expect(() => loadFleet(opened(path))).not.toThrow();
  });

  test('and that is older than the file beside the database gives way to it', async () => {
    const { path } = await filled();
    const { path: other } = await filled();
    credentialOf(path);
    const credentials = process.env.CREDENTIALS_DIRECTORY;
    delete process.env.CREDENTIALS_DIRECTORY;
    rotateSealingKey(path, null);
    process.env.CREDENTIALS_DIRECTORY = credentials;
    expect(() => loadFleet(opened(path))).not.toThrow();
    settleKeyFiles(path);
    // Neither fits: it is the credential that is told of.
    copyFileSync(keyFileOf(other), keyFileOf(path));
    expect(codeOf(() => loadFleet(opened(path)))).toBe('SEALING_KEY_WRONG');
  });
});
