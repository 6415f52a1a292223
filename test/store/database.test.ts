import { copyFileSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/core/errors.ts';
import { checkDatabase, initDatabase, inTransaction, openDatabase } from '../../src/store/database.ts';
import { storeError } from '../../src/store/errors.ts';
import { APPLICATION_ID, latestVersion, MIGRATIONS, type Migration, migrate } from '../../src/store/migrations.ts';
import { codeOf, newDatabase, reopened, temporaryDirectory } from './support.ts';

describe('init', () => {
  test('makes directory, key and database, and is harmless when done again', () => {
    const path = join(temporaryDirectory(), 'deep', 'data', 'dlms.db');
    const keyFile = join(dirname(path), 'dlms.key');
    initDatabase(path).close();
    const key = readFileSync(keyFile);
    const again = newDatabase(path);
    expect(again.sql.pragma('user_version', { simple: true })).toBe(latestVersion());
    expect(readFileSync(keyFile)).toEqual(key);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(statSync(path).mode & 0o007).toBe(0);
    expect(() => again.sealing()).not.toThrow();
  });

  test('finishes what was broken off after the key or after the empty file', () => {
    const path = join(temporaryDirectory(), 'dlms.db');
    writeFileSync(path, '');
    expect(codeOf(() => openDatabase(path))).toBe('NOT_INITIALISED');
    initDatabase(path).close();
    expect(codeOf(() => openDatabase(path).close())).toBe('');
  });

  test('is durable by its settings', () => {
    const { sql } = newDatabase();
    expect(sql.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(sql.pragma('synchronous', { simple: true })).toBe(2);
    expect(sql.pragma('foreign_keys', { simple: true })).toBe(1);
    const tables = sql.prepare<[], { name: string; strict: number }>('PRAGMA table_list').all();
    const lax = tables.filter(({ name, strict }) => strict === 0 && !name.startsWith('sqlite_'));
    expect(lax).toEqual([]);
  });
});

describe('opening', () => {
  test('a path with nothing there, in a directory or not', () => {
    const directory = temporaryDirectory();
    expect(codeOf(() => openDatabase(join(directory, 'none.db')))).toBe('DATABASE_MISSING');
    expect(codeOf(() => openDatabase(join(directory, 'no', 'none.db'), { readonly: true }))).toBe('DATABASE_MISSING');
    expect(readdirSync(directory)).toEqual([]);
  });

  test('what is no database', () => {
    const path = join(temporaryDirectory(), 'dlms.db');
    writeFileSync(path, 'this is a text, and long enough to be taken for a header of something');
    expect(codeOf(() => openDatabase(path))).toBe('DATABASE_CORRUPT');
    expect(codeOf(() => initDatabase(path))).toBe('DATABASE_CORRUPT');
  });

  test("another program's database is left alone", () => {
    const path = join(temporaryDirectory(), 'other.db');
    const other = new BetterSqlite3(path);
    other.exec('CREATE TABLE t (a)');
    other.close();
    expect(codeOf(() => openDatabase(path))).toBe('DATABASE_CORRUPT');
    expect(codeOf(() => initDatabase(path))).toBe('DATABASE_CORRUPT');
  });

  test('a directory in its place', () => {
    expect(['DATABASE_DENIED', 'DATABASE_ERROR']).toContain(codeOf(() => openDatabase(temporaryDirectory())));
  });

  test('a damaged file', () => {
    const database = newDatabase();
    const insert = database.sql.prepare('INSERT INTO status VALUES (?, hex(randomblob(500)), 1)');
    for (let subject = 0; subject < 200; subject += 1) insert.run(`subject ${subject}`);
    database.sql.pragma('wal_checkpoint(TRUNCATE)');
    const damaged = join(temporaryDirectory(), 'dlms.db');
    copyFileSync(database.path, damaged);
    truncateSync(damaged, Math.floor(statSync(damaged).size / 8192) * 4096);
    expect(
      codeOf(() => {
        const opened = openDatabase(damaged);
        try {
          checkDatabase(opened);
        } finally {
          opened.close();
        }
      }),
    ).toBe('DATABASE_CORRUPT');
    expect(codeOf(() => checkDatabase(database))).toBe('');
  });

  test('a database of a newer program', () => {
    const database = newDatabase();
    database.sql.pragma(`user_version = ${latestVersion() + 1}`);
    expect(codeOf(() => openDatabase(database.path))).toBe('DATABASE_TOO_NEW');
    expect(codeOf(() => openDatabase(database.path, { readonly: true }))).toBe('DATABASE_TOO_NEW');
    expect(codeOf(() => initDatabase(database.path))).toBe('DATABASE_TOO_NEW');
  });

  test('read-only handles do not write', () => {
    const database = reopened(newDatabase(), { readonly: true });
    const write = (): void => inTransaction(database, () => void database.sql.exec('DELETE FROM status'));
    expect(codeOf(write)).toBe('DATABASE_DENIED');
  });

  test('a path through a symbolic link is the same database', () => {
    const database = newDatabase();
    const link = join(temporaryDirectory(), 'link.db');
    symlinkSync(database.path, link);
    const other = openDatabase(link);
    expect(other.path).toBe(database.path);
    expect(() => other.sealing()).not.toThrow();
    other.close();
  });

  test('a lock of another process, after the time to wait', () => {
    const database = newDatabase();
    const impatient = reopened(database, { busyTimeoutMs: 1 });
    database.sql.exec('BEGIN IMMEDIATE');
    expect(codeOf(() => inTransaction(impatient, () => undefined))).toBe('DATABASE_LOCKED');
    database.sql.exec('ROLLBACK');
    expect(codeOf(() => inTransaction(impatient, () => undefined))).toBe('');
  });
});

describe('migrations', () => {
  const STEPS: readonly Migration[] = [
    { version: 1, sql: 'CREATE TABLE a (x INTEGER) STRICT' },
    { version: 2, sql: 'ALTER TABLE a ADD COLUMN y INTEGER; INSERT INTO a VALUES (1, 2)' },
  ];

  test('are numbered without gaps', () => {
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });

  test('run once each, and the file says whose it is', () => {
    const sql = new BetterSqlite3(':memory:');
    migrate(sql, STEPS.slice(0, 1));
    migrate(sql, STEPS);
    migrate(sql, STEPS);
    expect(sql.prepare('SELECT * FROM a').all()).toEqual([{ x: 1, y: 2 }]);
    expect(sql.pragma('application_id', { simple: true })).toBe(APPLICATION_ID);
  });

  test('a step that fails leaves nothing of itself', () => {
    const sql = new BetterSqlite3(':memory:');
    const broken = [...STEPS, { version: 3, sql: 'CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE a (x)' }];
    expect(() => migrate(sql, broken)).toThrow(/already exists/);
    expect(sql.pragma('user_version', { simple: true })).toBe(2);
    expect(sql.prepare("SELECT name FROM sqlite_schema WHERE name = 'b'").all()).toEqual([]);
    expect(codeOf(() => migrate(sql, STEPS.slice(0, 1)))).toBe('DATABASE_TOO_NEW');
  });

  test('an older database opened for reading only is not touched', () => {
    const path = join(temporaryDirectory(), 'dlms.db');
    initDatabase(path).close();
    const sql = new BetterSqlite3(path);
    sql.pragma('user_version = -1');
    sql.close();
    expect(codeOf(() => openDatabase(path, { readonly: true }))).toBe('DATABASE_TOO_OLD');
  });
});

describe('what SQLite and the system say', () => {
  const sqlite = (code: string): Error => new BetterSqlite3.SqliteError('said so', code);
  const system = (code: string): Error => Object.assign(new Error('said so'), { code });

  test.each([
    ['SQLITE_BUSY', sqlite('SQLITE_BUSY'), 'DATABASE_LOCKED'],
    ['SQLITE_BUSY_SNAPSHOT', sqlite('SQLITE_BUSY_SNAPSHOT'), 'DATABASE_LOCKED'],
    ['SQLITE_FULL', sqlite('SQLITE_FULL'), 'DATABASE_FULL'],
    ['SQLITE_IOERR_SHMSIZE', sqlite('SQLITE_IOERR_SHMSIZE'), 'DATABASE_FULL'],
    ['SQLITE_IOERR_FSYNC', sqlite('SQLITE_IOERR_FSYNC'), 'DATABASE_ERROR'],
    ['SQLITE_CORRUPT_INDEX', sqlite('SQLITE_CORRUPT_INDEX'), 'DATABASE_CORRUPT'],
    ['SQLITE_NOTADB', sqlite('SQLITE_NOTADB'), 'DATABASE_CORRUPT'],
    ['SQLITE_READONLY_DIRECTORY', sqlite('SQLITE_READONLY_DIRECTORY'), 'DATABASE_DENIED'],
    ['SQLITE_READONLY_DBMOVED', sqlite('SQLITE_READONLY_DBMOVED'), 'DATABASE_MISSING'],
    ['SQLITE_CONSTRAINT_UNIQUE', sqlite('SQLITE_CONSTRAINT_UNIQUE'), 'DATABASE_ERROR'],
    ['ENOSPC', system('ENOSPC'), 'DATABASE_FULL'],
    ['EDQUOT', system('EDQUOT'), 'DATABASE_FULL'],
    ['EACCES', system('EACCES'), 'DATABASE_DENIED'],
    ['EROFS', system('EROFS'), 'DATABASE_DENIED'],
    ['ENOENT', system('ENOENT'), 'DATABASE_MISSING'],
    ['EIO', system('EIO'), 'DATABASE_ERROR'],
    [
      'a bare TypeError',
      new TypeError('Cannot open database because the directory does not exist'),
      'DATABASE_MISSING',
    ],
    ['a text', 'a text', 'DATABASE_ERROR'],
  ])('%s', (_, thrown, code) => {
    const error = storeError(thrown, '/nowhere/dlms.db');
    expect(error.code).toBe(code);
    expect(error.cause).toBe(thrown);
  });

  test('a file that cannot be opened is missing or denied', () => {
    expect(storeError(sqlite('SQLITE_CANTOPEN'), '/nowhere/dlms.db').code).toBe('DATABASE_MISSING');
    expect(storeError(sqlite('SQLITE_CANTOPEN'), '/').code).toBe('DATABASE_DENIED');
  });

  test('a BridgeError stays what it is', () => {
    const error = new BridgeError('NOT_FOUND', 'gone');
    expect(storeError(error, '/nowhere')).toBe(error);
  });
});
