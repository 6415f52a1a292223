/** `status --watch`: lines where there is no terminal, a screen of its own on one; what is wrong first, and never too high. */
import { spawn } from 'node:child_process';
import { renameSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clipped } from '../../src/cli/views/live-view.ts';
import { type StatusLook, statusFrame, statusLine } from '../../src/cli/views/status-glance.ts';
import type { StatusReport } from '../../src/cli/views/status-report.ts';
import type { StoredAlert } from '../../src/store/local/alerts.ts';
import { MAIN, newBench } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { addMeter, init } from '../support/scene.ts';
import { hasSocat } from '../support/socat.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const ESC = '\u001b';

const meter = (name: string, state: string, changes: object = {}): StatusReport['meters'][number] =>
  ({
    ...{ name, state, lastReading: new Date(NOW - 5000).toISOString(), lastCycleMs: 3, cycles: 7, failures: 0 },
    ...{ connection: { nextAttempt: null }, stranger: null, error: null, pointErrors: [], profiles: [] },
    ...{ clockIsOff: false, clockDriftSeconds: null },
    ...changes,
  }) as unknown as StatusReport['meters'][number];

const alert = (id: number, code: StoredAlert['code'], acknowledged: number | null = null): StoredAlert => ({
  ...{
    id,
    code,
    subject: `subject${id}`,
    since: NOW - 60_000,
    cleared: null,
    acknowledged,
    detail: 'why',
    rival: null,
  },
});

function lookOf(meters: readonly StatusReport['meters'][number][], alerts: readonly StoredAlert[]): StatusLook {
  const totals = { total: 3, connected: 2, connecting: 0, disconnected: 0, error: 1, suspended: 0 };
  const connection = { state: 'connected', conflict: false, error: null };
  const target = { name: 'cloud', conflict: false, clientId: 'me', connections: [connection, connection] };
  const daemon = { running: true, pid: 7, startedAt: new Date(NOW - 600_000).toISOString() };
  const report = {
    daemon: {
      ...{ ...daemon, updatedAt: new Date(NOW - 1000).toISOString(), cycles: 10, messages: 12, late: 0, errors: 0 },
      ...{ publishRate: 0.991, recentPublishRate: 0.25, avgPollMs: 3, p95PollMs: 5, p99PollMs: 9, lastError: null },
    },
    meters,
    devices: { meters: totals, lines: totals },
    targets: [target],
    outbox: { rows: 4, bytes: 99, oldest: new Date(NOW - 90_000).toISOString(), quarantined: 0, dropped: [] },
  };
  return { now: NOW, report: report as unknown as StatusReport, alerts };
}

describe('at a glance', () => {
  test('a line tells rates, outbox, meters and alerts', () => {
    const alerts = [alert(1, 'LINE_DOWN'), alert(2, 'METER_OFFLINE'), alert(3, 'METER_OFFLINE')];
    expect(statusLine(lookOf([], alerts))).toBe(
      '2026-01-01T12:00:00.000Z | Cycles: 10 | MQTT: 12 msgs (99.1%, lately 25.0%) | outbox 4, oldest 90 s ago' +
        ' | meters 2 of 3 connected | alerts METER_OFFLINE 2, LINE_DOWN',
    );
  });

  test('the worst meters come first, and of two in the same state the one with troubles', () => {
    const frame = statusFrame(
      lookOf(
        [
          meter('well', 'connected'),
          meter('off', 'disabled'),
          meter('gone', 'suspended'),
          meter('half', 'connected', { pointErrors: [{ key: 'k', code: 'OTHER_REASON' }] }),
          meter('broken', 'error', { error: { code: 'METER_TIMEOUT' } }),
        ],
        [],
      ),
      40,
    );
    const names = frame
      .split('\n')
      .slice(-5)
      .map((line) => line.replaceAll(new RegExp(`${ESC}\\[[0-9;]*m`, 'g'), '').split(' ')[0]);
    expect(names).toEqual(['broken', 'gone', 'half', 'well', 'off']);
  });

  test('a frame is never higher than the screen, and says how many it leaves out', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(40), fc.integer({ min: 1, max: 80 }), (meters, alerts, rows) => {
        const look = lookOf(
          Array.from({ length: meters }, (_, index) => meter(`m${index}`, 'connected')),
          Array.from({ length: alerts }, (_, index) => alert(index, 'DATA_STALE')),
        );
        const lines = statusFrame(look, rows).split('\n');
        expect(lines.length).toBeLessThanOrEqual(rows);
        if (rows < 30) return;
        const shown = lines.filter((line) => /^m\d/.test(line)).length;
        const more = Number(/\.\.\. and (\d+) more meters/.exec(lines.join('\n'))?.[1] ?? 0);
        expect(shown + more).toBe(meters);
      }),
    );
  });

  test('a line is cut to the width of the screen, not within a colour', () => {
    expect(clipped(`${ESC}[31mred text${ESC}[39m and more`, 5)).toBe(`${ESC}[31mred t${ESC}[39m`);
    expect(clipped('días', 3)).toBe('día');
  });
});

describe('the program', () => {
  test.concurrent('without a terminal: a line each time; a database that is away for a while ends nothing', async ({
    onTestFinished,
  }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    const watch = bench.start(['status', '--watch', '--interval', '0.2']);
    const lines = (): string[] => watch.stdout.split('\n');
    await eventually('three looks', () => lines().length > 3);
    expect(lines()[0]).toMatch(/^20\S+Z \| Cycles: 0 \| .* \| no daemon runs$/);
    renameSync(bench.db, `${bench.db}.away`);
    await eventually('it says so', () => lines().some((line) => line.startsWith('DATABASE_MISSING')));
    renameSync(`${bench.db}.away`, bench.db);
    await eventually('it goes on', () => lines().at(-2)?.includes('Cycles'));
    expect((await watch.stop('SIGINT')).status).toBe(0);
  });

  test.concurrent('it ends when nobody reads any more', async ({ onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    const watch = bench.start(['status', '--watch', '--interval', '0.2']);
    await watch.firstLine();
    watch.child.stdout?.destroy();
    await eventually('it ends', () => watch.hasEnded);
  });

  test.concurrent.for([
    [['status', '--watch', '--json'], 2, 'USAGE'],
    [['status', '--interval', '2', '--json'], 2, 'USAGE'],
    [['status', '--watch', '--interval', 'soon'], 2, ''],
  ] as const)('refused: %j', async ([args, status, code], { onTestFinished }) => {
    const bench = newBench(onTestFinished);
    await init(bench, 'mqtt://127.0.0.1:1');
    const finished = await bench.run(args);
    expect(finished.status).toBe(status);
    if (code !== '') expect(JSON.parse(finished.stdout)).toMatchObject({ error: { code } });
  });

  test.skipIf(!hasSocat)(
    'on a terminal: redrawn in a screen of its own, left behind by Ctrl-C',
    async ({ onTestFinished }) => {
      const bench = newBench(onTestFinished);
      await init(bench, 'mqtt://127.0.0.1:1');
      await addMeter(bench, 'house1', 'tcp://127.0.0.1:1');
      const command = `EXEC:${process.execPath} ${MAIN} --db ${bench.db} status --watch --interval 0.2,pty,setsid,ctty`;
      const terminal = spawn('socat', ['-,ignoreeof', command], { stdio: ['pipe', 'pipe', 'inherit'] });
      bench.atEnd(() => void terminal.kill('SIGKILL'));
      let shown = '';
      terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
        shown += text;
      });
      await eventually('it is drawn three times', () => shown.split(`${ESC}[H`).length > 3);
      expect(shown.startsWith(`${ESC}[?1049h`)).toBe(true);
      expect(shown).toContain('No daemon runs');
      expect(shown).toContain('house1');
      terminal.stdin.write('\u0003');
      await eventually('the screen before is back', () => shown.trimEnd().endsWith(`${ESC}[?1049l`));
    },
  );
});
