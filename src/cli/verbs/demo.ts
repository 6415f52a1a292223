/** `demo`: virtual meters, a ThingsBoard double and the daemon, with a live view; nothing to install or configure. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { JsonValue } from '../../core/json.ts';
import { Daemon } from '../../daemon/daemon.ts';
import { DEFAULT_METER_SETTINGS, NO_SECRETS } from '../../dlms/settings.ts';
import { systemClock } from '../../runtime/clock.ts';
import { startVirtualMeters, type VirtualMeters } from '../../simulator/meter/fleet.ts';
import { startThingsBoardDouble, type ThingsBoardDouble } from '../../simulator/thingsboard/double.ts';
import { initDatabase } from '../../store/database.ts';
import { addMeter } from '../../store/fleet/meters.ts';
import { addTarget } from '../../store/fleet/targets.ts';
import { loadAlerts } from '../../store/local/alerts.ts';
import { type Context, EXIT, untilOver, verb } from '../context.ts';
import { DEMO_POINTS, type DemoVerdict, judge } from '../demo/demo-verdict.ts';
import { demoView } from '../demo/demo-view.ts';
import { type IncidentReport, startIncident } from '../demo/incident.ts';
import { parseSeconds, parseWhole } from '../flags/values.ts';
import { percent } from '../views/figures.ts';
import { liveView } from '../views/live-view.ts';
import { withReadOnlyDatabase } from '../with-database.ts';

interface DemoFlags {
  readonly meters: string;
  readonly interval: string;
  readonly for?: string;
  readonly port: string;
  readonly incident?: boolean;
}

/** How often the live view is drawn on a terminal, and printed elsewhere, milliseconds. */
const VIEW_EVERY_MS = 1000;
const PLAIN_VIEW_EVERY_MS = 10_000;

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('virtual meters, a ThingsBoard double and the daemon together, with a live view')
    .option('--meters <n>', 'how many meters', '10')
    .option('--interval <seconds>', 'how often each is read', '2')
    .option('--for <seconds>', 'end after this time; else with Ctrl-C')
    .option('--port <port>', 'MQTT port of the ThingsBoard double, 0 picks a free one', '0')
    .option('--incident', 'with a rival that uses the same access token and comes back every 1 to 2 s')
    .action(verb(demo));
}

async function demo(context: Context, command: Command): Promise<number> {
  const flags = command.opts<DemoFlags>();
  const count = parseWhole('--meters', flags.meters, 1, 10_000);
  const intervalMs = parseSeconds('--interval', flags.interval);
  const lasting = flags.for === undefined ? Number.POSITIVE_INFINITY : parseSeconds('--for', flags.for);
  const token = randomBytes(12).toString('hex');
  const directory = mkdtempSync(join(tmpdir(), 'dlms-demo-'));
  const databasePath = join(directory, 'dlms.db');
  const port = parseWhole('--port', flags.port, 0, 65_535);
  const ordinaryToken = randomBytes(12).toString('hex');
  const double = await startThingsBoardDouble({
    port,
    tokens: [
      { token, device: 'demo-gateway', gateway: true },
      { token: ordinaryToken, device: 'ordinary-program', gateway: false },
    ],
  });
  const meters = await startVirtualMeters({
    count,
    port: 0,
    metersPerPort: 1,
    framing: 'wrapper',
    auth: 'none',
    seed: 1,
    clock: systemClock,
  });
  try {
    configure(databasePath, { url: `mqtt://${double.host}:${double.port}`, token, meters, intervalMs });
    const daemon = await Daemon.start({ databasePath, clock: systemClock, log: context.log });
    const incident = flags.incident
      ? startIncident({
          port: double.port,
          token,
          ordinaryToken,
          intervalMs,
          clock: systemClock,
          onConflict: (listener) => daemon.thingsboard.on('conflict', listener),
        })
      : null;
    const view = showLive(context, daemon, double);
    await untilOver(context.signal, lasting);
    await view.stop();
    await incident?.endOrdinary();
    const { drained, ...figures } = await daemon.stop();
    const suffered = incident?.end() ?? null;
    const verdict = judge({
      figures,
      meters,
      received: double.received(),
      nameOf: demoMeterName,
      alerts: alertsOf(databasePath),
    });
    const document = { ...verdict, ...(suffered !== null && { incident: suffered }) };
    context.print(document as unknown as JsonValue, () => verdictText(verdict) + incidentText(suffered));
    return drained && verdict.lost === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await Promise.all([meters.stop(), double.stop()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Alerts that were raised, over or not. */
function alertsOf(databasePath: string): readonly string[] {
  return withReadOnlyDatabase({ databasePath }, loadAlerts).map(({ code }) => code);
}

interface DemoConfiguration {
  readonly url: string;
  readonly token: string;
  readonly meters: VirtualMeters;
  readonly intervalMs: number;
}

function configure(databasePath: string, { url, token, meters, intervalMs }: DemoConfiguration): void {
  const database = initDatabase(databasePath);
  try {
    addTarget(database, { name: 'double', url, token, mode: 'gateway', protocol: '5', caFile: null });
    for (const [index, { host, port, server }] of meters.addresses.entries()) {
      addMeter(database, {
        name: demoMeterName(index),
        link: `tcp://${host}:${port}`,
        // What is compared are the registers alone.
        settings: { ...DEFAULT_METER_SETTINGS, server, clockDrift: false },
        secrets: NO_SECRETS,
        groups: [{ name: 'demo', intervalMs, points: DEMO_POINTS }],
      });
    }
  } finally {
    database.close();
  }
}

function demoMeterName(index: number): string {
  return `house${index + 1}`;
}

/** Draws on a terminal, prints a line now and then elsewhere, and nothing with --json. */
function showLive(context: Context, daemon: Daemon, double: ThingsBoardDouble): { stop(): Promise<void> } {
  const stopping = new AbortController();
  // Ids of a fresh database count from 1.
  const draw = demoView(daemon, double, (meterId) => demoMeterName(meterId - 1));
  const view = { ...draw, everyMs: VIEW_EVERY_MS, lineEveryMs: PLAIN_VIEW_EVERY_MS, signal: stopping.signal };
  const running = context.json ? Promise.resolve() : liveView(view);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function verdictText({ meters, cycles, readings, messages, publishRate, lost, duplicates }: DemoVerdict): string {
  return `${meters} meters: ${cycles} cycles, ${readings} readings, ${messages} messages, publish rate ${percent(publishRate)}, lost ${lost}, duplicates ${duplicates}`;
}

function incidentText(report: IncidentReport | null): string {
  if (report === null) return '';
  const { rivalSessions, knownAfterSeconds, ordinary } = report;
  const known =
    knownAfterSeconds === null ? 'not known as a conflict' : `known as a conflict after ${knownAfterSeconds} s`;
  const share = ordinary.messages === 0 ? '-' : `${((100 * ordinary.delivered) / ordinary.messages).toFixed(1)}%`;
  return (
    `\nThe rival was let in ${rivalSessions} times, and was ${known}.` +
    `\nAn ordinary program beside it, with such a rival of its own: ${ordinary.delivered} of ${ordinary.messages} messages (${share}), closed ${ordinary.closes} times.`
  );
}
