/** What tests of the whole way need around the program: virtual meters, a ThingsBoard double, and what they tell. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { systemClock } from '../../src/runtime/clock.ts';
import { startVirtualMeters, type VirtualMeters, type VirtualMetersOptions } from '../../src/simulator/meter/fleet.ts';
import type { ReceivedValue } from '../../src/simulator/meter/truth.ts';
import { openDatabase } from '../../src/store/database.ts';
import { loadFleet } from '../../src/store/fleet/load.ts';
import { createOutboxReader } from '../../src/store/local/outbox-reader.ts';
import { OWN_DEVICE } from '../../src/store/local/types.ts';
import type { Bench, ErrorDocument, Running } from './cli.ts';
import { type EventuallyOptions, eventually } from './eventually.ts';

/** A token and a password that stand in no other text. */
export const TOKEN = 'tK7qWz3vRx9LmB2d';
export const PASSWORD = 'pW5sN8yE';

export interface SimulatedMeter {
  /** What `meter add` and `read` take. */
  readonly link: string;
  readonly server: number;
  readonly physical: number | null;
}

interface SimulatedDocument {
  readonly meters: readonly {
    readonly link: string | null;
    readonly host: string;
    readonly port: number;
    readonly server: number;
    readonly physical: number | null;
  }[];
}

/** `simulate meters`, ready. */
export async function simulateMeters(
  bench: Bench,
  args: readonly string[] = [],
): Promise<{ readonly meters: readonly SimulatedMeter[]; readonly process: Running }> {
  const process = bench.start(['simulate', 'meters', '--port', '0', ...args, '--json'], { db: false });
  const line = await process.firstLine();
  const { meters } = JSON.parse(line) as Partial<SimulatedDocument>;
  if (meters === undefined) throw new Error(`simulate meters: ${line}`);
  const scheme = args.includes('hdlc') ? 'tcp+hdlc' : 'tcp';
  return {
    process,
    meters: meters.map(({ link, host, port, server, physical }) => ({
      link: link ?? `${scheme}://${host}:${port}`,
      server,
      physical,
    })),
  };
}

/** Virtual meters in the test's own process: their truth can be asked. */
export async function ownMeters(
  bench: Bench,
  options: Partial<VirtualMetersOptions> = {},
): Promise<{ readonly virtual: VirtualMeters; readonly links: readonly string[] }> {
  const framing = options.framing ?? 'wrapper';
  const virtual = await startVirtualMeters({
    count: 1,
    port: 0,
    metersPerPort: 1,
    auth: 'none',
    clock: systemClock,
    ...options,
    framing,
  });
  bench.atEnd(() => virtual.stop());
  const scheme = framing === 'hdlc' ? 'tcp+hdlc' : 'tcp';
  return { virtual, links: virtual.addresses.map(({ host, port }) => `${scheme}://${host}:${port}`) };
}

export interface ReceivedPoint {
  readonly ts: number;
  readonly type: string;
  /** Integers beyond 2^53 as text. */
  readonly value: string | number | boolean;
  readonly deliveries: number;
}

export interface ReceivedDocument {
  readonly messages: number;
  readonly readings: number;
  readonly duplicates: number;
  readonly changed: number;
  readonly failedLater: number;
  readonly devices: Readonly<
    Record<
      string,
      {
        readonly type: string;
        readonly gateway: string | null;
        readonly telemetry: Readonly<Record<string, readonly ReceivedPoint[]>>;
        readonly attributes: Readonly<Record<string, { readonly type: string; readonly value: unknown }>>;
      }
    >
  >;
}

export interface Double {
  readonly process: Running;
  readonly url: string;
  readonly port: number;
  received(): Promise<ReceivedDocument>;
  /** What a tenant does at the server. */
  tenant(method: 'POST' | 'DELETE', path: string, body?: object): Promise<void>;
}

export interface DoubleOptions {
  readonly tokens?: readonly string[];
  readonly gateway?: boolean;
  readonly port?: number;
  readonly args?: readonly string[];
}

/** `simulate thingsboard`, ready. */
export async function simulateThingsBoard(bench: Bench, options: DoubleOptions = {}): Promise<Double> {
  const { tokens = [TOKEN], gateway = true, port = 0, args = [] } = options;
  const process = bench.start(
    [
      ...['simulate', 'thingsboard', '--port', String(port), '--http-port', '0', '--json'],
      ...tokens.flatMap((token) => ['--token', token]),
      ...(gateway ? ['--gateway'] : []),
      ...args,
    ],
    { db: false },
  );
  const ready = JSON.parse(await process.firstLine()) as { mqtt: string; port: number; received: string };
  return {
    process,
    url: ready.mqtt,
    port: ready.port,
    async received() {
      const text = await (await fetch(ready.received)).text();
      return JSON.parse(text.replace(/(:\s*)(-?\d{16,})(?=[,}])/g, '$1"$2"')) as ReceivedDocument;
    },
    async tenant(method, path, body) {
      const url = new URL(path, ready.received);
      const response = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    },
  };
}

export interface MeterReport {
  readonly name: string;
  readonly state: string;
  readonly line: string;
  readonly lastReading: string | null;
  readonly roundTrips: number | null;
  readonly cycles: number;
  readonly failures: number;
  readonly late: number;
  readonly error: ErrorDocument['error'] | null;
  readonly pointErrors: readonly { readonly key: string; readonly code: string }[];
  readonly connection: { readonly suspendedBy: string | null; readonly nextAttempt: string | null };
  readonly values: Readonly<
    Record<string, { readonly value: string; readonly unit: string | null; readonly ts: number }>
  >;
}

export interface ConnectionReport {
  readonly meter: string | null;
  readonly retired: boolean;
  readonly state: string;
  readonly clientId: string | null;
  readonly conflict: boolean;
  readonly messages: number;
  readonly rows: number;
  readonly pending: number;
  readonly error: ErrorDocument['error'] | null;
}

export interface StatusReport {
  readonly daemon: {
    readonly restartRequired: readonly string[];
    readonly running: boolean;
    readonly pid: number | null;
    readonly cycles: number;
    readonly readings: number;
    readonly messages: number;
    readonly publishRate: number | null;
  };
  readonly meters: readonly MeterReport[];
  readonly lines: readonly {
    readonly line: string;
    readonly status: string;
    readonly state: string;
    readonly connections: number;
  }[];
  readonly devices: { readonly meters: DeviceTotalsReport; readonly lines: DeviceTotalsReport };
  readonly targets: readonly { readonly name: string; readonly connections: readonly ConnectionReport[] }[];
  readonly outbox: OutboxReport;
}

export interface DeviceTotalsReport {
  readonly total: number;
  readonly connected: number;
  readonly error: number;
  readonly suspended: number;
}

export interface OutboxReport {
  readonly rows: number;
  readonly oldest: string | null;
  readonly bytes: number;
  readonly quarantined: number;
}

/** What `run --json` says at its end. */
export interface RunReport {
  readonly cycles: number;
  readonly readings: number;
  readonly messages: number;
  readonly publishRate: number | null;
  readonly drained: boolean;
}

export function status(bench: Bench): Promise<StatusReport> {
  return bench.json<StatusReport>(['status']);
}

/** One meter of the status; throws when there is none. */
export function meterOf({ meters }: StatusReport, name: string): MeterReport {
  const found = meters.find((meter) => meter.name === name);
  if (found === undefined) throw new Error(`status shows no meter ${name}`);
  return found;
}

/** Waits until the daemon's status is as wanted. */
export function eventualStatus(
  bench: Bench,
  what: string,
  holds: (report: StatusReport) => boolean,
  options: EventuallyOptions = {},
): Promise<StatusReport> {
  const look = async (): Promise<StatusReport | null> => {
    const report = await status(bench);
    return holds(report) ? report : null;
  };
  // Each look is a process of its own, and the daemon saves its status every two seconds only.
  return eventually(what, look, { pauseMs: 1000, ...options });
}

/** `init` for a target with the token TOKEN, or another one. */
export async function init(bench: Bench, url: string, args: readonly string[] = [], token = TOKEN): Promise<void> {
  await bench.json(['init', '--url', url, '--token', 'env:T', '--yes', ...args], { env: { T: token } });
}

/** `meter add`, with points that every virtual meter has unless others are given. */
export async function addMeter(bench: Bench, name: string, link: string, args: readonly string[] = []): Promise<void> {
  const points = args.includes('--points') ? [] : ['--points', DEFAULT_POINTS];
  // What is not asked for here is not to be counted.
  const drift = args.includes('--clock-drift') ? [] : ['--clock-drift', 'off'];
  await bench.json(['meter', 'add', name, link, '--interval', '0.5', ...points, ...drift, ...args], {
    env: { PW: PASSWORD },
  });
}

/** Telemetry key -> OBIS code of `DEFAULT_POINTS`. */
export const DEFAULT_KEYS: Readonly<Record<string, string>> = {
  activeEnergyImport: '1.0.1.8.0.255',
  voltageL1: '1.0.32.7.0.255',
  powerFactor: '1.0.13.7.0.255',
};
export const DEFAULT_POINTS = Object.entries(DEFAULT_KEYS)
  .map(([key, obis]) => `3:${obis}=${key}`)
  .join(',');

/** What the database itself has counted: committed and delivered, over all daemons that worked on it. */
export function countersOf({ db }: Bench): Readonly<Record<'cycles' | 'readings' | 'rows' | 'delivered', number>> {
  const sql = new BetterSqlite3(db, { readonly: true });
  try {
    const rows = sql.prepare<[], { name: string; value: number }>('SELECT name, value FROM counter').all();
    const counted = Object.fromEntries(rows.map(({ name, value }) => [name, value]));
    return { cycles: 0, readings: 0, rows: 0, delivered: 0, ...counted };
  } finally {
    sql.close();
  }
}

/** Every file of the bench's directory, by name: the database, its log, its key, the reserve. */
export function filesOf({ directory }: Bench): Map<string, Buffer> {
  return new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
}

/** What arrived of one device, as `compareWithTruth` takes it. */
export function valuesOf({ devices }: ReceivedDocument, device: string): ReceivedValue[] {
  return Object.entries(devices[device]?.telemetry ?? {}).flatMap(([key, points]) =>
    points.map(({ ts, value }) => ({ key, ts, value })),
  );
}

/** The readings in the outbox, as the database has them; for a database that no daemon is using. */
export function outboxReadings({ db }: Bench): (ReceivedValue & { readonly device: string })[] {
  const database = openDatabase(db, { readonly: true });
  try {
    const outbox = createOutboxReader(database);
    return loadFleet(database).connections.flatMap(({ id }) =>
      outbox
        .pending(id, 0, 100_000)
        .filter(({ device }) => device !== OWN_DEVICE)
        .flatMap(({ device, readings }) =>
          readings
            .filter(({ kind }) => kind !== 'attribute')
            .map(({ key, ts, text }) => ({ device, key, ts, value: text })),
        ),
    );
  } finally {
    database.close();
  }
}

/** The state of the first target's only connection. */
export function connectionOf({ targets }: StatusReport): ConnectionReport {
  const found = targets[0]?.connections[0];
  if (found === undefined) throw new Error('status shows no connection');
  return found;
}
