/** `loadtest` as it is called: the daemon and the simulators are processes of their own. */
import { spawnSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { MAIN, newBench } from '../support/cli.ts';

interface Report {
  readonly meters: number;
  readonly metersPerPort: number;
  readonly polls: number;
  readonly late: number;
  readonly readings: number;
  readonly published: number;
  readonly lost: number;
  readonly wrong: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly rssPerMeterBytes: number | null;
  readonly p50PollMs: number;
  readonly p99PollMs: number;
  readonly roundTripsPerPoll: number;
}

test('many meters, one daemon: everything arrives, and the report says what it cost', async () => {
  const bench = newBench(onTestFinished);
  const report = await bench.json<Report>(['loadtest', '--meters', '30', '--interval', '1', '--for', '4'], {
    db: false,
  });
  expect(report).toMatchObject({ meters: 30, metersPerPort: 1, lost: 0, wrong: 0, roundTripsPerPoll: 1 });
  // Each meter is read at least twice, ten registers a time, however slow this machine is at starting.
  expect(report.polls).toBeGreaterThanOrEqual(60);
  expect(report.readings).toBe(report.polls * 10);
  expect(report.published).toBe(report.readings);
  expect(report.rssBytes).toBeGreaterThan(20e6);
  expect(report.rssPerMeterBytes).not.toBeNull();
  expect(report.cpuSeconds).toBeGreaterThan(0);
  expect(report.p99PollMs).toBeGreaterThanOrEqual(report.p50PollMs);
});

test('a limit of open files that is too low is said before anything starts', () => {
  const limited = `ulimit -n 200 && exec "${process.execPath}" "${MAIN}" loadtest --meters 300 --meters-per-port 1 --json`;
  const { status, stdout } = spawnSync('bash', ['-c', limited], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'INVALID_VALUE', hint: expect.stringContaining('5') } });
});
