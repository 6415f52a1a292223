/** The report of `status` as text, whole. */
import pc from 'picocolors';
import { age, duration, percent } from './figures.ts';
import { outboxText } from './outbox-report.ts';
import type { StatusReport } from './status-report.ts';
import { table } from './table.ts';

type Meter = StatusReport['meters'][number];

export function statusText({ daemon, meters, lines, devices, targets, outbox }: StatusReport, now: number): string {
  const colour = pc.createColors(process.stdout.isTTY === true);
  const ageOf = (iso: string | null): string => age(iso === null ? null : Date.parse(iso), now);
  const head = daemon.running
    ? colour.green(`Daemon runs (pid ${daemon.pid}), figures of ${ageOf(daemon.updatedAt)}`)
    : colour.yellow(`No daemon runs; figures of ${ageOf(daemon.updatedAt)}`);
  return [
    head,
    `Cycles: ${daemon.cycles} | MQTT: ${daemon.messages} msgs (${percent(daemon.publishRate)}) | late ${daemon.late} | errors ${daemon.errors}${daemon.lastError === null ? '' : ` (last ${daemon.lastError.code})`}`,
    deviceLine('Meters', devices.meters),
    deviceLine('Lines', devices.lines),
    '',
    table(
      ['METER', 'STATE', 'LAST READING', 'CYCLES', 'FAILED', 'PUSHES', 'CONNECTED', 'UP', 'NEXT TRY', 'ERROR'],
      meters.map((meter) => [
        meter.name,
        meter.state === 'error' ? colour.red(meter.state) : meter.state,
        ageOf(meter.lastReading),
        String(meter.cycles),
        String(meter.failures),
        pushText(meter.push),
        `${meter.connection.connections}x`,
        duration(meter.connection.averageUptimeSeconds),
        meter.connection.suspendedBy === 'operator' || meter.state === 'suspended'
          ? `${until(meter.connection.nextAttempt, now)} (${meter.connection.suspendedBy ?? 'operator'})`
          : until(meter.connection.nextAttempt, now),
        troubles(meter),
      ]),
    ),
    '',
    table(
      ['LINE', 'STATUS', 'STATE', 'QUEUED', 'DONE', 'FAILED', 'AVG', 'OPENED', 'NEXT TRY'],
      lines.map((line) => [
        line.line,
        line.status,
        line.state,
        String(line.queued),
        String(line.completed),
        String(line.failed),
        `${line.avgMs} ms`,
        `${line.connections}x`,
        until(line.nextAttempt, now),
      ]),
    ),
    '',
    table(
      ['TARGET', 'CONNECTION', 'STATE', 'CLIENT ID', 'ROWS', 'WAITING', 'ERROR'],
      targets.flatMap(({ name, connections }) =>
        connections.map((connection) => [
          name,
          connection.meter ?? (connection.retired ? 'retired' : 'bridge'),
          connection.conflict ? colour.red('CONFLICT') : connection.state,
          connection.clientId ?? '-',
          String(connection.rows),
          String(connection.pending),
          isSettled(connection, now) ? '' : (connection.error?.code ?? ''),
        ]),
      ),
    ),
    '',
    outboxText(outbox),
  ].join('\n');
}

/** Codes of what is wrong with a meter; empty when nothing is. */
export function troubles(meter: Meter): string {
  const { stranger, error, pointErrors, clockIsOff, clockDriftSeconds, profiles } = meter;
  return [
    stranger === null ? undefined : 'STRANGER',
    error?.code,
    ...pointErrors.map(({ key, code }) => `${key}: ${code}`),
    ...profiles.flatMap(({ obis, error: failed }) => (failed === null ? [] : [`${obis}: ${failed.code}`])),
    clockIsOff ? `clock off by ${clockDriftSeconds} s` : undefined,
  ]
    .filter(Boolean)
    .join(', ');
}

function pushText(push: Meter['push']): string {
  if (push === null) return '-';
  const { stored, unmapped, refused } = push;
  return [String(stored), unmapped > 0 && `${unmapped} without key`, refused > 0 && `${refused} refused`]
    .filter(Boolean)
    .join(', ');
}

function deviceLine(what: string, totals: StatusReport['devices']['meters']): string {
  const { total, connected, disconnected, connecting, error, suspended, reconnections, errors } = totals;
  return `${what}: ${total} | connected ${connected} | disconnected ${disconnected + connecting} | error ${error} | suspended ${suspended} | reconnections ${reconnections} | errors ${errors} | mean uptime ${duration(totals.averageUptimeSeconds)}`;
}

/** `in 3 min`, `-` for nothing in the way. */
export function until(iso: string | null, now: number): string {
  const seconds = iso === null ? 0 : Math.round((Date.parse(iso) - now) / 1000);
  return seconds <= 0 ? '-' : `in ${duration(seconds)}`;
}

/** A session that stands for a while shows that what ended the last one is over. */
const SETTLED_AFTER_MS = 60_000;

function isSettled({ state, connectedSince }: { state: string; connectedSince: string | null }, now: number): boolean {
  return state === 'connected' && connectedSince !== null && now - Date.parse(connectedSince) > SETTLED_AFTER_MS;
}
