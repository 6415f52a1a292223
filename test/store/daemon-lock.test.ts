import { existsSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { acquireDaemonLock, acquireMeterWork, daemonRuns } from '../../src/store/daemon-lock.ts';
import { inTransaction } from '../../src/store/database.ts';
import { codeOf, newDatabase, reopened, temporaryDirectory } from './support.ts';

test('one daemon at a time; the database stays open to others', () => {
  const database = newDatabase();
  expect(daemonRuns(database.path)).toBe(false);
  const lock = acquireDaemonLock(database.path);
  expect(daemonRuns(database.path)).toBe(true);
  expect(codeOf(() => acquireDaemonLock(database.path))).toBe('DAEMON_ALREADY_RUNNING');
  expect(codeOf(() => inTransaction(reopened(database), () => undefined))).toBe('');
  lock.release();
  expect(daemonRuns(database.path)).toBe(false);
  acquireDaemonLock(database.path).release();
});

test('asking makes no file and takes nothing from the daemon', () => {
  const database = newDatabase();
  expect(daemonRuns(database.path)).toBe(false);
  expect(existsSync(`${database.path}.lock`)).toBe(false);
  const lock = acquireDaemonLock(database.path);
  onTestFinished(() => lock.release());
  for (let n = 0; n < 50; n += 1) expect(daemonRuns(database.path)).toBe(true);
  expect(codeOf(() => acquireDaemonLock(database.path))).toBe('DAEMON_ALREADY_RUNNING');
  expect(statSync(`${database.path}.lock`).size).toBe(0);
});

test('the way to the database does not matter', () => {
  const database = newDatabase();
  const link = join(temporaryDirectory(), 'link.db');
  symlinkSync(database.path, link);
  const lock = acquireDaemonLock(link);
  expect(daemonRuns(database.path)).toBe(true);
  expect(codeOf(() => acquireDaemonLock(database.path))).toBe('DAEMON_ALREADY_RUNNING');
  lock.release();
});

test('there must be a database', () => {
  const path = join(temporaryDirectory(), 'none.db');
  expect(codeOf(() => acquireDaemonLock(path))).toBe('DATABASE_MISSING');
  expect(codeOf(() => daemonRuns(path))).toBe('DATABASE_MISSING');
  expect(existsSync(`${path}.lock`)).toBe(false);
});

test('a verb that works with meters keeps others and a daemon out, and does not look like one', () => {
  const { path } = newDatabase();
  const work = acquireMeterWork(path);
  expect(work).not.toBeNull();
  expect(acquireMeterWork(path)).toBeNull();
  expect(daemonRuns(path)).toBe(false);
  work?.release();
  const daemon = acquireDaemonLock(path);
  expect(acquireMeterWork(path)).toBeNull();
  expect(daemonRuns(path)).toBe(true);
  daemon.release();
  const again = acquireMeterWork(path);
  expect(again).not.toBeNull();
  again?.release();
});
