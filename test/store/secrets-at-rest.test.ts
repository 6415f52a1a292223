import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NO_SECRETS } from '../../src/dlms/settings.ts';
import type { Database } from '../../src/store/database.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { addMeter, removeMeter } from '../../src/store/fleet/meters.ts';
import { codeOf, GATEWAY_TOKEN, newFleet, newMeter, reopened } from './support.ts';

describe('secrets', () => {
  const TOKEN = 'TOKEN-oR4nGe-5599';
  const PASSWORD = 'PaSsWoRd-1357';

  function filesOf(database: Database): Buffer {
    const directory = dirname(database.path);
    const files = readdirSync(directory).filter((name) => name.startsWith('dlms.db'));
    expect(files).toContain('dlms.db-wal');
    return Buffer.concat(files.map((name) => readFileSync(join(directory, name))));
  }

  test('stand nowhere in clear in any file of the database', () => {
    const database = newFleet('device');
    const secrets = { ...NO_SECRETS, secret: Buffer.from(PASSWORD) };
    addMeter(database, newMeter('house1', { token: TOKEN, secrets }));
    expect(filesOf(database).includes('house1')).toBe(true);
    const inClear = [TOKEN, PASSWORD, GATEWAY_TOKEN].flatMap((secret) => [
      secret,
      Buffer.from(secret).toString('hex'),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    ]);
    for (const secret of inClear) expect(filesOf(database).includes(secret)).toBe(false);
    removeMeter(database, 'house1');
    database.sql.pragma('wal_checkpoint(PASSIVE)');
    for (const secret of inClear) expect(filesOf(database).includes(secret)).toBe(false);
  });

  test('are opened from another handle, also a read-only one', () => {
    const database = newFleet('device');
    addMeter(database, newMeter('house1', { token: TOKEN, secrets: { ...NO_SECRETS, secret: Buffer.from(PASSWORD) } }));
    const fleet = loadFleet(reopened(database, { readonly: true }));
    expect(fleet.connections[1]?.token).toBe(TOKEN);
    expect(Buffer.from(fleet.meters[0]?.secrets.secret ?? []).toString()).toBe(PASSWORD);
  });

  test('swapped between rows they do not open', () => {
    const database = newFleet('device');
    addMeter(database, newMeter('house1', { token: TOKEN }));
    database.sql.exec('UPDATE connection SET token = (SELECT token FROM connection WHERE id = 1) WHERE id = 2');
    expect(codeOf(() => loadFleet(database))).toBe('SEALING_KEY_WRONG');
  });
});
