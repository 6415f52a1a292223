/** `diagnose METER`, `diagnose --target [NAME]`: walks the way to ThingsBoard step by step and says where it stops. */
import type { Command } from 'commander';
import pc from 'picocolors';
import type { ReadDocument } from '../../command/read.ts';
import { fail } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import type { ConnectionStatus } from '../../daemon/publisher-set.ts';
import type { PointAddress } from '../../reading/point-text.ts';
import { pointText } from '../../reading/point-text.ts';
import { systemClock } from '../../runtime/clock.ts';
import { acquireMeterWork, daemonRuns } from '../../store/daemon-lock.ts';
import { type Database, inTransaction, openDatabase } from '../../store/database.ts';
import { connectionsOfMeter, loadFleet, wantedTargets } from '../../store/fleet/load.ts';
import type { Connection, Fleet, Meter } from '../../store/fleet/types.ts';
import { createOutboxReader } from '../../store/local/outbox-reader.ts';
import { loadStatus } from '../../store/local/status.ts';
import { type Context, EXIT, verb } from '../context.ts';
import { walkBroker } from '../diagnose/broker-steps.ts';
import { walkMeter, walkThroughDaemon } from '../diagnose/meter-steps.ts';
import { type Step, Walk } from '../diagnose/steps.ts';
import type { MeterFlags } from '../flags/meter-flags.ts';
import { workOn } from '../meter/meter-work.ts';
import { namedMeter } from '../meter/one-meter.ts';
import { age } from '../views/figures.ts';
import { printable } from '../views/printable.ts';
import { withDatabase } from '../with-database.ts';

export function registerDiagnose(program: Command): void {
  program
    .command('diagnose [meter]')
    .description('walk the whole way step by step, line to ThingsBoard, and say where it stops and why')
    .option('--target [name]', 'the side of ThingsBoard only, without a meter')
    .option('--deadline <seconds>', 'for the read through the daemon', '60')
    .action(verb(diagnose));
}

async function diagnose(context: Context, command: Command): Promise<number> {
  const [name] = command.args;
  const { target } = command.opts<{ target?: string | true }>();
  if ((name === undefined) === (target === undefined)) fail('USAGE', 'name a stored meter, or give --target');
  const fleet = withDatabase(context, loadFleet);
  const walk = new Walk(stepPrinter(context));
  if (name === undefined) await targets(context, walk, fleet, target === true ? null : (target ?? null));
  else await wholeWay(context, command, walk, fleet, name);
  const { steps, failure } = walk;
  const verdict = failure === undefined ? 'the whole way works' : `stops at ${failure.name}: ${failure.error?.code}`;
  context.print({ steps, verdict } as unknown as JsonValue, () => `\n${capital(verdict)}.`);
  return failure === undefined ? EXIT.done : EXIT.failed;
}

async function wholeWay(context: Context, command: Command, walk: Walk, fleet: Fleet, name: string): Promise<void> {
  const meter = fleet.meters.find((one) => one.name === name) ?? fail('NOT_FOUND', `there is no meter "${name}"`);
  const named = namedMeter(context, name, {} as MeterFlags);
  const point = firstPoint(fleet, meter);
  const lock = acquireMeterWork(context.databasePath);
  if (lock === null) {
    const points = [{ point: pointText(point), ...point }];
    await walkThroughDaemon(walk, named, async () => {
      return (await workOn(context, command, name, { verb: 'read', points })) as unknown as ReadDocument;
    });
  } else {
    try {
      await walkMeter(context, walk, named, point);
    } finally {
      lock.release();
    }
  }
  await walk.step('store', () => stores(context));
  await walk.step('outbox', () => withDatabase(context, waiting));
  await brokers(context, walk, fleet, connectionsOfMeter(fleet, meter.id));
}

async function targets(context: Context, walk: Walk, fleet: Fleet, name: string | null): Promise<void> {
  const wanted = wantedTargets(fleet).filter((target) => name === null || target.name === name);
  if (wanted.length === 0) fail('NOT_FOUND', name === null ? 'there is no target' : `there is no target "${name}"`);
  const ids = new Set(wanted.map(({ id }) => id));
  const connections = fleet.connections.filter(({ targetId, retired }) => ids.has(targetId) && !retired);
  await brokers(context, walk, fleet, connections);
}

/** One connection after the other; the first failure ends the walk. */
async function brokers(context: Context, walk: Walk, fleet: Fleet, connections: readonly Connection[]): Promise<void> {
  const stored = daemonRuns(context.databasePath) ? withDatabase(context, loadStatus) : null;
  for (const connection of connections) {
    const target =
      fleet.targets.find(({ id }) => id === connection.targetId) ?? fail('INTERNAL', 'a connection without target');
    const told = statusIn<ConnectionStatus>(stored, `connection:${connection.id}`);
    if (connections.length > 1) walk.prefix = `${target.name}/${connection.id}: `;
    const daemonPid = statusIn<{ readonly pid: number }>(stored, 'daemon')?.pid ?? null;
    const status = stored === null ? null : told;
    await walkBroker(walk, { target, connection, daemonPid, status }, context.signal);
  }
}

/** What the daemon said of a subject last. */
function statusIn<T>(stored: ReturnType<typeof loadStatus> | null, subject: string): T | undefined {
  const json = stored?.get(subject)?.json;
  return json === undefined ? undefined : (JSON.parse(json) as T);
}

/** What the daemon reads first; a meter without points is asked for its name. */
function firstPoint(fleet: Fleet, { id }: Meter): PointAddress {
  const groups = new Set(fleet.groups.filter(({ meterId }) => meterId === id).map((group) => group.id));
  const { classId, obis, attribute } = fleet.points.find(({ groupId }) => groups.has(groupId)) ?? LOGICAL_DEVICE_NAME;
  return { classId, obis, attribute };
}

const LOGICAL_DEVICE_NAME = { classId: 1, obis: '0.0.42.0.0.255', attribute: 2 } as const;

function stores(context: Context): string {
  const database = openDatabase(context.databasePath);
  try {
    inTransaction(database, () => database.sql.prepare('UPDATE fleet_state SET revision = revision').run());
  } finally {
    database.close();
  }
  return `${context.databasePath} can be written`;
}

function waiting(database: Database): string {
  const { rows, oldest, quarantined } = createOutboxReader(database).depth();
  const aside = quarantined === 0 ? '' : `, ${quarantined} set aside`;
  return rows === 0 ? `empty${aside}` : `${rows} rows wait, the oldest ${age(oldest, systemClock.now())}${aside}`;
}

/** Each step as it is done, for people. */
function stepPrinter({ json }: Context): (step: Step) => void {
  const colour = pc.createColors(process.stdout.isTTY === true);
  const mark = { ok: colour.green('ok     '), failed: colour.red('FAILED '), skipped: colour.dim('skipped') } as const;
  return ({ name, status, detail, ms }) => {
    if (json) return;
    process.stdout.write(printable(`${mark[status]} ${name.padEnd(12)} ${ms === null ? '' : `${ms} ms  `}${detail}\n`));
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
