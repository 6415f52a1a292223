/** Metrics of the daemon as Prometheus reads them: one table, filled from the gauges at each scrape; poll times as they are. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { ALERT_RULES, type AlertCode } from '../../alert/rules.ts';
import type { DeviceTotals } from '../../line/device-manager.ts';
import type { PollingEvents } from '../../polling/events.ts';
import type { EventBus } from '../../runtime/events.ts';
import type { Gauges } from './gauges.ts';

export interface MetricsSource {
  readonly polling: EventBus<PollingEvents>;
  /** Throws DATABASE_*. */
  gauges(): Gauges;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number | null];

interface Metric {
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
  /** null: not known, and no sample. */
  samples(gauges: Gauges): readonly Sample[];
}

const DEVICE_STATES = ['connected', 'connecting', 'disconnected', 'error', 'suspended'] as const;
const CONNECTION_STATES = ['connected', 'connecting', 'waiting', 'stopped'] as const;
const ALERT_CODES = Object.keys(ALERT_RULES) as AlertCode[];
/** Seconds. All meters in one: a histogram for each of a thousand would be larger than all the rest. */
const POLL_BUCKETS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

const METRICS: Readonly<Record<string, Metric>> = {
  dlms_start_time_seconds: gauge('When the daemon started, seconds UTC', ({ daemon }) => daemon.startedAt / 1000),
  dlms_cycles_total: counter('Cycles that committed at least one reading', ({ daemon }) => daemon.cycles),
  dlms_readings_total: counter('Readings that were stored', ({ daemon }) => daemon.readings),
  dlms_messages_total: counter('Messages that ThingsBoard acknowledged', ({ daemon }) => daemon.messages),
  dlms_late_polls_total: counter('Polls that came due while the one before was under way', ({ daemon }) => daemon.late),
  dlms_errors_total: counter('Errors of polls, profiles and single points', ({ daemon }) => daemon.errors),
  dlms_publish_rate: gauge(
    'Share of the cycles that is delivered, since the start',
    ({ daemon }) => daemon.publishRate,
  ),
  dlms_publish_rate_recent: gauge('The same of the last minute, or more', ({ daemon }) => daemon.recentPublishRate),
  dlms_outbox_rows: perTarget('Rows that wait for delivery', ({ outbox }) => outbox.rows),
  dlms_outbox_bytes: perTarget('Octets of the readings that wait', ({ outbox }) => outbox.bytes),
  dlms_outbox_quarantined_rows: perTarget('Rows that are set aside', ({ outbox }) => outbox.quarantined),
  dlms_outbox_oldest_age_seconds: perTarget('Age of the eldest row that waits', ({ outbox }, now) =>
    outbox.oldest === null ? 0 : Math.max(0, (now - outbox.oldest) / 1000),
  ),
  dlms_outbox_dropped_rows_total: counter(
    'Rows that a limit of the outbox or an operator took away, since the database was made',
    ({ totals }) => totals.dropped,
  ),
  dlms_connections: {
    ...{ kind: 'gauge', help: 'Connections to ThingsBoard', labels: ['target', 'state'] },
    samples: ({ targets }) =>
      targets.flatMap(({ target, states }) =>
        CONNECTION_STATES.map((state): Sample => [{ target, state }, states.get(state) ?? 0]),
      ),
  },
  dlms_conflicts: perTarget('Connections whose access token another client uses', ({ conflicts }) => conflicts),
  dlms_certificate_expiry_time_seconds: perTarget(
    'When the first certificate expires, seconds UTC',
    ({ certificateExpires }) => (certificateExpires === null ? null : certificateExpires / 1000),
  ),
  dlms_meters: perState('Meters', 'meter'),
  dlms_lines: perState('Lines', 'line'),
  dlms_jobs_queued: gauge('Jobs that wait for their line', ({ jobsQueued }) => jobsQueued),
  dlms_alerts_active: {
    ...{ kind: 'gauge', help: 'Alerts that are active', labels: ['code', 'severity'] },
    samples: ({ alerts }) =>
      ALERT_CODES.map((code): Sample => [{ code, severity: ALERT_RULES[code].severity }, alerts.get(code) ?? 0]),
  },
};

function gauge(help: string, value: (gauges: Gauges) => number | null): Metric {
  return { kind: 'gauge', help, labels: [], samples: (gauges) => [[{}, value(gauges)]] };
}

function counter(help: string, value: (gauges: Gauges) => number): Metric {
  return { ...gauge(help, value), kind: 'counter' };
}

function perTarget(help: string, value: (target: Gauges['targets'][number], now: number) => number | null): Metric {
  const samples = ({ targets, now }: Gauges) => targets.map((one): Sample => [{ target: one.target }, value(one, now)]);
  return { kind: 'gauge', help, labels: ['target'], samples };
}

function perState(help: string, kind: keyof Gauges['devices']): Metric {
  const samples = ({ devices }: Gauges) =>
    DEVICE_STATES.map((state): Sample => [{ state }, devices[kind][state satisfies keyof DeviceTotals]]);
  return { kind: 'gauge', help, labels: ['state'], samples };
}

export class DaemonMetrics {
  private readonly source: MetricsSource;
  private readonly registry = new Registry();
  private readonly fill: ((gauges: Gauges) => void)[];

  /** Listens from now on. `version`: of this program. */
  constructor(source: MetricsSource, version: string) {
    this.source = source;
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    const labelNames = ['version', 'node'];
    const build = new Gauge({ name: 'dlms_build_info', help: 'Which program this is', labelNames, registers });
    build.set({ version, node: process.version }, 1);
    this.fill = Object.entries(METRICS).map(([name, metric]) => filler(name, metric, registers));
    const polls = new Histogram({
      ...{ name: 'dlms_poll_duration_seconds', help: 'From taking the line to the last octet, all meters' },
      ...{ buckets: POLL_BUCKETS, registers },
    });
    const failed = new Counter({
      ...{ name: 'dlms_polls_failed_total', help: 'Cycles that gave nothing', labelNames: ['fault'], registers },
    });
    source.polling.on('committed', ({ pollMs }) => polls.observe(pollMs / 1000));
    source.polling.on('failed', ({ error }) => failed.inc({ fault: error.fault }));
  }

  /** The text of one scrape. Rejects with DATABASE_*. */
  async text(): Promise<string> {
    const gauges = this.source.gauges();
    for (const fill of this.fill) fill(gauges);
    return this.registry.metrics();
  }
}

function filler(name: string, { kind, help, labels, samples }: Metric, registers: Registry[]) {
  const options = { name, help, labelNames: [...labels], registers };
  if (kind === 'counter') {
    const metric = new Counter(options);
    return (gauges: Gauges): void => {
      metric.reset();
      for (const [of, value] of samples(gauges)) if (value !== null) metric.inc({ ...of }, value);
    };
  }
  const metric = new Gauge(options);
  return (gauges: Gauges): void => {
    metric.reset();
    for (const [of, value] of samples(gauges)) {
      // A reset leaves a 0 behind where there are no labels, and 0 is not "unknown".
      if (value === null) metric.remove({ ...of });
      else metric.set({ ...of }, value);
    }
  };
}
