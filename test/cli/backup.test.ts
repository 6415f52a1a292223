/** Backup, restore, repair and rotation of the key, as an operator does and sees them. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { overwrite, PAGE } from '../store/replaced-support.ts';
import { type Bench, newBench, type Running } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';

interface AlertDocument {
  readonly code: string;
  readonly state: string;
  readonly detail: string;
}

const INIT = ['init', '--url', 'mqtt://127.0.0.1:1', '--token', 'TOKEN', '--mode', 'gateway', '--yes'];
const METER = ['tcp://127.0.0.1:1', '--interval', '1', '--points', '1.0.1.8.0.255=energy'];

async function configured(onTestFinished: (cleanup: () => Promise<void>) => void): Promise<Bench> {
  const bench = newBench(onTestFinished);
  await bench.json(INIT);
  await bench.json(['meter', 'add', 'house1', ...METER]);
  return bench;
}

async function started(bench: Bench): Promise<Running> {
  const daemon = bench.start(['run']);
  await eventually('the daemon runs', () => daemon.stdout.includes('configuration applied') || null);
  return daemon;
}

const meterNames = async (bench: Bench): Promise<string[]> =>
  (await bench.json<{ meters: { name: string }[] }>(['meter', 'list'])).meters.map(({ name }) => name);

describe('backup and restore', () => {
  test('a copy of a database in use comes back, and the one before is kept', async ({ onTestFinished }) => {
    const bench = await configured(onTestFinished);
    const running = await started(bench);
    const { file, key } = await bench.json<{ file: string; key: object }>(['backup']);
    expect(key).toEqual({ file: join(bench.directory, 'dlms.key'), included: false });
    expect((await bench.run(['backup'])).stdout).toContain('keep a copy of that in another place');
    expect(await bench.json<object[]>(['backup', 'list'])).toHaveLength(2);
    await bench.json(['meter', 'add', 'house2', ...METER]);
    const backedUp = new Date().toISOString();
    await eventually('the daemon has said since that it lives', async () => {
      const { daemon } = await bench.json<{ daemon: { updatedAt: string } }>(['status']);
      return daemon.updatedAt > backedUp || null;
    });
    expect(await bench.failure(['restore', file, '--yes'])).toMatchObject({
      status: 1,
      code: 'DAEMON_ALREADY_RUNNING',
    });
    expect(await bench.failure(['key', 'rotate'])).toMatchObject({ status: 1, code: 'DAEMON_ALREADY_RUNNING' });
    await running.kill();
    expect(await bench.failure(['restore', file])).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.failure(['restore', '--yes'])).toMatchObject({ status: 2, code: 'USAGE' });
    expect(await bench.failure(['restore', 'nothing.db', '--yes'])).toMatchObject({ status: 2, code: 'NOT_FOUND' });
    const restored = await bench.json<{ aside: string; counters: object }>(['restore', file, '--yes']);
    const { aside, counters } = restored;
    expect(counters).toMatchObject({ known: true });
    expect(await meterNames(bench)).toEqual(['house1']);
    const before = await bench.json<{ meters: object[] }>(['--db', aside, 'meter', 'list'], { db: false });
    expect(before.meters).toHaveLength(2);
    // The daemon works on it, and health knows of the backups.
    const again = await started(bench);
    const health = await bench.run(['health', '--json']);
    expect(JSON.parse(health.stdout).checks).toContainEqual(
      expect.objectContaining({ name: 'backup', status: 'healthy' }),
    );
    await again.kill();
  }, 60_000);

  test('onto a machine that has nothing but the key', async ({ onTestFinished }) => {
    const bench = await configured(onTestFinished);
    const elsewhere = join(bench.directory, 'usb');
    const { file } = await bench.json<{ file: string }>(['backup', '--to', elsewhere, '--keep', '1']);
    for (const name of readdirSync(bench.directory)) {
      if (name.startsWith('dlms.db')) rmSync(join(bench.directory, name));
    }
    expect(await bench.failure(['restore', '--latest', '--yes'])).toMatchObject({ code: 'NOT_FOUND' });
    expect(existsSync(bench.db)).toBe(false);
    const { stdout } = await bench.run(['restore', file, '--yes']);
    expect(stdout).toContain('invocation counters went on by');
    expect(stdout).not.toContain('is kept as');
    expect(await meterNames(bench)).toEqual(['house1']);
  }, 60_000);
});

describe('a database that is damaged', () => {
  test('is repaired when the daemon starts, which says so until somebody takes note', async ({ onTestFinished }) => {
    const bench = await configured(onTestFinished);
    await bench.json(['backup']);
    overwrite(bench.db, 0, Buffer.alloc(PAGE, 0xa5));
    expect((await bench.failure(['meter', 'list'])).code).toBe('DATABASE_CORRUPT');
    const daemon = await started(bench);
    await eventually('the alert is told', () => daemon.stdout.includes('ALERT') || null);
    const said = daemon.stdout.split('\n').filter((line) => line.includes('"level":50'));
    expect(said.join('\n')).toMatch(
      /is damaged.*\n.*was damaged and restored from dlms-.*\n.*ALERT DATABASE_REPAIRED daemon/,
    );
    const [alert] = await bench.json<AlertDocument[]>(['alerts', '--active']);
    expect(alert).toMatchObject({ code: 'DATABASE_REPAIRED', state: 'active' });
    expect(alert?.detail).toContain('of the outbox were salvaged');
    const checks = JSON.parse((await bench.run(['health', '--json'])).stdout).checks as readonly object[];
    expect(checks).toContainEqual(expect.objectContaining({ name: 'database', status: 'degraded' }));
    await bench.json(['alerts', 'ack', 'DATABASE_REPAIRED']);
    await eventually('the alert is over', async () => {
      const alerts = await bench.json<AlertDocument[]>(['alerts']);
      return alerts.find(({ code }) => code === 'DATABASE_REPAIRED')?.state === 'cleared' || null;
    });
    await daemon.kill();
  }, 60_000);

  test('without a backup stays as it is, and the daemon does not start', async ({ onTestFinished }) => {
    const bench = await configured(onTestFinished);
    overwrite(bench.db, 0, Buffer.alloc(PAGE, 0xa5));
    const damaged = readFileSync(bench.db);
    const { status, code, hint } = await bench.failure(['run']);
    expect({ status, code }).toEqual({ status: 1, code: 'DATABASE_CORRUPT' });
    expect(hint).toContain('dlms restore');
    expect(readFileSync(bench.db)).toEqual(damaged);
  }, 30_000);

  test('while the daemon works ends it with a failure, and the next start repairs it', async ({ onTestFinished }) => {
    const bench = await configured(onTestFinished);
    await bench.json(['backup']);
    const daemon = await started(bench);
    await eventually('it has polled', () => daemon.stdout.includes('meter not read') || null);
    overwrite(bench.db, PAGE, Buffer.alloc(statSync(bench.db).size - PAGE, 0xa5));
    // It reads the pages again once somebody else has written.
    await bench.run(['alerts', 'ack', 'DISK_LOW']);
    const { status, stdout } = await daemon.exited;
    expect(status).toBe(1);
    expect(stdout).toContain('cannot go on and ends');
    const again = await started(bench);
    expect(await bench.json<AlertDocument[]>(['alerts', '--active'])).toContainEqual(
      expect.objectContaining({ code: 'DATABASE_REPAIRED' }),
    );
    await again.kill();
  }, 60_000);
});

describe('key rotate', () => {
  test('gives another key, and a backup that opens with it', async ({ onTestFinished }) => {
    const bench = await configured(onTestFinished);
    const { file: before } = await bench.json<{ file: string }>(['backup']);
    const keyFile = join(bench.directory, 'dlms.key');
    const old = readFileSync(keyFile, 'ascii').trim();
    const kept = join(bench.directory, 'old.key');
    const rotated = await bench.run(['key', 'rotate', '--old-key-to', kept, '--json']);
    expect(rotated.status).toBe(0);
    const now = readFileSync(keyFile, 'ascii').trim();
    expect(now).not.toBe(old);
    for (const key of [old, now]) expect(rotated.stdout + rotated.stderr).not.toContain(key);
    const { backup } = JSON.parse(rotated.stdout) as { backup: string };
    expect(await meterNames(bench)).toEqual(['house1']);
    expect(await bench.failure(['restore', before, '--yes'])).toMatchObject({ code: 'SEALING_KEY_WRONG' });
    await bench.json(['restore', before, '--key', kept, '--yes']);
    await bench.json(['restore', backup, '--yes']);
    expect(await meterNames(bench)).toEqual(['house1']);
  }, 60_000);
});
