/** Alerts are telemetry of the bridge's own device, and wait in the outbox like everything else. */
import { randomUUID } from 'node:crypto';
import { decimal } from '../../core/decimal.ts';
import { doubted } from '../../polling/cycle-store.ts';
import type { Reading, ReadingValue } from '../../reading/reading.ts';
import { doubtReason } from '../../store/local/doubts.ts';
import { type CycleCommit, OWN_DEVICE } from '../../store/local/types.ts';
import type { AlertNotice } from './alert-desk.ts';

/** `doubt`: that of the host's clock when the notice was stamped; its row waits until the time is put right. */
export function noticeCommit(
  { code, subject, change, detail, at, active }: AlertNotice,
  connectionIds: readonly number[],
  doubt: string | null,
): CycleCommit {
  const readings = [
    reading('activeAlerts', at, decimal(active)),
    reading('lastAlert', at, `${code} ${subject} ${change}${change === 'raised' ? `: ${detail}` : ''}`),
  ];
  return {
    cycleId: randomUUID(),
    // Of no meter: nothing is learned.
    meterId: 0,
    device: OWN_DEVICE,
    createdAt: at,
    connectionIds,
    readings: doubted(readings, at, doubt),
    withheld: doubt === null ? null : { reason: doubtReason(doubt) },
  };
}

function reading(key: string, ts: number, value: ReadingValue): Reading {
  return { key, ts, value, unit: null, obis: '', quality: 'good' };
}
