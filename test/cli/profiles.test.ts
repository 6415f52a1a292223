/** Profiles that the daemon follows: against the meters' own truth, over cut connections and killed daemons. */
import { describe, expect, test } from 'vitest';
import { newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { relayTo } from '../support/relay.ts';
import { init, outboxReadings, ownMeters, simulateThingsBoard, TOKEN } from '../support/scene.ts';

const LOAD = '1.0.99.1.0.255';
const YEAR_ROWS = 366 * 96;

describe.concurrent('profiles', { timeout: 400_000 }, () => {
  test('a year of quarter hours, the connection cut and the daemon killed at random: each row once, none wrong', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    const { virtual } = await ownMeters(bench);
    const relay = await relayTo(bench, virtual.addresses[0]?.port ?? 0);
    await init(bench, 'mqtt://127.0.0.1:1');
    const link = `tcp://127.0.0.1:${relay.port}`;
    const profile = ['--profile', `${LOAD}@900`, '--backfill-from', 'all'];
    await bench.json(['meter', 'add', 'house1', link, '--client', '1', '--timeout', '500', ...profile]);
    const truth = virtual.profileRows(0, LOAD);
    expect(truth).toHaveLength(YEAR_ROWS);
    let daemon = bench.start(['run']);
    let cuts = 0;
    const rowsNow = (): number => new Set(outboxReadings(bench).map(({ ts }) => ts)).size;
    await eventually(
      'the whole year is there',
      async () => {
        const rows = rowsNow();
        if (rows >= YEAR_ROWS) return true;
        if (rows > 0 && cuts < 4) {
          cuts += 1;
          if (cuts % 2 === 0) {
            await daemon.kill();
            daemon = bench.start(['run']);
          } else {
            relay.shut();
            await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 500));
            relay.open();
          }
        }
        return false;
      },
      { withinMs: 300_000, pauseMs: 1500 },
    );
    await daemon.stop();
    expect(cuts).toBe(4);
    const came = new Map<string, string[]>();
    for (const { key, ts, value } of outboxReadings(bench)) {
      const at = `${key} ${ts}`;
      came.set(at, [...(came.get(at) ?? []), String(value)]);
    }
    // With each quarter of an hour that passes meanwhile the meter overwrites the oldest row.
    const wrong = truth.slice(2).flatMap(({ at, values }) =>
      [
        ['activeImportEnergy', values[2]],
        ['activeExportEnergy', values[3]],
      ].filter(([key, value]) => came.get(`${key} ${at}`)?.join() !== value),
    );
    expect(wrong).toEqual([]);
    expect([...came.keys()].filter((key) => key.startsWith('profile'))).toEqual([]);
  });

  test('rows and events arrive at their own times, while polls go on', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    const double = await simulateThingsBoard(bench);
    const { virtual, links } = await ownMeters(bench);
    await init(bench, double.url, [], TOKEN);
    const profiles = ['--profile', `${LOAD}@900=load`, '--profile', '0.0.99.98.0.255@900', '--backfill-from', 'all'];
    const points = ['--interval', '1', '--points', '3:1.0.32.7.0.255=voltageL1'];
    await bench.json(['meter', 'add', 'house1', links[0] ?? '', '--client', '1', ...points, ...profiles]);
    const daemon = bench.start(['run']);
    const truth = virtual.profileRows(0, '0.0.99.98.0.255');
    const telemetry = await eventually(
      'all events are there',
      async () => {
        const { devices } = await double.received();
        const keys = devices.house1?.telemetry ?? {};
        return (keys.eventCode?.length ?? 0) >= truth.length && (keys.voltageL1?.length ?? 0) > 5 ? keys : null;
      },
      { withinMs: 120_000, pauseMs: 1000 },
    );
    await daemon.stop();
    const codes = (telemetry.eventCode ?? []).toSorted((a, b) => a.ts - b.ts);
    expect(codes.map(({ ts, value }) => [Math.floor(ts / 1000), String(value)])).toEqual(
      truth.map(({ at, values }) => [Math.floor(at / 1000), values[1]]),
    );
    expect(telemetry.event?.length).toBe(telemetry.eventCode?.length);
    expect(Object.keys(telemetry)).toContain('loadActiveImportEnergy');
    expect(Object.keys(telemetry)).toContain('clockDrift');
  });
});
