/** Alerts are telemetry of the bridge's own device, and wait in the outbox like everything else. */
import { randomUUID } from 'node:crypto';
import { decimal } from '../core/decimal.ts';
import type { Reading, ReadingValue } from '../reading/reading.ts';
import { type CycleCommit, OWN_DEVICE } from '../store/local/types.ts';
import type { AlertNotice } from './alert-desk.ts';

export function noticeCommit(
  { code, subject, change, detail, at, active }: AlertNotice,
  connectionIds: readonly number[],
): CycleCommit {
  const reading = (key: string, value: ReadingValue): Reading => ({
    key,
    ts: at,
    value,
    unit: null,
    obis: '',
    quality: 'good',
  });
  return {
    cycleId: randomUUID(),
    // Of no meter: nothing is learned.
    meterId: 0,
    device: OWN_DEVICE,
    createdAt: at,
    connectionIds,
    readings: [
      reading('activeAlerts', decimal(active)),
      reading('lastAlert', `${code} ${subject} ${change}${change === 'raised' ? `: ${detail}` : ''}`),
    ],
  };
}
