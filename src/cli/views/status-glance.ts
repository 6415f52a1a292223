/** The status at a glance, within the height of a screen: what is wrong comes first. */
import pc from 'picocolors';
import { ALERT_RULES, type AlertRule, type Severity } from '../../alert/rules.ts';
import type { Database } from '../../store/database.ts';
import { loadAlerts, type StoredAlert } from '../../store/local/alerts.ts';
import { age, duration, percent } from './figures.ts';
import { type StatusReport, statusReport } from './status-report.ts';
import { troubles, until } from './status-text.ts';
import { table } from './table.ts';

export interface StatusLook {
  /** Milliseconds UTC. */
  readonly now: number;
  readonly report: StatusReport;
  /** Those that are active, the gravest first. */
  readonly alerts: readonly StoredAlert[];
}

const SEVERITIES: readonly Severity[] = ['critical', 'major', 'minor', 'warning'];
/** From the worst on; what is not named here is well. */
const WORST_FIRST = ['error', 'suspended', 'connecting', 'disconnected', 'connected', 'disabled'];
/** Rows of the screen for the targets, and the share of what is left for alerts: meters have the rest. */
const TARGETS_SHOWN = 3;
const ALERTS_SHARE = 1 / 3;

export function lookAtStatus(database: Database, now: number): StatusLook {
  const severity = ({ code }: StoredAlert): number =>
    SEVERITIES.indexOf((ALERT_RULES[code] satisfies AlertRule).severity);
  const alerts = loadAlerts(database)
    .filter(({ cleared }) => cleared === null)
    .sort((a, b) => severity(a) - severity(b));
  return { now, report: statusReport(database), alerts };
}

/** One line, for where there is no terminal. */
export function statusLine({ now, report: { daemon, devices, outbox }, alerts }: StatusLook): string {
  const { total, connected } = devices.meters;
  return [
    new Date(now).toISOString(),
    ratesText(daemon),
    `outbox ${outbox.rows}, oldest ${age(timeOf(outbox.oldest), now)}`,
    `meters ${connected} of ${total} connected`,
    alerts.length === 0 ? 'no alerts' : `alerts ${counted(alerts.map(({ code }) => code))}`,
    ...(daemon.running ? [] : ['no daemon runs']),
  ].join(' | ');
}

/** At most `rows` lines. */
export function statusFrame(look: StatusLook, rows: number): string {
  const head = [...headLines(look), ...targetLines(look)];
  const left = Math.max(0, rows - head.length);
  const alerts = alertLines(look, Math.max(4, Math.floor(left * ALERTS_SHARE)));
  return [...head, ...alerts, ...meterLines(look, left - alerts.length)].slice(0, rows).join('\n');
}

function headLines({ now, report: { daemon, devices, outbox } }: StatusLook): string[] {
  const figures = `figures of ${age(timeOf(daemon.updatedAt), now)}`;
  const started = timeOf(daemon.startedAt);
  const up = duration(started === null ? null : Math.max(0, Math.round((now - started) / 1000)));
  const { avgPollMs, p95PollMs, p99PollMs } = daemon;
  const polls = avgPollMs === null ? '-' : `mean ${avgPollMs} ms, p95 ${p95PollMs} ms, p99 ${p99PollMs} ms`;
  const dropped = outbox.dropped.reduce((sum, { rows }) => sum + rows, 0);
  const waiting = `Outbox: ${outbox.rows} rows, ${outbox.bytes} octets, oldest ${age(timeOf(outbox.oldest), now)} | quarantined ${outbox.quarantined} | dropped ${dropped}`;
  return [
    daemon.running
      ? pc.green(`Daemon runs (pid ${daemon.pid}) for ${up}, ${figures}`)
      : pc.red(`No daemon runs; ${figures}`),
    ratesText(daemon),
    `Polls: ${polls} | late ${daemon.late} | errors ${daemon.errors}${daemon.lastError === null ? '' : ` (last ${daemon.lastError.code})`}`,
    outbox.quarantined + dropped > 0 ? pc.yellow(waiting) : waiting,
    statesLine('Meters', devices.meters),
    statesLine('Lines', devices.lines),
  ];
}

function ratesText({ cycles, messages, publishRate, recentPublishRate }: StatusReport['daemon']): string {
  return `Cycles: ${cycles} | MQTT: ${messages} msgs (${percent(publishRate)}, lately ${percent(recentPublishRate)})`;
}

function statesLine(what: string, totals: StatusReport['devices']['meters']): string {
  const { total, connected, disconnected, connecting, error, suspended } = totals;
  const line = `${what}: ${total} | connected ${connected} | disconnected ${disconnected + connecting} | error ${error} | suspended ${suspended}`;
  return error + suspended > 0 ? pc.yellow(line) : line;
}

/** A line for each target with how many of its connections are in which state; those in trouble first. */
function targetLines({ report: { targets } }: StatusLook): string[] {
  const lines = targets
    .map(({ name, conflict, connections, clientId }) => {
      const isWell = !conflict && connections.every(({ state }) => state === 'connected');
      const error = connections.find(({ state }) => state !== 'connected')?.error?.code;
      const line = [
        `Target ${name}: ${counted(connections.map(({ state }) => state))}`,
        ...(conflict ? ['CONFLICT: another client uses the token'] : []),
        ...(isWell || error === undefined ? [] : [error]),
        `client ID ${clientId ?? '-'}`,
      ].join(' | ');
      return { isWell, line: isWell ? line : pc.red(line) };
    })
    .sort((a, b) => Number(a.isWell) - Number(b.isWell))
    .map(({ line }) => line);
  return bounded(lines, TARGETS_SHOWN, 'targets');
}

function alertLines({ now, alerts }: StatusLook, rows: number): string[] {
  if (alerts.length === 0) return ['', 'No alerts.'];
  const shown = alerts.slice(0, 3 + rows);
  const [head = '', ...lines] = table(
    ['ALERT', 'SEVERITY', 'ABOUT', 'SINCE', 'DETAIL'],
    shown.map(({ code, subject, since, acknowledged, detail }) => [
      code,
      ALERT_RULES[code].severity,
      subject,
      age(since, now),
      acknowledged === null ? detail : `(acknowledged) ${detail}`,
    ]),
  ).split('\n');
  const coloured = lines.map((line, index) => (shown[index]?.acknowledged === null ? pc.red(line) : line));
  const more = alerts.length - shown.length;
  return ['', pc.bold(head), ...bounded(coloured, rows - 2, 'alerts', more)];
}

function meterLines({ now, report: { meters } }: StatusLook, rows: number): string[] {
  if (rows < 3) return [];
  const ranked = meters
    .map((meter) => ({ meter, wrong: troubles(meter) }))
    .sort((a, b) => rankOf(a) - rankOf(b) || b.meter.failures - a.meter.failures);
  const shown = ranked.slice(0, rows);
  const [head = '', ...lines] = table(
    ['METER', 'STATE', 'LAST READING', 'POLL', 'CYCLES', 'FAILED', 'NEXT TRY', 'ERROR'],
    shown.map(({ meter, wrong }) => [
      meter.name,
      meter.state,
      age(timeOf(meter.lastReading), now),
      meter.lastCycleMs === null ? '-' : `${meter.lastCycleMs} ms`,
      String(meter.cycles),
      String(meter.failures),
      until(meter.connection.nextAttempt, now),
      wrong,
    ]),
  ).split('\n');
  const coloured = lines.map((line, index) => {
    const one = shown[index];
    if (one === undefined || (one.wrong === '' && one.meter.state === 'connected')) return line;
    return one.meter.state === 'error' || one.meter.state === 'suspended' ? pc.red(line) : pc.yellow(line);
  });
  return ['', pc.bold(head), ...bounded(coloured, rows - 2, 'meters', ranked.length - shown.length)];
}

/** A meter in trouble goes before one of the same state that is well. */
function rankOf({ meter, wrong }: { meter: StatusReport['meters'][number]; wrong: string }): number {
  return 2 * WORST_FIRST.indexOf(meter.state) - (wrong === '' ? 0 : meter.state === 'connected' ? 3 : 1);
}

/** At most `rows` of the lines, the last of which says how many others there are; `more`: those not among the lines. */
function bounded(lines: readonly string[], rows: number, what: string, more = 0): string[] {
  if (lines.length <= rows && more === 0) return [...lines];
  const shown = lines.slice(0, Math.max(0, rows - 1));
  return [...shown, pc.dim(`... and ${lines.length - shown.length + more} more ${what}`)];
}

/** `connected 12, waiting`: each with how often it is there, the most frequent first. */
function counted(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => (count === 1 ? word : `${word} ${count}`))
    .join(', ');
}

function timeOf(iso: string | null): number | null {
  return iso === null ? null : Date.parse(iso);
}
