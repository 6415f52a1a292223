/** Whether the whole is well: a verdict over checks, and the figures beside it. Pure. */
import type { ErrorReport } from '../../core/errors.ts';
import { check, checksOf, type HealthCheck, type HealthFacts, type HealthStatus } from './health-checks.ts';

export interface HealthReport {
  readonly status: HealthStatus;
  readonly checks: readonly HealthCheck[];
  readonly system: { readonly uptimeSeconds: number; readonly activeWorkers: number; readonly queueLength: number };
  readonly performance: {
    readonly cycles: number;
    readonly messages: number;
    readonly publishRate: number | null;
    readonly avgPollMs: number | null;
    readonly p95PollMs: number | null;
    readonly p99PollMs: number | null;
    readonly readingsPerMinute: number | null;
  };
  readonly errors: {
    readonly total: number;
    /** Errors for each cycle tried. */
    readonly rate: number | null;
    readonly last: ErrorReport | null;
  };
  readonly workers: readonly {
    readonly line: string;
    readonly status: string;
    readonly completed: number;
    readonly avgMs: number;
    readonly lastSeen: string | null;
  }[];
}

/** The verdict is as bad as the worst check. `more`: checks that others made. */
export function assessHealth(facts: HealthFacts, more: readonly HealthCheck[] = []): HealthReport {
  const checks = [...checksOf(facts), ...more];
  return { status: worstOf(checks), checks, ...figuresOf(facts) };
}

/** When not even the database can be read. */
export function unreadableHealth(error: ErrorReport, more: readonly HealthCheck[] = []): HealthReport {
  const { code, message, hint } = error;
  // Who may not look sees less, which says nothing of how it is.
  const status = code === 'DATABASE_DENIED' ? 'unknown' : 'unhealthy';
  const checks = [check('database', status, `${code}: ${message}`, hint), ...more];
  return {
    status: worstOf(checks),
    checks,
    system: { uptimeSeconds: 0, activeWorkers: 0, queueLength: 0 },
    performance: {
      cycles: 0,
      messages: 0,
      publishRate: null,
      avgPollMs: null,
      p95PollMs: null,
      p99PollMs: null,
      readingsPerMinute: null,
    },
    errors: { total: 0, rate: null, last: error },
    workers: [],
  };
}

/** Who could look at nothing does not say that all is well. */
function worstOf(checks: readonly HealthCheck[]): HealthStatus {
  if (checks.every(({ status }) => status === 'unknown')) return 'degraded';
  if (checks.some(({ status }) => status === 'unhealthy')) return 'unhealthy';
  return checks.some(({ status }) => status === 'degraded') ? 'degraded' : 'healthy';
}

function figuresOf({ daemon, fleet, lines, running, now }: HealthFacts): Omit<HealthReport, 'status' | 'checks'> {
  const uptimeMs = running && daemon !== null ? Math.max(0, now - daemon.startedAt) : 0;
  const workers = fleet.lines.flatMap(({ id, link }) => {
    const line = lines.get(id);
    if (line === undefined) return [];
    const { status, completed, avgMs, lastSeen, queued } = line;
    return [
      {
        line: link,
        status,
        completed,
        avgMs,
        lastSeen: lastSeen === null ? null : new Date(lastSeen).toISOString(),
        queued,
      },
    ];
  });
  const tried = (daemon?.cycles ?? 0) + (daemon?.errors ?? 0);
  return {
    system: {
      uptimeSeconds: Math.round(uptimeMs / 1000),
      activeWorkers: running ? workers.filter(({ status }) => status !== 'down').length : 0,
      queueLength: running ? workers.reduce((sum, { queued }) => sum + queued, 0) : 0,
    },
    performance: {
      cycles: daemon?.cycles ?? 0,
      messages: daemon?.messages ?? 0,
      publishRate: daemon?.publishRate ?? null,
      avgPollMs: daemon?.avgPollMs ?? null,
      p95PollMs: daemon?.p95PollMs ?? null,
      p99PollMs: daemon?.p99PollMs ?? null,
      readingsPerMinute: uptimeMs < 1000 ? null : Math.round(((daemon?.readings ?? 0) * 600_000) / uptimeMs) / 10,
    },
    errors: {
      total: daemon?.errors ?? 0,
      rate: tried === 0 ? null : Math.round((1000 * (daemon?.errors ?? 0)) / tried) / 1000,
      last: daemon?.lastError ?? null,
    },
    workers: workers.map(({ queued: _, ...worker }) => worker),
  };
}
