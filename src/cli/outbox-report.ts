/** What the outbox holds, in figures: for `outbox` and `status`. */
import type { OutboxDepth } from '../store/local/types.ts';

export interface OutboxReport {
  readonly rows: number;
  /** ISO 8601. */
  readonly oldest: string | null;
  readonly bytes: number;
  readonly quarantined: number;
}

export function outboxReport({ rows, oldest, bytes, quarantined }: OutboxDepth) {
  return { rows, oldest: oldest === null ? null : new Date(oldest).toISOString(), bytes, quarantined };
}

export function outboxText({ rows, oldest, bytes, quarantined }: OutboxReport): string {
  const waiting = rows === 0 ? 'Outbox empty' : `Outbox: ${rows} rows, ${bytes} octets, oldest of ${oldest}`;
  return quarantined === 0 ? `${waiting}.` : `${waiting}; ${quarantined} rows quarantined.`;
}
